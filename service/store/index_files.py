"""The files of a page index: held by one writer at a time, told apart by what is in them, and tidied up."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
import zlib
from pathlib import Path

PIECE_BYTES = 1 << 20
_SYSTEM = re.compile(r"([A-Z][a-z][\w -]*?) \(os error \d+\)")


def state_of(place: Path) -> str:
    """Return what tells one state of an index from another: its list of segments, and a sum of each file.

    tantivy does not look whether what it maps is what it wrote, and panics or miscounts where it is not.
    """
    meta = (place / "meta.json").read_bytes()
    names = {segment["segment_id"].replace("-", "") for segment in json.loads(meta)["segments"]}
    sums = sorted([path.name, _sum(path)] for path in place.iterdir() if path.name.partition(".")[0] in names)
    return hashlib.sha256(meta + json.dumps(sums).encode()).hexdigest()


def _sum(path: Path) -> int:
    """Return the CRC-32 of a file: for decay, not for malice."""
    found = 0
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            found = zlib.crc32(piece, found)
    return found


def in_a_word(error: OSError | ValueError) -> str:
    """Return what an error says without the places on the disk that it names: callers are told it."""
    found = _SYSTEM.search(str(error))
    if found:
        return found[1]
    return (error.strerror if isinstance(error, OSError) else None) or "the service's log says why"


def tidy(folder: Path, kept: str) -> None:
    """Remove indexes that were replaced, and what a killed update left."""
    for path in folder.iterdir():
        if path.is_dir() and path.name != kept:
            shutil.rmtree(path, ignore_errors=True)


def lock(descriptor: int) -> bool:
    """Hold a file until it is closed; False where somebody else does."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
