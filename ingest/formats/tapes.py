"""TAR, packed or not, and single packed files: read forward once, never whole in memory."""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import sys
import tarfile
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Final, cast

from ingest.document import Enclosed, Notice, Piece, Sealed, Unit
from ingest.errors import DamagedDocument, TooLarge
from ingest.formats import BZIP2, GZIP, TAR, XZ, RawPage, Reading
from ingest.formats.charsets import guess_name
from ingest.formats.enclosed import PIECE_BYTES, LeftOut, Names, damaged, is_bomb, pieces, safe_name
from ingest.signatures import is_tar
from ingest.wire import Beat

MAX_MEMBERS: Final = 200_000
COUNTED_BYTES: Final = 16 * 1024 * 1024
"""A packed tape has no directory: its files are counted in as much of it as unpacks within a second."""
BEAT_SECONDS: Final = 5.0
"""Between two signs of life while members are skipped: a reading with less patience gives way to another."""
MAX_BEATS: Final = 60
"""Skipping for longer than these is silence."""

_BLOCK: Final = 512
_MAX_HEADER: Final = 4 * 1024 * 1024
"""All that may stand before one member's bytes, long names and properties included."""
_FAULTS: Final = (
    *(tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, RecursionError),
    *(EOFError, OSError, ValueError, LookupError, OverflowError, MemoryError),
)
_PACKED_BYTES: Final = 16 * 1024
_GZIP_MAGIC: Final = b"\x1f\x8b\x08"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
"""Asks zlib for gzip's header and checksum."""
_SUFFIXES: Final = {GZIP: ".gz", BZIP2: ".bz2", XZ: ".xz"}
_BROKEN: Final = "The archive is damaged or cut off. Pack its files anew and upload the new archive."


def open_document(path: Path, media_type: str) -> Reading:
    """Open a TAR, or a packed file, which may be one.

    Raises:
        DamagedDocument: its first bytes can't be unpacked or are no member's header.
        TooLarge: it lists more members than any archive of documents.
    """
    with closing(_Tape(path, media_type)) as tape:
        try:
            head = tape.peek()
        except _FAULTS as error:
            raise DamagedDocument(_BROKEN) from error
    if media_type != TAR and not is_tar(head):
        return _PackedReading(path, media_type, total=int(bool(head)))
    return _TarReading(path, media_type, _count(path, media_type))


def _count(path: Path, media_type: str) -> int:
    """Return how many files are offered, of a long packed tape those of its first part and at least one."""
    total = 0
    with closing(_Tape(path, media_type)) as tape:
        for info in _members(tape, []):
            if isinstance(info, Beat):
                continue
            total += info.isreg() and not LeftOut().takes(_name(info), size=info.size, folder=False)
            if tape.packed and info.offset_data + info.size > COUNTED_BYTES:
                return max(total, 1)
    return total


