"""MSG: the message's text with its header, its attachments as files, enclosed messages as EML files."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ingest.document import Enclosed, Notice, Piece, Sealed, Unit
from ingest.errors import DamagedDocument, TooLarge
from ingest.formats import RawPage, mapi
from ingest.formats.archive import on_one_line
from ingest.formats.compound import Streams
from ingest.formats.enclosed import PIECE_BYTES, Names, damaged, pieces, safe_name
from ingest.formats.letters import SHOWN, TINY_PICTURE, header, made_up_name
from ingest.formats.sections import sections

MAX_DEPTH: Final = 10
"""Messages kept inside one another."""

_TOP_HEADER, _INNER_HEADER = 32, 24
_LINES: Final = 57 * 1_024
"""Bytes that make whole lines of base64."""
_SIGNED: Final = "IPM.NOTE.SMIME.MULTIPARTSIGNED"
_SEALED: Final = "IPM.NOTE.SMIME"


def open_document(path: Path, media_type: str) -> _Reading:
    """Open and read an Outlook message.

    Raises:
        DamagedDocument: its container is broken.
    """
    streams = Streams(path, program="Outlook", format_now="EML")
    with ExitStack() as opened:
        opened.callback(streams.close)
        with streams.faults_told():
            reading = _Reading(streams, media_type)
        opened.pop_all()
    return reading


@dataclass(frozen=True, slots=True)
class _Attachment:
    """A file or a message that is attached.

    Attributes:
        called: its name before it is made safe.
        message: where it stands if it is a message.
    """

    item: mapi.Item
    called: str
    message: mapi.Item | None = None


@dataclass(slots=True)
class _Letter:
    """One message of the file, with what is attached to it."""

    message: mapi.Item
    names: list[str]
    values: dict[str, str] = field(default_factory=dict)
    attached: list[_Attachment] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values = mapi.values(self.message, self.names)
        left_out = 0
        for one in mapi.inside(self.message, "attach", self.names):
            if _is_clutter(one):
                left_out += 1
            else:
                self._attach(one)
        if left_out:
            detail = f"Tiny pictures are left out: {left_out:,}."
            self.notices.append(Notice("attachments_left_out", detail))

    def _attach(self, one: mapi.Item) -> None:
        inner, place = None, one.enclosed
        if mapi.is_message(one.streams, place):
            inner = mapi.item(one.streams, place, header=_INNER_HEADER, page=one.page)
        elif not one.size(mapi.DATA):
            name = safe_name(_called(one, None, 1))[0]
            detail = f"{name} is empty, a link, or another program's object and is not read."
            self.notices.append(Notice("attachment_not_read", detail))
            return
        self.attached.append(_Attachment(one, _called(one, inner, len(self.attached) + 1), inner))


class _Reading:
    """An Outlook message, cut into sections where it is long."""

    unit = Unit.SECTION

    def __init__(self, streams: Streams, media_type: str) -> None:
        self.media_type = media_type
        self._streams = streams
        self._names = streams.names()
        self._letter = _Letter(mapi.item(streams, "", header=_TOP_HEADER), self._names)
        self.notices = [*self._letter.notices, *_locked(self._letter.message)]
        self.title = self._letter.values["Subject"] or None
        body, told = mapi.body(self._letter.message)
        self.notices += told
        said = header(self._letter.values, (on_one_line(one.called) for one in self._letter.attached))
        self._texts = list(sections([f"{said}\n\n{body}"])) or [""]
        self.total = len(self._texts)

    def pages(self) -> Iterator[RawPage]:
        """Yield the sections in order."""
        for number, text in enumerate(self._texts, start=1):
            yield RawPage(number, text)

    def files(self) -> Iterator[Enclosed | Piece | Sealed]:
        """Yield the attachments."""
        names = Names(self.notices)
        for one in self._letter.attached:
            name = names.take(one.called)
            yield Enclosed(name)
            try:
                yield from pieces(self._content(one))
            except (DamagedDocument, TooLarge):
                yield damaged(name, "its part of the file can't be read")
            else:
                yield Sealed()

    def close(self) -> None:
        """Close the file."""
        self._streams.close()

    def _content(self, one: _Attachment) -> Iterator[bytes]:
        if one.message is not None:
            with self._streams.faults_told():
                yield from self._as_mail(one.message, 1)
            return
        data = one.item.data(mapi.DATA) or b""
        for start in range(0, len(data), PIECE_BYTES):
            yield data[start : start + PIECE_BYTES]

    def _as_mail(self, message: mapi.Item, depth: int) -> Iterator[bytes]:
        """Yield an enclosed message as a mail; all in base64, so that no text can look like a boundary."""
        letter = _Letter(message, self._names)
        self.notices += letter.notices
        boundary = f"=_enclosed_{depth}"
        for name in SHOWN:
            if value := letter.values.get(name):
                yield f"{name}: {value}\n".encode("utf-8", "replace")
        yield f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="{boundary}"\n\n'.encode()
        yield f"--{boundary}\nContent-Type: text/plain; charset=utf-8\n".encode()
        body, told = mapi.body(message)
        self.notices += told
        yield from _in_base64(body.encode("utf-8", "replace"))
        for one in letter.attached:
            yield f"--{boundary}\n".encode()
            yield from self._as_part(one, depth)
        yield f"--{boundary}--\n".encode()

    def _as_part(self, one: _Attachment, depth: int) -> Iterator[bytes]:
        called = quote(on_one_line(one.called), safe="", errors="replace")
        yield f"Content-Disposition: attachment; filename*=utf-8''{called}\n".encode()
        if one.message is None:
            yield b"Content-Type: application/octet-stream\n"
            yield from _in_base64(one.item.data(mapi.DATA) or b"")
        elif depth < MAX_DEPTH:
            yield b"Content-Type: message/rfc822\n\n"
            yield from self._as_mail(one.message, depth + 1)
            yield b"\n"
        else:
            yield b"Content-Type: text/plain\n\n"
            detail = f"Messages that are enclosed over {MAX_DEPTH} deep are not read."
            self.notices.append(Notice("nested_too_deep", detail))


def _in_base64(data: bytes) -> Iterator[bytes]:
    yield b"Content-Transfer-Encoding: base64\n\n"
    for start in range(0, len(data), _LINES):
        yield base64.encodebytes(data[start : start + _LINES])


def _called(one: mapi.Item, inner: mapi.Item | None, number: int) -> str:
    if inner is not None:
        subject = on_one_line(inner.text(mapi.SUBJECT) or one.text(mapi.DISPLAY_NAME))
        return f"{subject.replace('/', '-').replace(chr(92), '-')[:100] or f'message {number}'}.eml"
    name = one.text(mapi.LONG_NAME) or one.text(mapi.SHORT_NAME) or one.text(mapi.DISPLAY_NAME)
    if one.text(mapi.MIME_TYPE).lower() == "multipart/signed":
        return "signed message.eml"
    return name.strip("\0 ") or made_up_name(one.text(mapi.MIME_TYPE).lower(), number)


def _is_clutter(one: mapi.Item) -> bool:
    """Whether it is a tiny picture of the message's looks."""
    if not one.text(mapi.CONTENT_ID) or not one.text(mapi.MIME_TYPE).lower().startswith("image/"):
        return False
    return 0 < one.size(mapi.DATA) <= TINY_PICTURE


def _locked(message: mapi.Item) -> list[Notice]:
    kind = message.text(mapi.MESSAGE_CLASS).upper()
    if kind.startswith(_SEALED) and not kind.startswith(_SIGNED):
        detail = (
            "The message is encrypted or sealed as a whole; only its header and its sealed part are read."
        )
        return [Notice("file_encrypted", detail)]
    return []
