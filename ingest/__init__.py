"""Bytes in, pages of text and exact token counts out. No database, no HTTP, no settings."""

from __future__ import annotations

from ingest.counting import counting_apart
from ingest.document import (
    Enclosed,
    Finished,
    Flag,
    Heading,
    Margin,
    Notice,
    Page,
    Picture,
    Piece,
    Sealed,
    Started,
    Unit,
)
from ingest.errors import (
    DamagedDocument,
    EmptyDocument,
    EncryptedDocument,
    IngestError,
    ReaderCrashed,
    TimedOut,
    TooLarge,
    UnsupportedFormat,
)
from ingest.limits import Limits
from ingest.sandbox import read, warm
from ingest.tokens import count_tokens

__all__ = [
    "DamagedDocument",
    "EmptyDocument",
    "Enclosed",
    "EncryptedDocument",
    "Finished",
    "Flag",
    "Heading",
    "IngestError",
    "Limits",
    "Margin",
    "Notice",
    "Page",
    "Picture",
    "Piece",
    "ReaderCrashed",
    "Sealed",
    "Started",
    "TimedOut",
    "TooLarge",
    "Unit",
    "UnsupportedFormat",
    "count_tokens",
    "counting_apart",
    "read",
    "warm",
]
