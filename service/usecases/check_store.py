"""Look at what an installation keeps: folder, database, files, page indexes and keys; nothing is changed."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from service.domain.documents import Document
from service.domain.findings import Finding
from service.errors import NotFound, UnabridgedError
from service.store import corpora, documents, keys
from service.store.blobs import Blobs
from service.store.search import PageIndex
from service.store.session import Database, is_made
from service.usecases.index_pages import entries_of, is_worth_it

LEAST_BYTES = 200 << 20
"""Free on the disk: less is soon gone, and then nothing can be stored any more."""

FEW_BYTES = 2 << 30
SAMPLE = 10
"""Files that are looked at: those that came last."""

SAMPLE_BYTES = 64 << 20
"""A larger file is begun to be read, and not hashed."""

MOST_CORPORA = 200
READ_SECONDS = 15.0


def check_folder(data: Path) -> Finding:
    """Say whether the data folder can be worked in, by writing a file; or whether it could be made."""
    there = next(folder for folder in (data, *data.parents) if folder.exists())
    do = "Set UNABRIDGED_DATA to a folder that this user owns, or have this one's owner or rights changed."
    if not there.is_dir():
        return Finding("data folder", "fail", f"{there} is a file, so {data} is no folder.", do)
    if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        return Finding("data folder", "fail", f"{there} can't be read and written by this user.", do)
    if there != data:
        return Finding("data folder", "ok", f"{data} is made at the first use.")
    try:
        with tempfile.TemporaryFile(dir=data) as tried:
            tried.write(b"tried")
            tried.flush()
            os.fsync(tried.fileno())
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            do = "Make room on this disk, or set UNABRIDGED_DATA to a folder on a larger one."
        return Finding("data folder", "fail", f"{data} takes no file: {error.strerror}.", do)
    return Finding("data folder", "ok", f"{data} can be read and written.")


def check_space(data: Path, *, least: int = LEAST_BYTES, few: int = FEW_BYTES) -> Finding:
    """Say whether there is room on the disk of the data folder.

    Args:
        data: the folder; it need not be there yet.
        least: bytes below which nothing is well.
        few: bytes below which it is worth knowing.
    """
    there = next(folder for folder in (data, *data.parents) if folder.exists())
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Finding("disk", "warn", f"How much room is left can't be told: {error.strerror}.")
    room = f"{free / (1 << 30):,.1f} GiB" if free >= 1 << 30 else f"{free / (1 << 20):,.0f} MiB"
    said = f"{room} are free for {data}."
    do = "Make room on this disk, or set UNABRIDGED_DATA to a folder on a larger one."
    if free < least:
        return Finding("disk", "fail", said, do)
    return Finding("disk", "warn" if free < few else "ok", said, do if free < few else "")


def check_database(url: str) -> tuple[Finding, Database | None]:
    """Say whether the database can be used and has this version's schema; return it where it does."""
    db: Database | None = None
    try:
        if not is_made(url):
            return Finding("database", "ok", "There is none yet; it is made at the first use."), None
        db = Database(url)
        if db.is_empty():
            db.close()
            return Finding("database", "ok", "It is empty; its tables are made at the first use."), None
        db.check_schema()
        if (damage := db.damage()) is not None:
            db.close()
            do = "Put it back from a copy. To save what can be read: sqlite3 DATABASE .recover"
            return Finding("database", "fail", f"It is damaged: {damage}.", do), None
    except UnabridgedError as error:
        if db is not None:
            db.close()
        return Finding("database", "fail", error.detail), None
    return Finding("database", "ok", "It can be read, and its schema is this version's."), db


def check_files(db: Database, blob_url: str) -> Finding:
    """Say whether the originals that came last are there, with the bytes that came."""
    try:
        with db.read() as tx:
            some = documents.latest(tx, limit=SAMPLE)
        if not some:
            return Finding("files", "ok", "No document is stored yet.")
        wrong = asyncio.run(_unreadable(Blobs(blob_url), some))
    except UnabridgedError as error:
        return Finding("files", "fail", error.detail)
    if wrong:
        do = "Put the files back from a copy, or check UNABRIDGED_BLOB_URL; or upload these documents again."
        return Finding("files", "fail", f"Of the last {len(some)} files: {'; '.join(wrong[:3])}.", do)
    return Finding("files", "ok", f"The last {len(some)} were read, and are what was uploaded.")


def check_index(db: Database, folder: Path) -> Finding:
    """Say how many corpora can be searched at once; the indexes are copies, so nothing is lost with them."""
    if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Finding(
            "page index",
            "warn",
            f"{folder} can't be written: no plan picks the most relevant pages.",
            "Give this user the folder; it may also be deleted, and is then made anew.",
        )
    index, waiting, ready = PageIndex(folder), 0, 0
    try:
        with db.read() as tx:
            for corpus_id in sorted(corpora.all_ids(tx))[-MOST_CORPORA:]:
                entries = entries_of(corpora.members_of(tx, corpus_id))
                if is_worth_it(entries):
                    found = index.is_ready(corpus_id, entries)
                    ready, waiting = ready + found, waiting + (not found)
    except UnabridgedError as error:
        return Finding("page index", "warn", error.detail)
    if waiting:
        said = f"{ready} of {ready + waiting} large corpora are indexed; the others are when they are asked."
        return Finding("page index", "ok", said)
    return Finding(
        "page index", "ok", f"All {ready} large corpora are indexed." if ready else "Not needed yet."
    )


def check_keys(db: Database | None, *, now: datetime, exposed: bool, host: str) -> Finding:
    """Say who may call a service that listens there.

    Args:
        db: None where there is none yet, and so no key.
        now: the time.
        exposed: other machines reach that address.
        host: the address.
    """
    try:
        usable, left = _keys(db, now)
    except UnabridgedError as error:
        return Finding("access", "warn", error.detail)
    make = "Make one: unabridged keys add NAME"
    if exposed and not usable:
        said = f"Without a key that holds the service does not listen on {host}."
        return Finding("access", "fail", said, f"{make}; or serve this machine alone: --host 127.0.0.1")
    if left and not usable:
        return Finding("access", "warn", "Every key has expired: each call is refused.", make)
    if usable:
        return Finding("access", "ok", f"Calls need a key, and there are some; it may listen on {host}.")
    return Finding("access", "ok", "There is no key: the service is for this machine alone.")


def _keys(db: Database | None, now: datetime) -> tuple[bool, bool]:
    """Whether a key holds now, and whether there is any that was not revoked."""
    if db is None:
        return False, False
    with db.read() as tx:
        return keys.any_usable(tx, now=now), keys.any_left(tx)


async def _unreadable(blobs: Blobs, some: Sequence[Document]) -> list[str]:
    """What is wrong with which files."""
    found = [(one, await _wrong(blobs, one)) for one in some]
    return [f"{one.filename} {wrong}" for one, wrong in found if wrong]


async def _wrong(blobs: Blobs, one: Document) -> str:
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await _compared(blobs, one)
    except NotFound:
        return "is gone"
    except TimeoutError:
        return "does not come"
    except OSError as error:
        return f"can't be read ({error.strerror or type(error).__name__})"


async def _compared(blobs: Blobs, one: Document) -> str:
    digest = hashlib.sha256()
    async for chunk in blobs.stream(one.sha256):
        digest.update(chunk)
        if one.bytes > SAMPLE_BYTES:
            return ""
    return "" if digest.hexdigest() == one.sha256 else "has other bytes than were uploaded"
