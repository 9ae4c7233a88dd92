"""EPUB: chapters in the order of the spine, under their titles, without the table of contents."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.document import Heading, Unit
from ingest.errors import DamagedDocument, EmptyDocument, EncryptedDocument, TooLarge
from ingest.formats import EPUB, Outlined, RawPage, Reading, open_document
from tests.support import packages


def read(path: Path) -> tuple[Reading, list[RawPage]]:
    reading = open_document(path, EPUB)
    pages = list(reading.pages())
    reading.close()
    assert len(pages) == reading.total
    return reading, pages


def xhtml(body: str, title: str = "A Book") -> str:
    return (
        "<?xml version='1.0' encoding='utf-8'?><!DOCTYPE html><html xmlns='http://www.w3.org/1999/xhtml'>"
        f"<head><title>{title}</title></head><body>{body}</body></html>"
    )


def test_chapters_come_in_the_order_of_the_spine(tmp_path: Path) -> None:
    chapters = {
        "z.xhtml": xhtml("<h1>One</h1><p>first</p>"),
        "nav.xhtml": xhtml("<nav>contents</nav>"),
        "a%20b.xhtml": xhtml("<p>no heading</p>", "Second"),
        "c.xhtml": xhtml("<p>bare</p>"),
    }
    reading, pages = read(packages.book(tmp_path / "a.epub", chapters))
    assert (reading.unit, reading.title) == (Unit.SECTION, "A Book")
    assert [(page.label, page.text) for page in pages] == [
        ("One", "# One\n\nfirst"),
        ("Second", "# Second\n\nno heading"),
        ("A Book", "bare"),
    ]
    assert isinstance(reading, Outlined)
    assert reading.outline() == (Heading("One", 1, 1), Heading("Second", 1, 2), Heading("A Book", 1, 3))


def test_a_long_chapter_stands_once_in_the_outline(tmp_path: Path) -> None:
    long = xhtml("<h1>One</h1>" + "<p>word word word word word</p>" * 1_000)
    book = packages.book(tmp_path / "a.epub", {"a.xhtml": long, "b.xhtml": xhtml("<h1>Two</h1><p>end</p>")})
    reading, pages = read(book)
    assert isinstance(reading, Outlined)
    assert len(pages) > 3
    assert reading.outline() == (Heading("One", 1, 1), Heading("Two", 1, len(pages)))


def test_a_long_chapter_is_cut_and_each_part_knows_it(tmp_path: Path) -> None:
    body = "<h1>Long</h1>" + "<p>A sentence that says little, again.</p>" * 400
    _, pages = read(packages.book(tmp_path / "a.epub", {"a.xhtml": xhtml(body)}))
    assert len(pages) > 3
    assert {page.label for page in pages} == {"Long"}
    assert sum(page.text.count("sentence") for page in pages) == 400


def test_what_xml_alone_may_say_is_read(tmp_path: Path) -> None:
    body = '<p><a id="x"/>be<span/>fore</p><script src="x"/><p>after <![CDATA[a < b]]></p>'
    chapters = {"a.xhtml": xhtml(body).replace("<title>A Book</title>", "<title/>")}
    _, pages = read(packages.book(tmp_path / "a.epub", chapters))
    assert pages[0].text == "before\n\nafter a < b"


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-16", "utf-16"),
        ("windows-1251", "windows-1251"),
        ("utf-8", "no-such"),
        ("utf-8", "undefined"),
        ("utf-8", "idna"),
    ],
)
def test_chapters_name_their_encoding(tmp_path: Path, encoding: str, declared: str) -> None:
    chapter = xhtml("<p>Привет</p>").replace("utf-8", declared).encode(encoding)
    _, pages = read(packages.book(tmp_path / "a.epub", {"a.xhtml": chapter}))
    assert pages[0].text == "Привет"


def test_a_missing_chapter_is_told(tmp_path: Path) -> None:
    more = '<item id="c1" href="gone.xhtml" media-type="application/xhtml+xml"/>'
    path = packages.book(tmp_path / "a.epub", {"a.xhtml": xhtml("<p>here</p>")}, more=more, spine=["c1"])
    reading, pages = read(path)
    assert [page.text for page in pages] == ["here"]
    assert [notice.code for notice in reading.notices] == ["chapters_missing"]


def test_a_lock_is_told_and_hidden_fonts_are_none(tmp_path: Path) -> None:
    def locked(method: str) -> Path:
        path = packages.book(tmp_path / "a.epub", {"a.xhtml": xhtml("<p>x</p>")})
        said = f"<e><EncryptionMethod Algorithm='{method}'/></e>"
        return packages.with_part(path, "META-INF/encryption.xml", said)

    with pytest.raises(EncryptedDocument, match="DRM"):
        read(locked("http://www.w3.org/2001/04/xmlenc#aes128-cbc"))
    assert read(locked("http://www.idpf.org/2008/embedding"))[1][0].text == "x"


def test_broken_books_say_so(tmp_path: Path) -> None:
    with pytest.raises(EmptyDocument):
        read(packages.book(tmp_path / "a.epub", {"a.xhtml": xhtml("<p> </p>")}))
    with pytest.raises(DamagedDocument, match="lists no chapters"):
        read(packages.book(tmp_path / "b.epub", {}))
    with pytest.raises(DamagedDocument, match="package document is missing"):
        read(packages.zipped(tmp_path / "c.epub", {"META-INF/container.xml": "<container/>"}))


def test_a_huge_chapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="Split it"):
        read(packages.book(tmp_path / "a.epub", {"a.xhtml": xhtml("x" * (33 << 20))}))
