"""Files embedded in a PDF come out beside its pages."""

from __future__ import annotations

from pathlib import Path

import pytest

import ingest
from tests.support import pdfs
from tests.support.enclosing import gathered, read_here

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"


def test_embedded_files_come_out_whole(tmp_path: Path) -> None:
    files = {"../up.txt": b"x", "Größe.txt": b"text", "data.csv": b"a,b\n" * 200_000}
    path = pdfs.attaching_pdf(tmp_path / "a.pdf", files)
    for found in (read_here(path), gathered(ingest.read(path, filename="a.pdf"))):
        assert found.files == {"up.txt": b"x", "Größe.txt": b"text", "data.csv": b"a,b\n" * 200_000}
        assert (found.text, found.codes) == ("See the attached files.", ["unsafe_path"])


def test_a_pdf_without_files_has_none(tmp_path: Path) -> None:
    assert read_here(pdfs.text_pdf(tmp_path / "a.pdf", [["One"]])).files == {}


def test_an_embedded_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
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
    assert {name: fault.code for name, fault in read_here(path).faults.items()} == {"a.txt": "file_damaged"}


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real documents are not here")
def test_a_real_attachment_comes_out() -> None:
    found = read_here(SAMPLES / "pdf" / "with-attachment.pdf")
    assert found.files["image.png"].startswith(b"\x89PNG")
