"""Messages in an Outlook file ([MS-OXMSG]): their properties, recipients and attachments by number."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from struct import iter_unpack
from typing import Final

from ingest.document import Notice
from ingest.errors import TooLarge
from ingest.formats import packedrtf, richtext
from ingest.formats.archive import on_one_line
from ingest.formats.compound import MAX_STREAM_BYTES, Streams
from ingest.formats.letters import MAX_BODY_BYTES, from_html
from ingest.formats.mime import decoded, fields_of
from ingest.normalize import normalize
from ingest.quality import visible

# Properties by their numbers ([MS-OXPROPS] 2).
MESSAGE_CLASS: Final = 0x001A
SUBJECT: Final = 0x0037
LONG_NAME, SHORT_NAME, DISPLAY_NAME, EXTENSION = 0x3707, 0x3704, 0x3001, 0x3703
DATA: Final = 0x3701
MIME_TYPE: Final = 0x370E
CONTENT_ID: Final = 0x3712
_BODY, _HTML, _RTF = 0x1000, 0x1013, 0x1009
_TRANSPORT_HEADERS: Final = 0x007D
_DATES: Final = (0x0039, 0x0E06, 0x3007)
_SENDERS: Final = ((0x0C1A, 0x5D01, 0x0C1F), (0x0042, 0x5D02, 0x0065))
_RECIPIENT: Final = (0x3001, 0x39FE, 0x3003)
_RECIPIENT_KIND: Final = 0x0C15
_KINDS: Final = {1: ("To", 0x0E04), 2: ("Cc", 0x0E03), 3: ("Bcc", 0x0E02)}
_CODE_PAGES: Final = (0x3FFD, 0x3FDE)
_INTERNET_PAGE: Final = 0x3FDE

_UNICODE, _ANSI, _BINARY, _OBJECT, _TIME = 0x001F, 0x001E, 0x0102, 0x000D, 0x0040
_PROPERTIES: Final = "__properties_version1.0"
_STORAGE: Final = re.compile(r"__(recip|attach)_version1\.0_#[0-9A-Fa-f]{8}")
_EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)
_MAX_STORAGES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Item:
    """A message, a recipient or an attachment.

    Attributes:
        place: its storage, "" at the top of the file or with a `/` at the end.
        fixed: its properties of fixed length, by number; eight bytes each.
        page: the code page of its 8-bit texts.
    """

    streams: Streams
    place: str
    fixed: dict[int, bytes] = field(default_factory=dict)
    page: str = "windows-1252"

    def data(self, number: int) -> bytes | None:
        """Return a property's bytes; None where it has none.

        Raises:
            TooLarge: there are too many.
            DamagedDocument: they can't be read.
        """
        return self.streams.read(self.stream_of(number, _BINARY))

    def size(self, number: int) -> int:
        """Return how many bytes a property has, 0 where there is none."""
        return self.streams.size(self.stream_of(number, _BINARY)) or 0

    def text(self, number: int) -> str:
        """Return a property's text, "" where it has none or one beyond reason."""
        try:
            if (data := self.streams.read(self.stream_of(number, _UNICODE))) is not None:
                return data.decode("utf-16-le", "replace").rstrip("\0")
            if (data := self.streams.read(self.stream_of(number, _ANSI))) is not None:
                return decoded(data, self.page)[0].rstrip("\0")
        except TooLarge:
            return ""
        return ""

    def number(self, number: int) -> int:
        """Return a property that is a number, 0 where it has none."""
        return int.from_bytes(self.fixed.get(number, b"")[:4], "little")

    @property
    def enclosed(self) -> str:
        """Where the message or object stands that is attached as a storage."""
        return self.stream_of(DATA, _OBJECT) + "/"

    def stream_of(self, number: int, kind: int) -> str:
        """Return the name of the stream that holds a property of this kind."""
        return f"{self.place}__substg1.0_{number:04X}{kind:04X}"


