"""Plain text in any encoding, cut gently, never whole in memory."""

from __future__ import annotations

import codecs
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.document import Unit
from ingest.errors import EmptyDocument
from ingest.formats import PLAIN
from ingest.formats.plain import PlainReading, open_document
from ingest.formats.sections import MAX_CHARS, WISHED_CHARS, sections

PROSE = "The committee met again on Monday. It heard two reports, and adjourned late.\n"


def reading_of(path: Path, data: bytes) -> PlainReading:
    path.write_bytes(data)
    return open_document(path, PLAIN)


def text_of(reading: PlainReading) -> str:
    pages = list(reading.pages())
    assert reading.total == len(pages)
    return "\n".join(page.text for page in pages)


@pytest.mark.parametrize(
    "data",
    [
        "Größe 日本".encode(),
        codecs.BOM_UTF8 + "Größe 日本".encode(),
        codecs.BOM_UTF16_LE + "Größe 日本".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "Größe 日本".encode("utf-16-be"),
    ],
)
def test_unicode_is_read_without_a_notice(tmp_path: Path, data: bytes) -> None:
    reading = reading_of(tmp_path / "a", data)
    assert text_of(reading) == "Größe 日本"
    assert reading.notices == []
    assert reading.unit is Unit.SECTION


def test_an_old_encoding_is_guessed_and_told(tmp_path: Path) -> None:
    reading = reading_of(tmp_path / "a", "“Größe”: 5 €".encode("windows-1252"))
    assert text_of(reading) == "“Größe”: 5 €"
    assert [notice.code for notice in reading.notices] == ["encoding_guessed"]


def test_broken_bytes_in_utf8_are_replaced_and_counted(tmp_path: Path) -> None:
    reading = reading_of(tmp_path / "a", "Größe, Füße, Öl".encode() + b" \xff\xfe end")
    assert text_of(reading) == "Größe, Füße, Öl \ufffd\ufffd end"
    assert [(notice.code, notice.detail[:2]) for notice in reading.notices] == [("undecodable_bytes", "2 ")]


def test_a_character_across_two_chunks_is_whole(tmp_path: Path) -> None:
    data = b"x" + "é\r\n".encode() * 200_000
    reading = reading_of(tmp_path / "a", data)
    assert reading.notices == []
    text = text_of(reading)
    assert text.count("é") == 200_000
    assert "\r" not in text


def test_form_feeds_part_sections() -> None:
    assert list(sections(["one\ftwo\n\f\f \fthr", "ee"])) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ((PROSE * 20 + "\n") * 10, "late."),
        (PROSE * 200, "late."),
        (PROSE.strip().replace("\n", " ") * 200, "."),
        ("word " * 5_000, "word"),
        ("字" * 2_000 + "。" + "字" * 2_500 + "。" + "字" * 3_000, ("。", "字")),
    ],
)
def test_a_cut_falls_in_the_gentlest_place(text: str, ends: str | tuple[str, ...]) -> None:
    cut = list(sections([text]))
    assert len(cut) > 1
    assert all(section.rstrip().endswith(ends) for section in cut)
    assert all(WISHED_CHARS // 3 <= len(section) <= 2 * WISHED_CHARS for section in cut[:-1])


def test_text_without_any_break_is_cut_hard_but_not_between_a_letter_and_its_marks() -> None:
    cut = list(sections(["e\u0301" * 30_001]))
    assert max(map(len, cut)) <= MAX_CHARS
    assert all(section.startswith("e") and section.endswith("\u0301") for section in cut)


blocks = st.lists(
    st.one_of(
        st.sampled_from(["\n", "\n\n", " ", "\f", ". ", "\t", "  \n", "\u3000", "x" * 25_000, PROSE * 30]),
        st.text(max_size=50),
    ),
    max_size=25,
)


@settings(deadline=None)
@given(blocks)
def test_the_sections_are_the_text(pieces: list[str]) -> None:
    text = "".join(pieces)
    cut = list(sections(pieces))
    assert "".join("".join(cut).split()) == "".join(text.split())
    assert all(section and len(section) <= MAX_CHARS for section in cut)


@settings(deadline=None)
@given(blocks, st.integers(1, 5_000))
def test_how_the_text_comes_does_not_matter(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    cut = sections(text[start : start + size] for start in range(0, len(text), size))
    assert list(cut) == list(sections([text]))


@pytest.mark.parametrize("data", [b" \n\x0c\n ", codecs.BOM_UTF8])
def test_blanks_alone_are_empty(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(EmptyDocument):
        reading_of(tmp_path / "a", data)


def test_a_large_file_stays_out_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    path.write_text(PROSE * 600_000)
    script = (
        "import resource, sys; from pathlib import Path; from ingest.formats.plain import open_document\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "reading = open_document(Path(sys.argv[1]), 'text/plain')\n"
        "count = sum(1 for _ in reading.pages())\n"
        "assert count == reading.total > 10_000\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert path.stat().st_size > 45_000_000
    assert int(done.stdout) < 15_000, f"kilobytes grown ({resource.getpagesize()}-byte pages)"
