"""The bookmarks of a PDF: in order, with levels and pages, bounded and free of circles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pypdf
import pytest
from pypdf.generic import Destination
from reportlab.pdfgen.canvas import Canvas

import ingest
from ingest import Finished, Heading
from ingest.formats import PDF, Outlined, open_document
from ingest.formats.pdf_outline import MAX_DEPTH, MAX_ENTRIES, MAX_TITLE
from tests.support import hostile_pdfs, pdfs

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample documents are not here")


def marked_pdf(path: Path, entries: Sequence[tuple[str, int, int]], pages: int = 3) -> Path:
    """Write so many pages with these bookmarks: title, 1-based level, 1-based page."""
    canvas = Canvas(str(path), invariant=True)
    for page in range(1, pages + 1):
        canvas.drawString(72, 700, f"Page {page}")
        for number, (_, _, leads_to) in enumerate(entries):
            if leads_to == page:
                canvas.bookmarkPage(str(number))
        canvas.showPage()
    for number, (title, level, _) in enumerate(entries):
        canvas.addOutlineEntry(title, str(number), level - 1)
    canvas.save()
    return path


def outline(path: Path) -> tuple[Heading, ...]:
    """The outline as it comes out of the reading process."""
    (finished,) = (e for e in ingest.read(path, filename="a.pdf") if isinstance(e, Finished))
    return finished.outline


def test_bookmarks_come_with_their_levels_and_pages(tmp_path: Path) -> None:
    entries = [("One", 1, 1), ("Größe", 2, 2), ("Deeper", 3, 2), ("Two\n  lines", 1, 3), ("Last", 1, 1)]
    expected = [Heading(" ".join(title.split()), level, page) for title, level, page in entries]
    assert list(outline(marked_pdf(tmp_path / "a.pdf", entries))) == expected


def test_a_file_without_bookmarks_has_none(tmp_path: Path) -> None:
    assert outline(pdfs.text_pdf(tmp_path / "a.pdf", [["Text"]])) == ()


def test_a_long_title_is_cut(tmp_path: Path) -> None:
    (heading,) = outline(marked_pdf(tmp_path / "a.pdf", [("long " * 1_000, 1, 1)]))
    assert heading.title == ("long " * 1_000)[:MAX_TITLE].strip()


def test_too_many_and_too_deep_ones_are_left_out(tmp_path: Path) -> None:
    many = [(f"Entry {n}", 1, 1) for n in range(MAX_ENTRIES + 50)]
    assert [one.title for one in outline(marked_pdf(tmp_path / "a.pdf", many))] == [
        title for title, _, _ in many[:MAX_ENTRIES]
    ]
    deep = [(f"Entry {n}", n, 1) for n in range(1, MAX_DEPTH + 6)]
    found = outline(marked_pdf(tmp_path / "b.pdf", [*deep, ("After", 1, 2)]))
    assert [one.level for one in found] == [*range(1, MAX_DEPTH + 1), 1]
    assert found[-1] == Heading("After", 1, 2)


def test_a_circle_of_bookmarks_ends(tmp_path: Path) -> None:
    path = hostile_pdfs.outline_in_a_circle(tmp_path / "a.pdf")
    assert outline(path) == (Heading("One", 1, 1), Heading("Two", 1, None))


@needs_samples
@pytest.mark.parametrize("name", ["2018-annual-performance-report.pdf", "DOT2022.pdf", "HHS2022.pdf"])
def test_another_reader_finds_the_same_bookmarks(name: str) -> None:
    path = SAMPLES / "us-agency-reports" / name
    other = pypdf.PdfReader(path)

    def flat(entries: list[object], level: int) -> list[tuple[str, int, int]]:
        found = []
        for entry in entries:
            if isinstance(entry, Destination):
                page = other.get_destination_page_number(entry)
                found.append((" ".join(str(entry.title).split()), level, -1 if page is None else page + 1))
            elif isinstance(entry, list):
                found += flat(entry, level + 1)
        return found

    reading = open_document(path, PDF)
    try:
        assert isinstance(reading, Outlined)
        ours = [(" ".join(one.title.split()), one.level, one.page or 0) for one in reading.outline()]
    finally:
        reading.close()
    assert ours == flat(list(other.outline), 1)
