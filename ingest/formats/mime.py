"""The parts of a mail (RFC 5322, RFC 2045 to 2049) as places in its file, however deep and large.

The standard library's parser holds a mail whole, several times over, and follows nested parts by recursion;
here only headers are ever in memory. It still reads a field's parameters.
"""

from __future__ import annotations

import binascii
import quopri
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import BinaryIO, Final

from ingest.errors import TooLarge
from ingest.formats import shifted
from ingest.formats.codecnames import is_text

MAX_DEPTH: Final = 100
MAX_PARTS: Final = 10_000
MAX_HEADER_BYTES: Final = 256 * 1024

_LINE_BYTES: Final = 64 * 1024
_CHUNK_BYTES: Final = 192 * 1024
_MAX_PARAMETERS: Final = 8_192
_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_FOLD: Final = re.compile(r"\r?\n(?=[ \t])|[\r\n]+")
_ENCODED: Final = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?\r\n]*)\?=")
_BETWEEN_WORDS: Final = re.compile(r"(\?=)\s+(?==\?[^?\s]{1,60}\?[bBqQ]\?)")
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n"
_NOT_BASE64: Final = bytes(set(range(256)) - set(_BASE64.rstrip()))
# What these names mean in the wild (WHATWG Encoding Standard, section 4.2).
_CHARSETS: Final = {
    **dict.fromkeys(("ascii", "us-ascii", "ansi_x3.4-1968", "unknown-8bit", "default"), ""),
    **dict.fromkeys(("iso-8859-1", "latin1"), "windows-1252"),
    **dict.fromkeys(("gb2312", "gbk", "gb_2312-80"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987"), "cp949"),
    "iso-8859-8-i": "iso-8859-8",
    "windows-874": "cp874",
    "x-euc-jp": "euc_jp",
}


class Broken(Exception):
    """A part's bytes are not what its header says."""


class Trailing(Broken):
    """Behind a part's bytes, which are whole, stand some that are no part of them."""


@dataclass(slots=True, eq=False)
class Part:
    """One part of a mail.

    Attributes:
        fields: of its header, by name in lower case; unfolded, not decoded.
        start, end: where its bytes stand in the file.
        whole: whether its end was there.
        parts: those inside it, where it is a multipart.
        otherwise: what it is if it doesn't say.
    """

    fields: dict[str, list[str]]
    start: int
    end: int
    whole: bool = True
    parts: list[Part] = field(default_factory=list)
    otherwise: str = "text/plain"

    def text_of(self, name: str) -> str:
        """Return the field on one line and decoded; several of one name are joined, none are ""."""
        return ", ".join(filter(None, (decoded_words(value) for value in self.fields.get(name, ()))))

    @property
    def media_type(self) -> str:
        """What it says it is, in lower case."""
        said = self._value("content-type").partition(";")[0].strip().lower()
        return said if re.fullmatch(r"[!-~]+/[!-~]+", said) else self.otherwise

    @property
    def disposition(self) -> str:
        """`attachment`, `inline` or ""."""
        return self._value("content-disposition").partition(";")[0].strip().lower()

    @property
    def encoding(self) -> str:
        """How its bytes were made fit for transfer."""
        return self._value("content-transfer-encoding").partition(";")[0].strip().lower()

    @property
    def filename(self) -> str:
        """The name that the sender gave it, "" where there is none."""
        name = self.parameter("filename", "content-disposition") or self.parameter("name")
        return decoded_words(name)

    def parameter(self, name: str, of: str = "content-type") -> str:
        """Return a parameter of a field, put together and decoded (RFC 2231); "" where there is none."""
        message = Message()
        message["X"] = self._value(of)[:_MAX_PARAMETERS]
        try:
            value = message.get_param(name, "", header="X")
            return collapse_rfc2231_value(value if isinstance(value, tuple) else str(value)).strip()
        except (ValueError, LookupError, TypeError):
            return ""

    def _value(self, name: str) -> str:
        return next(iter(self.fields.get(name, ())), "")


def structure(file: BinaryIO, start: int, end: int) -> Part:
    """Return the mail between these places of the file with all its parts.

    Raises:
        TooLarge: it has more than `MAX_PARTS`.
    """
    walk = _Walk(Part({}, start, end))
    for place, line, begins in _lines(file, start, end):
        walk.take(place, line, begins=begins)
    return walk.finished(end)


class _Walk:
    """The parts that are open, from the mail itself to the innermost."""

    def __init__(self, root: Part) -> None:
        self._root = root
        self._open: list[tuple[bytes, Part]] = []
        self._levels: dict[bytes, int] = {}
        self._part: Part | None = root
        self._head: list[bytes] | None = []
        self._head_bytes = self._head_start = self._count = 0
        self._line_end = 0

    def take(self, place: int, line: bytes, *, begins: bool) -> None:
        """Follow one line, or a piece of a very long one; `begins` where it is a line's first."""
        if begins and line.startswith(b"--") and self._delimits(place, line.rstrip()[2:]):
            pass
        elif self._head is not None:
            self._take_head(place, line, begins=begins)
        ending = 2 if line.endswith(b"\r\n") else int(line.endswith(b"\n"))
        self._line_end = ending

    def finished(self, end: int) -> Part:
        """Return the mail once its last line is taken."""
        if self._head is not None:
            self._end_head(end)
        if self._part is not None:
            self._part.end = max(self._part.start, end)
            self._part.whole = not self._open
        return self._root

    def _take_head(self, place: int, line: bytes, *, begins: bool) -> None:
        if self._head is None:
            return
        if begins and not line.strip(b"\r\n"):
            self._end_head(place + len(line))
        elif self._head_bytes < MAX_HEADER_BYTES:
            self._head_start = self._head_start if self._head else place
            self._head.append(line)
            self._head_bytes += len(line)

    def _end_head(self, start: int) -> None:
        part, head = self._part, self._head
        self._head, self._head_bytes = None, 0
        if part is None or head is None:
            return
        part.fields = fields_of(b"".join(head))
        part.start = start if part.fields or not head else self._head_start  # without a field it is text
        part.end = max(part.end, start)
        boundary = part.parameter("boundary").encode("utf-8", "surrogateescape").rstrip()
        if part.media_type.startswith("multipart/") and boundary and len(self._open) < MAX_DEPTH:
            self._open.append((boundary, part))
            self._levels[boundary] = len(self._open) - 1
            self._part = None

    def _delimits(self, place: int, said: bytes) -> bool:
        """Follow the line if it parts or ends an open multipart."""
        level = self._levels.get(said)
        closes = level is None and said.endswith(b"--")
        level = self._levels.get(said[:-2]) if closes else level
        if level is None:
            return False
        if self._head is not None:
            self._end_head(place)
        if self._part is not None:
            self._part.end = max(self._part.start, place - self._line_end)
        self._part = None
        del self._open[level + (0 if closes else 1) :]
        self._levels = {boundary: number for number, (boundary, _) in enumerate(self._open)}
        if not closes:
            self._begin(place)
        return True

    def _begin(self, place: int) -> None:
        self._count += 1
        if self._count > MAX_PARTS:
            raise TooLarge(
                f"The mail has over {MAX_PARTS:,} parts. Save the attachments that matter and upload those."
            )
        around = self._open[-1][1]
        kind = "message/rfc822" if around.media_type == "multipart/digest" else "text/plain"
        self._part, self._head = Part({}, place, place, otherwise=kind), []
        around.parts.append(self._part)


def _lines(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, bytes, bool]]:
    """Yield each line with its place; a very long one in pieces, of which the first says that it begins."""
    file.seek(start)
    begins = True
    while start < end and (line := file.readline(min(_LINE_BYTES, end - start))):
        yield start, line, begins
        start += len(line)
        begins = line.endswith(b"\n")


def fields_of(head: bytes) -> dict[str, list[str]]:
    """Return a header's fields by name in lower case, unfolded; lines that are none are passed over."""
    found: dict[str, list[str]] = {}
    for line in re.split(rb"\r?\n(?![ \t])", head):
        if match := _FIELD.match(line):
            value = _FOLD.sub("", _said(match[2])).strip()
            found.setdefault(match[1].decode("ascii").lower(), []).append(value)
    return found


def _said(value: bytes) -> str:
    """Return a field's bytes as text: UTF-8 (RFC 6532), else what old programs wrote."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("windows-1252", "replace")


def decoded_words(value: str) -> str:
    """Return the text with its encoded words decoded (RFC 2047), on one line."""
    if "=?" not in value:
        return " ".join(value.split())
    value = _BETWEEN_WORDS.sub(r"\1", value)
    made: list[str] = []
    run, charset, place = b"", "", 0
    for match in _ENCODED.finditer(value):
        name = match[1].partition("*")[0].lower()
        if run and (match.start() > place or name != charset):
            made.append(decoded(run, charset)[0])
            run = b""
        made.append(value[place : match.start()])
        run, charset, place = run + _word(match[2], match[3]), name, match.end()
    made += [decoded(run, charset)[0], value[place:]]
    return " ".join("".join(made).split())


def _word(way: str, text: str) -> bytes:
    data = text.encode("ascii", "replace")
    if way in "qQ":
        return quopri.decodestring(data, header=True)
    made = bytearray()
    with suppress(Broken):
        for chunk in _base64([data]):
            made += chunk
    return bytes(made)


def decoded(data: bytes, charset: str) -> tuple[str, bool]:
    """Return the bytes as text, and whether none was lost; without a name UTF-8, else windows-1252."""
    said = charset.strip().lower()
    name = _CHARSETS.get(said, said)
    if shifted.is_japanese(name) and (data.isascii() or b"\x1b" in data):
        return shifted.japanese(data)
    sure = shifted.is_stateful(name) and data.isascii()
    for codec in (name,) if sure else (name, "utf-8"):
        if is_text(codec):
            with suppress(ValueError):
                return data.decode(codec), True
    codec = name if is_text(name) else "windows-1252"
    return data.decode(codec, "replace"), not name


def content(file: BinaryIO, part: Part) -> Iterator[bytes]:
    """Yield a part's bytes as they were before transfer, in chunks of at most 192 KiB.

    Raises:
        Broken: they are not what the header says; what came before is right.
    """
    raw = _raw(file, part.start, part.end)
    if part.encoding == "base64":
        return _base64(raw)
    if part.encoding == "quoted-printable":
        return _quoted(raw)
    return raw


def ends_well(file: BinaryIO, part: Part) -> bool:
    """Whether a part of a mail that is cut off may be whole: text, or base64 with a sound last line."""
    if part.media_type.startswith("text/"):
        return True
    if part.encoding != "base64":
        return False
    file.seek(max(part.start, part.end - _LINE_BYTES))
    lines = file.read(min(_LINE_BYTES, part.end - part.start)).split()
    return bool(lines) and len(lines[-1].translate(None, _NOT_BASE64)) % 4 == 0


def _raw(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        file.seek(start)
        chunk = file.read(min(_CHUNK_BYTES, end - start))
        if not chunk:
            return
        start += len(chunk)
        yield chunk


def _base64(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decode; what is no digit between is passed over (RFC 2045, 6.8).

    Behind a padding, as where a file was encoded in pieces, more is decoded if there is nothing but digits.
    """
    held, padded = b"", False
    for chunk in chunks:
        data = chunk
        while data:
            if padded and data.translate(None, _BASE64):
                raise Trailing
            digits, padding, data = data.partition(b"=")
            held += digits.translate(None, _NOT_BASE64)
            if not padding and (not padded or len(held) > _CHUNK_BYTES):
                whole = len(held) - len(held) % 4
                yield binascii.a2b_base64(held[:whole])
                held = held[whole:]
            elif padding:
                yield _last(held)
                held, padded = b"", True
    if padded and len(held) % 4:
        raise Trailing
    yield _last(held)


def _last(digits: bytes) -> bytes:
    if len(digits) % 4 == 1:
        raise Broken
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _quoted(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for chunk in chunks:
        data = held + chunk
        cut = data.rfind(b"=", max(len(data) - 3, 0))
        cut = len(data) if cut < 0 else cut
        yield binascii.a2b_qp(data[:cut])
        held = data[cut:]
    yield binascii.a2b_qp(held)
