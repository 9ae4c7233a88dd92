"""A reading survives the death of its process, and the removal of what it reads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from ingest import Limits
from service.domain import packing
from service.domain.documents import Document, DocumentStatus
from service.errors import NotFound
from service.factory import open_context
from service.store import documents
from service.store.session import Database, Transaction
from service.usecases.add_document import Added, add_document
from service.usecases.context import LOCAL, Context
from service.usecases.extract_document import extract_document
from service.usecases.read_document import get_document
from service.usecases.remove_document import remove_document
from tests.support import hostile_texts
from tests.support.server import settings_in


class Killed(BaseException):
    """The process dies here."""


class Kept:
    """A queue that remembers what was left in it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.left: list[str] = []

    def close(self) -> None:
        """Nothing is open."""

    def wake(self) -> None:
        """Nobody works it."""

    def extract(self, tx: Transaction, document_id: str) -> None:
        """Remember it."""
        del tx
        self.left.append(document_id)


@contextmanager
def process(folder: Path) -> Iterator[Context]:
    """A process on the folder's store."""
    context = open_context(settings_in(folder), queue=Kept)
    try:
        yield context
    finally:
        context.db.close()


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


def add(ctx: Context, content: bytes, filename: str = "long.txt") -> Added:
    return asyncio.run(add_document(ctx, LOCAL, filename=filename, chunks=pieces(content)))


def page_numbers(ctx: Context, document: Document) -> list[int]:
    with ctx.db.read() as tx:
        return [page.number for page in documents.page_counts(tx, document.id)]


LONG = b"".join(f"Line {n} of a long text.\n\n".encode() for n in range(3000))


def test_interrupted_reading_starts_over(tmp_path: Path) -> None:
    def dead() -> datetime:
        raise Killed

    with process(tmp_path) as ctx:
        document = add(ctx, LONG).document
        with pytest.raises(Killed):
            extract_document(replace(ctx, now=dead), document.id)
        half = get_document(ctx, LOCAL, document.id)
        assert half.status is DocumentStatus.PROCESSING
        assert page_numbers(ctx, document) != []
    with process(tmp_path) as ctx:
        extract_document(ctx, document.id)
        read = get_document(ctx, LOCAL, document.id)
        assert read.status is DocumentStatus.READY
        assert page_numbers(ctx, document) == list(range(1, read.pages + 1))
        assert read.progress.done == read.progress.total == read.pages
        with ctx.db.read() as tx:
            tokens = sum(page.tokens for page in documents.page_counts(tx, document.id))
        assert read.pages_tokens == tokens


def test_ready_document_is_not_read_again(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        document = add(ctx, b"Read once.").document
        extract_document(ctx, document.id)
        first = get_document(ctx, LOCAL, document.id)
        extract_document(ctx, document.id)
        assert get_document(ctx, LOCAL, document.id) == first
        assert page_numbers(ctx, document) == [1]


def test_removed_document_is_not_brought_back(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        document = add(ctx, b"Removed before it was read.").document
        remove_document(ctx, LOCAL, document.id)
        extract_document(ctx, document.id)
        with pytest.raises(NotFound):
            get_document(ctx, LOCAL, document.id)


def test_file_that_is_gone_fails_with_the_reason(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        document = add(ctx, b"Lost by the disk.").document
        ctx.blobs.delete(document.sha256)
        extract_document(ctx, document.id)
        failed = get_document(ctx, LOCAL, document.id)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == (DocumentStatus.FAILED, "not_found")


def test_a_hurried_reading_leaves_a_slow_document_for_later(tmp_path: Path) -> None:
    slow = hostile_texts.many_attributes(tmp_path / "a.html").read_bytes()
    with process(tmp_path) as usual:
        ctx = replace(usual, limits=Limits(silent_seconds=0.5))
        document = add(ctx, slow, "a.html").document
        assert extract_document(ctx, document.id, hurried=True) is False
        assert get_document(ctx, LOCAL, document.id).status is DocumentStatus.PROCESSING
        assert extract_document(ctx, document.id) is True
        failed = get_document(ctx, LOCAL, document.id)
        assert failed.error is not None
        assert (failed.status, failed.error.code) == (DocumentStatus.FAILED, "timed_out")


def test_a_hurried_reading_reads_and_refuses_whatever_is_quick(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        read, refused = add(ctx, LONG).document, add(ctx, b"%PDF-1.7 and no more", "a.pdf").document
        assert extract_document(ctx, read.id, hurried=True) is True
        assert extract_document(ctx, refused.id, hurried=True) is True
        assert get_document(ctx, LOCAL, read.id).status is DocumentStatus.READY
        assert get_document(ctx, LOCAL, refused.id).status is DocumentStatus.FAILED


def test_reading_is_queued_once_and_again_after_a_failure(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        assert isinstance(ctx.queue, Kept)
        broken = b"%PDF-1.7\nbroken"
        document = add(ctx, broken, "broken.pdf").document
        assert add(ctx, broken).duplicate
        assert ctx.queue.left == [document.id]
        extract_document(ctx, document.id)
        failed = get_document(ctx, LOCAL, document.id)
        assert (failed.status, failed.error is not None) == (DocumentStatus.FAILED, True)
        again = add(ctx, broken)
        assert (again.duplicate, again.document.status) == (True, DocumentStatus.QUEUED)
        assert ctx.queue.left == [document.id] * 2


@pytest.mark.parametrize("lead_s", [0.0, 0.2])
def test_two_readings_of_one_document_leave_it_whole(tmp_path: Path, lead_s: float) -> None:
    """Whoever begins last may go on; none of the pages is lost or stored twice."""
    text = "".join(f"Line {n} of a text of many sections.\n" for n in range(120_000)).encode()
    with process(tmp_path) as ctx:
        document = add(ctx, text).document
        first = threading.Thread(target=extract_document, args=(ctx, document.id))
        first.start()
        time.sleep(lead_s)
        extract_document(ctx, document.id)
        first.join()
        read = get_document(ctx, LOCAL, document.id)
        assert (read.status, read.error) == (DocumentStatus.READY, None)
        with ctx.db.read() as tx:
            pages = list(documents.page_texts_of(tx, document.id))
        assert [page.number for page in pages] == list(range(1, read.pages + 1))
        whole = packing.pack_sha256(packing.block(page.number, page.text) for page in pages)
        assert (read.pages_tokens, read.pack_sha256) == (sum(page.tokens for page in pages), whole)
        assert pages[-1].text.endswith("Line 119999 of a text of many sections.")
