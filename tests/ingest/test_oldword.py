"""DOC: the text by its pieces, with headings, rows, pages, notes and fields."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.document import Unit
from ingest.errors import DamagedDocument, EmptyDocument, EncryptedDocument, IngestError
from ingest.formats import DOC, RawPage, Reading, open_document
from tests.support import compound

PLAIN = b"\0\0"
HEADING = b"\1\0"
CELL = b"\0\0\x16\x24\1"  # in a table
ROW_END = CELL + b"\x17\x24\1"
NEW_PAGE = b"\0\0\x07\x24\1"


def read(path: Path) -> tuple[Reading, list[RawPage]]:
    reading = open_document(path, DOC)
    pages = list(reading.pages())
    reading.close()
    assert len(pages) == reading.total
    return reading, pages


def test_a_letter_reads_as_it_looks(tmp_path: Path) -> None:
    paragraphs = [
        ("Fees\r", HEADING),
        ("The fee of the café\x0bnext line\r", PLAIN),
        ("a\x07", CELL),
        ("b\rmore\x07", CELL),
        ("\x07", ROW_END),
        ("\x07", CELL),
        ("d\x07", CELL),
        ("\x07", ROW_END),
        ("\x13 HYPERLINK x \x14日本\x15 \x13 PAGE \x15no\x1ebreak\x1f\r", PLAIN),
        ("\x01\x08😀\x0c", PLAIN),
        ("after\r", PLAIN),
        ("own page\r", NEW_PAGE),
    ]
    split = [(text, look) for text, look in paragraphs if text != "b\rmore\x07"]
    split[3:3] = [("b\r", CELL), ("more\x07", CELL)]
    path = compound.word(tmp_path / "a.doc", split, notes="\x02 Source.\r", header="Top secret\r\r7\r")
    reading, pages = read(path)
    assert (reading.unit, reading.title, reading.notices) == (Unit.PAGE, "Fees", [])
    assert [page.text for page in pages] == [
        "[header: Top secret]\n# Fees\nThe fee of the café\nnext line\na | b more\n | d\n日本 no-break\n😀",
        "after",
        "own page\n[footnote: Source.]",
    ]


def test_long_text_is_cut_at_headings(tmp_path: Path) -> None:
    chapter = [
        ("Chapter\r", HEADING),
        *[("A sentence of some length, that says little. " * 20 + "\r", PLAIN)] * 8,
    ]
    reading, pages = read(compound.word(tmp_path / "a.doc", chapter * 2))
    assert reading.unit is Unit.SECTION
    assert sum(page.text.startswith("# Chapter") for page in pages) == 2
    assert sum(page.text.count("sentence") for page in pages) == 320


def test_locks_nothing_and_damage_are_told(tmp_path: Path) -> None:
    with pytest.raises(EncryptedDocument, match="password"):
        read(compound.word(tmp_path / "a.doc", [("x\r", PLAIN)] * 2, flags=0x100))
    with pytest.raises(EmptyDocument):
        read(compound.word(tmp_path / "b.doc", [("\r", PLAIN)] * 2))
    with pytest.raises(DamagedDocument, match="main part"):
        read(compound.container(tmp_path / "c.doc", {"WordDocument": b"x"}))
    with pytest.raises(DamagedDocument, match="table part"):
        read(compound.word(tmp_path / "d.doc", [("x\r", PLAIN)] * 2, flags=0x200))


@pytest.mark.parametrize("place", range(0, 6_000, 97))
def test_a_changed_byte_ends_well(tmp_path: Path, place: int) -> None:
    path = compound.word(tmp_path / "a.doc", [("One\r", HEADING), ("two\x07", CELL), ("three\r", PLAIN)])
    data = bytearray(path.read_bytes())
    data[place : place + 4] = b"\xff\xff\xff\x7f"
    path.write_bytes(data)
    try:
        assert read(path)[1]
    except IngestError as error:
        assert str(error).endswith(".")  # noqa: PT017 - either end is right
