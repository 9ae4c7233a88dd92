"""What kind of file it is, from its bytes: the name only chooses among kinds of text."""

from __future__ import annotations

import codecs
import re
import zipfile
import zlib
from pathlib import Path, PurePath
from typing import BinaryIO, Final

from ingest import zipdirectory
from ingest.errors import DamagedDocument, EmptyDocument, EncryptedDocument, TooLarge, UnsupportedFormat
from ingest.formats import (
    BMP,
    BZIP2,
    CSV,
    DOC,
    DOCX,
    EPUB,
    GIF,
    GZIP,
    HTML,
    JPEG,
    MARKDOWN,
    MSG,
    ODP,
    ODS,
    ODT,
    PDF,
    PLAIN,
    PNG,
    PPT,
    PPTX,
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
from ingest.formats.compound import top_streams
from ingest.formats.textkinds import kind_of_name
from ingest.signatures import is_tar, mail_type

CAN_BE_READ: Final = (
    "PDF, Office and OpenDocument files, books, web pages, mails, archives, images, text and code can be read"
)

_HEAD_BYTES: Final = 65_536
_SAMPLES: Final = 32
_SAMPLE_BYTES: Final = 4_096
_PDF_WITHIN: Final = 1_024
"""Acrobat accepts a header anywhere in the first 1,024 bytes (PDF 1.7, Appendix H, note 13)."""
_CONTROL_SHARE: Final = 0.02
"""Text in any encoding holds next to no control characters; compressed data some 10 %."""

_ZERO_SHARE: Final = 0.8
_BYTE_ORDER_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CONTROLS: Final = bytes(code for code in range(0x20) if code not in b"\t\n\v\f\r\x1b") + b"\x7f"
_PRINTABLE: Final = bytes(set(range(256)) - {*_CONTROLS})

# Signatures as their formats' specifications give them; the first that fits names the file.
_IMAGES: Final = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PNG),
    (re.compile(rb"\xff\xd8\xff"), JPEG),
    (re.compile(rb"GIF8[79]a"), GIF),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), TIFF),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), WEBP),
    (re.compile(rb"BM.{4}\0{4}.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0{3}", re.DOTALL), BMP),
)
_BRANDS: Final = re.compile(rb".{4}ftyp(?:(hei[cmsx]|hev[cmsx]|mif1|msf1)|(avi[fs]))", re.DOTALL)
"""Image files in the ISO base media format, by their brand (ISO/IEC 23008-12, Annex B)."""
_BINARY_KINDS: Final = (
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"%!PS", "a PostScript file"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"ID3", "an MP3 recording"),
    (b"OggS", "an Ogg recording"),
)
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_RTF: Final = b"{\\rtf"
# The stream at the top that makes an OLE container the file it is.
_OLE_TYPES: Final = {
    "WordDocument": DOC,
    "Workbook": XLS,
    "Book": XLS,
    "PowerPoint Document": PPT,
    "__properties_version1.0": MSG,
}
_PACKED: Final = ((b"\x1f\x8b\x08", GZIP), (b"BZh", BZIP2), (b"\xfd7zXZ\0", XZ))
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_WHOLE_DIRECTORY: Final = 0xFFFFFFFF
"""Stands where a directory's size stands elsewhere (ZIP64)."""
_CONTENT_TYPES: Final = "[Content_Types].xml"
_OFFICE_TYPES: Final = {
    "word/document.xml": DOCX,
    "ppt/presentation.xml": PPTX,
    "xl/workbook.xml": XLSX,
}
_ZIP_KINDS: Final = (
    ("xl/workbook.bin", {".xlsb"}, "an Excel workbook (XLSB)"),
    (
        "ppt/presentation.xml",
        {".pptx", ".pptm", ".potx", ".ppsx", ".ppsm"},
        "an incomplete PowerPoint presentation",
    ),
    ("xl/workbook.xml", {".xlsx", ".xlsm", ".xltx", ".xltm"}, "an incomplete Excel workbook"),
    ("word/document.xml", {".docx", ".docm", ".dotx", ".dotm"}, "an incomplete Word document"),
    (
        "content.xml",
        {
            ".odt",
            ".ods",
            ".odp",
            ".odg",
            ".odf",
            ".odc",
            ".odi",
            ".odm",
            ".odb",
            ".ott",
            ".ots",
            ".otp",
            ".otg",
        },
        "an OpenDocument file of another kind",
    ),
    ("META-INF/MANIFEST.MF", {".jar", ".war", ".ear", ".aar"}, "a Java archive"),
    ("AndroidManifest.xml", {".apk", ".aar"}, "an Android app"),
    ("Index/Document.iwa", {".pages", ".numbers", ".key"}, "an Apple iWork document"),
    (
        "[Content_Types].xml",
        {".docx", ".pptx", ".xlsx", ".vsdx", ".xps", ".oxps", ".nupkg", ".vsix", ".appx", ".msix", ".3mf"},
        "an Office file of another kind",
    ),
)
"""A member that stands for a kind, with the suffixes of its files: an ordinary archive may hold its like."""
_OPEN_DOCUMENT: Final = "application/vnd.oasis.opendocument."
_MIME_MEMBER: Final = "mimetype"
_MAX_MIME_BYTES: Final = 200
_BOOK_MEMBER: Final = "META-INF/container.xml"
_END_RECORD_WITHIN: Final = 65_557
_MAX_DIRECTORY_BYTES: Final = 8 * 1024 * 1024
"""Some 80,000 members; a DOCX has dozens."""
_HTML_START: Final = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}\?>\s*|<!--.{0,2000}?-->\s*)*<(?:!doctype\s+html|html|head|body|title|meta|div|table|h1|p)\b",
    re.IGNORECASE | re.DOTALL,
)
_XML_START: Final = re.compile(rb"\s*<\?xml\s")
_MARKDOWN_NAMES: Final = {".md", ".markdown", ".mdown", ".mkd"}
_HTML_NAMES: Final = {".html", ".htm", ".xhtml"}
_CLAIMS: Final = {
    ".pdf": "a PDF",
    ".docx": "a DOCX document",
    ".txt": "plain text",
    ".md": "Markdown",
    ".pptx": "a PPTX presentation",
    ".xlsx": "an XLSX workbook",
    ".csv": "a CSV table",
    ".rtf": "RTF",
    ".epub": "an EPUB book",
    ".odt": "an ODT document",
    ".ods": "an ODS workbook",
    ".odp": "an ODP presentation",
    ".doc": "a DOC document",
    ".xls": "an XLS workbook",
    ".ppt": "a PPT presentation",
    ".zip": "a ZIP archive",
    ".tar": "a TAR archive",
    ".eml": "a mail",
    ".msg": "an Outlook message",
    ".mbox": "a mailbox",
}
_TABLE_NAMES: Final = {".csv": CSV, ".tsv": TSV, ".tab": TSV}


