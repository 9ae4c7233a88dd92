"""Opens a ZIP although names in it are flagged as UTF-8 that are not."""

from __future__ import annotations

import struct
import zipfile
from typing import IO, BinaryIO, Final, cast

_ENTRY: Final = b"PK\1\2"
_ENTRY_BYTES: Final = 46
_ENTRY_FLAGS_AT: Final = 8
_LENGTHS_AT: Final = 28
_HEADER_BYTES: Final = 30
_HEADER_FLAGS_AT: Final = 6
_UTF8_NAME: Final = 0x800


def opened(file: BinaryIO) -> zipfile.ZipFile:
    """Return the archive; closing it leaves the file open.

    A name with the flag that can't be decoded is taken as one without, which names no encoding.

    Raises:
        zipfile.BadZipFile, struct.error, EOFError, OSError, ValueError, LookupError: as `ZipFile`.
    """
    try:
        return zipfile.ZipFile(file)
    except UnicodeDecodeError:
        mended = _Unflagged(file)
        archive = zipfile.ZipFile(cast("IO[bytes]", mended))
        infos = archive.infolist()
        mended.headers = {infos[number].header_offset for number in mended.entries}
        return archive


class _Unflagged:
    """A ZIP with its wrong flags cleared; what `ZipFile` needs of a file and no more.

    Attributes:
        entries: those in the directory that were flagged wrongly, 0-based; known once it was read.
        headers: where their members begin; None until the directory was read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self.entries: list[int] = []
        self.headers: set[int] | None = None
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """Return the bytes; the directory and the fixed part of a header are each read in one piece."""
        place = self.tell()
        data = self._file.read(size)
        if self.headers is None and data.startswith(_ENTRY):
            return self._directory(data)
        if size == _HEADER_BYTES == len(data) and place in (self.headers or ()):
            header = bytearray(data)
            _clear(header, _HEADER_FLAGS_AT)
            return bytes(header)
        return data

    def _directory(self, directory: bytes) -> bytes:
        """Clear the flags of names that can't be decoded (APPNOTE 4.3.12 and 4.4.4)."""
        data, place, number = bytearray(directory), 0, 0
        self.entries = []
        while data.startswith(_ENTRY, place) and place + _ENTRY_BYTES <= len(data):
            name, extra, comment = struct.unpack_from("<3H", data, place + _LENGTHS_AT)
            start = place + _ENTRY_BYTES
            (flags,) = struct.unpack_from("<H", data, place + _ENTRY_FLAGS_AT)
            if flags & _UTF8_NAME and not _is_utf8(data[start : start + name]):
                _clear(data, place + _ENTRY_FLAGS_AT)
                self.entries.append(number)
            place, number = start + name + extra + comment, number + 1
        return bytes(data)


def _clear(data: bytearray, place: int) -> None:
    """Clear the flag in the two bytes of flags there."""
    (flags,) = struct.unpack_from("<H", data, place)
    struct.pack_into("<H", data, place, flags & ~_UTF8_NAME)


def _is_utf8(name: bytearray) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
