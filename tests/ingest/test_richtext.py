"""RTF: every script and structure, none of the machinery; hostile files end with a clear sentence."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.document import Unit
from ingest.errors import DamagedDocument, EmptyDocument, IngestError
from ingest.formats import RTF, RawPage, Reading, open_document

FONTS = (
    r"{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset128 MS Gothic;}"
    r"{\f2\fcharset204 Arial Cyr;}{\f3\fcharset2 Symbol;}}"
)


def read(path: Path) -> tuple[Reading, list[RawPage]]:
    reading = open_document(path, RTF)
    pages = list(reading.pages())
    reading.close()
    assert len(pages) == reading.total
    return reading, pages


def text(tmp_path: Path, body: str | bytes) -> str:
    path = tmp_path / "a.rtf"
    data = body.encode("ascii") if isinstance(body, str) else body
    path.write_bytes(rb"{\rtf1\ansi\ansicpg1252\deff0" + FONTS.encode() + data + b"}")
    return "\n--\n".join(page.text.strip() for page in read(path)[1])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (r"caf\'e9 \'80 \{x\}\\\~y\_z\emdash", "café € {x}\\ y-z—"),
        (r"\u8364? \u-10179?\u-8704? \uc2\u945ab\u946 cd.\uc0\u947.", "€ 😀 αβ.γ."),  # noqa: RUF001
        (r"{\f1 \'93\'fa\'96\'7b} {\f2 \'cf\'f0\'e8} \'e9", "日本 При é"),
        (r"\f1\'83A\f0", "ア"),
        (r"{\f3\'b7}\tab point", "•\tpoint"),
        (r"one\par two\line three\par", "one\ntwo\nthree"),
        ("one\\\ntwo\r\n three", "one\ntwo three"),
        (r"{\upr{plain}{\*\ud{unicode}}}", "plain"),
        (r"a{\*\unknown gone\par{deep}}b{\v hidden}{\pict 0a0b}{\*\bkmkstart x}c", "abc"),
        (r"{\field{\*\fldinst HYPERLINK x}{\fldrslt click}}", "click"),
        (r"a{\bin3 }}}b", "ab"),
        (r"keep {\deleted gone}{\revised in}", "keep in"),
        (r"{\listtext 1.\tab}First", "1.\tFirst"),
        (r"text}}}} more", "text more"),
        (r"{{{text", "text"),
    ],
)
def test_text_reads_as_it_looks(tmp_path: Path, body: str, said: str) -> None:
    assert text(tmp_path, body) == said


def test_bytes_beyond_ascii_are_in_the_code_page(tmp_path: Path) -> None:
    assert text(tmp_path, "Straße".encode("cp1252")) == "Straße"


def test_tables_are_rows(tmp_path: Path) -> None:
    row = r"\trowd\intbl {}\cell {}\par more\cell\cell\row"
    body = row.format("a", "b") + row.format("", "d") + r"\pard after\par"
    assert text(tmp_path, body) == "a | b more\n | d more\nafter"


def test_headings_come_by_style_and_outline(tmp_path: Path) -> None:
    styles = r"{\stylesheet{Normal;}{\s1 heading 1;}{\s2\sbasedon1 heading 2;}{\*\cs10 Default;}}"
    body = styles + r"\pard\s1 One\par\pard text\par\pard\s2 Two\par\pard\outlinelevel2 Three\par\pard end"
    assert text(tmp_path, body) == "# One\ntext\n--\n## Two\n### Three\nend"


def test_notes_comments_headers_and_boxes(tmp_path: Path) -> None:
    body = (
        r"{\header Top secret\par}{\footer {\field{\*\fldinst PAGE}{\fldrslt 1}}}Fact{\super\chftn}"
        r"{\footnote {\super\chftn} Source.\par}{\*\atnid A}{\*\atnauthor Ann}{\*\annotation Sure?}."
        r"{\shp{\*\shpinst{\sp{\sn x}{\sv y}}{\shptxt boxed\par}}{\shprslt again}}\par end"
    )
    assert text(tmp_path, body).splitlines() == [
        "[header: Top secret]",
        "boxed",
        "Fact[^1].",
        "end",
        "[^1]: Source.",
        "[comment by Ann: Sure?]",
    ]


def test_page_breaks_make_pages_and_the_title_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.rtf"
    path.write_bytes(rb"{\rtf1{\info{\title My {\b Plan}}{\author x}}one\page two\par\pagebb three}")
    reading, pages = read(path)
    assert (reading.unit, reading.title) == (Unit.PAGE, "My Plan")
    assert [page.text for page in pages] == ["one", "two", "three"]


def test_long_text_is_cut_into_sections(tmp_path: Path) -> None:
    path = tmp_path / "a.rtf"
    path.write_bytes(b"{\\rtf1 " + b"A sentence that says little.\\par\n" * 2_000 + b"\\page end}")
    reading, pages = read(path)
    assert reading.unit is Unit.SECTION
    assert max(len(page.text) for page in pages) < 6_000
    assert sum(page.text.count("sentence") for page in pages) == 2_000


def test_groups_beyond_reason_and_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedDocument, match="nested"):
        text(tmp_path, "{" * 100_000)
    with pytest.raises(EmptyDocument, match="save it as PDF"):
        text(tmp_path, r"{\pict 00}\par")


def test_ten_megabytes_of_picture_cost_little(tmp_path: Path) -> None:
    started = time.process_time()
    assert text(tmp_path, "{\\pict " + "0123456789abcdef\n" * 600_000 + "}text") == "text"
    assert time.process_time() - started < 5


WORDS = r"""
{ } \par \cell \row \page \intbl \u-5? \'e9 \'9 \ * text \footnote \*\annotation \fonttbl \f1 \fcharset128
\stylesheet \s1 \heading \uc9 \bin9 \v \info \title \upr \sect \shptxt \chftn
"""
rtf = st.lists(st.sampled_from(WORDS.split()), max_size=60)


@settings(max_examples=300, deadline=None)
@given(rtf)
def test_any_words_end_well(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.rtf"
    path.write_bytes(("{\\rtf1 " + "".join(words)).encode())
    try:
        read(path)
    except IngestError as error:
        assert str(error).endswith(".")  # noqa: PT017 - either end is right


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1))
def test_any_character_comes_through_as_unicode(tmp_path_factory: pytest.TempPathFactory, said: str) -> None:
    path = tmp_path_factory.getbasetemp() / "unicode.rtf"
    units = said.encode("utf-16-le")
    codes = [int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2)]
    path.write_bytes(b"{\\rtf1 " + b"".join(b"\\u%d?" % code for code in codes) + b"}")
    assert read(path)[1][0].text == said
