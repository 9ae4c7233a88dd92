"""Reading PDFs, in this process: the files are the tests' own and mean no harm."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pypdfium2_raw as pdfium
import pytest

from ingest.document import Unit
from ingest.errors import DamagedDocument, EncryptedDocument
from ingest.formats import PDF, RawPage, Reading, pdf, pdf_rescue
from ingest.normalize import normalize
from ingest.reader import Divisible
from tests.support import pdfs

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample documents are not here")

PAGES = [["First page", "A table row 12.5"], [], ["Third page"]]


@contextmanager
def opened(path: Path) -> Iterator[Reading]:
    reading = pdf.open_document(path, PDF)
    try:
        yield reading
    finally:
        reading.close()


def pages_of(path: Path) -> list[RawPage]:
    with opened(path) as reading:
        return list(reading.pages())


def test_every_page_comes_in_order_with_its_lines(tmp_path: Path) -> None:
    with opened(pdfs.text_pdf(tmp_path / "a.pdf", PAGES, title="A title  ")) as reading:
        assert (reading.media_type, reading.unit, reading.total) == (PDF, Unit.PAGE, 3)
        assert reading.title == "A title"
        pages = list(reading.pages())
        assert reading.notices == []
    assert [page.number for page in pages] == [1, 2, 3]
    assert pages[0].text.splitlines() == ["First page", "A table row 12.5"]
    assert (pages[1].text, pages[2].text) == ("", "Third page")
    assert {page.label for page in pages} == {None}


def test_a_hyphen_at_a_line_end_stays_before_capitals_and_digits(tmp_path: Path) -> None:
    lines = ["An F-", "16 of the Anglo-", "American force, of COVID-", "19 and an exam-", "ple."]
    (page,) = pages_of(pdfs.text_pdf(tmp_path / "a.pdf", [lines]))
    assert normalize(page.text) == "An F-16 of the Anglo-American force, of COVID-19 and an example."


def test_printed_page_numbers_are_labels(tmp_path: Path) -> None:
    pages = pages_of(pdfs.labelled_pdf(tmp_path / "a.pdf", 5))
    assert [page.label for page in pages] == ["i", "ii", "1", "2", "3"]


def test_a_part_is_what_the_whole_has_there(tmp_path: Path) -> None:
    path = pdfs.labelled_pdf(tmp_path / "a.pdf", 5)
    whole = pages_of(path)
    with opened(path) as reading:
        assert isinstance(reading, Divisible)
        assert [*reading.part(3, 5), *reading.part(0, 3)] == [*whole[3:], *whole[:3]]


@pytest.mark.parametrize("algorithm", ["RC4-40", "RC4-128", "AES-128", "AES-256-R5", "AES-256"])
def test_a_file_with_an_owner_password_alone_is_read(tmp_path: Path, algorithm: str) -> None:
    path = pdfs.encrypted_pdf(tmp_path / "a.pdf", user="", owner="secret", algorithm=algorithm)
    assert [page.text for page in pages_of(path)] == ["A locked sentence."]


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
def test_a_file_with_a_user_password_is_refused(tmp_path: Path, algorithm: str) -> None:
    path = pdfs.encrypted_pdf(tmp_path / "a.pdf", user="open", owner="secret", algorithm=algorithm)
    with pytest.raises(EncryptedDocument, match="Remove the password"):
        pdf.open_document(path, PDF)


@pytest.mark.parametrize(
    ("code", "shown"),
    [("D835DC65", "\U0001d465"), ("00660066", "ff"), ("0041030A", "A\u030a"), ("05D0", "\u05d0")],
)
def test_no_character_is_lost_whatever_a_glyph_stands_for(tmp_path: Path, code: str, shown: str) -> None:
    (page,) = pages_of(pdfs.mapped_pdf(tmp_path / "a.pdf", code, times=30))
    assert page.text.count(shown) == 30
    assert {"B", "C"} <= set(page.text)


def test_the_slower_call_gives_the_whole_text_where_the_faster_cuts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pdfs.text_pdf(tmp_path / "a.pdf", [["One line", "and another"]])
    whole = pages_of(path)
    quick = pdfium.FPDFText_GetText
    monkeypatch.setattr(pdfium, "FPDFText_GetText", lambda page, start, _, into: quick(page, start, 3, into))
    assert pages_of(path) == whole


def test_a_scan_shows_by_its_image(tmp_path: Path) -> None:
    (page,) = pages_of(pdfs.scanned_pdf(tmp_path / "a.pdf", share=0.64, caption="p. 1"))
    assert page.text == "p. 1"
    assert page.image_area == pytest.approx(0.64, abs=0.01)


def test_images_of_pages_full_of_text_are_not_measured(tmp_path: Path) -> None:
    (page,) = pages_of(pdfs.scanned_pdf(tmp_path / "a.pdf", caption="word" * pdf.FEW_VISIBLE))
    assert page.image_area == 0.0


@pytest.mark.parametrize("with_looks", [True, False])
def test_what_was_filled_into_a_form_is_read(tmp_path: Path, *, with_looks: bool) -> None:
    (page,) = pages_of(pdfs.filled_form(tmp_path / "a.pdf", "Ada Lovelace", with_looks=with_looks))
    assert page.text.count("Ada Lovelace") == 1
    assert "Your name" in page.text


def test_a_file_without_its_end_mark_is_read_with_a_notice(tmp_path: Path) -> None:
    path = pdfs.text_pdf(tmp_path / "a.pdf", PAGES)
    path.write_bytes(path.read_bytes().replace(b"%%EOF", b""))
    with opened(path) as reading:
        assert reading.notices == [pdf_rescue.CUT_OFF]
        assert [page.number for page in reading.pages()] == [1, 2, 3]


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.5, 0.93])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, keep: float) -> None:
    path = pdfs.truncated(pdfs.text_pdf(tmp_path / "a.pdf", PAGES), keep=keep)
    with pytest.raises(DamagedDocument, match="cut off"):
        pdf.open_document(path, PDF)


@pytest.mark.parametrize("share", range(5, 100, 5))
def test_a_file_cut_anywhere_is_read_or_refused_in_words(tmp_path: Path, share: int) -> None:
    path = pdfs.truncated(pdfs.labelled_pdf(tmp_path / "a.pdf", 5), keep=share / 100)
    pages = []
    with contextlib.suppress(DamagedDocument):
        pages = pages_of(path)
        assert pages
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))


def failing(*_: object) -> None:
    """Stand for a pdfium that refuses."""


def test_a_page_that_pdfium_refuses_gets_a_second_opinion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pdfs.text_pdf(tmp_path / "a.pdf", PAGES)
    monkeypatch.setattr(pdfium, "FPDF_LoadPage", failing)
    pages = pages_of(path)
    assert [page.text.splitlines()[:1] for page in pages] == [["First page"], [], ["Third page"]]
    assert not any(page.notices for page in pages)


def test_a_page_that_nobody_can_read_loses_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pdfs.text_pdf(tmp_path / "a.pdf", PAGES)
    load = pdfium.FPDF_LoadPage

    def refuse_second(document: object, index: int) -> object:
        return None if index == 1 else load(document, index)

    def refuse(*_: object) -> str:
        raise DamagedDocument("no")

    monkeypatch.setattr(pdfium, "FPDF_LoadPage", refuse_second)
    monkeypatch.setattr(pdf_rescue, "page_text", refuse)
    first, second, third = pages_of(path)
    assert (first.notices, third.text) == ((), "Third page")
    assert [(notice.code, notice.page) for notice in second.notices] == [("page_unreadable", 2)]
    assert second.text == ""


@pytest.mark.parametrize("locked", [True, False])
def test_a_second_reader_rescues_what_pdfium_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, locked: bool
) -> None:
    code = pdfium.FPDF_ERR_PASSWORD if locked else pdfium.FPDF_ERR_FORMAT
    monkeypatch.setattr(pdfium, "FPDF_LoadDocument", failing)
    monkeypatch.setattr(pdfium, "FPDF_GetLastError", lambda: code)
    with opened(pdfs.text_pdf(tmp_path / "a.pdf", PAGES)) as reading:
        texts = [page.text for page in reading.pages()]
        assert pdf_rescue.RESCUED in reading.notices
    assert ["First page" in texts[0], texts[1].strip(), texts[2].strip()] == [True, "", "Third page"]


@needs_samples
def test_real_files_of_many_producers_are_read() -> None:
    refused = {}
    for path in sorted((SAMPLES / "pdf").glob("*.pdf")):
        try:
            assert pages_of(path), path.name
        except EncryptedDocument as error:
            refused[path.name] = error
    assert list(refused) == ["libreoffice-writer-password.pdf"]
