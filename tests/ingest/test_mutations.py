"""Small files of every format, damaged at random: pages or a refusal in words, never a crash or a hang."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
import xlwt  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

import ingest
from ingest import (
    DamagedDocument,
    EmptyDocument,
    Enclosed,
    EncryptedDocument,
    Limits,
    Page,
    TooLarge,
    UnsupportedFormat,
)
from tests.support import hostile_packages, pdfs

LIMITS: Final = Limits(silent_seconds=15.0)
REFUSALS: Final = (DamagedDocument, EmptyDocument, EncryptedDocument, TooLarge, UnsupportedFormat)
"""All that may come of a damaged file besides pages: no crash, and no end by the clock."""

TEXTS: Final = {
    ".txt": b"Plain text.\n\nA second paragraph with caf\xc3\xa9.\n",
    ".md": b"# Title\n\n- a\n- b\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```\n",
    ".html": b"<!DOCTYPE html><html><head><title>T</title></head><body><h1>H</h1><table><tr><td colspan=2>a"
    b"<td>b</table><ul><li>x<ol><li>y</ol></ul><pre> z </pre></body></html>",
    ".csv": b'name,count\n"a, b",1\nc,2\n\xe9,3\n',
    ".tsv": b"name\tcount\na\t1\nb\t2\n",
    ".rtf": rb"{\rtf1\ansi{\fonttbl{\f0 A;}}\pard Said {\b bold} caf\'e9 \u8364?\par"
    rb"\trowd\cellx1\cellx2 a\cell b\cell\row{\footnote note}}",
}


def old_workbook(path: Path) -> Path:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet")
    for row in range(20):
        sheet.write(row, row % 3, f"Text {row}" if row % 2 else row / 3)
    book.save(str(path))
    return path


OTHERS: Final = {
    ".xls": old_workbook,
    ".pdf": lambda path: pdfs.text_pdf(path, [["One", "line"], ["Two"]], title="T"),
    ".doc": hostile_packages.old,
    ".ppt": hostile_packages.old,
}
ZIPPED: Final = sorted(hostile_packages.MAIN_PARTS)
SUFFIXES: Final = [*sorted(TEXTS), *sorted(OTHERS), *ZIPPED]

change = st.tuples(
    st.sampled_from(["cut", "flip", "insert", "repeat", "zero", "swap"]),
    st.floats(0, 1),
    st.floats(0, 1),
    st.one_of(
        st.binary(min_size=1, max_size=8),
        st.sampled_from(
            [
                b"\xff\xff\xff\x7f",
                b"\xff" * 8,
                b"<",
                b">",
                b"{",
                b"}",
                b"((",
                b"<<",
                b"&#x110000;",
                b"999999999",
            ]
        ),
    ),
)


@cache
def whole(suffix: str) -> bytes:
    """A sound file of the format."""
    if suffix in TEXTS:
        return TEXTS[suffix]
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        return OTHERS.get(suffix, hostile_packages.ordinary)(path).read_bytes()


def changed(data: bytes, changes: list[tuple[str, float, float, bytes]]) -> bytes:
    """Damage the bytes: each change has a kind, a place, a length of up to a sixteenth, and bytes."""
    for kind, at, share, put in changes:
        place = int(at * len(data))
        end = min(len(data), place + 1 + int(share * len(data) / 16))
        piece = data[place:end]
        middle = {
            "flip": bytes(byte ^ put[0] for byte in piece[:4]) + piece[4:],
            "insert": put + piece,
            "repeat": piece * 40,
            "zero": bytes(len(piece)),
            "swap": data[len(data) - end : len(data) - place],
        }
        data = data[:place] if kind == "cut" else data[:place] + middle[kind] + data[end:]
    return data


def changed_inside(data: bytes, part: str, changes: list[tuple[str, float, float, bytes]]) -> bytes:
    """Damage one part of a ZIP and pack it anew, so that the damage gets past its checksum."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            inner = old.read(name)
            new.writestr(name, changed(inner, changes) if name == part else inner)
    return made.getvalue()


def check(data: bytes, suffix: str) -> None:
    """Read it; whatever comes of it is pages, or files, or an error that no crash is behind."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        path.write_bytes(data)
        events = ingest.read(path, filename=path.name, limits=LIMITS)
        with suppress(*REFUSALS):
            assert any(isinstance(event, Page | Enclosed) for event in events)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=15)
@given(changes=st.lists(change, min_size=1, max_size=4))
def test_a_damaged_file_is_read_or_refused(
    suffix: str, changes: list[tuple[str, float, float, bytes]]
) -> None:
    check(changed(whole(suffix), changes), suffix)


@pytest.mark.parametrize("suffix", ZIPPED)
@settings(max_examples=15)
@given(changes=st.lists(change, min_size=1, max_size=3), data=st.data())
def test_a_package_with_a_damaged_part_is_read_or_refused(
    suffix: str, changes: list[tuple[str, float, float, bytes]], data: st.DataObject
) -> None:
    with zipfile.ZipFile(io.BytesIO(whole(suffix))) as archive:
        part = data.draw(st.sampled_from(archive.namelist()))
    check(changed_inside(whole(suffix), part, changes), suffix)
