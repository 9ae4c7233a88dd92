"""The kind of a file comes from its bytes, and a refusal says what the file is."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
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
from ingest.formats import (
    BMP,
    CSV,
    DOC,
    DOCX,
    EML,
    EPUB,
    GIF,
    GZIP,
    HTML,
    IPYNB,
    JPEG,
    JSON,
    MARKDOWN,
    MBOX,
    MSG,
    ODP,
    ODS,
    ODT,
    PDF,
    PLAIN,
    PNG,
    PPT,
    PPTX,
    READERS,
    RTF,
    TAR,
    TIFF,
    TSV,
    WEBP,
    XLS,
    XLSX,
    XML,
    XZ,
    ZIP,
)
from ingest.sniff import sniff
from tests.support import compound, office, packages

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/office"

NAMES = {
    ".docx": DOCX,
    ".html": HTML,
    ".eml": EML,
    ".csv": CSV,
    ".ipynb": IPYNB,
    ".rtf": RTF,
    ".epub": EPUB,
    ".doc": DOC,
    ".ppt": PPT,
    ".xls": XLS,
    ".msg": MSG,
    ".odp": ODP,
    ".ods": ODS,
    ".odt": ODT,
    ".pptx": PPTX,
    ".xlsx": XLSX,
}


MAIL = b"From: a@example.org\nTo: b@example.org\nSubject: Hello\nMIME-Version: 1.0\n\nText.\n"


def tarred(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


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
        (b"name,value\n1,2\n", "table.CSV", CSV),
        (b"name\tvalue\n1\t2\n", "table.tsv", TSV),
        (b"name,value\n1,2\n", "table.txt", PLAIN),
        (b"<html><table>", "table.csv", HTML),
        (b"{\\rtf1 x}", "x.doc", RTF),
        (b"page\x0cpage", "", PLAIN),
        (b'{"a": 1}', "data.JSON", JSON),
        (b'{"a": 1}\n{"a": 2}\n', "data.jsonl", JSON),
        (b'{"a": 1}', "data.txt", PLAIN),
        (b'{"cells": []}', "a.ipynb", IPYNB),
        (b'<?xml version="1.0"?><feed/>', "", XML),
        (b'<?xml version="1.0"?><feed/>', "feed.txt", XML),
        (b"<svg/>", "drawing.svg", XML),
        (b"<title>x</title>", "data.xml", XML),
        (b"import os\n", "main.py", "text/x-python"),
        (b"<html><?php ?>", "index.php", "text/x-php"),
        (b"all:\n\tcc x.c\n", "src/Makefile", "text/x-makefile"),
        (b"FROM scratch\n", "Dockerfile", "text/x-dockerfile"),
        (b"a: 1\n", "settings.yaml", "application/yaml"),
        (gzip.compress(b"text", mtime=0), "x.pdf", GZIP),
        (lzma.compress(b"text"), "x", XZ),
        (MAIL, "x.txt", EML),
        (b"\xef\xbb\xbf" + MAIL, "x", EML),
        (b"Subject: %PDF-1.4 in a subject\n" + MAIL, "x", EML),
        (b"Subject: x\n\ny", "x.eml", EML),
        (b"no header at all", "x.eml", PLAIN),
        (b"From: Ann\nTo: Bo\nDate: Monday\nSubject: A memo\n\nRead this.", "memo.txt", PLAIN),
        (b"Message-ID: 1\nMIME-Version: 1\nReceived: x\n\nno sender, no subject", "", PLAIN),
        (b"From ann@example.org Mon Jan  1 10:00:00 2024\n" + MAIL, "x.txt", MBOX),
        (b"From ann@example.org Mon Jan  1 10:00:00 2024\n" + MAIL, "x.eml", MBOX),
        (b"From here it is 10:30 by train.\nThat is: late.\n", "x.txt", PLAIN),
        (b"From Monday on we meet at 10:30.\nFrom: Ann\n\nx", "x.mbox", PLAIN),
        (b"\xef\xbb\xbf\r\nFrom ann@example.org Mon Jan  1 10:00:00 2024\n" + MAIL, "x", MBOX),
        (b"\n\n" + MAIL, "x", EML),
        (b">From ann@example.org Mon Jan  1 10:00:00 2024\n" + MAIL, "x.txt", EML),
        (b">From ann Mon Jan  1 10:00:00 2024\nFrom: a\nTo: b\nSubject: c\n\nx", "x", EML),
        (b"From " + b"0f" * 20 + b" Mon Sep 17 00:00:00 2001\n" + MAIL, "0001-x.patch", "text/x-diff"),
        (MAIL, "x.diff", "text/x-diff"),
        (b"From: A\nTo: B\nSubject: C\nContent-Type: text\n\nx", "memo.md", MARKDOWN),
        (b"From: A\nTo: B\nSubject: C\nContent-Type: text\n\nx", "memo.csv", CSV),
        (b"From: A\nTo: B\nSubject: C\nContent-Type: text\n\nx", "memo.yaml", "application/yaml"),
        (b"From a Mon Jan  1 10:00 2024\nFrom: A\nTo: B\nSubject: C\n\nx", "memo.md", MARKDOWN),
        (MAIL, "x.md", EML),
        (tarred({"a.pdf": b"%PDF-1.4"}), "x.pdf", TAR),
    ],
)
def test_bytes_decide(tmp_path: Path, data: bytes, name: str, media_type: str) -> None:
    assert kind(tmp_path, data, name) == media_type


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n", PNG),
        (b"\xff\xd8\xff\xe0", JPEG),
        (b"GIF89a", GIF),
        (b"II*\0", TIFF),
        (b"MM\0+", TIFF),
        (b"RIFF\x24\0\0\0WEBPVP8 ", WEBP),
        (b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", BMP),
        (b"BMW builds cars.", PLAIN),
        (b"RIFF is a format family.", PLAIN),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", PLAIN),
    ],
)
def test_images_are_known_by_their_signatures(tmp_path: Path, data: bytes, media_type: str) -> None:
    assert kind(tmp_path, data, "scan.pdf") == media_type


def test_a_docx_is_known_under_any_name(tmp_path: Path) -> None:
    assert sniff(office.rich(tmp_path / "a.docx"), "a.pdf") == DOCX


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"7z\xbc\xaf\x27\x1c", "scan.pdf", "a 7-Zip archive named .pdf, not a PDF."),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "x.jpg", "an HEIC image. PDF, Office"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "x.avif", "an AVIF image"),
        (b"\0" * 5_000, "x.txt", "all its bytes are zero"),
        (hashlib.shake_256(b"seed").digest(5_000), "x.bin", "neither text nor a format known here"),
        (b"text " * 20_000 + b"\0" * 100_000, "x.txt", "neither text"),
    ],
)
def test_a_refusal_names_the_file(tmp_path: Path, data: bytes, name: str, says: str) -> None:
    with pytest.raises(UnsupportedFormat, match=says.replace(".", r"\.")):
        kind(tmp_path, data, name)


@pytest.mark.parametrize(
    ("members", "media_type"),
    [
        ({"[Content_Types].xml": "", "ppt/presentation.xml": ""}, PPTX),
        ({"[Content_Types].xml": "", "xl/workbook.xml": ""}, XLSX),
        ({"mimetype": ODT, "content.xml": ""}, ODT),
        ({"mimetype": ODS + "-template", "content.xml": ""}, ODS),
        ({"content.xml": "", "mimetype": ODP + "\n"}, ODP),
        ({"mimetype": EPUB, "META-INF/container.xml": ""}, EPUB),
        ({"META-INF/container.xml": ""}, EPUB),
        ({"letter.txt": ""}, ZIP),
    ],
)
def test_a_zip_is_known_by_its_members(tmp_path: Path, members: dict[str, str], media_type: str) -> None:
    assert sniff(packages.zipped(tmp_path / "upload", members), "upload.zip") == media_type


@pytest.mark.parametrize(
    ("members", "filename", "says"),
    [
        ({"xl/workbook.bin": "x"}, "upload.XLSB", "XLSB"),
        ({"xl/workbook.xml": "x"}, "upload.xlsx", "an incomplete Excel workbook named .xlsx, not an XLSX"),
        ({"content.xml": "x"}, "upload.odg", "OpenDocument file of another kind"),
        (
            {"content.xml": "x", "mimetype": "application/vnd.oasis.opendocument.graphics"},
            "upload.pdf",
            r"OpenDocument file of another kind named \.pdf, not a PDF\. PDF, Office",
        ),
        ({"META-INF/MANIFEST.MF": "x"}, "upload.jar", "a Java archive"),
        ({"[Content_Types].xml": "x"}, "upload.vsdx", "an Office file of another kind"),
    ],
)
def test_a_zip_is_named_by_its_members(
    tmp_path: Path, members: dict[str, str], filename: str, says: str
) -> None:
    with pytest.raises(UnsupportedFormat, match=says):
        sniff(packages.zipped(tmp_path / "upload", members), filename)


@pytest.mark.parametrize(
    "member",
    [
        *("content.xml", "META-INF/MANIFEST.MF", "AndroidManifest.xml", "[Content_Types].xml"),
        *("xl/workbook.bin", "xl/workbook.xml", "word/document.xml", "Index/Document.iwa"),
    ],
)
def test_a_member_alone_makes_no_archive_another_file(tmp_path: Path, member: str) -> None:
    path = packages.zipped(tmp_path / "upload", {"letter.txt": "x", member: "x"})
    assert sniff(path, "upload.zip") == ZIP


@pytest.mark.parametrize(
    ("streams", "media_type"),
    [
        (["WordDocument"], DOC),
        (["Book"], XLS),
        (["PowerPoint Document"], PPT),
        (["__properties_version1.0"], MSG),
        (["__properties_version1.0", "__attach_version1.0_#00000000/WordDocument"], MSG),
        (["x" * 9 + str(number) for number in range(99)] + ["Workbook"], XLS),
    ],
)
def test_an_old_office_file_is_known_by_its_streams(
    tmp_path: Path, streams: list[str], media_type: str
) -> None:
    path = compound.container(tmp_path / "upload", dict.fromkeys(streams, b"x"))
    assert sniff(path, "upload.txt") == media_type


def test_an_old_office_file_is_not_known_by_what_is_in_it(tmp_path: Path) -> None:
    inner = "WordDocument\0".encode("utf-16-le")
    path = compound.container(tmp_path / "upload", {"Workbook": inner})
    assert sniff(path, "upload.xls") == XLS


def test_an_unknown_container_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match=r"an old Office file named \.msg, not an Outlook message"):
        sniff(compound.container(tmp_path / "upload", {"x": b"x"}), "upload.msg")


def test_a_directory_beyond_any_file_is_an_unknown_container(tmp_path: Path) -> None:
    head = bytearray(office.OLE.ljust(600, b"\0"))
    head[30:32], head[48:52] = b"\x0c\0", b"\xff" * 4
    with pytest.raises(UnsupportedFormat, match="an old Office file"):
        kind(tmp_path, bytes(head))


def test_a_zip_is_one_whatever_its_first_file_is(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.pdf", "%PDF-1.7 and so on")
    assert sniff(path, "upload.pdf") == ZIP


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
    assert time.process_time() - started < 1


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
        assert sniff(path, "any.txt") in READERS
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
