"""Uploads, removals and readings that cross each other: no file is lost, none is left, no error is told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ingest
from service.domain.documents import DocumentStatus
from service.domain.planner import PlannedCall
from service.domain.slices import Slice
from service.errors import NotFound, StoreUnavailable
from service.store import documents
from service.store.session import Transaction
from service.usecases import arrange_corpus
from service.usecases import extract_document as extracting
from service.usecases.add_document import Added, add_document
from service.usecases.check_citations import check_citations
from service.usecases.context import LOCAL, Context
from service.usecases.extract_document import extract_document
from service.usecases.read_document import get_document
from service.usecases.remove_document import remove_document
from tests.support.server import stored
from tests.usecases.test_extract_document import LONG, add, page_numbers, process


def files(folder: Path) -> list[Path]:
    """Every stored file, under whatever name."""
    return [
        path for path in (folder / "data").rglob("*") if path.is_file() and "sha256" in path.parts
    ] + list((folder / "data").rglob("uploads/*"))


class Broken:
    """A queue that can't take anything."""

    def extract(self, tx: Transaction, document_id: str) -> None:
        del tx, document_id
        raise StoreUnavailable("The queue is away.")

    def wake(self) -> None:
        """Nobody works it."""

    def close(self) -> None:
        """Nothing is open."""


def upload_into(ctx: Context, corpus_id: str, content: bytes) -> Added:
    """Upload while the corpus is deleted."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content[:5]
        await asyncio.to_thread(arrange_corpus.remove, ctx, LOCAL, corpus_id)
        yield content[5:]

    return asyncio.run(add_document(ctx, LOCAL, filename="late.txt", chunks=chunks(), corpus_id=corpus_id))


def call_over(*document_ids: str) -> PlannedCall:
    """One call over these documents, in this order."""
    return PlannedCall(
        kind="answer",
        slices=tuple(
            Slice(document_id, n, f"{n}.txt", first=1, last=n, tokens=10, identity="")
            for n, document_id in enumerate(document_ids, 1)
        ),
        input_tokens=100,
        expected_input_tokens=100,
        prefix_tokens=50,
        prefix_sha256="",
        band="short",
        reserved_output_tokens=10,
    )


def test_corpus_that_goes_during_the_upload(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        corpus = arrange_corpus.create(ctx, LOCAL, name="Short-lived")
        with pytest.raises(NotFound, match=corpus.id):
            upload_into(ctx, corpus.id, b"Nobody will have this.")
        assert files(tmp_path) == []
        with ctx.db.read() as tx:
            assert documents.page_through(tx, LOCAL, after=None, limit=10) == []


def test_corpus_that_goes_during_the_upload_of_known_bytes(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        known = add(ctx, b"These bytes are here already.").document
        before = files(tmp_path)
        corpus = arrange_corpus.create(ctx, LOCAL, name="Short-lived")
        with pytest.raises(NotFound):
            upload_into(ctx, corpus.id, b"These bytes are here already.")
        assert files(tmp_path) == before
        extract_document(ctx, known.id)
        assert get_document(ctx, LOCAL, known.id).status is DocumentStatus.READY


def test_upload_that_cannot_be_queued_leaves_nothing(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        with pytest.raises(StoreUnavailable):
            add(replace(ctx, queue=Broken()), b"Stored, but not recorded.")
        assert files(tmp_path) == []
        again = add(ctx, b"Stored, but not recorded.")
        assert not again.duplicate
        assert len(files(tmp_path)) == 1


def test_removal_that_fails_keeps_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(tx: Transaction, document_id: str) -> None:
        usual(tx, document_id)
        raise StoreUnavailable("The disk is full.")

    usual = documents.remove
    with process(tmp_path) as ctx:
        document = add(ctx, b"Still needed.").document
        monkeypatch.setattr(documents, "remove", fails)
        with pytest.raises(StoreUnavailable):
            remove_document(ctx, LOCAL, document.id)
        monkeypatch.undo()
        extract_document(ctx, document.id)
        assert get_document(ctx, LOCAL, document.id).status is DocumentStatus.READY
        remove_document(ctx, LOCAL, document.id)
        assert files(tmp_path) == []


def test_same_bytes_again_between_removal_and_deletion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever uploads the bytes after the rows are gone keeps the file."""
    again: list[Added] = []
    with process(tmp_path) as ctx:
        document = add(ctx, b"Twice.").document
        usual = ctx.db.write
        begun: list[int] = []

        def write() -> AbstractContextManager[Transaction]:
            begun.append(1)
            if len(begun) == 2:  # the removal has committed, the file is not deleted yet
                again.append(add(ctx, b"Twice."))
            return usual()

        monkeypatch.setattr(ctx.db, "write", write)
        remove_document(ctx, LOCAL, document.id)
        assert not again[0].duplicate
        with ctx.blobs.as_path(document.sha256) as path:
            assert path.read_bytes() == b"Twice."


