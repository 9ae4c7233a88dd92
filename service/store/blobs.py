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
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from service.errors import Invalid, NotFound, StoreUnavailable, TooLarge

if TYPE_CHECKING:  # obstore has it for type checkers alone
    from obstore import WritableFile

CHUNK = 1 << 20
_STALE_SECONDS = 24 * 3600
READINGS = "readings"
_GONE = "The original file is gone."
_NOT_STORED = "The file could not be stored: the disk is full or out of reach."


@dataclass(frozen=True, slots=True)
class ReceivedBlob:
    """What was received: where it waits, the hash that will name it, its size in bytes."""

    key: str
    sha256: str
    bytes: int


class Blobs:
    """A store of immutable files.

    Raises:
        Invalid: there can be none at that URL.
    """

    def __init__(self, url: str) -> None:
        self._folder: Path | None = None
        self._store: ObjectStore
        parts = urlsplit(url)
        try:
            if parts.scheme == "file":
                self._folder = Path(unquote(parts.path))
                self._folder.mkdir(parents=True, exist_ok=True)
                self._store = LocalStore(self._folder)
            else:
                self._store = from_url(url)
        except (BaseError, ValueError) as error:  # what was said is not repeated: it may hold a secret
            raise Invalid(
                "UNABRIDGED_BLOB_URL: files are kept at file:///folder or s3://bucket/prefix."
            ) from error
        except OSError as error:
            raise Invalid(
                f"UNABRIDGED_BLOB_URL: {self._folder} cannot be made a folder: {error.strerror}."
            ) from error

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
            raise StoreUnavailable(_NOT_STORED) from error
        return ReceivedBlob(key, hashing.digest.hexdigest(), hashing.bytes)

    def incoming(self, name: str) -> Incoming:
        """Begin a file that comes piece by piece, in place of an earlier one that waits under that name.

        Raises:
            StoreUnavailable: see `Incoming`.
        """
        key = f"uploads/{name}"
        with _storing():
            if self._folder is None:
                return Incoming(key, obstore.open_writer(self._store, key, max_concurrency=2))
            path = self._folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            return Incoming(key, path.open("wb"))

    def keep(self, *received: ReceivedBlob) -> None:
        """Name received files by their hashes, durably.

        Call it inside the transaction that records the document: a removal of the same bytes then comes
        wholly before it or wholly after.

        Raises:
            StoreUnavailable: the disk is full or out of reach; some may have their names by then.
        """
        with _storing():
            if self._folder is None:
                for one in received:
                    obstore.rename(self._store, one.key, _name(one.sha256), overwrite=True)
            else:
                self._keep(self._folder, received)

    def _keep(self, folder: Path, received: Sequence[ReceivedBlob]) -> None:
        changed: dict[Path, None] = {}
        for one in received:
            target = folder / _name(one.sha256)
            target.parent.mkdir(parents=True, exist_ok=True)
            (folder / one.key).replace(target)
            changed |= dict.fromkeys((target.parent, target.parent.parent, folder))  # each may be new
        for one_changed in changed:
            _sync(one_changed)

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

    @contextmanager
    def hold(self, sha256: str) -> Iterator[Path]:
        """Lend a file for as long as a reading takes: what is removed meanwhile stays there for the reader.

        Raises:
            NotFound: no such file.
        """
        with self.as_path(sha256) as path:
            held = self._second_name(path)
            try:
                yield held
            finally:
                if held != path:
                    held.unlink(missing_ok=True)

    def _second_name(self, path: Path) -> Path:
        """Give a local file another name, of this reading alone; the same where there are no hard links."""
        if self._folder is None:
            return path
        held = self._folder / READINGS / secrets.token_hex(16)
        try:
            held.parent.mkdir(exist_ok=True)
            held.hardlink_to(path)
        except FileNotFoundError as error:
            raise NotFound(_GONE) from error
        except OSError:
            return path
        return held

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
        """Delete what broken uploads and readings left a day ago or earlier; return how many files."""
        if self._folder is None:
            return 0  # object storage drops unfinished uploads by its own lifecycle rules
        limit = (time.time() if now is None else now) - _STALE_SECONDS
        stale = [path for path in (self._folder / "uploads").glob("*") if path.stat().st_mtime < limit]
        # A second name has the times of its file; when it was given shows in the last change of status.
        stale += [path for path in (self._folder / READINGS).glob("*") if path.stat().st_ctime < limit]
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)


class Incoming:
    """A file that comes piece by piece: hashed on the way, in bounded memory, without a name at its end."""

    def __init__(self, key: str, file: BufferedWriter | WritableFile) -> None:
        self._key = key
        self._file = file
        self._digest = hashlib.sha256()
        self._bytes = 0

    def write(self, data: bytes) -> None:
        """Add a piece.

        Raises:
            StoreUnavailable: it could not be stored: disk full, or out of reach.
        """
        with _storing():
            self._file.write(data)
        self._digest.update(data)
        self._bytes += len(data)

    def finish(self) -> ReceivedBlob:
        """End the file durably; `Blobs.keep` names it, `Blobs.discard` drops it.

        Raises:
            StoreUnavailable: as `write`.
        """
        with _storing():
            if isinstance(self._file, BufferedWriter):
                self._file.flush()
                os.fsync(self._file.fileno())
            self._file.close()
        return self.so_far

    def give_up(self) -> ReceivedBlob:
        """End the file as it is, to be dropped; what could not be stored is left out."""
        with suppress(StoreUnavailable), _storing():
            self._file.close()
        return self.so_far

    @property
    def so_far(self) -> ReceivedBlob:
        """What has come."""
        return ReceivedBlob(self._key, self._digest.hexdigest(), self._bytes)


@contextmanager
def _storing() -> Iterator[None]:
    """Say in the product's words that a file cannot be stored."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise StoreUnavailable(_NOT_STORED) from error


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
