"""DOCX: every word, in order, on its page; hostile files end with a clear sentence."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from pathlib import Path

import docx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.document import Unit
from ingest.errors import DamagedDocument, EmptyDocument, EncryptedDocument, TooLarge
from ingest.formats import DOCX
from ingest.formats.numbering import Level, ListLevels, Numbering
from ingest.formats.office import WordReading, open_document
from ingest.normalize import normalize
from tests.support import office
from tests.support.pictures import picture

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/office"
RENDERED = "<w:r><w:lastRenderedPageBreak/></w:r>"


def read(path: Path) -> WordReading:
    return open_document(path, DOCX)


def texts(path: Path) -> list[str]:
    reading = read(path)
    pages = list(reading.pages())
    assert [page.number for page in pages] == list(range(1, reading.total + 1))
    return [page.text for page in pages]


def body(tmp_path: Path, markup: str, **parts: str) -> str:
    return "\n--\n".join(texts(office.raw(tmp_path / "made.docx", markup, parts)))


def document_with_pictures(path: Path, text: str, *described: str) -> Path:
    document = office.empty()
    document.add_paragraph(text)
    for number, description in enumerate(described):
        shown = document.add_picture(io.BytesIO(picture(40, 30, shade=number)))
        shown._inline.docPr.set("descr", description)  # noqa: SLF001 - the way in
    document.save(str(path))
    return path


def test_pictures_that_nobody_described_are_told(tmp_path: Path) -> None:
    reading = read(document_with_pictures(tmp_path / "a.docx", "See below.", "", "A duck", " "))
    (notice,) = reading.notices
    assert notice.code == "pictures_not_read"
    assert notice.detail == (
        "2 pictures in it are not read; save it as PDF to have scanned pages recognised, "
        "or upload the pictures by themselves."
    )
    assert "[image: A duck]" in reading.texts[0]
    assert read(document_with_pictures(tmp_path / "b.docx", "See below.", "A duck")).notices == []


def test_one_picture_is_told_once_however_often_it_is_shown(tmp_path: Path) -> None:
    shown = '<w:r><w:pict><v xmlns="urn:schemas-microsoft-com:vml"><imagedata r:id="r7"/></v></w:pict></w:r>'
    path = office.raw(tmp_path / "a.docx", office.paragraph("Logo", shown) + office.paragraph("Again", shown))
    assert [notice.detail.split(";")[0] for notice in read(path).notices] == ["1 picture in it is not read"]


def test_a_document_of_a_screenshot_alone_says_so(tmp_path: Path) -> None:
    with pytest.raises(EmptyDocument, match="no text, only a picture"):
        read(document_with_pictures(tmp_path / "a.docx", "", ""))
    with pytest.raises(EmptyDocument, match="no text, only 2 pictures"):
        read(document_with_pictures(tmp_path / "b.docx", "", "", ""))


def test_a_contract_reads_as_it_looks(tmp_path: Path) -> None:
    reading = read(office.rich(tmp_path / "rich.docx"))
    assert reading.unit is Unit.PAGE
    assert reading.title == "Master Agreement"
    first, second, third = (page.text for page in reading.pages())
    assert first.splitlines() == [
        "[header: Strictly confidential]",
        "[footer: Page]",
        "# Master Agreement",
        "# Fees",
        "The fee is USD 100.00 a unit.",
        "1. First",
        "Between",
        "2. Second",
        "Item | Price in USD",
        "Bolt | 0.20",
        "before the break",
    ]
    assert second == "after the break"
    assert third == "On its own page\ntracked in"
    assert [notice.code for notice in reading.notices] == ["tracked_changes"]


def test_words_own_page_ends_make_pages(tmp_path: Path) -> None:
    after_explicit = '<w:p><w:r><w:br w:type="page"/></w:r></w:p>' + office.paragraph("three", RENDERED)
    markup = office.paragraph("one") + office.paragraph("two", RENDERED) + after_explicit
    assert texts(office.raw(tmp_path / "a.docx", markup)) == ["one", "two", "three"]


def test_a_page_end_inside_a_row_puts_the_row_on_the_next_page(tmp_path: Path) -> None:
    def row(inside: str, text: str) -> str:
        return (
            f"<w:tr><w:tc>{office.paragraph(text, inside)}</w:tc><w:tc>{office.paragraph('x')}</w:tc></w:tr>"
        )

    markup = office.paragraph("intro") + f"<w:tbl>{row('', 'a')}{row(RENDERED, 'b')}{row('', 'c')}</w:tbl>"
    assert texts(office.raw(tmp_path / "a.docx", markup)) == ["intro\na | x", "b | x\nc | x"]


def test_without_page_ends_sections_begin_at_headings(tmp_path: Path) -> None:
    document = office.empty()
    for chapter in ("One", "Two"):
        document.add_heading(chapter, 1)
        document.add_heading("Sub", 3)
        for _ in range(40):
            document.add_paragraph("A sentence of some length that says little. " * 2)
    document.save(str(tmp_path / "long.docx"))
    reading = read(tmp_path / "long.docx")
    sections = [page.text for page in reading.pages()]
    assert reading.unit is Unit.SECTION
    assert sum(text.startswith("# ") for text in sections) == 2
    assert max(map(len, sections)) < 6_000


def test_notes_stand_on_the_page_that_refers_to_them(tmp_path: Path) -> None:
    noted = '<w:p><w:r><w:t>Fact</w:t><w:footnoteReference w:id="7"/><w:t>.</w:t></w:r>'
    noted += '<w:r><w:endnoteReference w:id="2"/><w:commentReference w:id="3"/></w:r></w:p>'
    note, comment = office.paragraph("Source."), office.paragraph("Sure?")
    text = body(
        tmp_path,
        noted + office.paragraph("next page", RENDERED),
        footnotes=f'<w:footnotes><w:footnote w:id="7">{note}</w:footnote></w:footnotes>',
        endnotes=f'<w:endnotes><w:endnote w:id="2">{office.paragraph("Late.")}</w:endnote></w:endnotes>',
        comments=f'<w:comments><w:comment w:id="3" w:author="Ann">{comment}</w:comment></w:comments>',
    )
    assert text == "Fact[^1].[^e1]\n[^1]: Source.\n[comment by Ann: Sure?]\n--\nnext page\n[^e1]: Late."


def test_a_header_stands_once_where_its_section_begins(tmp_path: Path) -> None:
    ends = '<w:pPr><w:sectPr><w:headerReference r:id="header1"/></w:sectPr></w:pPr>'
    last = '<w:sectPr><w:headerReference r:id="header2"/><w:footerReference r:id="footer1"/></w:sectPr>'
    text = body(
        tmp_path,
        office.paragraph("one", ends)
        + office.paragraph("two", RENDERED)
        + office.paragraph("three", RENDERED)
        + last,
        header1=f"<w:hdr>{office.paragraph('Part A')}</w:hdr>",
        header2=f"<w:hdr>{office.paragraph('Part B')}</w:hdr>",
        footer1=f"<w:ftr>{office.paragraph('12')}</w:ftr>",
    )
    assert text == "[header: Part A]\none\n[header: Part B]\n--\ntwo\n--\nthree"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<w:p><w:hyperlink><w:r><w:t>link</w:t></w:r></w:hyperlink></w:p>", "link"),
        (
            "<w:sdt><w:sdtContent><w:p><w:r><w:t>filled in</w:t></w:r></w:p></w:sdtContent></w:sdt>",
            "filled in",
        ),
        (
            "<w:p><w:r><w:t>co</w:t><w:noBreakHyphen/><w:t>op</w:t><w:softHyphen/><w:t>s</w:t></w:r></w:p>",
            "co-ops",
        ),
        ('<w:p><w:r><w:t>a</w:t><w:sym w:font="Symbol" w:char="F0B3"/><w:t>b</w:t></w:r></w:p>', "a≥b"),
        (
            "<w:p><w:pPr><w:tabs><w:tab/></w:tabs></w:pPr><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t></w:r></w:p>",
            "a\tb",
        ),
        ("<w:p><w:r><w:instrText>PAGE</w:instrText><w:t>7</w:t></w:r></w:p>", "7"),
        ("<w:p><w:moveFrom><w:r><w:t>gone</w:t></w:r></w:moveFrom><w:r><w:t>here</w:t></w:r></w:p>", "here"),
        (
            (
                "<w:p><w:r><w:t>anchor</w:t><w:pict><w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p>"
                "</w:txbxContent></w:pict></w:r></w:p>"
            ),
            "anchor\nbox",
        ),
        (
            (
                "<w:p><m:oMath><m:f><m:num><m:r><m:t>a+1</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den>"
                "</m:f><m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>n"
                "</m:t></m:r></m:sup></m:sSup></m:oMath></w:p>"
            ),
            "(a+1)/2x^n",
        ),
        (
            (
                "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>left</w:t></w:r></w:p></w:tc><w:tc><w:tbl><w:tr><w:tc><w:p><w:r>"
                "<w:t>deep</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:tc></w:tr></w:tbl>"
            ),
            "left | deep",
        ),
    ],
)
def test_whatever_holds_text_is_read(tmp_path: Path, markup: str, text: str) -> None:
    assert body(tmp_path, markup) == text


def test_symbols_that_no_character_stands_for_are_told(tmp_path: Path) -> None:
    path = office.raw(
        tmp_path / "a.docx", office.paragraph("x", '<w:r><w:sym w:font="Wingdings" w:char="F0E0"/></w:r>')
    )
    assert [notice.code for notice in read(path).notices] == ["symbols_left_out"]


@pytest.mark.parametrize(
    ("form", "labels"),
    [
        ("decimal", ["1", "2", "3"]),
        ("lowerLetter", ["a", "b", "c"]),
        ("upperRoman", ["I", "II", "III"]),
        ("decimalZero", ["01", "02", "03"]),
        ("none", ["", "", ""]),
        ("bullet", ["-", "-", "-"]),
    ],
)
def test_lists_count_as_word_shows_them(form: str, labels: list[str]) -> None:
    numbering = Numbering(lists={"0": ListLevels({0: Level(form=form, text="%1")})}, instances={"1": "0"})
    assert [numbering.label("1", 0) for _ in range(3)] == labels


def test_inner_levels_begin_anew_under_each_outer_one() -> None:
    levels = {0: Level(text="%1."), 1: Level(text="%1.%2"), 2: Level(form="lowerLetter", text="(%3)")}
    numbering = Numbering(lists={"0": ListLevels(levels)}, instances={"1": "0"})
    items = [0, 1, 1, 2, 2, 1, 0, 1, 2]
    shown = [numbering.label("1", level) for level in items]
    assert shown == ["1.", "1.1", "1.2", "(a)", "(b)", "1.3", "2.", "2.1", "(a)"]


words = st.text(alphabet=st.characters(categories=["Lu", "Ll", "Lo", "Nd"]), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(words, min_size=1, max_size=5), min_size=1, max_size=8))
def test_no_word_of_any_paragraph_is_lost(
    tmp_path_factory: pytest.TempPathFactory, paragraphs: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.docx"
    office.raw(path, "".join(office.paragraph(" ".join(each)) for each in paragraphs))
    assert " ".join(texts(path)).split() == [word for each in paragraphs for word in each]


def python_docx_words(path: Path) -> Counter[str]:
    document = docx.Document(str(path))
    found = [paragraph.text for paragraph in document.paragraphs]
    cells = {cell._tc: cell for table in document.tables for row in table.rows for cell in row.cells}  # noqa: SLF001
    found += [cell.text for cell in cells.values()]
    return Counter(re.findall(r"\w+", normalize("\n".join(found))))


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real documents are not here")
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.docx")), ids=lambda path: path.name)
def test_every_word_of_real_documents_is_read(path: Path) -> None:
    wanted = python_docx_words(path)
    ours = Counter(re.findall(r"\w+", normalize("\n".join(texts(path)))))
    assert (wanted - ours).total() <= 0.01 * wanted.total()


def test_a_password_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncryptedDocument, match="Remove it in Office"):
        read(office.encrypted(tmp_path / "locked.docx"))


def test_a_cut_off_file_is_damaged(tmp_path: Path) -> None:
    whole = office.rich(tmp_path / "rich.docx").read_bytes()
    (tmp_path / "cut.docx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedDocument, match="Open it in Word"):
        read(tmp_path / "cut.docx")


def test_a_byte_turned_over_is_damaged(tmp_path: Path) -> None:
    path = office.raw(tmp_path / "a.docx", office.paragraph("text " * 500))
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("word/document.xml")
        place = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DamagedDocument):
        read(path)


@pytest.mark.parametrize("markup", ["<w:p>", "<w:p></w:q>", "\x01"])
def test_broken_markup_is_damaged(tmp_path: Path, markup: str) -> None:
    with pytest.raises(DamagedDocument, match="well-formed"):
        read(office.raw(tmp_path / "a.docx", markup))


def test_entities_are_refused_before_they_multiply(tmp_path: Path) -> None:
    path = tmp_path / "laughs.docx"
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", f'<!DOCTYPE d [<!ENTITY l0 "ha">{laughs}]><d>&l8;</d>')
    with pytest.raises(DamagedDocument, match="document type"):
        read(path)


def test_a_bomb_is_refused_by_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * 32_000_000)
    with pytest.raises(TooLarge, match="Split it"):
        read(path)


def test_a_document_of_blanks_is_empty(tmp_path: Path) -> None:
    with pytest.raises(EmptyDocument):
        read(office.raw(tmp_path / "a.docx", office.paragraph(" ")))


def test_a_missing_main_part_is_damaged(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as archive:
        archive.writestr("other.xml", "<a/>")
    with pytest.raises(DamagedDocument, match="main part"):
        read(tmp_path / "a.docx")


def test_a_hundred_thousand_nested_tables_are_read(tmp_path: Path) -> None:
    deep = "<w:tbl><w:tr><w:tc>" * 100_000 + office.paragraph("core") + "</w:tc></w:tr></w:tbl>" * 100_000
    path = office.raw(tmp_path / "deep.docx", deep + office.paragraph("after"))
    assert texts(path) == ["core\nafter"]