def test_removal_while_it_is_read_is_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Removed before the reading process has opened the file: the worst moment."""

    def read_late(path: Path, **more: Any) -> Any:  # noqa: ANN401 - the reader's own
        remove_document(ctx, LOCAL, document.id)
        assert path.is_file()
        return usual(path, **more)

    usual = ingest.read
    monkeypatch.setattr(extracting, "read", read_late)
    with process(tmp_path) as ctx, caplog.at_level(logging.WARNING):
        document = add(ctx, LONG).document
        extract_document(ctx, document.id)
        assert page_numbers(ctx, document) == []
        with pytest.raises(NotFound):
            get_document(ctx, LOCAL, document.id)
    assert files(tmp_path) == []
    assert caplog.records == []


def test_removal_before_the_file_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link_late(held: Path, path: Path) -> None:
        remove_document(ctx, LOCAL, document.id)
        usual(held, path)

    usual = Path.hardlink_to
    with process(tmp_path) as ctx:
        document = add(ctx, b"Gone at once.").document
        monkeypatch.setattr(Path, "hardlink_to", link_late)
        extract_document(ctx, document.id)
        with pytest.raises(NotFound):
            get_document(ctx, LOCAL, document.id)
    assert files(tmp_path) == []


def test_without_hard_links_it_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_held: Path, _path: Path) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    with process(tmp_path) as ctx:
        document = add(ctx, b"Read in place.").document
        extract_document(ctx, document.id)
        assert get_document(ctx, LOCAL, document.id).status is DocumentStatus.READY
        assert len(files(tmp_path)) == 1


def test_the_second_name_of_a_reading_that_was_killed_goes_within_a_day(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        document = add(ctx, b"Read again.").document
        lent = ctx.blobs.hold(document.sha256)
        lent.__enter__()  # and is never given back
        extract_document(ctx, document.id)
        assert get_document(ctx, LOCAL, document.id).status is DocumentStatus.READY
        assert ctx.blobs.sweep(now=time.time() + 25 * 3600) == 1
        assert ctx.blobs.sweep(now=time.time() + 25 * 3600) == 0
        assert len(files(tmp_path)) == 1


def test_quote_of_a_document_that_is_gone_is_not_called_false(tmp_path: Path) -> None:
    text = 'It says "the harbour opened in 1871" [D1 p.1], and "it was closed in 1912" [D2 p.1].'
    with process(tmp_path) as ctx:
        gone, there = stored(ctx, pages=1, tokens=10), stored(ctx, pages=2, tokens=10)
        planned = call_over(gone, there)
        remove_document(ctx, LOCAL, gone)
        first, second = asyncio.run(check_citations(ctx, (planned,), text))
    assert (first["document_id"], first["source_gone"], first["found"]) == (gone, True, None)
    assert (second["document_id"], second["source_gone"], second["verdict"]) == (there, False, "missing")


def test_quote_is_held_against_what_is_there_although_another_is_gone(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        gone, there = stored(ctx, pages=1, tokens=10), stored(ctx, pages=2, tokens=10)
        planned = call_over(gone, there)
        remove_document(ctx, LOCAL, gone)
        (only,) = asyncio.run(check_citations(ctx, (planned,), '"This is page 2 of 2." [D2 p.2]'))
    assert (only["verdict"], only["source_gone"]) == ("exact", False)
