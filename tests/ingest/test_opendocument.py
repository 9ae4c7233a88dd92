"""ODT and ODP: running text with its structure, slides with their notes; what is deleted stays deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.document import Unit
from ingest.errors import DamagedDocument, EmptyDocument, EncryptedDocument
from ingest.formats import ODP, ODT, RawPage, Reading, open_document
from tests.support import packages

LISTS = (
    '<text:list-style style:name="N"><text:list-level-style-number text:level="1" style:num-format="1"/>'
    '<text:list-level-style-bullet text:level="2"/></text:list-style>'
)


def read(path: Path, media_type: str = ODT) -> tuple[Reading, list[RawPage]]:
    reading = open_document(path, media_type)
    pages = list(reading.pages())
    reading.close()
    assert len(pages) == reading.total
    return reading, pages


def text(tmp_path: Path, body: str, styles: str = "", **parts: str) -> str:
    path = packages.open_document(tmp_path / "a.odt", ODT, body, styles=styles, parts=parts)
    return "\n--\n".join(page.text for page in read(path)[1])


def p(said: str, attributes: str = "") -> str:
    return f"<text:p {attributes}>{said}</text:p>"


def test_blanks_and_tabs_are_elements(tmp_path: Path) -> None:
    said = 'a<text:s text:c="3"/>b<text:tab/>c<text:line-break/><text:span>d</text:span>e'
    assert text(tmp_path, p(said)) == "a   b\tc\nde"


def test_lists_count_where_their_style_does(tmp_path: Path) -> None:
    def item(inside: str) -> str:
        return f"<text:list-item>{inside}</text:list-item>"

    inner = f"<text:list>{item(p('deep') + p('more'))}</text:list>"
    outer = f'<text:list text:style-name="N">{item(p("one") + inner)}{item(p("two"))}</text:list>'
    plain = f"<text:list>{item(p('dot'))}</text:list>"
    assert text(tmp_path, outer + plain, LISTS) == "1. one\n  - deep\n    more\n2. two\n- dot"


def test_sections_begin_at_headings(tmp_path: Path) -> None:
    body = "".join(
        f'<text:h text:outline-level="{level}">{said}</text:h>{p(said.lower())}'
        for level, said in ((1, "One"), (3, "Sub"), (2, "Two"))
    )
    reading, pages = read(packages.open_document(tmp_path / "a.odt", ODT, body))
    assert (reading.unit, reading.title) == (Unit.SECTION, "One")
    assert [page.text for page in pages] == ["# One\none\n### Sub\nsub", "## Two\ntwo"]


def test_noted_page_ends_make_pages(tmp_path: Path) -> None:
    styles = '<style:style style:name="B"><style:paragraph-properties fo:break-before="page"/></style:style>'
    body = p("one") + p("two<text:soft-page-break/>three") + p("four", 'text:style-name="B"')
    reading, pages = read(packages.open_document(tmp_path / "a.odt", ODT, body, styles=styles))
    assert reading.unit is Unit.PAGE
    assert [page.text for page in pages] == ["one\ntwo", "three", "four"]


def test_notes_comments_tables_and_images_have_their_places(tmp_path: Path) -> None:
    note = "<text:note><text:note-citation>1</text:note-citation><text:note-body>"
    note += f"{p('Source.')}</text:note-body></text:note>"
    comment = "<office:annotation><dc:creator>Ann</dc:creator><dc:date>2024</dc:date>"
    comment = comment.replace("dc:", "office:") + f"{p('Sure?')}</office:annotation>"
    frame = (
        f"<draw:frame><draw:text-box>{p('boxed')}</draw:text-box><svg:title>A duck</svg:title></draw:frame>"
    )
    row = f"<table:table-row><table:table-cell>{p('a')}{p('b')}</table:table-cell>"
    row += f"<table:covered-table-cell>{p('no')}</table:covered-table-cell><table:table-cell>{p('c')}"
    row += "</table:table-cell></table:table-row>"
    body = p(f"Fact{note}.{comment}{frame}") + f"<table:table>{row}</table:table>"
    assert text(tmp_path, body).splitlines() == [
        "Fact[^1].",
        "[comment by Ann: Sure?]",
        "boxed",
        "[image: A duck]",
        "a b |  | c",
        "[^1]: Source.",
    ]


@pytest.mark.parametrize("kind", [ODT, ODP])
def test_pictures_that_nobody_described_are_told(tmp_path: Path, kind: str) -> None:
    def frame(*links: str, description: str = "") -> str:
        images = "".join(f'<draw:image draw:href="{link}"/>' for link in links)
        return f"<draw:frame>{images}<svg:desc>{description}</svg:desc></draw:frame>"

    shown = frame("Pictures/1.svg", "Pictures/1.png") + frame("./ObjectReplacements/Object 1")
    shown += frame("Pictures/2.png", description="A duck") + frame("Pictures/3.png") + frame("Pictures/3.png")
    body = p("See below." + shown) if kind == ODT else f"<draw:page>{p('See below.')}{shown}</draw:page>"
    reading, _ = read(packages.open_document(tmp_path / "a", kind, body), kind)
    assert [(notice.code, notice.detail.split(";")[0]) for notice in reading.notices] == [
        ("pictures_not_read", "2 pictures in it are not read")
    ]


def test_deleted_text_is_left_out_and_told(tmp_path: Path) -> None:
    changes = f"<text:tracked-changes><text:deletion>{p('gone')}</text:deletion></text:tracked-changes>"
    reading, pages = read(packages.open_document(tmp_path / "a.odt", ODT, changes + p("stays")))
    assert pages[0].text.strip() == "stays"
    assert [notice.code for notice in reading.notices] == ["tracked_changes"]


def test_a_header_stands_first_and_the_title_is_the_files_own(tmp_path: Path) -> None:
    parts = {
        "styles.xml": packages.page_styles(
            f"<style:header>{p('Top secret')}</style:header><style:footer>{p('7')}</style:footer>"
        ),
        "meta.xml": "<meta><title>Plan</title></meta>",
    }
    reading, pages = read(packages.open_document(tmp_path / "a.odt", ODT, p("text"), parts=parts))
    assert (reading.title, pages[0].text.strip()) == ("Plan", "[header: Top secret]\ntext")


def test_slides_read_like_those_of_a_pptx(tmp_path: Path) -> None:
    styles = (
        '<style:style style:name="h"><style:drawing-page-properties presentation:visibility="hidden"/>'
        "</style:style>"
    )

    def frame(kind: str, said: str) -> str:
        return (
            f'<draw:frame presentation:class="{kind}"><draw:text-box>{p(said)}</draw:text-box></draw:frame>'
        )

    slides = (
        f"<draw:page>{frame('outline', 'body')}{frame('title', 'First')}{frame('footer', '(c)')}"
        f"<presentation:notes>{frame('notes', 'Say this.')}</presentation:notes></draw:page>"
        f'<draw:page draw:style-name="h"><draw:custom-shape>{p("shape")}</draw:custom-shape></draw:page>'
        "<draw:page/>"
    )
    reading, pages = read(packages.open_document(tmp_path / "a.odp", ODP, slides, styles=styles), ODP)
    assert (reading.unit, reading.title) == (Unit.PAGE, "First")
    assert [(page.label, page.text) for page in pages] == [
        ("slide 1", "# First\nbody\n[notes: Say this.]"),
        ("slide 2", "[hidden slide]\nshape"),
        ("slide 3", ""),
    ]


def test_a_lock_and_entities_and_nothing_are_refused(tmp_path: Path) -> None:
    locked = {"META-INF/manifest.xml": "<manifest><file-entry><encryption-data/></file-entry></manifest>"}
    with pytest.raises(EncryptedDocument, match="password"):
        read(packages.open_document(tmp_path / "a.odt", ODT, p("x"), parts=locked))
    laughs = '<!DOCTYPE a [<!ENTITY a "ha">]><document-content>&a;</document-content>'
    with pytest.raises(DamagedDocument, match="LibreOffice"):
        read(packages.zipped(tmp_path / "b.odt", {"mimetype": ODT, "content.xml": laughs}))
    for media_type in (ODT, ODP):
        with pytest.raises(EmptyDocument):
            read(packages.open_document(tmp_path / "c.odt", media_type, p("")), media_type)


def test_deep_nesting_and_many_blanks_end_well(tmp_path: Path) -> None:
    deep = "<text:span>" * 50_000 + "deep" + "</text:span>" * 50_000
    said = text(tmp_path, p(deep + '<text:s text:c="999999999"/>end'))
    assert said.startswith("deep")
    assert len(said) < 2_000
