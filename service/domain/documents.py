"""A document as the service knows it, and the states it goes through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class DocumentStatus(StrEnum):
    """queued → processing → ready | failed; a crash in processing is taken up again, never forgotten."""

    QUEUED = "queued"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reading is, in pages, sections or files; total is 0 while unknown."""

    done: int = 0
    total: int = 0
    unit: str = "page"


@dataclass(frozen=True, slots=True)
class DocumentWarning:
    """Something the user should know of a document that was read all the same."""

    code: str
    detail: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something did not work out: a stable code, a sentence, and ways out (as `Fix.as_dict` has them)."""

    code: str
    detail: str
    fixes: Sequence[dict[str, Any]] = ()

    def __post_init__(self) -> None:
        """Have what was stored, a list, equal what was said."""
        object.__setattr__(self, "fixes", tuple(self.fixes))


@dataclass(frozen=True, slots=True)
class Document:
    """An uploaded file and what was read from it.

    Attributes:
        sha256: of the original bytes, in hex; also the name of the stored blob.
        pages_tokens: exact count of all framed pages (see `packing`), without the document's wrapper.
        pack_sha256: hash over the framed pages, in order: the identity of what is sent.
        pages_without_text: pages from which no text could be read.
        uploaded: it came by itself, and not (only) as a file inside another.
        depth: levels below the upload that it came in; 0 for one that was uploaded.
        root_id: that upload, where it is another document.
        parent_ids: the documents that it lies in, oldest first.
        files: how many files lie directly in it.
    """

    id: str
    tenant: str
    sha256: str
    filename: str
    media_type: str
    bytes: int
    status: DocumentStatus
    progress: Progress
    created_at: datetime
    pages: int = 0
    pages_tokens: int = 0
    chars: int = 0
    pages_without_text: int = 0
    title: str | None = None
    pack_sha256: str = ""
    warnings: tuple[DocumentWarning, ...] = ()
    error: Failure | None = None
    ready_at: datetime | None = None
    uploaded: bool = True
    depth: int = 0
    root_id: str | None = None
    parent_ids: tuple[str, ...] = ()
    files: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether its reading is over, well or badly."""
        return self.status in {DocumentStatus.READY, DocumentStatus.FAILED}

    @property
    def holds_files_alone(self) -> bool:
        """Whether it is an archive: nothing of its own can be asked."""
        return self.status is DocumentStatus.READY and self.pages == 0


@dataclass(frozen=True, slots=True)
class PageCount:
    """A stored page without its text.

    Attributes:
        head, foot: characters at its start and end that other pages repeat.
        repeated_tokens: what it counts less without them, exactly.
        width, height: in pixels, where it can be seen as a picture.
    """

    number: int
    tokens: int
    chars: int
    label: str | None = None
    flags: tuple[str, ...] = ()
    head: int = 0
    foot: int = 0
    repeated_tokens: int = 0
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Margin:
    """Characters at a page's start and end that other pages repeat, and what it counts less without them."""

    page: int
    head: int
    foot: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Troubles:
    """What a document's pages pay for twice or for nothing, blank pages aside: pages, and what they count."""

    repeating: int = 0
    without_text: int = 0
    without_text_tokens: int = 0
    garbled: int = 0
    garbled_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Heading:
    """An entry of a document's own outline; level 1 is the top."""

    title: str
    level: int
    page: int | None


@dataclass(frozen=True, slots=True)
class PageText:
    """A stored page with its text: exactly what is packed, unless the question leaves something out.

    Attributes:
        flags, head, foot, repeated_tokens, width, height: see `PageCount`.
    """

    number: int
    tokens: int
    text: str
    label: str | None = None
    flags: tuple[str, ...] = ()
    head: int = 0
    foot: int = 0
    repeated_tokens: int = 0
    width: int | None = None
    height: int | None = None
