"""Files and folders of this machine as documents: found, stored, read, and the corpus they stand for."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ingest.litter import is_litter
from service import console
from service.console import Listed
from service.domain.documents import Document
from service.domain.shown_images import MAX_DATA_CHARS
from service.errors import Invalid, NotFound
from service.usecases import arrange_corpus, read_document
from service.usecases.add_document import add_document
from service.usecases.context import LOCAL, Context
from service.usecases.take_images import Said

CHUNK = 1 << 20
POLL_SECONDS = 0.1
AT_ONCE = 8
"""Documents looked at in one go, the first that are not done: they are read in about this order."""


async def corpus_of(ctx: Context, paths: Sequence[Path]) -> tuple[str, list[Listed]]:
    """Return the corpus that stands for these paths, holding exactly what can be read in them.

    Files inside others that could not be read are in it all the same: a plan says of them why.
    """
    name = name_of(paths)
    listed = await add(ctx, paths, None)
    corpus = arrange_corpus.find_or_create(ctx, LOCAL, name)
    wanted = [one.document.id for one in listed if not one.inside and not one.failed]
    but = {one.document.id for one in unread(listed)}
    arrange_corpus.hold_exactly(ctx, LOCAL, corpus.id, wanted, but=but)
    return corpus.id, listed


def unread(listed: Sequence[Listed]) -> list[Listed]:
    """Return what could not be read and would block a corpus: not what lies only inside others."""
    return [one for one in listed if one.failed and one.document.uploaded]


def take_out_unread(ctx: Context, corpus_id: str, listed: Sequence[Listed]) -> None:
    """Take out of a corpus what was added to it and could not be read."""
    for one in unread(listed):
        with suppress(NotFound):  # somebody else did
            arrange_corpus.take_out(ctx, LOCAL, corpus_id, one.document.id)


def name_of(paths: Sequence[Path]) -> str:
    """Return a corpus's name for these paths: all of them, or their tail and what tells it from others."""
    whole = ", ".join(sorted({str(path.expanduser().resolve()) for path in paths}))
    if len(whole) <= arrange_corpus.MAX_NAME:
        return whole
    mark = hashlib.sha256(whole.encode(errors="surrogateescape")).hexdigest()[:12]
    return f"…{whole[len(mark) + 3 - arrange_corpus.MAX_NAME :]} #{mark}"


async def add(ctx: Context, paths: Sequence[Path], corpus_id: str | None) -> list[Listed]:
    """Store files and wait until each is read or refused, and all files inside them.

    Each document comes once: those added in the order of their names, then those inside.
    """
    files = files_in(paths)
    reading = _Reading(ctx)
    with console.progress() as bar:
        storing = bar.add_task("storing", total=len(files), note="files")
        for path in files:
            one = await add_document(
                ctx, LOCAL, filename=path.name, chunks=_chunks(path), corpus_id=corpus_id
            )
            reading.follow(Listed(one.document, one.document.filename))
            bar.advance(storing)
        shown = bar.add_task("reading", total=1, note="")
        while reading.waiting:
            under_way = await asyncio.to_thread(reading.look)
            console.show_reading(bar, shown, [one.document for one in reading.listed.values()])
            if under_way:
                await asyncio.sleep(POLL_SECONDS)
    return list(reading.listed.values())


class _Reading:
    """Documents that are being read, and those that come out of them."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.waiting: dict[str, None] = {}
        self.listed: dict[str, Listed] = {}

    def follow(self, one: Listed) -> None:
        """Take one more; one that failed and is read again, since it came once more, is waited for anew."""
        known = self.listed.setdefault(one.document.id, one)
        if known is one or not one.document.is_settled:
            self.waiting[one.document.id] = None

    def look(self) -> bool:
        """Look again at the first of those that are not read yet; return whether any of them still is not."""
        looked_at = list(self.waiting)[:AT_ONCE]
        fresh = read_document.get_documents(self._ctx, LOCAL, looked_at)
        for document_id in looked_at:
            if document_id in fresh:
                self._see(fresh[document_id])
            else:
                self._lose(document_id)
        return any(document_id in self.waiting for document_id in looked_at)

    def _see(self, document: Document) -> None:
        one = self.listed[document.id] = replace(self.listed[document.id], document=document)
        if not document.is_settled:
            return
        del self.waiting[document.id]
        if document.files:
            for file in read_document.list_files(self._ctx, LOCAL, document.id):
                self.follow(Listed(file.document, f"{file.name} in {one.name}", inside=True))

    def _lose(self, document_id: str) -> None:
        """Let go what was inside a file that failed in the end.

        Raises:
            NotFound: it was added by itself, and somebody deleted it.
        """
        del self.waiting[document_id]
        if not self.listed.pop(document_id).inside:
            raise NotFound(f"Document {document_id} was deleted while it was read.")


def files_in(paths: Sequence[Path]) -> list[Path]:
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


def pictures(named: Sequence[str]) -> list[Said]:
    """Return pictures to show with a question: addresses as they are, files as data.

    Raises:
        Invalid: there is no such file, or it is larger than any provider takes.
    """
    return [_picture(one) for one in named]


def _picture(named: str) -> Said:
    if named[:8].lower().startswith(("http://", "https://", "data:")):
        return Said(named, "high")
    path = Path(named)
    if not path.is_file():
        raise Invalid(f"There is no picture {named}: name a file, or an address that begins with https://.")
    most = MAX_DATA_CHARS * 3 // 4
    if path.stat().st_size > most:
        raise Invalid(f"{path.name} is larger than the {most:,} bytes that providers take: make it smaller.")
    data = base64.b64encode(path.read_bytes()).decode()
    return Said(f"data:image/*;base64,{data}", "high", path.name)


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
