"""Ready documents with headers, footers, blank pages and samples of their texts, counted as stored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ingest import count_tokens
from ingest.resemblance import Sketch
from service.domain import packing
from service.domain.documents import Document, DocumentStatus, Margin, PageCount, Progress
from service.store import documents
from service.usecases.context import LOCAL, Context, new_id


@dataclass(frozen=True, slots=True)
class Leaf:
    """A page: its text between the header and the footer that it shares with others."""

    body: str
    head: str = ""
    foot: str = ""
    flags: tuple[str, ...] = ()
    size: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """As it is stored."""
        return self.head + self.body + self.foot

    def tokens(self, number: int) -> int:
        """Of its block."""
        return count_tokens(packing.block(number, self.text))

    def repeated(self, number: int) -> int:
        """What its block counts less without header and footer."""
        return self.tokens(number) - count_tokens(packing.block(number, self.body))


BLANK = Leaf("", flags=("blank", "no_text"))


def store(context: Context, filename: str, leaves: Sequence[Leaf], *, salt: str = "") -> str:
    """Store a ready document of these pages, its bytes like no other's; return its id."""
    document = Document(
        id=new_id("doc"),
        tenant=LOCAL,
        sha256=hashlib.sha256(f"{filename}{salt}{leaves}".encode()).hexdigest(),
        filename=filename,
        media_type="text/plain",
        bytes=1,
        status=DocumentStatus.QUEUED,
        progress=Progress(),
        created_at=datetime.now(UTC),
    )
    numbered = list(enumerate(leaves, 1))
    sketch = Sketch()
    for leaf in leaves:
        sketch.add(leaf.text)
    margins = [
        Margin(number, len(leaf.head), len(leaf.foot), leaf.repeated(number))
        for number, leaf in numbered
        if leaf.head or leaf.foot
    ]
    with context.db.write() as tx:
        documents.add(tx, document)
        documents.add_pages(tx, document.id, [(_count(n, leaf), leaf.text) for n, leaf in numbered])
        documents.set_margins(tx, document.id, margins)
        documents.finish(
            tx,
            document.id,
            pack_sha256=packing.pack_sha256(packing.block(n, leaf.text) for n, leaf in numbered),
            encoding="o200k_base",
            title=None,
            warnings=[],
            sketch=sketch.values(),
            at=document.created_at,
        )
    return document.id


def _count(number: int, leaf: Leaf) -> PageCount:
    width, height = leaf.size or (None, None)
    return PageCount(
        number,
        tokens=leaf.tokens(number),
        chars=len(leaf.text),
        flags=leaf.flags,
        width=width,
        height=height,
    )
