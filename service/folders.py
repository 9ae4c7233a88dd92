"""Files and folders of this machine as documents: found, stored, read, and the corpus they stand for."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from ingest.litter import is_litter
from service import console
from service.domain.documents import Document, DocumentStatus
from service.errors import Invalid
from service.usecases import arrange_corpus, read_document
from service.usecases.add_document import add_document
from service.usecases.context import LOCAL, Context

CHUNK = 1 << 20
POLL_SECONDS = 0.05


async def corpus_of(ctx: Context, paths: Sequence[Path]) -> tuple[str, list[Document]]:
    """Return the corpus that stands for these paths, holding exactly what can be read in them."""
    name = name_of(paths)
    documents = await add(ctx, paths, None)
    corpus = arrange_corpus.find_or_create(ctx, LOCAL, name)
    wanted = [document.id for document in documents if document.status is DocumentStatus.READY]
    for member in arrange_corpus.members(ctx, LOCAL, corpus.id):
        if member.document_id not in wanted:
            arrange_corpus.take_out(ctx, LOCAL, corpus.id, member.document_id)
    for document_id in wanted:
        arrange_corpus.append(ctx, LOCAL, corpus.id, document_id)
    return corpus.id, documents


def name_of(paths: Sequence[Path]) -> str:
    """Return a corpus's name for these paths: all of them, or their tail and what tells it from others."""
    whole = ", ".join(sorted({str(path.expanduser().resolve()) for path in paths}))
    if len(whole) <= arrange_corpus.MAX_NAME:
        return whole
    mark = hashlib.sha256(whole.encode(errors="surrogateescape")).hexdigest()[:12]
    return f"…{whole[len(mark) + 3 - arrange_corpus.MAX_NAME :]} #{mark}"


async def add(ctx: Context, paths: Sequence[Path], corpus_id: str | None) -> list[Document]:
    """Store files and wait until each is read or refused; each document once, in the order of its name."""
    files = _files(paths)
    added: dict[str, Document] = {}
    with console.progress() as bar:
        storing = bar.add_task("storing", total=len(files), note="files")
        for path in files:
            one = await add_document(
                ctx, LOCAL, filename=path.name, chunks=_chunks(path), corpus_id=corpus_id
            )
            added[one.document.id] = one.document
            bar.advance(storing)
        reading = bar.add_task("reading", total=1, note="")
        while True:
            for document_id, document in added.items():
                if document.status not in {DocumentStatus.READY, DocumentStatus.FAILED}:
                    added[document_id] = await asyncio.to_thread(
                        read_document.get_document, ctx, LOCAL, document_id
                    )
            console.show_reading(bar, reading, list(added.values()))
            if all(d.status in {DocumentStatus.READY, DocumentStatus.FAILED} for d in added.values()):
                return list(added.values())
            await asyncio.sleep(POLL_SECONDS)


def _files(paths: Sequence[Path]) -> list[Path]:
    """Return the files that these paths mean, without hidden ones and what systems leave behind.

    Raises:
        Invalid: a path does not exist, or there is no file at all.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = (p for p in path.rglob("*") if p.is_file())
            found.extend(sorted(p for p in inside if not is_litter(p.relative_to(path).parts)))
        elif path.is_file():
            found.append(path)
        else:
            raise Invalid(f"There is no file or folder {path}.")
    if not found:
        raise Invalid("There are no files to read in " + ", ".join(str(path) for path in paths) + ".")
    return list(dict.fromkeys(found))


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