def item(streams: Streams, place: str, *, header: int, page: str = "windows-1252") -> Item:
    """Return what stands in this storage, whose properties begin after a header of so many bytes (2.4)."""
    data = (streams.read(f"{place}{_PROPERTIES}") or b"")[header:]
    found = {number: value for _, number, _, value in iter_unpack("<HHI8s", data[: len(data) // 16 * 16])}
    for number in _CODE_PAGES:
        if code := int.from_bytes(found.get(number, b"")[:4], "little"):
            page = {65001: "utf-8", 20127: "ascii", 28591: "iso-8859-1"}.get(code, f"cp{code}")
            break
    return Item(streams, place, found, page)


def is_message(streams: Streams, place: str) -> bool:
    """Whether a message stands in this storage."""
    return streams.read(f"{place}{_PROPERTIES}") is not None


def inside(message: Item, kind: str, names: list[str]) -> list[Item]:
    """Return a message's items of the kind, `recip` or `attach`; `names` are all paths of the file."""
    found = list[Item]()
    for name in names:
        rest = name[len(message.place) :]
        match = _STORAGE.fullmatch(rest) if name.startswith(message.place) else None
        if match and match[1] == kind and len(found) < _MAX_STORAGES:
            found.append(item(message.streams, f"{name}/", header=8, page=message.page))
    return found


def values(message: Item, names: list[str]) -> dict[str, str]:
    """Return the fields of a message's header that a reader sees."""
    listed: dict[str, list[str]] = {}
    for one in inside(message, "recip", names):
        kind = _KINDS.get(one.number(_RECIPIENT_KIND) & 0xF, _KINDS[1])[0]
        if said := _address(one, *_RECIPIENT):
            listed.setdefault(kind, []).append(said)
    found = {kind: ", ".join(listed.get(kind) or [message.text(shown)]) for kind, shown in _KINDS.values()}
    found["From"] = next(filter(None, (_address(message, *numbers) for numbers in _SENDERS)), "")
    found["Date"] = _date(message)
    found["Subject"] = message.text(SUBJECT)
    return {name: on_one_line(value) for name, value in found.items()}


def _address(one: Item, name: int, smtp: int, mail: int) -> str:
    said, address = one.text(name).strip(), (one.text(smtp) or one.text(mail)).strip()
    if "@" not in address:  # an entry of an Exchange directory
        return said or address
    return f"{said} <{address}>" if said and said.casefold() != address.casefold() else address


def _date(message: Item) -> str:
    for number in _DATES:
        if ticks := int.from_bytes(message.fixed.get(number, b""), "little"):
            try:
                return format_datetime(_EPOCH + timedelta(microseconds=ticks // 10))
            except (OverflowError, ValueError):
                continue
    head = message.text(_TRANSPORT_HEADERS)[:65_536].encode("utf-8", "replace")
    return next(iter(fields_of(head).get("date", ())), "")


def body(message: Item) -> tuple[str, list[Notice]]:
    """Return a message's text and what is told of it: as it is, else from its HTML, else from its RTF."""
    text, rtf = message.text(_BODY), b""
    if not _shows(text):
        text = from_html(_markup(message))
    if not _shows(text):
        rtf = packedrtf.unpacked(_bounded(message, _RTF, MAX_STREAM_BYTES))
        text = richtext.text_of(rtf) if rtf else ""
    told = list[Notice]()
    if not _shows(text) and not rtf and _is_too_long(message):
        detail = (
            "The message's text is too long to be read. Save it in Outlook as plain text and upload that."
        )
        told.append(Notice("text_not_read", detail))
    return text.replace("\r\n", "\n").replace("\f", "\n").strip("\n "), told


def _shows(text: str) -> bool:
    return bool(visible(normalize(text)))


def _is_too_long(message: Item) -> bool:
    """Whether a text of the message is beyond what is read of its kind."""
    sizes = (message.streams.size(message.stream_of(_BODY, kind)) or 0 for kind in (_UNICODE, _ANSI))
    if max(sizes) > MAX_STREAM_BYTES or message.size(_HTML) > 8 * MAX_BODY_BYTES:
        return True
    return message.size(_RTF) > packedrtf.MAX_PACKED


def _markup(message: Item) -> str:
    data = _bounded(message, _HTML, 8 * MAX_BODY_BYTES)
    if not data:
        return message.text(_HTML)
    code = message.number(_INTERNET_PAGE)
    page = {65001: "utf-8", 28591: "iso-8859-1"}.get(code, f"cp{code}") if code else ""
    return decoded(data, page)[0]


def _bounded(message: Item, number: int, most: int) -> bytes:
    try:
        data = message.data(number) or b""
    except TooLarge:
        return b""
    return data if len(data) <= most else b""
