"""Why a document could not be read.

IngestError
├── UnsupportedFormat     nothing here reads this kind of file
├── EmptyDocument         no bytes, or nothing in them
├── EncryptedDocument     a password is needed
├── DamagedDocument       the file breaks its own format
├── TooLarge              over a limit of size, pages or text
├── TimedOut              over the time limit
└── ReaderCrashed         the reading process died or ran out of memory
"""

from __future__ import annotations


class IngestError(Exception):
    """A document could not be read. `str(error)` is one sentence that says why and what to do.

    Attributes:
        code: stable and snake_case; part of the REST contract.
    """

    code = "unreadable"


class UnsupportedFormat(IngestError):
    """Nothing here reads this kind of file."""

    code = "unsupported_format"


class EmptyDocument(IngestError):
    """The file has no bytes, or nothing that could be asked about."""

    code = "empty_document"


class EncryptedDocument(IngestError):
    """The file opens only with a password."""

    code = "encrypted_document"


class DamagedDocument(IngestError):
    """The file breaks its own format and no second opinion could read it either."""

    code = "damaged_document"


class TooLarge(IngestError):
    """The file, its page count or its text passes a limit."""

    code = "too_large"


class TimedOut(IngestError):
    """Reading took longer than it may."""

    code = "timed_out"


class ReaderCrashed(IngestError):
    """The reading process died or ran out of memory."""

    code = "reader_crashed"
