"""Blanks that pdfium leaves out before capitals in justified lines, in pages set with made-up gaps."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportlab.pdfbase.pdfmetrics import stringWidth

from ingest.formats import PDF, pdf
from tests.support import pdfs

TIGHT, LOOSE = 180, 350


def text_of(path: Path, content: bytes) -> str:
    """The text of a page with this content."""
    reading = pdf.open_document(pdfs.one_page_pdf(path / "page.pdf", pdfs.stream(content)), PDF)
    try:
        return next(iter(reading.pages())).text.strip()
    finally:
        reading.close()


def line(*words: str, gap: int) -> bytes:
    """A line whose words are drawn one by one, so many thousandths of the type's size apart."""
    drawn, x = [], 72.0
    for word in words:
        drawn.append(f"BT /F1 10 Tf {x:.2f} 700 Td ({word}) Tj ET")
        x += stringWidth(word, "Helvetica", 10) + gap / 100
    return "\n".join(drawn).encode()


@pytest.mark.parametrize("gap", [TIGHT, LOOSE])
def test_words_set_tight_are_parted(tmp_path: Path, gap: int) -> None:
    words = ("Private", "Sector", "Goals", "United", "States")
    assert text_of(tmp_path, line(*words, gap=gap)) == " ".join(words)


def test_names_in_mixed_case_stay_whole(tmp_path: Path) -> None:
    names = ("iPhone", "JavaScript", "McDonald")
    assert text_of(tmp_path, line(*names, gap=LOOSE)) == " ".join(names)


def test_small_gaps_within_a_word_are_none(tmp_path: Path) -> None:
    kerned = b"BT /F1 12 Tf 72 700 Td [(Power) -60 (Point bu) -40 (t)] TJ ET"
    assert text_of(tmp_path, kerned) == "PowerPoint but"