class _Tape:
    """The unpacked bytes of a file, read forward; what `tarfile` needs of one and no more.

    Attributes:
        packed: whether its bytes have to be unpacked.
        allowance: the bytes that `read` may still give.
        last: what `read` gave last.
    """

    def __init__(self, path: Path, media_type: str) -> None:
        self.packed = media_type in _SUFFIXES
        self.allowance = 0
        self.last = b""
        self._place = self._beats = 0
        self._beat_at = time.monotonic()
        self._raw = path.open("rb")
        self._file = _unpacked(self._raw, media_type)

    def peek(self) -> bytes:
        """Return the first block; only before anything else is read."""
        return self._file.read(_BLOCK)

    def tell(self) -> int:
        """Return the place in the unpacked bytes."""
        return self._place

    def read(self, size: int) -> bytes:
        """Return that many bytes, fewer at the end.

        Raises:
            tarfile.ReadError: a header asks for more than any has.
        """
        if not 0 <= size <= self.allowance:
            raise tarfile.ReadError("a header is too long")
        self.allowance -= size
        self.last = self._take(size)
        return self.last

    def seek(self, place: int) -> None:
        """Go forward.

        Raises:
            tarfile.ReadError: a header points backward.
        """
        if place < self._place:
            raise tarfile.ReadError("a header points backward")
        if not self.packed:
            self._place = self._raw.seek(place)
        while self._place < place and self._take(min(PIECE_BYTES, place - self._place)):
            pass

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the next bytes, as many as there are of `size`."""
        while size and (chunk := self._take(min(PIECE_BYTES, size))):
            size -= len(chunk)
            yield chunk

    def skipped(self, place: int) -> Iterator[Beat]:
        """Go forward to the place where that takes unpacking, with signs of life."""
        for _ in self.chunks(max(0, place - self._place)) if self.packed else ():
            if self._beats < MAX_BEATS and time.monotonic() - self._beat_at >= BEAT_SECONDS:
                self._beats += 1
                self._beat_at = time.monotonic()
                yield Beat()

    @property
    def tail(self) -> bool:
        """Whether bytes follow that are not packed as those before."""
        unpacking = self._file.raw if isinstance(self._file, io.BufferedReader) else None
        return isinstance(unpacking, _Gzip) and unpacking.tail

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._raw.close()

    def _take(self, size: int) -> bytes:
        data = self._file.read(size)
        self._place += len(data)
        if self.packed and is_bomb(self._place, self._raw.tell()):
            raise TooLarge(
                f"The archive unpacks to {self._place / 2**20:,.0f} MB of almost nothing, as a bomb does. "
                "Upload the files themselves."
            )
        return data


class _Gzip(io.RawIOBase):
    """The unpacked bytes of gzip members one after another (RFC 1952, 2.2), up to what is none.

    Attributes:
        tail: whether something else follows the members; zeros are padding.
    """

    def __init__(self, packed: BinaryIO) -> None:
        self.tail = False
        self._packed = packed
        self._member = zlib.decompressobj(_GZIP_WINDOW)

    def readable(self) -> bool:
        """Say so."""
        return True

    def readinto(self, into: Any) -> int:  # noqa: ANN401 - any buffer
        """Fill some of the buffer, nothing at the end.

        Raises:
            EOFError: the file ends within a member.
            zlib.error: a member is damaged.
        """
        view, data = memoryview(into).cast("B"), b""
        while not data and not (self._member.eof and not self._next()):
            packed = self._member.unconsumed_tail or self._packed.read(_PACKED_BYTES)
            data = self._member.decompress(packed, len(view))
            if not packed and not data and not self._member.eof:
                raise EOFError("the file ends within a member")
        view[: len(data)] = data
        return len(data)

    def _next(self) -> bool:
        """Begin another member; return whether there is one."""
        rest = self._member.unused_data.lstrip(b"\0")
        while not rest and (more := self._packed.read(_PACKED_BYTES)):
            rest = more.lstrip(b"\0")
        if 0 < len(rest) < len(_GZIP_MAGIC):
            rest += self._packed.read(_PACKED_BYTES)
        if not rest.startswith(_GZIP_MAGIC):
            self.tail = self.tail or bool(rest)
            return False
        self._packed.seek(self._packed.tell() - len(rest))
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        return True


def _unpacked(raw: BinaryIO, media_type: str) -> BinaryIO:
    if media_type == GZIP:
        return io.BufferedReader(_Gzip(raw), PIECE_BYTES)
    if media_type == BZIP2:
        return cast("BinaryIO", bz2.BZ2File(raw))
    return cast("BinaryIO", lzma.LZMAFile(raw)) if media_type == XZ else raw


def _members(tape: _Tape, notices: list[Notice]) -> Iterator[tarfile.TarInfo | Beat]:
    """Yield the headers in order, the tape standing at each one's bytes; a break is told in `notices`.

    Between them come signs of life while bytes that nobody took are passed over.

    Raises:
        DamagedDocument: the first one is broken already.
        TooLarge: there are more than `MAX_MEMBERS`.
    """
    number = 0
    try:
        tape.allowance = _MAX_HEADER
        with tarfile.TarFile(
            fileobj=cast("BinaryIO", tape), encoding="utf-8", errors="surrogateescape"
        ) as archive:
            while (info := archive.next()) is not None:
                number += 1
                if number > MAX_MEMBERS:
                    raise TooLarge(
                        f"The archive lists over {MAX_MEMBERS:,} files. Upload what you want to ask about."
                    )
                vars(archive)["members"] = []  # it would keep them all
                tape.seek(info.offset_data)
                yield info
                yield from tape.skipped(archive.offset)
                tape.allowance = _MAX_HEADER
        if tape.last.strip(b"\0"):
            raise tarfile.ReadError("no header where one has to be")
    except _FAULTS as error:
        if not number:
            raise DamagedDocument(_BROKEN) from error
        detail = f"The archive is damaged or cut off after {number:,} members; what follows is not read."
        notices.append(Notice("archive_damaged", detail))


def _name(info: tarfile.TarInfo) -> str:
    raw = info.name.encode("utf-8", "surrogateescape")
    return raw.decode(guess_name(raw, "cp1252"), "replace")


@dataclass(slots=True)
class _TarReading:
    """A tape, run through once to count its files and once to give them."""

    path: Path
    media_type: str
    total: int
    unit: Unit = Unit.FILE
    title: str | None = None
    notices: list[Notice] = field(default_factory=list)

    def pages(self) -> Iterator[RawPage]:
        """Yield nothing: an archive has no text of its own."""
        return iter(())

    def files(self) -> Iterator[Enclosed | Piece | Sealed | Beat]:
        """Yield the members in their order."""
        names, left_out = Names(self.notices), LeftOut()
        with closing(_Tape(self.path, self.media_type)) as tape:
            for info in _members(tape, self.notices):
                if isinstance(info, Beat):
                    yield info
                    continue
                raw = _name(info)
                if told := _not_read(info, safe_name(raw)[0]):
                    self.notices.append(told)
                elif not left_out.takes(raw, size=info.size, folder=info.isdir()):
                    yield from _content(tape, info, names.take(raw))
        self.notices += left_out.notices()

    def close(self) -> None:
        """Nothing stays open between files."""


def _content(tape: _Tape, info: tarfile.TarInfo, name: str) -> Iterator[Enclosed | Piece | Sealed]:
    yield Enclosed(name)
    if info.issparse():
        yield Sealed(Notice("file_unsupported", f"{name} is stored with holes, which is not read."))
        return
    before = tape.tell()
    try:
        yield from pieces(tape.chunks(info.size))
    except _FAULTS:
        yield damaged(name, "it can't be unpacked")
        return
    whole = tape.tell() - before == info.size
    yield Sealed() if whole else damaged(name, "the archive ends before it does")


def _not_read(info: tarfile.TarInfo, name: str) -> Notice | None:
    """Return why a member is no file to read; None where it is one, or a folder."""
    if info.issym() or info.islnk():
        return Notice("link_not_read", f"{name} is a link, which is not followed.")
    if not info.isreg() and not info.isdir():
        return Notice("device_not_read", f"{name} is a device or of an unknown kind, which is not read.")
    return None


@dataclass(slots=True)
class _PackedReading:
    """One file that is packed by itself.

    Attributes:
        filename: what the sender calls the packed file.
    """

    path: Path
    media_type: str
    total: int
    filename: str = ""
    unit: Unit = Unit.FILE
    title: str | None = None
    notices: list[Notice] = field(default_factory=list)

    def called(self, filename: str) -> None:
        """Take the name that the file inside is named by."""
        self.filename = filename

    def pages(self) -> Iterator[RawPage]:
        """Yield nothing: it has no text of its own."""
        return iter(())

    def files(self) -> Iterator[Enclosed | Piece | Sealed]:
        """Yield the one file."""
        name = Names(self.notices).take(_inner_name(self.filename, self.media_type))
        yield Enclosed(name)
        with closing(_Tape(self.path, self.media_type)) as tape:
            try:
                yield from pieces(tape.chunks(sys.maxsize))
            except _FAULTS:
                yield damaged(name, "it can't be unpacked to its end")
                return
            if tape.tail:
                detail = f"Bytes that are not packed follow {name}; they are not read."
                self.notices.append(Notice("archive_damaged", detail))
        yield Sealed()

    def close(self) -> None:
        """Nothing stays open."""


def _inner_name(filename: str, media_type: str) -> str:
    """Return the name without the suffix of its packing; a plain word where that leaves nothing."""
    path = PurePath(filename.replace("\\", "/"))
    return (path.stem if path.suffix.lower() == _SUFFIXES[media_type] else path.name) or "contents"
