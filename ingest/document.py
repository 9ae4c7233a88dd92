"""Values that come out of reading a document: frozen, picklable, free of any library's types."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Flag(StrEnum):
    """What a reader of a page should know before trusting its text."""

    NO_TEXT = "no_text"
    SCAN = "scan"
    GARBLED = "garbled"
    OCR = "ocr"
    REPEATED = "repeated"
    BLANK = "blank"


class Unit(StrEnum):
    """What a document's numbered parts are."""

    PAGE = "page"
    SECTION = "section"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Picture:
    """How a page can be seen: its natural size in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Page:
    """One physical page (or section) of a document, cleaned and counted.

    Attributes:
        number: 1-based and physical.
        label: the printed page number where the file carries labels.
        text: normalised; exactly what is stored, counted and sent.
        tokens: exact count of the framed text (see `ingest.sandbox.read`), of the bare text without one.
        flags: sorted, without repeats.
        picture: where the page is one to look at rather than to read: a scan, a photograph, a drawing.
    """

    number: int
    text: str
    label: str | None = None
    tokens: int = 0
    flags: tuple[Flag, ...] = ()
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Margin:
    """What of a page is a header or footer that other pages of the document repeat.

    Attributes:
        page: the physical page.
        head, foot: characters at the start and the end of its text, line ends included.
        tokens: what the page counts less without them, exactly.
    """

    page: int
    head: int
    foot: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Heading:
    """An entry of a document's own outline.

    Attributes:
        level: 1 at the top.
        page: the physical page it leads to, None where it leads nowhere.
    """

    title: str
    level: int
    page: int | None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that went less than perfectly, which the user is told.

    Attributes:
        code: stable and snake_case, such as `page_unreadable`.
        detail: one sentence.
        page: the physical page it concerns, or None for the whole document.
    """

    code: str
    detail: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The first event of a reading: what the file turned out to be.

    Attributes:
        total: pages or sections to come; of an archive (`Unit.FILE`) the files in it.
    """

    media_type: str
    unit: Unit
    total: int


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A file inside the document begins: an archive's member, a mail's attachment. Pieces of it follow.

    Attributes:
        name: its path inside, parted by `/`, safe to show; never a place to write to.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of the enclosed file that began last."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """The enclosed file is over.

    Attributes:
        fault: why it is not whole and has to be dropped; None where it is whole.
    """

    fault: Notice | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a reading; a reading without it did not succeed.

    Attributes:
        sketch: a sample of what the text says, in ascending order, to compare documents by
            (`ingest.resemblance`).
        margins: repeated headers and footers, by page (`ingest.margins`).
        outline: the document's own table of contents, in its order.
    """

    title: str | None = None
    encoding: str = "o200k_base"
    warnings: tuple[Notice, ...] = ()
    sketch: tuple[int, ...] = ()
    margins: tuple[Margin, ...] = ()
    outline: tuple[Heading, ...] = ()
