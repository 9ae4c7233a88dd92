"""Files, named by the SHA-256 of their bytes: a folder, or S3-compatible object storage.

The only importer of obstore. A file is durable (written, synced, named) before anyone is told so: obstore's
local store never syncs, so that is done here.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from service.errors import Invalid, NotFound, StoreUnavailable, TooLarge

CHUNK = 1 << 20
_STALE_SECONDS = 24 * 3600
_GONE = "The original file is gone."


@dataclass(frozen=True, slots=True)
class ReceivedBlob:
    """What was received: where it waits, the hash that will name it, its size in bytes."""

    key: str
    sha256: str
    bytes: int


class Blobs:
    """A store of immutable files."""

    def __init__(self, url: str) -> None:
        self._folder: Path | None = None
        self._store: ObjectStore
        parts = urlsplit(url)
        if parts.scheme == "file":
            self._folder = Path(unquote(parts.path))
            self._folder.mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(self._folder)
        else:
            self._store = from_url(url)

    async def receive(self, chunks: AsyncIterator[bytes], *, max_bytes: int) -> ReceivedBlob:
        """Take in a stream while hashing it; memory stays bounded whatever its length.

        What was received has no name yet: `keep` gives it one, `discard` drops it.

        Raises:
            TooLarge: more than `max_bytes` came; nothing is kept.
            StoreUnavailable: it could not be stored (disk full, out of reach); nothing is kept.
        """
        key = f"uploads/{secrets.token_hex(16)}"
        hashing = _Hashing(chunks, max_bytes)
        try:
            await obstore.put_async(self._store, key, hashing, chunk_size=8 * CHUNK, max_concurrency=2)
            if self._folder is not None:
                await asyncio.to_thread(_sync, self._folder / key)
        except (BaseError, OSError) as error:
            if hashing.failure is not None:
                raise hashing.failure from None
            raise StoreUnavailable(
                "The file could not be stored: the disk is full or out of reach."
            ) from error
        return ReceivedBlob(key, hashing.digest.hexdigest(), hashing.bytes)

    def keep(self, received: ReceivedBlob) -> None:
        """Name a received file by its hash, durably.

        Call it inside the transaction that records the document: a removal of the same bytes then comes
        wholly before it or wholly after.
        """
        name = _name(received.sha256)
        if self._folder is None:
            obstore.rename(self._store, received.key, name, overwrite=True)
            return
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (self._folder / received.key).replace(target)
        for folder in (target.parent, target.parent.parent, self._folder):  # each may be new
            _sync(folder)

    def discard(self, received: ReceivedBlob) -> None:
        """Drop a received file that is known already."""
        obstore.delete(self._store, received.key)

    async def read_received(self, received: ReceivedBlob) -> AsyncIterator[bytes]:
        """Yield what was received and has no name yet.

        Raises:
            NotFound: it was swept away.
        """
        try:
            result = await obstore.get_async(self._store, received.key)
        except FileNotFoundError as error:
            raise NotFound(_GONE) from error
        async for chunk in result.stream(min_chunk_size=CHUNK):
            yield bytes(chunk)

    async def stream(self, sha256: str) -> AsyncIterator[bytes]:
        """Yield a file's bytes.

        Raises:
            NotFound: no such file.
        """
        try:
            result = await obstore.get_async(self._store, _name(sha256))
        except FileNotFoundError as error:
            raise NotFound(_GONE) from error
        async for chunk in result.stream(min_chunk_size=CHUNK):
            yield bytes(chunk)

    @contextmanager
    def as_path(self, sha256: str) -> Iterator[Path]:
        """Lend a file as a path: the file itself where it is local, else a copy that goes afterwards.

        Raises:
            NotFound: no such file.
        """
        if self._folder is not None:
            path = self._folder / _name(sha256)
            if not path.is_file():
                raise NotFound(_GONE)
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="unabridged-") as folder:
            path = Path(folder) / "document"
            self._copy(_name(sha256), path)
            yield path

    def _copy(self, name: str, path: Path) -> None:
        try:
            result = obstore.get(self._store, name)
        except FileNotFoundError as error:
            raise NotFound(_GONE) from error
        with path.open("wb") as copy:
            for chunk in result.stream(min_chunk_size=CHUNK):
                copy.write(chunk)

    def delete(self, sha256: str) -> None:
        """Delete a file; one that is gone already is fine."""
        if self._folder is not None:
            (self._folder / _name(sha256)).unlink(missing_ok=True)
            return
        obstore.delete(self._store, _name(sha256))

    def sweep(self, *, now: float | None = None) -> int:
        """Delete what broken uploads left behind a day ago or earlier; return how many files."""
        if self._folder is None:
            return 0  # object storage drops unfinished uploads by its own lifecycle rules
        limit = (time.time() if now is None else now) - _STALE_SECONDS
        stale = [path for path in (self._folder / "uploads").glob("*") if path.stat().st_mtime < limit]
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)


class _Hashing:
    """An async iterator that hashes and bounds what passes through it, and remembers why it stopped."""

    def __init__(self, chunks: AsyncIterator[bytes], max_bytes: int) -> None:
        self._chunks = chunks
        self._max_bytes = max_bytes
        self.digest = hashlib.sha256()
        self.bytes = 0
        self.failure: BaseException | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await anext(self._chunks)
            self.bytes += len(chunk)
            self._check_size()
            await asyncio.to_thread(self.digest.update, chunk)
        except StopAsyncIteration:
            raise
        except BaseException as error:
            self.failure = error  # obstore would wrap it beyond recognition
            raise
        return chunk

    def _check_size(self) -> None:
        if self.bytes > self._max_bytes:
            raise TooLarge(f"The file is larger than the limit of {self._max_bytes:,} bytes.")


def _name(sha256: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise Invalid("A stored file's name is the SHA-256 of its bytes, in hex.")
    return f"sha256/{sha256[:2]}/{sha256}"


def _sync(path: Path) -> None:
    """Force a file, or a folder's names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