def sniff(path: Path, filename: str) -> str:
    """Return the media type of the file at `path`; `filename` is what its sender calls it.

    Reads the first 64 KB, some samples further on and a ZIP's directory: never the whole of a large file.

    Raises:
        EmptyDocument: no bytes, or blanks alone.
        EncryptedDocument: an Office file behind a password.
        DamagedDocument: a ZIP-based file without its directory.
        TooLarge: a ZIP-based file with a directory beyond any document's.
        UnsupportedFormat: anything else that isn't read; the message names what it is.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if not head:
            raise EmptyDocument("The file is empty. Check that it was saved and upload it again.")
        suffix = PurePath(filename).suffix.lower()
        known = _container_type(file, head, filename) or mail_type(head, suffix)
        return known or _binary_type(head, filename) or _text_type(file, head, filename)


def _container_type(file: BinaryIO, head: bytes, filename: str) -> str | None:
    """The media type of what holds other files, whose first one may begin within the head."""
    if head.startswith(_ZIP):
        return _zip_type(file, filename)
    if head.startswith(_OLE):
        return _ole_type(file, head, filename)
    for signature, media_type in _PACKED:
        if head.startswith(signature):
            return media_type
    return TAR if is_tar(head) else None


def _binary_type(head: bytes, filename: str) -> str | None:
    """The media type by its signature; None where the file may be text."""
    if b"%PDF" in head[:_PDF_WITHIN]:
        return PDF
    if head.startswith(_RTF):
        return RTF
    for pattern, media_type in _IMAGES:
        if pattern.match(head):
            return media_type
    if branded := _BRANDS.match(head):
        raise _unsupported("an HEIC image" if branded[1] else "an AVIF image", filename)
    for signature, kind in _BINARY_KINDS:
        if head.startswith(signature):
            raise _unsupported(kind, filename)
    return None


def _zip_type(file: BinaryIO, filename: str) -> str:
    _refuse_huge_directory(file)
    try:
        with zipdirectory.opened(file) as archive:
            names = set(archive.namelist())
            said = _said_type(archive, names)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError, OSError, EOFError) as error:
        raise DamagedDocument(
            "The file begins like a ZIP or Office file but its directory can't be read, "
            "as after a broken-off transfer. Save or download it again and upload the new copy."
        ) from error
    if (found := _member_type(names, said)) is not None:
        return found
    suffix = PurePath(filename).suffix.lower()
    for member, suffixes, kind in _ZIP_KINDS:
        says_so = member == "content.xml" and said.startswith(_OPEN_DOCUMENT)
        if member in names and (suffix in suffixes or says_so):
            raise _unsupported(kind, filename)
    return ZIP


def _said_type(archive: zipfile.ZipFile, names: set[str]) -> str:
    """What an OpenDocument or EPUB file says it is, in a member for that (OpenDocument 1.3 part 2, 3.3)."""
    if _MIME_MEMBER not in names or archive.getinfo(_MIME_MEMBER).flag_bits & 1:
        return ""
    with archive.open(_MIME_MEMBER) as member:
        return member.read(_MAX_MIME_BYTES).decode("ascii", "replace").strip().removesuffix("-template")


def _member_type(names: set[str], said: str) -> str | None:
    if _CONTENT_TYPES in names:
        for member, media_type in _OFFICE_TYPES.items():
            if member in names:
                return media_type
    if said in {ODT, ODP, ODS} and "content.xml" in names:
        return said
    return EPUB if _BOOK_MEMBER in names and (said == EPUB or not said) else None


def _refuse_huge_directory(file: BinaryIO) -> None:
    """The directory's size stands 12 bytes into the end record, in the last 65,557 bytes (APPNOTE 4.3.16)."""
    file.seek(max(file.seek(0, 2) - _END_RECORD_WITHIN, 0))
    tail = file.read()
    record = tail.rfind(b"PK\x05\x06")
    size = int.from_bytes(tail[record + 12 : record + 16], "little") if record >= 0 else 0
    if size == _WHOLE_DIRECTORY and (larger := tail.rfind(b"PK\x06\x06", 0, record)) >= 0:
        size = int.from_bytes(tail[larger + 40 : larger + 48], "little")  # of ZIP64 (APPNOTE 4.3.14)
    if size > _MAX_DIRECTORY_BYTES:
        raise TooLarge(
            "The ZIP file lists too many members to be read. Upload the files inside it that matter."
        )


