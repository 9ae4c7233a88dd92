"""Make documents of the files inside a document, while it is read.

Their bytes are stored as they come; so many at a time are then recorded, queued and put wherever their parent
is, in one transaction. A reading that starts over finds what it recorded before and makes nothing twice.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ingest import Enclosed, Piece, ReaderCrashed, Sealed, TooLarge
from service.domain.documents import Document, DocumentStatus, DocumentWarning, Progress
from service.domain.enclosures import in_order
from service.errors import NotFound, StoreUnavailable
from service.store import corpora, documents, enclosures
from service.store.blobs import Incoming, ReceivedBlob
from service.store.session import Transaction
from service.usecases.add_document import MAX_NAME, safe_name
from service.usecases.arrange_corpus import append_in
from service.usecases.context import Context, new_id
from service.usecases.remove_document import forget_files

BATCH_FILES = 100
BATCH_BYTES = 256 << 20
MAX_WARNINGS = 200
MAX_PATH = 4 * MAX_NAME


@dataclass(frozen=True, slots=True)
class _Received:
    """A whole file from inside, stored and not recorded yet; its place among all of its parent."""

    ordinal: int
    name: str
    blob: ReceivedBlob


class Unpacking:
    """The files inside one document; at the end of the `with` block nothing waits that was not recorded."""

    def __init__(self, ctx: Context, parent: Document) -> None:
        self._ctx = ctx
        self._parent = parent
        self._open: tuple[str, Incoming] | None = None
        self._waiting: list[_Received] = []
        self._more_warnings = 0
        self._warnings: list[DocumentWarning] = []
        self.done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._open is not None:
            _drop(self._ctx, self._open[1].give_up())
        for one in self._waiting:
            _drop(self._ctx, one.blob)

    def take(self, event: Enclosed | Piece | Sealed) -> None:
        """Take what comes next.

        Raises:
            NotFound: the parent was removed meanwhile.
            ingest.TooLarge: too much has come out of one upload, over all levels.
            StoreUnavailable: the disk is full or out of reach.
        """
        if isinstance(event, Enclosed) and self._open is None:
            incoming = self._ctx.blobs.incoming(f"{self._parent.id}.{self.done}")
            self._open = safe_path(event.name), incoming
        elif isinstance(event, Piece) and self._open is not None:
            self._open[1].write(event.data)
        elif isinstance(event, Sealed) and self._open is not None:
            self._seal(*self._open, event)
        else:  # no honest reading process says so
            raise ReaderCrashed("The files inside could not be told apart. Unpack it and upload them.")

    def record(self) -> None:
        """Record what has come and is not recorded yet.

        Raises:
            NotFound, ingest.TooLarge, StoreUnavailable: as `take`.
        """
        if self.done:
            _record(self._ctx, self._parent.id, self._waiting, self.done)
        self._waiting = []

    @property
    def warnings(self) -> list[DocumentWarning]:
        """What of the files inside was not whole."""
        if not self._more_warnings:
            return self._warnings
        more = f"{self._more_warnings:,} more files inside could not be taken out."
        return [*self._warnings, DocumentWarning("more_notices", more)]

    def _seal(self, name: str, incoming: Incoming, sealed: Sealed) -> None:
        if sealed.fault is None:
            self._waiting.append(_Received(self.done, name, incoming.finish()))
        else:
            _drop(self._ctx, incoming.give_up())
            self._warn(name, sealed.fault.code, sealed.fault.detail)
        self._open = None
        self.done += 1
        size = sum(one.blob.bytes for one in self._waiting)
        if len(self._waiting) >= BATCH_FILES or size >= BATCH_BYTES:
            self.record()

    def _warn(self, name: str, code: str, detail: str) -> None:
        if len(self._warnings) == MAX_WARNINGS:
            self._more_warnings += 1
        else:
            said = detail if name in detail else f"{name}: {detail}"
            self._warnings.append(DocumentWarning(code, said))


def safe_path(name: str) -> str:
    """Return a path inside a document, parted by `/`, each part a safe name; never empty nor too long."""
    parts = [part for part in name.replace("\\", "/").split("/") if part.strip() not in {"", ".", ".."}]
    path = "/".join(safe_name(part) for part in parts) or safe_name("")
    return path if len(path) <= MAX_PATH else safe_name(path)


def _record(ctx: Context, parent_id: str, received: Sequence[_Received], done: int) -> None:
    with ExitStack() as failing:
        failing.callback(_withdraw, ctx, received)
        with ctx.db.write() as tx:
            parent = documents.get_any(tx, parent_id)
            if parent is None:
                raise NotFound("The document was removed while it was read.")
            fresh = _place(tx, ctx, parent, received)
            _check_root(tx, ctx, _root(parent))
            if parent.progress.unit == "file":
                documents.count_files(tx, parent_id, done)
            ctx.blobs.keep(*fresh)
        failing.pop_all()
    for one in received:
        if one.blob not in fresh:
            _drop(ctx, one.blob)


def _place(
    tx: Transaction, ctx: Context, parent: Document, received: Sequence[_Received]
) -> list[ReceivedBlob]:
    """Put files where they lie, and wherever their parent is; return those whose bytes nobody knew."""
    if not received:
        return []
    known = documents.get_by_hashes(tx, parent.tenant, [one.blob.sha256 for one in received])
    fresh = {one.blob.sha256: one for one in reversed(received) if one.blob.sha256 not in known}
    new = {sha256: _new(ctx, parent, one) for sha256, one in reversed(fresh.items())}
    if new:
        documents.add(tx, *new.values())
    for document in new.values():
        ctx.queue.extract(tx, document.id)
    for document in known.values():
        _read_again(tx, ctx, parent, document)
    by_hash = known | new
    inside = [(one, by_hash[one.blob.sha256]) for one in received]
    enclosures.put(tx, parent.id, [(one.ordinal, document.id, one.name) for one, document in inside])
    for corpus_id in corpora.holding(tx, parent.id):
        for _, document in inside:
            append_in(tx, corpus_id, document)
    return [one.blob for one in fresh.values()]


def _read_again(tx: Transaction, ctx: Context, parent: Document, known: Document) -> None:
    """Have a document that failed before read again, at the depth at which it lies now."""
    if known.status is DocumentStatus.FAILED and not _lies_in(tx, parent.id, known.id):
        if not known.uploaded:
            documents.place(tx, known.id, uploaded=False, depth=parent.depth + 1, root_id=_root(parent))
        documents.requeue(tx, known.id)
        ctx.queue.extract(tx, known.id)


def _lies_in(tx: Transaction, document_id: str, other_id: str) -> bool:
    """Whether a document is the other one or lies in it: a failed file around this one is not read again."""
    below = in_order(other_id, enclosures.links_below(tx, other_id))
    return document_id == other_id or any(link.document_id == document_id for link in below)


def _new(ctx: Context, parent: Document, one: _Received) -> Document:
    return Document(
        id=new_id("doc"),
        tenant=parent.tenant,
        sha256=one.blob.sha256,
        filename=one.name,
        media_type=mimetypes.guess_type(one.name)[0] or "application/octet-stream",
        bytes=one.blob.bytes,
        status=DocumentStatus.QUEUED,
        progress=Progress(),
        created_at=ctx.now(),
        uploaded=False,
        depth=parent.depth + 1,
        root_id=_root(parent),
    )


def _root(parent: Document) -> str:
    return parent.root_id or parent.id


def _check_root(tx: Transaction, ctx: Context, root_id: str) -> None:
    files, size = enclosures.size_of_root(tx, root_id)
    if files > ctx.limits.max_files or size > ctx.limits.max_files_bytes:
        raise TooLarge(
            f"With it more than {ctx.limits.max_files:,} files or {ctx.limits.max_files_bytes:,} bytes come "
            "out of one upload. Unpack it and upload what you want to ask about."
        )


def _drop(ctx: Context, blob: ReceivedBlob) -> None:
    with suppress(FileNotFoundError):  # it was kept
        ctx.blobs.discard(blob)


def _withdraw(ctx: Context, received: Sequence[_Received]) -> None:
    """Drop what could not be recorded, under its waiting name or its last one."""
    for one in received:
        _drop(ctx, one.blob)
    with suppress(StoreUnavailable):  # what is told is why it could not be recorded
        forget_files(ctx, [one.blob.sha256 for one in received])
