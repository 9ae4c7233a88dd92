"""A corpus: documents in the order in which they joined, which is the order they are packed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from service.domain.documents import DocumentStatus
from service.domain.kept import kept
from service.domain.manner import BLANK, NO_IMAGES, REPEATED, WHOLE, Images, Manner


@dataclass(frozen=True, slots=True)
class Corpus:
    """A named, ordered set of documents."""

    id: str
    tenant: str
    name: str
    created_at: datetime
    documents: int = 0


class _Facts(NamedTuple):
    """What is stored of a document's place in a corpus.

    Attributes:
        ordinal: 1-based, never given twice in a corpus; the `12` of the mark `[D12 p.3]`.
        wrapper_tokens: exact count of the document's opening and closing tag.
        pages_tokens: exact count of its framed pages.
        uploaded: it came by itself, and not (only) as a file inside another.
        pages_pictured: pages that can be seen as pictures.
        pages_blank, blank_tokens: pages with nothing on them, and what they count.
        repeated_tokens: what its pages count less without repeated headers and footers, blank ones aside.
        manner: how its pages are packed.
        images: its pages that are sent as pictures in that manner.
    """

    document_id: str
    ordinal: int
    filename: str
    status: DocumentStatus
    wrapper_tokens: int
    pages_tokens: int
    pages: int
    chars: int
    pages_without_text: int
    pack_sha256: str
    uploaded: bool = True
    pages_pictured: int = 0
    pages_blank: int = 0
    blank_tokens: int = 0
    repeated_tokens: int = 0
    title: str | None = None
    manner: Manner = WHOLE
    images: Images = NO_IMAGES


class Member(_Facts):
    """A document's place in a corpus, with all that planning needs and no text.

    A tuple, since thousands of them are made; with a dictionary for what is worked out of it, since the same
    ones serve every preview until their documents change.
    """

    @kept
    def holds_files_alone(self) -> bool:
        """Whether it is an archive, whose files are members of their own: nothing of it can be asked."""
        return self.status is DocumentStatus.READY and self.pages == 0

    @kept
    def tokens(self) -> int:
        """The text of the document as it is packed, tags included."""
        spared = 0 if self.manner.repeated else self.repeated_tokens
        if not self.manner.blank:
            spared += self.blank_tokens
        return self.wrapper_tokens + self.pages_tokens - spared

    @kept
    def most_tokens(self) -> int:
        """The same with the most that its pictures may count."""
        return self.tokens + self.images.tokens_max

    @kept
    def full_tokens(self) -> int:
        """The same with every page as it is stored."""
        return self.wrapper_tokens + self.pages_tokens

    @kept
    def packed_pages(self) -> int:
        """How many of its pages are packed."""
        return self.pages if self.manner.blank else self.pages - self.pages_blank

    @kept
    def identity(self) -> str:
        """Of its pages as they are packed: of the stored ones, what is left out of them and what is shown."""
        repeated = "" if self.manner.repeated or not self.repeated_tokens else f"-{REPEATED}"
        blank = "" if self.manner.blank or not self.blank_tokens else f"-{BLANK}"
        shown = f"-images-{self.images.identity}" if self.images.pages else ""
        return f"{self.pack_sha256}{repeated}{blank}{shown}"
