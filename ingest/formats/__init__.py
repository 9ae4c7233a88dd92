"""One module a family of formats, each the only importer of its library, behind one shape: `Reading`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from ingest.document import Enclosed, Heading, Notice, Picture, Piece, Sealed, Unit
from ingest.errors import UnsupportedFormat
from ingest.formats import textkinds
from ingest.raster import Bitmap
from ingest.wire import Beat

PDF: Final = "application/pdf"
PLAIN: Final = "text/plain"
MARKDOWN: Final = "text/markdown"
HTML: Final = "text/html"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DOC: Final = "application/msword"
PPT: Final = "application/vnd.ms-powerpoint"
XLS: Final = "application/vnd.ms-excel"
ODT: Final = "application/vnd.oasis.opendocument.text"
ODP: Final = "application/vnd.oasis.opendocument.presentation"
ODS: Final = "application/vnd.oasis.opendocument.spreadsheet"
RTF: Final = "application/rtf"
EPUB: Final = "application/epub+zip"
CSV: Final = "text/csv"
TSV: Final = "text/tab-separated-values"
JSON: Final = textkinds.JSON
XML: Final = textkinds.XML
IPYNB: Final = textkinds.IPYNB
ZIP: Final = "application/zip"
TAR: Final = "application/x-tar"
GZIP: Final = "application/gzip"
BZIP2: Final = "application/x-bzip2"
XZ: Final = "application/x-xz"
EML: Final = "message/rfc822"
MBOX: Final = "application/mbox"
MSG: Final = "application/vnd.ms-outlook"
PNG: Final = "image/png"
JPEG: Final = "image/jpeg"
WEBP: Final = "image/webp"
TIFF: Final = "image/tiff"
GIF: Final = "image/gif"
BMP: Final = "image/bmp"
IMAGES: Final = frozenset({PNG, JPEG, WEBP, TIFF, GIF, BMP})

READERS: Final = {
    PDF: "ingest.formats.pdf",
    PLAIN: "ingest.formats.plain",
    MARKDOWN: "ingest.formats.markup",
    HTML: "ingest.formats.markup",
    DOCX: "ingest.formats.office",
    PPTX: "ingest.formats.slides",
    XLSX: "ingest.formats.sheets",
    DOC: "ingest.formats.oldword",
    PPT: "ingest.formats.oldslides",
    XLS: "ingest.formats.oldsheets",
    ODT: "ingest.formats.opendocument",
    ODP: "ingest.formats.opendocument",
    ODS: "ingest.formats.opendocument",
    RTF: "ingest.formats.richtext",
    EPUB: "ingest.formats.epub",
    CSV: "ingest.formats.delimited",
    TSV: "ingest.formats.delimited",
    IPYNB: "ingest.formats.notebook",
    **dict.fromkeys((JSON, XML, *sorted(textkinds.SOURCES)), "ingest.formats.sourcetext"),
    ZIP: "ingest.formats.bundles",
    TAR: "ingest.formats.tapes",
    GZIP: "ingest.formats.tapes",
    BZIP2: "ingest.formats.tapes",
    XZ: "ingest.formats.tapes",
    EML: "ingest.formats.mail",
    MBOX: "ingest.formats.mail",
    MSG: "ingest.formats.outlook",
    **dict.fromkeys(IMAGES, "ingest.formats.pictures"),
}
"""Media type → the module that reads it. Names, not modules: each library is heavy and loads on first use."""


@dataclass(frozen=True, slots=True)
class RawPage:
    """One page as its library gave it, before any cleaning.

    Attributes:
        number: 1-based and physical.
        text: not yet normalised; "" where the page could not be read (then a notice says so).
        label: the printed page number, sheet or slide, where the file carries labels.
        image_area: the share of the page that its largest image covers, 0.0 to 1.0.
        notices: what went less than perfectly on this page, such as `page_unreadable`.
        picture: its size as a picture, where it is one to look at rather than to read.
        recognized: the text was read off the picture (OCR).
        is_blank: nothing at all is on it: no text, no image, no line.
        comments: what readers noted on it, a line each; put after its text.
    """

    number: int
    text: str
    label: str | None = None
    image_area: float = 0.0
    notices: tuple[Notice, ...] = ()
    picture: Picture | None = None
    recognized: bool = False
    is_blank: bool = False
    comments: tuple[str, ...] = ()

    def size(self) -> int:
        """Return the number of characters on it."""
        return len(self.text) + sum(map(len, self.comments))


class Reading(Protocol):
    """An open document, read once from its first page to its last.

    Attributes:
        total: how many pages `pages` will yield, known before the first.
        title: from the file's own metadata, None where it has none.
        notices: what concerns the whole document; complete once `pages` is exhausted.
    """

    media_type: str
    unit: Unit
    total: int
    title: str | None
    notices: list[Notice]

    def pages(self) -> Iterator[RawPage]:
        """Yield every page in order; one that fails comes with text "" and a notice, and loses no other."""
        ...

    def close(self) -> None:
        """Free the library's memory and the file."""
        ...


@runtime_checkable
class Enclosing(Protocol):
    """A `Reading` with files inside: an archive, a mail with attachments."""

    def files(self) -> Iterator[Enclosed | Piece | Sealed | Beat]:
        """Yield each file as `Enclosed`, its pieces (at most 256 KiB each) and `Sealed`.

        A `Beat` between files is a sign of life where finding the next one takes long.
        Asked for after the pages. A file that can't be read ends with a fault, and loses no other.
        """
        ...


@runtime_checkable
class Named(Protocol):
    """A `Reading` that wants to know what the sender calls the file."""

    def called(self, filename: str) -> None:
        """Take the name; called once, before anything is read."""
        ...


@runtime_checkable
class Outlined(Protocol):
    """A `Reading` with a table of contents of its own."""

    def outline(self) -> tuple[Heading, ...]:
        """Return it, in its order."""
        ...


@runtime_checkable
class Pictured(Protocol):
    """A `Reading` with pages to look at; those with a `picture` may show more text than they have."""

    def bitmap(self, index: int) -> Bitmap:
        """Return a page (0-based) in a size to be recognised, within the bounds of `ingest.recognition`.

        Raises:
            ingest.errors.IngestError: it can't be drawn.
        """
        ...


class Opener(Protocol):
    """What every module named in `READERS` is."""

    def open_document(self, path: Path, media_type: str) -> Reading:
        """Open the file at `path`.

        Raises:
            ingest.errors.IngestError: the file cannot be read; the message says why and what to do.
        """
        ...


def open_document(path: Path, media_type: str) -> Reading:
    """Open the file with the reader of its media type.

    Raises:
        ingest.errors.IngestError: as the reader's own `open_document`.
    """
    try:
        name = READERS[media_type]
    except KeyError:
        raise UnsupportedFormat(
            f"Files of type {media_type} can't be read. Convert it to PDF, DOCX or text and upload it again."
        ) from None
    opener: Opener = importlib.import_module(name)
    return opener.open_document(path, media_type)
