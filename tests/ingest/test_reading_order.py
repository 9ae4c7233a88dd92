"""The order in which a PDF's text is read: its content stream's, table rows on one line."""

from __future__ import annotations

from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from ingest.formats import PDF, open_document

Drawn = tuple[float, float, str]

LEFT = [f"The left column's line {row} goes on" for row in range(10)]
RIGHT = [f"and the right one's line {row} too" for row in range(10)]


def lines_of(path: Path, drawn: list[Drawn]) -> list[str]:
    canvas = Canvas(str(path), pagesize=A4, invariant=True)
    for x, y, text in drawn:
        canvas.drawString(x, y, text)
    canvas.showPage()
    canvas.save()
    reading = open_document(path, PDF)
    (page,) = reading.pages()
    reading.close()
    return page.text.splitlines()


def column(x: float, lines: list[str]) -> list[Drawn]:
    return [(x, 700 - 14 * row, line) for row, line in enumerate(lines)]


def test_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    title = "A title over both columns of the page"
    note = "1 A note below the left column."
    drawn = [(60, 740, title), *column(60, LEFT), (60, 540, note), *column(320, RIGHT)]
    assert lines_of(tmp_path / "a.pdf", drawn) == [title, *LEFT, note, *RIGHT]


def test_a_table_beside_and_below_columns_keeps_its_rows(tmp_path: Path) -> None:
    cells = [
        (x, 400 - 14 * row, f"r{row}c{at}") for row in range(3) for at, x in enumerate((60, 200, 320, 450))
    ]
    drawn = [*column(60, LEFT), *column(320, RIGHT), *cells]
    rows = [f"r{row}c0 r{row}c1 r{row}c2 r{row}c3" for row in range(3)]
    assert lines_of(tmp_path / "a.pdf", drawn)[-3:] == rows