def _ole_type(file: BinaryIO, head: bytes, filename: str) -> str:
    """An OLE container's first directory sectors name its streams, in UTF-16 ([MS-CFB] 2.6)."""
    size = 1 << min(int.from_bytes(head[30:32], "little"), 12)
    file.seek(min((int.from_bytes(head[48:52], "little") + 1) * size, file.seek(0, 2)))
    directory = file.read(8 * size) + head
    if "EncryptedPackage".encode("utf-16-le") in directory:
        raise EncryptedDocument(
            "The Office file is locked with a password. Remove the password in Office and upload it again."
        )
    found = [stream for stream in _OLE_TYPES if f"{stream}\0".encode("utf-16-le") in directory]
    if {_OLE_TYPES[stream] for stream in found} not in ({DOC}, {XLS}, {PPT}):
        found = _top_streams(file) or found  # a document inside it, or a scattered directory
    if not found:
        raise _unsupported("an old Office file", filename)
    return _OLE_TYPES[found[0]]


def _top_streams(file: BinaryIO) -> list[str]:
    """The known streams at the top of the container; none where it is broken."""
    file.seek(0)
    return top_streams(file, _OLE_TYPES)


def _text_type(file: BinaryIO, head: bytes, filename: str) -> str:
    samples = [head, *_samples(file)]
    if not any(sample.strip(b"\0") for sample in samples):
        raise UnsupportedFormat(f"The file{_named(filename)} holds no text: all its bytes are zero.")
    if not head.startswith(_BYTE_ORDER_MARKS[1:]):
        _refuse_binary(samples, filename)
    text = _without_mark(head)
    if len(head) < _HEAD_BYTES and not text.strip():
        raise EmptyDocument("The file holds only blanks. Check that it was saved and upload it again.")
    return _kind_of_text(text, PurePath(filename).name.lower())


