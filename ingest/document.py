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


class Unit(StrEnum):
    """What a document's numbered parts are."""

    PAGE = "page"
    SECTION = "section"


@dataclass(frozen=True, slots=True)
class Page:
    """One physical page (or section) of a document, cleaned and counted.

    Attributes:
        number: 1-based and physical.
        label: the printed page number where the file carries labels.
        text: normalised; exactly what is stored, counted and sent.
        tokens: exact count of the framed text (see `ingest.sandbox.read`), of the bare text without one.
        flags: sorted, without repeats.
    """

    number: int
    text: str
    label: str | None = None
    tokens: int = 0
    flags: tuple[Flag, ...] = ()


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
    """The first event of a reading: what the file turned out to be."""

    media_type: str
    unit: Unit
    total: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a reading; a reading without it did not succeed."""

    title: str | None = None
    encoding: str = "o200k_base"
    warnings: tuple[Notice, ...] = ()
