"""Comments on a PDF's pages: who said what stands after the page's own text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import AnnotationDictionary, FreeText, Highlight, Link, Popup, Text
from pypdf.generic import ArrayObject, FloatObject, NameObject, NumberObject, TextStringObject

import ingest
from ingest import Flag, Page
from ingest.formats import pdf_comments
from tests.support import pdfs

RECT = (50, 550, 200, 650)


def note(text: str, *, by: str = "") -> AnnotationDictionary:
    return Text(rect=RECT, text=text, title_bar=by or None)


def highlight(text: str) -> AnnotationDictionary:
    corners = ArrayObject(map(FloatObject, (50, 720, 200, 720, 50, 700, 200, 700)))
    marked = Highlight(rect=RECT, quad_points=corners)
    marked[NameObject("/Contents")] = TextStringObject(text)
    return marked


def hidden(annotation: AnnotationDictionary) -> AnnotationDictionary:
    annotation[NameObject("/F")] = NumberObject(2)
    return annotation


def popup(text: str) -> AnnotationDictionary:
    opened = Popup(rect=RECT)
    opened[NameObject("/Contents")] = TextStringObject(text)
    return opened


def page_with(
    path: Path, annotations: Sequence[AnnotationDictionary], lines: Sequence[str] = ("Text.",)
) -> Page:
    writer = PdfWriter(clone_from=pdfs.text_pdf(path, [lines]))
    for annotation in annotations:
        writer.add_annotation(0, annotation)
    with path.open("wb") as file:
        writer.write(file)
    (page,) = (each for each in ingest.read(path, filename=path.name) if isinstance(each, Page))
    return page


def test_comments_stand_after_the_text(tmp_path: Path) -> None:
    said = [note("Is this\nright?", by="Ann Lee"), highlight("Prüfen"), note("  ")]
    page = page_with(tmp_path / "a.pdf", said)
    assert page.text == "Text.\n[comment by Ann Lee: Is this right?]\n[comment by unknown: Prüfen]"
    assert page.tokens == ingest.count_tokens(page.text)
    assert page.flags == ()


def test_a_note_on_the_page_is_read_where_no_program_drew_it(tmp_path: Path) -> None:
    page = page_with(tmp_path / "a.pdf", [FreeText(rect=RECT, text="Sign here")])
    assert page.text == "Text.\n[comment by unknown: Sign here]"


def test_what_nobody_sees_or_said_is_no_comment(tmp_path: Path) -> None:
    unsaid = [hidden(note("Accepted", by="Ann")), popup("Twice"), Link(rect=RECT, url="https://example.com")]
    assert page_with(tmp_path / "a.pdf", unsaid).text == "Text."


def test_a_comment_is_read_beside_a_form(tmp_path: Path) -> None:
    path = pdfs.filled_form(tmp_path / "a.pdf", "Ada Lovelace", with_looks=True)
    writer = PdfWriter(clone_from=PdfReader(path))
    writer.add_annotation(0, note("Who is she?", by="Bo"))
    with path.open("wb") as file:
        writer.write(file)
    (page,) = (each for each in ingest.read(path, filename="a.pdf") if isinstance(each, Page))
    assert "Ada Lovelace" in page.text
    assert page.text.endswith("\n[comment by Bo: Who is she?]")


def test_a_page_with_a_comment_alone_is_not_without_text(tmp_path: Path) -> None:
    page = page_with(tmp_path / "a.pdf", [note("To be written", by="Bo")], lines=())
    assert page.text == "[comment by Bo: To be written]"
    assert not {Flag.BLANK, Flag.NO_TEXT} & set(page.flags)


@pytest.mark.parametrize("over", [0, 5])
def test_comments_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    monkeypatch.setattr(pdf_comments, "MAX_COMMENTS", 3)
    long = "x" * (pdf_comments.MAX_CHARS + over)
    path = tmp_path / "a.pdf"
    page_with(path, [note(long)] * 5)
    pdf_reading = ingest.formats.open_document(path, ingest.formats.PDF)
    try:
        (raw,) = pdf_reading.pages()
    finally:
        pdf_reading.close()
    kept = long if not over else "x" * (pdf_comments.MAX_CHARS - 1) + "…"
    assert raw.comments == (f"[comment by unknown: {kept}]",) * 3
    assert raw.size() == len(raw.text) + sum(map(len, raw.comments))