def _samples(file: BinaryIO) -> list[bytes]:
    """Pieces spread evenly over what follows the head."""
    size = file.seek(0, 2)
    step = max((size - _HEAD_BYTES) // _SAMPLES, _SAMPLE_BYTES)
    samples = []
    for start in range(_HEAD_BYTES, size, step):
        file.seek(start)
        samples.append(file.read(_SAMPLE_BYTES))
    return samples


def _refuse_binary(samples: list[bytes], filename: str) -> None:
    if _is_unmarked_utf16(samples[0]):
        raise UnsupportedFormat(
            "The file is text in UTF-16 without a byte order mark. Save it as UTF-8 and upload it again."
        )
    for sample in samples:
        controls = len(sample) - len(sample.translate(None, _CONTROLS))
        if controls > _CONTROL_SHARE * len(sample) or b"\0\0\0\0" in sample:
            raise UnsupportedFormat(
                f"The file{_named(filename)} is neither text nor a format known here. "
                f"{CAN_BE_READ}: convert it to one of them and upload it again."
            )


def _is_unmarked_utf16(head: bytes) -> bool:
    """Whether it is Western text in which every other byte is zero, and no other."""
    halves = head[::2], head[1::2]
    return any(
        high.count(0) > len(high) * _ZERO_SHARE and not low.translate(None, _PRINTABLE)
        for high, low in (halves, halves[::-1])
    )


def _without_mark(head: bytes) -> bytes:
    """The head as bytes in which ASCII looks like ASCII, without a byte order mark."""
    if head.startswith(codecs.BOM_UTF16_LE):
        return head[2:].decode("utf-16-le", "replace").encode("utf-8", "replace")
    if head.startswith(codecs.BOM_UTF16_BE):
        return head[2:].decode("utf-16-be", "replace").encode("utf-8", "replace")
    return head.removeprefix(codecs.BOM_UTF8)


def _kind_of_text(text: bytes, name: str) -> str:
    suffix = PurePath(name).suffix
    if suffix in _MARKDOWN_NAMES:
        return MARKDOWN
    if (kind := kind_of_name(name)) is not None:
        return kind
    if _HTML_START.match(text) or (suffix in _HTML_NAMES and re.search(rb"<[a-zA-Z!/]", text)):
        return HTML
    if _XML_START.match(text):
        return XML
    return _TABLE_NAMES.get(suffix, PLAIN)


def _unsupported(kind: str, filename: str) -> UnsupportedFormat:
    return UnsupportedFormat(
        f"This is {kind}{_named(filename)}. {CAN_BE_READ}: convert it to one of them and upload it again."
    )


def _named(filename: str) -> str:
    """` named .pdf, not a PDF` where the name claims what the bytes are not, else nothing."""
    suffix = PurePath(filename).suffix.lower()
    claimed = _CLAIMS.get(suffix)
    return f" named {suffix}, not {claimed}" if claimed else ""
