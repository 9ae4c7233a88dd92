"""The kind of a file comes from its bytes, and a refusal says what the file is."""

from __future__ import annotations

import gzip
import hashlib
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import (
    DamagedDocument,
    EmptyDocument,
    EncryptedDocument,
    IngestError,
    TooLarge,
    UnsupportedFormat,
)
from ingest.formats import DOCX, HTML, MARKDOWN, PDF, PLAIN
from ingest.sniff import sniff
from tests.support import office

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/office"

NAMES = {
    ".docx": DOCX,
    ".html": HTML,
    ".eml": PLAIN,
    ".csv": PLAIN,
    ".ipynb": PLAIN,
    ".rtf": "RTF",
    ".epub": "EPUB",
    ".doc": "Word",
    ".ppt": "PowerPoint",
    ".xls": "Excel",
    ".msg": "Outlook",
    ".odp": "OpenDocument",
    ".ods": "OpenDocument",
    ".odt": "OpenDocument",
    ".pptx": "PPTX",
    ".xlsx": "XLSX",
}


def kind(tmp_path: Path, data: bytes, name: str = "file") -> str:
    path = tmp_path / "upload"
    path.write_bytes(data)
    return sniff(path, name)


@pytest.mark.parametrize(
    ("data", "name", "media_type"),
    [
        (b"%PDF-1.7\n", "report.txt", PDF),
        (b"junk" * 200 + b"%PDF-1.4", "x", PDF),
        (b"# Title\n", "notes.MD", MARKDOWN),
        (b"<p>raw HTML</p>\n\n# Title\n", "notes.md", MARKDOWN),
        (b"# Title\n", "notes.txt", PLAIN),
        (b"<!DOCTYPE html><p>x", "page.txt", HTML),
        (b"\xef\xbb\xbf \n<?xml version='1.0'?>\n<!-- c --><HTML>", "", HTML),
        (b"Some <b>text</b>", "page.htm", HTML),
        (b"Some <b>text</b>", "page.txt", PLAIN),
        (b"a < b", "math.txt", PLAIN),
        ("日本語".encode(), "", PLAIN),
        ("naïve".encode("latin-1"), "old.txt", PLAIN),
        ("Straße".encode("utf-16"), "", PLAIN),
        ("<html>x".encode("utf-16"), "", HTML),
        (b"name,value\n1,2\n", "table.csv", PLAIN),
        (b"page\x0cpage", "", PLAIN),
    ],
)
def test_bytes_decide(tmp_path: Path, data: bytes, name: str, media_type: str) -> None:
    assert kind(tmp_path, data, name) == media_type


def test_a_docx_is_known_under_any_name(tmp_path: Path) -> None:
    assert sniff(office.rich(tmp_path / "a.docx"), "a.pdf") == DOCX


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"\x89PNG\r\n\x1a\n", "scan.pdf", "a PNG image named .pdf, not a PDF."),
        (b"\xff\xd8\xff\xe0", "x.jpg", "a JPEG image. PDF, DOCX"),
        (gzip.compress(b"text"), "x.gz", "a GZIP archive"),
        (b"{\\rtf1 x}", "x.doc", "an RTF document"),
        (b"\0" * 5_000, "x.txt", "all its bytes are zero"),
        (hashlib.shake_256(b"seed").digest(5_000), "x.bin", "neither text nor a format known here"),
        (b"text " * 20_000 + b"\0" * 100_000, "x.txt", "neither text"),
    ],
)
def test_a_refusal_names_the_file(tmp_path: Path, data: bytes, name: str, says: str) -> None:
    with pytest.raises(UnsupportedFormat, match=says.replace(".", r"\.")):
        kind(tmp_path, data, name)


@pytest.mark.parametrize(
    ("member", "says"),
    [
        ("ppt/presentation.xml", "PowerPoint presentation"),
        ("xl/workbook.xml", "Excel workbook"),
        ("META-INF/container.xml", "EPUB"),
        ("letter.txt", r"a ZIP archive named \.pdf, not a PDF\. Upload the files inside it"),
    ],
)
def test_a_zip_is_named_by_its_members(tmp_path: Path, member: str, says: str) -> None:
    path = tmp_path / "upload"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "x")
    with pytest.raises(UnsupportedFormat, match=says):
        sniff(path, "upload.pdf")


def test_a_zip_with_a_huge_directory_is_refused(tmp_path: Path) -> None:
    end = b"PK\x05\x06" + bytes(8) + (2**31).to_bytes(4, "little") + bytes(6)
    with pytest.raises(TooLarge):
        kind(tmp_path, b"PK\x03\x04" + bytes(100) + end)


def test_a_cut_off_zip_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(DamagedDocument, match="Save or download it again"):
        kind(tmp_path, office.rich(tmp_path / "a.docx").read_bytes()[:3_000])


def test_a_locked_office_file_needs_its_password(tmp_path: Path) -> None:
    with pytest.raises(EncryptedDocument, match="password"):
        sniff(office.encrypted(tmp_path / "a.docx"), "a.docx")


@pytest.mark.parametrize("data", [b"", b" \n\t", b"\xef\xbb\xbf", "  ".encode("utf-16")])
def test_nothing_is_empty(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(EmptyDocument):
        kind(tmp_path, data)


def test_fifty_megabytes_of_zeros_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "zeros.pdf"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    started = time.process_time()
    with pytest.raises(
        UnsupportedFormat, match=r"named \.pdf, not a PDF holds no text: all its bytes are zero"
    ):
        sniff(path, "zeros.pdf")
    assert time.process_time() - started < 0.1


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=300), st.sampled_from([b"", b"PK\x03\x04", office.OLE, b"%PDF", b"\xff\xfe", b"<html"])
)
def test_any_bytes_get_a_type_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, start: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(start + data)
    try:
        assert sniff(path, "any.txt") in {PDF, DOCX, HTML, MARKDOWN, PLAIN}
    except IngestError as error:
        assert str(error).endswith(".")  # noqa: PT017 - either end is right


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1, alphabet=st.characters(categories=["L", "N", "P"])))
def test_any_text_is_text(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "text"
    path.write_text("x " + text, encoding="utf-8")
    assert sniff(path, "text") == PLAIN


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real documents are not here")
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*")), ids=lambda path: path.name)
def test_real_files_are_what_their_names_say(path: Path) -> None:
    wanted = NAMES[path.suffix]
    try:
        assert sniff(path, path.name) == wanted
    except UnsupportedFormat as error:
        assert wanted in str(error)  # noqa: PT017 - either end is right
