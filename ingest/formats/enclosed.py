"""Files inside a document: their names made safe to show, what of them is left out, and why."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from ingest.document import Notice, Piece, Sealed
from ingest.litter import is_litter

PIECE_BYTES: Final = 256 * 1024
MAX_RATIO: Final = 400
"""Unpacked to packed. Text reaches 20, tables of zeros 200; bombs reach 1,000 and more."""
RATIO_COUNTS_FROM: Final = 64 * 1024 * 1024

_MAX_PART: Final = 200
_MAX_PARTS: Final = 40
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_NAMELESS: Final = "unnamed"


def is_bomb(unpacked: int, packed: int) -> bool:
    """Whether so many bytes out of so few are no honest file."""
    return unpacked > RATIO_COUNTS_FROM and unpacked > MAX_RATIO * packed


def safe_name(raw: str) -> tuple[str, bool]:
    """Return the path without what could mislead, and whether it had any of it.

    What goes: control and direction characters, drive letters, a leading `/`, `..`. A backslash parts
    folders, as some programs write it, and is nothing to tell of.
    """
    harmless = raw.isascii() and raw.isprintable()
    clean = raw if harmless else "".join(" " if _misleads(one) else one for one in raw)
    path = clean.replace("\\", "/")
    unsafe = clean != raw or path.startswith("/")
    parts = []
    for number, part in enumerate(path.split("/")):
        kept = _DRIVE.sub("", part, count=1) if number == 0 and _DRIVE.match(part) else part
        unsafe = unsafe or kept != part or kept.strip() == ".."
        if kept.strip() not in {"", ".", ".."}:
            parts.append(_shortened(unicodedata.normalize("NFC", kept.strip())))
    return "/".join(parts[-_MAX_PARTS:]) or _NAMELESS, unsafe


def _misleads(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _shortened(part: str) -> str:
    if len(part) <= _MAX_PART:
        return part
    suffix = PurePosixPath(part).suffix[:20]
    return part[: _MAX_PART - len(suffix)] + suffix


@dataclass(slots=True)
class Names:
    """Names of the files inside one document, each given once.

    Attributes:
        notices: where a name that had to be made safe is told.
    """

    notices: list[Notice]
    _taken: Counter[str] = field(default_factory=Counter)

    def take(self, raw: str, *, under: str = "") -> str:
        """Return a safe name that no other file has, inside of the folder `under` where there is one."""
        name, unsafe = safe_name(raw)
        name = f"{under}/{name}" if under else name
        path = PurePosixPath(name)
        while name in self._taken:
            self._taken[str(path)] += 1
            name = str(path.with_name(f"{path.stem} ({self._taken[str(path)]}){path.suffix}"))
        self._taken[name] = 1
        if unsafe:
            detail = f"The path of {name} led elsewhere or held control characters; it is shown without them."
            self.notices.append(Notice("unsafe_path", detail))
        return name


@dataclass(slots=True)
class LeftOut:
    """How many members of an archive are no files to read."""

    empty: int = 0
    folders: int = 0
    litter: int = 0

    def takes(self, name: str, *, size: int, folder: bool) -> bool:
        """Whether the member is left out; it is counted then."""
        if is_litter(safe_name(name)[0].split("/")):
            self.litter += 1
        elif folder:
            self.folders += 1
        elif size == 0:
            self.empty += 1
        else:
            return False
        return True

    def notices(self) -> list[Notice]:
        """Return what the user is told; folders alone are worth no word."""
        told = []
        if self.empty:
            beside = f", and folders: {self.folders:,}" if self.folders else ""
            told.append(Notice("empty_files", f"Empty files are left out: {self.empty:,}{beside}."))
        if self.litter:
            detail = f"Hidden files and those that systems leave behind are left out: {self.litter:,}."
            told.append(Notice("system_files", detail))
        return told


def damaged(name: str, why: str) -> Sealed:
    """Return the end of a file that is not whole."""
    return Sealed(Notice("file_damaged", f"{name} is damaged ({why}) and is left out."))


def pieces(chunks: Iterable[bytes]) -> Iterator[Piece]:
    """Yield the bytes in pieces of the right size, whatever sizes they come in."""
    held = bytearray()
    for chunk in chunks:
        if not held and len(chunk) == PIECE_BYTES:
            yield Piece(chunk)
            continue
        held += chunk
        while len(held) >= PIECE_BYTES:
            yield Piece(bytes(held[:PIECE_BYTES]))
            del held[:PIECE_BYTES]
    if held:
        yield Piece(bytes(held))
