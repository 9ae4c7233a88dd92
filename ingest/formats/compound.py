"""The streams of an OLE compound file, Office's container until 2003; imports olefile alone."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import olefile

from ingest.errors import DamagedDocument, TooLarge

MAX_STREAM_BYTES: Final = 128 * 1024 * 1024
_FAULTS: Final = (OSError, struct.error, LookupError, ValueError, TypeError, OverflowError, RecursionError)
"""What broken structures raise."""


_SECTOR_SHIFT_AT: Final = 30
_MAX_SECTOR_SHIFT: Final = 12
"""Sectors have 512 or 4,096 bytes ([MS-CFB] 2.2); a damaged header may name any power of two."""


def top_streams(file: BinaryIO, names: Iterable[str]) -> list[str]:
    """Return which of these streams stand at the top of the container; none where it is broken."""
    try:
        _check_sectors(file)
        with olefile.OleFileIO(file) as container:
            return [name for name in names if container.exists(name)]
    except _FAULTS:
        return []


class Streams:
    """An open compound file."""

    def __init__(self, path: Path, *, program: str, format_now: str) -> None:
        """`program` opens such a file and saves it as `format_now`, for the messages."""
        self._program = program
        self._format_now = format_now
        with self.faults_told():
            with path.open("rb") as file:
                _check_sectors(file)
            self._file = olefile.OleFileIO(str(path))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, name: str) -> bytes | None:
        """Return the stream's bytes; None where there is none of that name.

        Raises:
            TooLarge: it is over `MAX_STREAM_BYTES`.
            DamagedDocument: its sectors are broken.
        """
        with self.faults_told():
            if not self._file.exists(name) or self._file.get_type(name) != olefile.STGTY_STREAM:
                return None
            size = self._file.get_size(name)
            if size > MAX_STREAM_BYTES:
                raise TooLarge(
                    f"The document's text part has {size / 2**20:,.0f} MB: too much to read. "
                    f"Save it as {self._format_now}, or split it, and upload that."
                )
            return bytes(self._file.openstream(name).read())

    def size(self, name: str) -> int | None:
        """Return how many bytes the stream has; None where there is none of that name."""
        with self.faults_told():
            if not self._file.exists(name) or self._file.get_type(name) != olefile.STGTY_STREAM:
                return None
            return int(self._file.get_size(name))

    def names(self) -> list[str]:
        """Return the path of every stream and storage, parted by `/`, in order."""
        with self.faults_told():
            return sorted("/".join(parts) for parts in self._file.listdir(streams=True, storages=True))

    def title(self) -> str | None:
        """Return the title among the file's properties, where it is sound."""
        try:
            found = self._file.get_metadata()
            # What a file does not say is None, and the stubs know none of it.
            text = _decoded(getattr(found, "title", None), getattr(found, "codepage", None))
        except (*_FAULTS, AttributeError):
            return None  # a title is not worth the document
        return text.strip("\0 ") or None

    def damaged(self, why: str) -> DamagedDocument:
        """Return an error that says why, and what to do."""
        return DamagedDocument(
            f"The file is damaged ({why}). Open it in {self._program}, save it as {self._format_now} "
            "and upload that file."
        )

    @contextmanager
    def faults_told(self) -> Iterator[None]:
        """Turn what broken structures raise into `DamagedDocument`."""
        try:
            yield
        except _FAULTS as error:
            raise self.damaged("its structure is broken") from error


def _check_sectors(file: BinaryIO) -> None:
    """Raise ValueError where sectors are too large to be true: the library would read the first one whole."""
    file.seek(_SECTOR_SHIFT_AT)
    shift = int.from_bytes(file.read(2), "little")
    file.seek(0)
    if shift > _MAX_SECTOR_SHIFT:
        raise ValueError(f"sectors of 2**{shift} bytes")


def _decoded(title: bytes | str | None, codepage: int | None) -> str:
    if isinstance(title, bytes):
        # A code page is stored as a signed 16-bit number.
        number = (codepage or 1252) & 0xFFFF
        return title.decode({65001: "utf-8", 10000: "mac_roman"}.get(number, f"cp{number}"), "replace")
    return title or ""
