"""Files attached to a PDF are named with their sizes, and left where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.document import Notice
from ingest.formats.pdf_files import MAX_NAMES
from tests.support import pdfs
from tests.support.enclosing import Read, read_here

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"


def told(found: Read) -> list[Notice]:
    return [notice for notice in found.notices if notice.code == "attachments_not_read"]


def test_attached_files_are_named_and_not_read(tmp_path: Path) -> None:
    files = {"Größe.txt": b"text", "data\n.csv": b"a,b\n" * 200_000}
    found = read_here(pdfs.attaching_pdf(tmp_path / "a.pdf", files))
    (notice,) = told(found)
    assert "Größe.txt (4 bytes)" in notice.detail
    assert "data .csv (800,000 bytes)" in notice.detail
    assert (found.text, found.files) == ("See the attached files.", {})


def test_many_are_summed_up(tmp_path: Path) -> None:
    files = {f"{n:03}.txt": b"x" for n in range(MAX_NAMES + 32)}
    (notice,) = told(read_here(pdfs.attaching_pdf(tmp_path / "a.pdf", files)))
    assert notice.detail.count(".txt") == MAX_NAMES
    assert "and 32 more." in notice.detail


def test_a_pdf_without_files_says_nothing(tmp_path: Path) -> None:
    assert told(read_here(pdfs.text_pdf(tmp_path / "a.pdf", [["One"]]))) == []


def test_an_attached_file_that_is_not_there_is_still_named(tmp_path: Path) -> None:
    names = b"/Names << /EmbeddedFiles << /Names [(a.txt) << /Type /Filespec /F (a.txt) /EF << >> >>] >> >>"
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] >>"
    path = pdfs.raw_pdf(
        tmp_path / "a.pdf",
        [
            b"<< /Type /Catalog /Pages 2 0 R " + names + b" >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            page,
        ],
    )
    (notice,) = told(read_here(path))
    assert "not read: a.txt. " in notice.detail


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real documents are not here")
def test_a_real_attachment_is_named() -> None:
    (notice,) = told(read_here(SAMPLES / "pdf" / "with-attachment.pdf"))
    assert "image.png" in notice.detail
