"""PPTX and PPT: a slide is a page; its title first, its tables as rows, its notes last."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from ingest.document import Unit
from ingest.errors import DamagedDocument, EmptyDocument, EncryptedDocument, TooLarge
from ingest.formats import PPT, PPTX, RawPage, Reading, open_document
from tests.support import compound, packages
from tests.support.packages import a_slide, relations, shape

NOTES = a_slide(shape("3", kind="sldNum") + shape("Say this.", "And this.", kind="body"))
CHART = (
    "<c><title><t>Sales</t></title><ser><tx><v>2024</v></tx><cat><pt idx='0'><v>North</v></pt>"
    "<pt idx='1'><v>South</v></pt></cat>"
    "<val><pt idx='0'><v>5</v></pt><pt idx='1'><v>7</v></pt></val></ser></c>"
)


def read(path: Path, media_type: str = PPTX) -> tuple[Reading, list[RawPage]]:
    reading = open_document(path, media_type)
    pages = list(reading.pages())
    reading.close()
    assert [page.number for page in pages] == list(range(1, reading.total + 1))
    return reading, pages


def test_slides_come_in_the_order_of_the_show(tmp_path: Path) -> None:
    slides = [shape("body", kind="body") + shape("First", kind="title"), shape("Second", kind="ctrTitle")]
    reading, pages = read(packages.deck(tmp_path / "a.pptx", slides))
    assert (reading.unit, reading.title) == (Unit.PAGE, "First")
    assert [(page.label, page.text) for page in pages] == [
        ("slide 1", "# First\nbody"),
        ("slide 2", "# Second"),
    ]


def test_what_every_slide_repeats_is_left_out_and_a_hidden_one_says_so(tmp_path: Path) -> None:
    furniture = shape("7", kind="sldNum") + shape("May", kind="dt") + shape("(c) us", kind="ftr")
    hidden = a_slide(shape("text") + furniture, 'show="0"')
    _, pages = read(packages.deck(tmp_path / "a.pptx", [hidden]))
    assert pages[0].text == "[hidden slide]\ntext"


def test_runs_are_joined_and_lines_and_levels_kept(tmp_path: Path) -> None:
    lines = (
        "<a:p><a:r><a:t>USD 1</a:t></a:r><a:r><a:t>00</a:t></a:r><a:br/><a:r><a:t>next</a:t></a:r></a:p>",
        '<a:p><a:pPr lvl="1"><a:buChar char="-"/></a:pPr><a:r><a:t>deep</a:t></a:r></a:p>',
    )
    _, pages = read(packages.deck(tmp_path / "a.pptx", [shape(*lines)]))
    assert pages[0].text == "USD 100\nnext\n  - deep"


def test_a_table_is_rows_and_a_merged_cell_stands_once(tmp_path: Path) -> None:
    def cell(text: str, attributes: str = "") -> str:
        return f"<a:tc {attributes}><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>"

    rows = (
        cell("wide", 'gridSpan="2"') + cell("wide", 'hMerge="1"') + cell("c"),
        cell("") + cell("") + cell(""),
        cell("1") + cell("2") + cell("3"),
    )
    table = "".join(f"<a:tr>{row}</a:tr>" for row in rows)
    frame = f"<p:graphicFrame><a:tbl>{table}</a:tbl></p:graphicFrame>"
    _, pages = read(packages.deck(tmp_path / "a.pptx", [frame]))
    assert pages[0].text == "wide |  | c\n1 | 2 | 3"


def test_notes_charts_and_comments_stand_after_the_slide(tmp_path: Path) -> None:
    parts = {
        "ppt/slides/_rels/slide1.xml.rels": relations(
            {
                "n": ("notesSlide", "../notes.xml"),
                "c": ("chart", "../chart.xml"),
                "m": ("comments", "../comments.xml"),
                "o": ("oleObject", "../embedded.bin"),
            }
        ),
        "ppt/notes.xml": NOTES,
        "ppt/chart.xml": CHART,
        "ppt/comments.xml": "<l><cm><text>Sure?</text></cm></l>",
        "ppt/embedded.bin": "x",
    }
    image = '<p:pic><p:nvPicPr><p:cNvPr id="4" descr="A  duck"/></p:nvPicPr></p:pic>'
    reading, pages = read(packages.deck(tmp_path / "a.pptx", [image + shape("text")], parts))
    assert pages[0].text.splitlines() == [
        "[image: A duck]",
        "text",
        "[notes: Say this.",
        "And this.]",
        "[chart: Sales]",
        " | 2024",
        "North | 5",
        "South | 7",
        "[comment: Sure?]",
    ]
    assert [notice.code for notice in reading.notices] == ["embedded_files_not_read"]


def test_pictures_that_nobody_described_are_told(tmp_path: Path) -> None:
    def image(link: str, description: str = "") -> str:
        named = f'<p:nvPicPr><p:cNvPr id="4" descr="{description}"/></p:nvPicPr>'
        return f'<p:pic>{named}<p:blipFill><a:blip r:embed="{link}"/></p:blipFill></p:pic>'

    bullet = '<a:p><a:pPr><a:buBlip><a:blip r:embed="r2"/></a:buBlip></a:pPr><a:r><a:t>a</a:t></a:r></a:p>'
    parts = {
        f"ppt/slides/_rels/slide{number}.xml.rels": relations({"r1": ("image", "../media/image1.png")})
        for number in (1, 2)
    }
    slides = [image("r1") + image("r3", "A duck") + shape(bullet), image("r1") + image("r4")]
    reading, _ = read(packages.deck(tmp_path / "a.pptx", slides, parts))
    assert [(notice.code, notice.detail.split(";")[0]) for notice in reading.notices] == [
        ("pictures_not_read", "2 pictures in it are not read")
    ]


def test_a_fallback_repeats_nothing(tmp_path: Path) -> None:
    both = f"<w><Choice>{shape('once')}</Choice><Fallback>{shape('once')}</Fallback></w>"
    _, pages = read(packages.deck(tmp_path / "a.pptx", [both]))
    assert pages[0].text == "once"


def test_a_link_outside_the_file_is_not_followed(tmp_path: Path) -> None:
    rels = '<Relationships><Relationship Id="x" Type="a/notesSlide" TargetMode="External" Target="http://192.0.2.1/"/></Relationships>'
    parts = {"ppt/slides/_rels/slide1.xml.rels": rels}
    _, pages = read(packages.deck(tmp_path / "a.pptx", [shape("text")], parts))
    assert pages[0].text == "text"


def test_nothing_said_is_empty(tmp_path: Path) -> None:
    with pytest.raises(EmptyDocument, match="save it as PDF"):
        read(packages.deck(tmp_path / "a.pptx", [shape("")]))


def test_multiplying_entities_are_refused(tmp_path: Path) -> None:
    laughs = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><p:sld xmlns:p="p">&b;</p:sld>'
    with pytest.raises(DamagedDocument, match="Open it in PowerPoint"):
        read(packages.deck(tmp_path / "a.pptx", [a_slide("")], {"ppt/slides/slide1.xml": laughs}))


def test_a_missing_slide_is_damage(tmp_path: Path) -> None:
    whole = packages.deck(tmp_path / "a.pptx", [shape("one"), shape("two")])
    with zipfile.ZipFile(whole) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if not name.endswith("slide2.xml")}
    with pytest.raises(DamagedDocument, match="a slide is missing"):
        read(packages.zipped(tmp_path / "b.pptx", parts))


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pptx"
    packages.deck(path, [a_slide(shape("x" * 50_000_000))])
    with pytest.raises(TooLarge, match="Split it"):
        read(path)


def test_deep_nesting_ends_well(tmp_path: Path) -> None:
    deep = "<p:grpSp>" * 50_000 + shape("deep") + "</p:grpSp>" * 50_000
    _, pages = read(packages.deck(tmp_path / "a.pptx", [deep]))
    assert pages[0].text == "deep"


def test_an_old_presentation_reads_alike(tmp_path: Path) -> None:
    slides = [
        {"title": "One", "box": "Box\rtwo\x0blines"},
        {"title": "Two 日本", "notes": "Say", "hidden": "1"},
        {"title": "*"},
    ]
    reading, pages = read(compound.deck(tmp_path / "a.ppt", slides), PPT)
    assert (reading.unit, reading.title) == (Unit.PAGE, "One")
    assert [(page.label, page.text) for page in pages] == [
        ("slide 1", "# One\nBox\ntwo\nlines"),
        ("slide 2", "[hidden slide]\n# Two 日本\n[notes: Say]"),
        ("slide 3", ""),
    ]


def test_an_old_presentation_may_be_locked_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(EncryptedDocument, match="password"):
        read(compound.deck(tmp_path / "a.ppt", [{"title": "x"}], token=0xF3D1C4DF), PPT)
    data = bytearray(compound.deck(tmp_path / "b.ppt", [{"title": "x"}]).read_bytes())
    place = data.find(b"\xf5\x0f")  # the edit's record
    data[place] ^= 1
    (tmp_path / "b.ppt").write_bytes(data)
    with pytest.raises(DamagedDocument, match="save it as PPTX"):
        read(tmp_path / "b.ppt", PPT)
    compound.container(tmp_path / "c.ppt", {"PowerPoint Document": b"x"})
    with pytest.raises(DamagedDocument, match="main part is missing"):
        read(tmp_path / "c.ppt", PPT)
