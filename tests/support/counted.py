"""Documents as ingest would store them, without reading a file: real texts, exactly counted."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from datetime import UTC, datetime

from ingest import count_tokens
from service.domain import packing
from service.domain.documents import Document, DocumentStatus, PageCount, Progress
from service.store import documents
from service.usecases.context import LOCAL, Context, new_id

_WORDS = "harbour customs ledger vessel cargo grain timber captain tariff winter pilot anchor quay".split()  # noqa: SIM905 - words as words


def prose(seed: int, words: int) -> str:
    """Made-up text, another for each seed."""
    draw = random.Random(seed)  # noqa: S311 - made-up text
    return f"Record {seed}: " + " ".join(draw.choices(_WORDS, k=words))


def counted(context: Context, filename: str, texts: Sequence[str]) -> str:
    """The id of a ready document with these pages."""
    blocks = [packing.block(number, text) for number, text in enumerate(texts, 1)]
    document = Document(
        id=new_id("doc"),
        tenant=LOCAL,
        sha256=hashlib.sha256((filename + "".join(blocks)).encode()).hexdigest(),
        filename=filename,
        media_type="text/plain",
        bytes=1,
        status=DocumentStatus.QUEUED,
        progress=Progress(),
        created_at=datetime.now(UTC),
    )
    batch = [
        (PageCount(number, tokens=count_tokens(block), chars=len(text)), text)
        for number, (block, text) in enumerate(zip(blocks, texts, strict=True), 1)
    ]
    with context.db.write() as tx:
        documents.add(tx, document)
        documents.add_pages(tx, document.id, batch)
        documents.finish(
            tx,
            document.id,
            pack_sha256=packing.pack_sha256(blocks),
            encoding="o200k_base",
            title=None,
            warnings=[],
            at=document.created_at,
        )
    return document.id
