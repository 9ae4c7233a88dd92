"""Plain text: decoded as a stream, cut into sections, never whole in memory."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ingest.document import Notice, Unit
from ingest.errors import EmptyDocument
from ingest.formats import RawPage, charsets
from ingest.formats.sections import RUNNING_TEXT, Cuts, sections

_CHUNK_BYTES: Final = 262_144
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SHIFTED: Final = "iso2022_jp_2"
_SHIFTED_WITHIN: Final = 65_536
_ESCAPED_BYTE: Final = re.compile("[\udc00-\udcff]")
_ESCAPED: Final = "unabridged.escaped"
_SHIFTS: Final = re.compile(rb"\x1b(?:\$[@AB]|\$[()][A-Z]|\([A-Z])")
"""What chooses the letters that follow, in ISO-2022's Japanese (RFC 1468, 1554) and Korean (RFC 1557)."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file's bytes are text.

    Attributes:
        name: Python's name of the codec.
        skip: the length of the byte order mark.
        undecodable: how many bytes are none of its characters and are read as U+FFFD.
        guessed: nothing in the file says so.
    """

    name: str
    skip: int = 0
    undecodable: int = 0
    guessed: bool = False

    def notices(self) -> list[Notice]:
        """What the user is told about it."""
        told = []
        if self.guessed:
            detail = f"The text names no encoding and is not UTF-8; it was read as {self.name}."
            told.append(Notice("encoding_guessed", detail))
        if self.undecodable:
            detail = f"{self.undecodable:,} bytes are no text in {self.name} and were replaced by U+FFFD."
            told.append(Notice("undecodable_bytes", detail))
        return told


def find_encoding(path: Path) -> Encoding:
    """Choose the encoding of a text file: its byte order mark, UTF-8, else the likeliest other one.

    UTF-8 with a few broken bytes stays UTF-8: it then still holds more whole characters beyond ASCII than
    broken bytes, which text in another encoding never does.
    """
    with path.open("rb") as file:
        head = file.read(_SHIFTED_WITHIN)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return checked(path, name, skip=len(mark))
    whole, broken = _count(path, "utf-8", skip=0)
    if broken > whole:
        return _guessed(path)
    if not whole and charsets.is_shifted(head):
        return replace(checked(path, _SHIFTED), guessed=True)
    return Encoding("utf-8", undecodable=broken)


def _guessed(path: Path) -> Encoding:
    """The likeliest encoding, unless it fails on more bytes than a cut-off or damaged place explains."""
    likely = charsets.guess(path)
    whole, broken = _count(path, likely, skip=0)
    if broken <= whole // 100 + 1:
        return Encoding(likely, undecodable=broken, guessed=True)
    return replace(checked(path, charsets.WESTERN), guessed=True)


def checked(path: Path, name: str, *, skip: int = 0) -> Encoding:
    """The named encoding, with the count of the bytes that it cannot read."""
    return Encoding(name, skip, undecodable=_count(path, name, skip=skip)[1])


def decode(path: Path, encoding: Encoding) -> Iterator[str]:
    r"""Yield the file's text in pieces of some 256 KB, its line ends as `\n`."""
    carry = ""
    for piece in _decoded(path, encoding.name, skip=encoding.skip):
        text = carry + _ESCAPED_BYTE.sub("\ufffd", piece)
        carry = "\r" if text.endswith("\r") else ""
        yield text.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n")
    if carry:
        yield "\n"


def _decoded(path: Path, name: str, *, skip: int) -> Iterator[str]:
    """Pieces of text in which each undecodable byte is a lone surrogate (in UTF-16 U+FFFD)."""
    if codecs.lookup(name).name.startswith("iso2022"):
        yield from _shifted(path, name, skip=skip)
        return
    decoder = codecs.getincrementaldecoder(name)("replace" if _is_utf16(name) else _ESCAPED)
    with path.open("rb") as file:
        file.seek(skip)
        while chunk := file.read(_CHUNK_BYTES):
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)


def _shifted(path: Path, name: str, *, skip: int) -> Iterator[str]:
    """The same of text whose letters are shifted by escape sequences, which Python reads whole only.

    Its decoder of pieces gives up on a broken sequence. Here each line is one, behind what the lines before
    it have shifted to.
    """
    shifted_to = b""
    with path.open("rb") as file:
        file.seek(skip)
        while line := file.readline(_CHUNK_BYTES):
            yield (shifted_to + line).decode(name, _ESCAPED)
            shifted_to = next(reversed(_SHIFTS.findall(line)), shifted_to)


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Escape as `surrogateescape` does, and bytes of ASCII too: behind a shift they are letters."""
    if isinstance(error, UnicodeDecodeError) and error.object[error.start] < 0x80:  # noqa: PLR2004 - ASCII's end
        return chr(0xDC00 + error.object[error.start]), error.start + 1
    text, end = codecs.lookup_error("surrogateescape")(error)
    return str(text), end


codecs.register_error(_ESCAPED, _escape)


def _count(path: Path, name: str, *, skip: int) -> tuple[int, int]:
    """How many characters beyond ASCII are whole, and how many bytes are broken."""
    whole = broken = 0
    for piece in _decoded(path, name, skip=skip):
        if piece.isascii():
            continue
        bad = len(_ESCAPED_BYTE.findall(piece)) + (piece.count("\ufffd") if _is_utf16(name) else 0)
        whole += len(piece) - len(piece.encode("ascii", "ignore")) - bad
        broken += bad
    return whole, broken


def _is_utf16(name: str) -> bool:
    """Its codec cannot escape bytes."""
    return name.startswith("utf-16")


@dataclass(slots=True)
class PlainReading:
    """A text file, cut twice: once to know how many sections there are, once to give them."""

    path: Path
    media_type: str
    encoding: Encoding
    total: int
    title: str | None = None
    unit: Unit = Unit.SECTION
    notices: list[Notice] = field(default_factory=list)
    cuts: Cuts = RUNNING_TEXT

    def pages(self) -> Iterator[RawPage]:
        """Yield the sections in order."""
        for number, text in enumerate(sections(decode(self.path, self.encoding), self.cuts), start=1):
            yield RawPage(number, text)

    def close(self) -> None:
        """Nothing stays open between pages."""


def open_document(path: Path, media_type: str) -> PlainReading:
    """Open a text file.

    Raises:
        EmptyDocument: blanks alone.
    """
    encoding = find_encoding(path)
    total = sum(1 for _ in sections(decode(path, encoding)))
    if not total:
        raise EmptyDocument("The file holds only blanks. Check that it was saved and upload it again.")
    return PlainReading(path, media_type, encoding, total, notices=encoding.notices())
