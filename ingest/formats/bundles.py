"""ZIP: its members as files of their own, read as a stream and never written anywhere."""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, BinaryIO, Final

from ingest import zipdirectory
from ingest.document import Enclosed, Notice, Piece, Sealed, Unit
from ingest.errors import DamagedDocument, EncryptedDocument
from ingest.formats import RawPage
from ingest.formats.charsets import guess_name
from ingest.formats.enclosed import PIECE_BYTES, LeftOut, Names, damaged, is_bomb, pieces, safe_name

_FAULTS: Final = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, ValueError, LookupError, OverflowError, RuntimeError, MemoryError),
)
"""What broken members raise; a memory error is a decompressor's that is asked for an absurd dictionary."""
_ENCRYPTED: Final = 0x1
_UTF8_NAME: Final = 0x800
_OLD_NAMES: Final = ("cp437", "cp1252", "cp850")
"""What Western names without a flag are in: by APPNOTE the first, and Windows programs write the others."""
_UNIX: Final = 3
_LOCAL_HEADER: Final = 30
_UNICODE_PATH: Final = 0x7075
_BOUNDED: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""The methods whose output zipfile bounds; of the others it gets small bites."""
_BITE: Final = 4_096
_BROKEN: Final = "The archive is damaged ({}). Pack its files anew and upload the new archive."
_LOCKED: Final = "The archive's files are locked with a password. Pack them without one and upload it again."


def open_document(path: Path, media_type: str) -> _ZipReading:
    """Open a ZIP.

    Raises:
        DamagedDocument: its directory can't be read, or its members overlap, as in a bomb.
        EncryptedDocument: every file in it is locked.
    """
    with ExitStack() as opened:
        file = opened.enter_context(path.open("rb"))
        try:
            archive = zipdirectory.opened(file)
        except _FAULTS as error:
            raise DamagedDocument(_BROKEN.format("its directory can't be read")) from error
        reading = _ZipReading(file, archive, media_type)
        opened.pop_all()
    return reading


@dataclass(slots=True)
class _ZipReading:
    """An open ZIP; its members are chosen once, by what its directory says."""

    file: BinaryIO
    archive: zipfile.ZipFile
    media_type: str
    unit: Unit = Unit.FILE
    title: str | None = None
    notices: list[Notice] = field(default_factory=list)
    _members: list[tuple[str, zipfile.ZipInfo]] = field(default_factory=list)

    def __post_init__(self) -> None:
        infos = self.archive.infolist()
        _refuse_overlap(infos, self.archive.start_dir)
        left_out, locked = LeftOut(), 0
        for info, name in zip(infos, _names(infos), strict=True):
            if left_out.takes(name, size=info.file_size, folder=info.filename.endswith("/")):
                continue
            if told := _not_read(info, safe_name(name)[0]):
                self.notices.append(told)
                locked += told.code == "file_encrypted"
            else:
                self._members.append((name, info))
        if locked and not self._members:
            raise EncryptedDocument(_LOCKED)
        self.notices += left_out.notices()

    @property
    def total(self) -> int:
        """How many files there are to read."""
        return len(self._members)

    def pages(self) -> Iterator[RawPage]:
        """Yield nothing: an archive has no text of its own."""
        return iter(())

    def files(self) -> Iterator[Enclosed | Piece | Sealed]:
        """Yield the members in the order of the directory."""
        names = Names(self.notices)
        for raw, info in self._members:
            name = names.take(raw)
            yield Enclosed(name)
            yield from self._content(name, info)

    def close(self) -> None:
        """Close the file."""
        self.archive.close()
        self.file.close()

    def _content(self, name: str, info: zipfile.ZipInfo) -> Iterator[Piece | Sealed]:
        size = 0
        try:
            with self.archive.open(info) as stream:
                for piece in pieces(_chunks(stream, info)):
                    size += len(piece.data)
                    if is_bomb(size, info.compress_size):
                        yield Sealed(
                            Notice("file_too_large", f"{name} unpacks beyond reason, as a bomb does.")
                        )
                        return
                    yield piece
        except NotImplementedError:
            detail = f"{name} is packed in a way that is not known here (method {info.compress_type})."
            yield Sealed(Notice("file_unsupported", detail))
        except _FAULTS:
            yield damaged(name, "it can't be unpacked, or its checksum is wrong")
        else:
            yield Sealed()


def _chunks(stream: IO[bytes], info: zipfile.ZipInfo) -> Iterator[bytes]:
    size = PIECE_BYTES if info.compress_type in _BOUNDED else _BITE
    while chunk := stream.read(size):
        yield chunk


def _not_read(info: zipfile.ZipInfo, name: str) -> Notice | None:
    """Return why a member is not even tried; None where it is."""
    mode = info.external_attr >> 16
    if info.create_system == _UNIX and stat.S_ISLNK(mode):
        return Notice("link_not_read", f"{name} is a link, which is not followed.")
    if info.create_system == _UNIX and stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return Notice("device_not_read", f"{name} is a device, which is not read.")
    if info.flag_bits & _ENCRYPTED:
        return Notice("file_encrypted", f"{name} is locked with a password and is left out.")
    return None


def _refuse_overlap(infos: list[zipfile.ZipInfo], directory: int) -> None:
    """Members that share bytes let a small file unpack to any size (D. Fifield, WOOT '19)."""
    spans = sorted(
        (one.header_offset, one.header_offset + _LOCAL_HEADER + one.compress_size) for one in infos
    )
    for (_, end), (start, _) in pairwise([*spans, (directory, directory)]):
        if start < end:
            raise DamagedDocument(_BROKEN.format("its members overlap, as in a bomb"))


def _names(infos: list[zipfile.ZipInfo]) -> list[str]:
    """Return the members' paths; those that name no encoding are UTF-8 if all are, else guessed together."""
    old = [_raw_name(info) for info in infos if not info.flag_bits & _UTF8_NAME]
    encoding = guess_name(b"\n".join(raw for raw in old if not raw.isascii()), *_OLD_NAMES)
    return [_name(info, encoding) for info in infos]


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    """Return the name's bytes, which zipfile took for cp437 (APPNOTE appendix D)."""
    return info.orig_filename.encode("cp437", "replace")


def _name(info: zipfile.ZipInfo, encoding: str) -> str:
    if info.flag_bits & _UTF8_NAME:
        return info.orig_filename
    raw = _raw_name(info)
    return _unicode_path(info.extra, raw) or raw.decode(encoding, "replace")


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """Return the name in the field for it, if it speaks of this very name (APPNOTE 4.6.9)."""
    place = 0
    while place + 9 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, place)
        field_data = extra[place + 4 : place + 4 + size]
        if kind == _UNICODE_PATH and field_data[1:5] == zlib.crc32(raw).to_bytes(4, "little"):
            return field_data[5:].decode("utf-8", "replace")
        place += 4 + size
    return None
