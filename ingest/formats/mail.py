"""EML and MBOX: each message's text with its header, its attachments as files of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from ingest.document import Enclosed, Notice, Piece, Sealed, Unit
from ingest.errors import DamagedDocument, EncryptedDocument, TooLarge
from ingest.formats import EML, RawPage, fromline
from ingest.formats.archive import on_one_line
from ingest.formats.enclosed import Names, damaged, pieces
from ingest.formats.letters import (
    MAX_BODY_BYTES,
    SHOWN,
    TINY_PICTURE,
    day_of,
    from_html,
    header,
    made_up_name,
    unflowed,
)
from ingest.formats.mime import Broken, Part, Trailing, content, decoded, ends_well, fields_of, structure
from ingest.formats.sections import MAX_CHARS, sections
from ingest.normalize import normalize
from ingest.quality import visible

MAX_MESSAGES: Final = 200_000

_CHUNK: Final = 1024 * 1024
_OVERLAP: Final = 2_048
_QUOTED_FROM: Final = re.compile(rb"^>(?=>*From )", re.MULTILINE)
_SIGNATURES: Final = {
    *("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"),
}
_LOCKED_TYPES: Final = {"application/pkcs7-mime", "application/x-pkcs7-mime"}
_BODIES: Final = {"text/plain", "text/html"}
_SAME_AGAIN: Final = {"text/x-amp-html", "text/watch-html"}
_META: Final = re.compile(rb"<meta\s[^>]{0,300}?charset\s*=\s*[\"']?\s*([-\w.:]{1,60})", re.IGNORECASE)
_META_WITHIN: Final = 4_096
_NESTED: Final = "message/rfc822"
_SUBJECT_WITHIN: Final = 65_536
_LOCKED: Final = "The mail is encrypted. Open it in its mail program, save it unlocked and upload that."


def open_document(path: Path, media_type: str) -> _MailReading | _MailboxReading:
    """Open a mail or a mailbox.

    Raises:
        EncryptedDocument: the mail is encrypted.
        TooLarge: it has more parts, or the mailbox more messages, than are read.
        DamagedDocument: the mailbox holds no message.
    """
    size = path.stat().st_size
    reading: _MailReading | _MailboxReading
    with ExitStack() as opened:
        file = opened.enter_context(path.open("rb"))
        if media_type == EML:
            reading = _MailReading(file, media_type, _Message(file, 0, size))
        else:
            reading = _MailboxReading(file, media_type, _messages(file, size))
        opened.pop_all()
    return reading


@dataclass(frozen=True, slots=True)
class _Attachment:
    """A part that is a file of its own; `called` is its name before it is made safe."""

    part: Part
    called: str


class _Message:
    """One message: what it says, what is attached, and what went less than perfectly.

    Attributes:
        text: its header's lines and its body.
        attached: its files, in order.
        notices: without the page that they concern.
    """

    def __init__(self, file: BinaryIO, start: int, end: int, *, quoted_from: bool = False) -> None:
        self._file = file
        self._quoted_from = quoted_from
        self._left = MAX_BODY_BYTES
        self._left_out = 0
        self.attached: list[_Attachment] = []
        self.notices: list[Notice] = []
        self._root = structure(file, start, end)
        self.encrypted = _is_locked(self._root)
        body = "" if self.encrypted else "\n\n".join(filter(None, self._texts(self._root)))
        self._tell()
        values = {name: self._root.text_of(name.lower()) for name in SHOWN}
        self.subject = values["Subject"]
        self.day = day_of(values["Date"])
        said = header(values, (one.called for one in self.attached))
        self.text = f"{said}\n\n{body}" if body else said

    def files(self, names: Names, *, under: str = "") -> Iterator[Enclosed | Piece | Sealed]:
        """Yield its attachments."""
        for one in self.attached:
            name = names.take(one.called, under=under)
            yield Enclosed(name)
            try:
                yield from pieces(self._bytes(one.part, name, names.notices))
            except Broken:
                yield damaged(name, "its encoding is broken")
            else:
                yield self._sealed(one.part, name, names.notices)

    def _bytes(self, part: Part, name: str, notices: list[Notice]) -> Iterator[bytes]:
        try:
            yield from content(self._file, part)
        except Trailing:
            detail = f"Bytes behind the end of {name} in the mail are no part of it and are left out."
            notices.append(Notice("trailing_bytes", detail))

    def _sealed(self, part: Part, name: str, notices: list[Notice]) -> Sealed:
        """Return the end of a file; one that only misses the mail's own end may well be whole."""
        if not part.whole:
            if not ends_well(self._file, part):
                return damaged(name, "the mail is cut off within it")
            detail = f"The mail is cut off behind {name}, of which the end may be missing."
            notices.append(Notice("file_cut_off", detail))
        return Sealed()

    def _texts(self, part: Part) -> Iterator[str]:
        """Yield the texts of the body, and note all other parts as attachments."""
        if part.media_type == "multipart/alternative" and part.parts:
            yield from self._best(part)
        elif part.parts:
            for inner in part.parts:
                yield from self._texts(inner)
        elif _is_body(part) and self._fits(part):
            yield self._text(part)
        else:
            self._attach(part)

    def _best(self, part: Part) -> Iterator[str]:
        """Yield one of several ways to say the same, plain text first; what is no text is attached."""
        tried, texts = list[Part](), list[str]()
        for way in sorted(filter(_holds_body, part.parts), key=_plainness):
            tried.append(way)
            texts = [text for text in self._texts(way) if visible(normalize(text))]
            if texts:
                break
        yield from texts
        for way in part.parts:
            for leaf in _leaves(way) if way not in tried else ():
                if not _is_body(leaf) and not (texts and leaf.media_type in _SAME_AGAIN):
                    self._attach(leaf)

    def _fits(self, part: Part) -> bool:
        """Whether the message's text may grow by this part."""
        size = part.end - part.start
        if size <= self._left:
            self._left -= size
            return True
        detail = (
            f"A text of over {MAX_BODY_BYTES / 2**20:,.0f} MB in the message is read as a file of its own."
        )
        self.notices.append(Notice("long_text", detail))
        return False

    def _text(self, part: Part) -> str:
        data, whole = b"", part.whole
        try:
            for chunk in content(self._file, part):
                data += chunk
        except Trailing:
            detail = "Bytes behind the end of the message's encoded text are no part of it and are left out."
            self.notices.append(Notice("trailing_bytes", detail))
        except Broken:
            whole = False
        if self._quoted_from and part.encoding != "base64":
            data = _QUOTED_FROM.sub(b"", data)
        text, complete = decoded(data, part.parameter("charset") or _charset_within(part, data))
        if not complete:
            detail = "Some of the message's bytes are no text in the encoding it names."
            self.notices.append(Notice("undecodable_bytes", detail))
        if not whole:
            self.notices.append(Notice("text_cut_off", "The message's text is cut off or broken off."))
        if part.media_type == "text/html":
            text = from_html(text)
        elif part.parameter("format").lower() == "flowed":
            text = unflowed(text, delsp=part.parameter("delsp").lower() == "yes")
        return text.replace("\f", "\n").replace("\r\n", "\n").strip("\n ")

    def _attach(self, part: Part) -> None:
        if _is_clutter(part):
            self._left_out += 1
        elif part.end <= part.start:
            self.notices.append(Notice("empty_files", "An attachment without any bytes is left out."))
        else:
            called = part.filename or self._subject_of(part)
            called = called or made_up_name(part.media_type, len(self.attached) + 1)
            self.attached.append(_Attachment(part, on_one_line(called)))

    def _subject_of(self, part: Part) -> str:
        """Return a name for an enclosed message, by its subject."""
        if part.media_type != _NESTED or part.encoding in {"base64", "quoted-printable"}:
            return ""
        self._file.seek(part.start)
        head = self._file.read(min(part.end - part.start, _SUBJECT_WITHIN)).lstrip()
        fields = fields_of(re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0])
        subject = Part(fields, 0, 0).text_of("subject").replace("/", "-").replace("\\", "-")[:100].strip()
        return f"{subject}.eml" if subject else ""

    def _tell(self) -> None:
        if self.encrypted:
            self.notices.append(
                Notice("file_encrypted", "The message is encrypted; its header alone is read.")
            )
        if self._left_out:
            detail = f"Signatures and tiny pictures are left out: {self._left_out:,}."
            self.notices.append(Notice("attachments_left_out", detail))


def _is_body(part: Part) -> bool:
    """Whether the part is text that is shown with the message rather than beside it."""
    if part.parts or part.disposition == "attachment":
        return False
    bare = part.media_type in _BODIES and not part.filename
    return bare or part.media_type.startswith("multipart/")  # one without parts: its bytes are all there is


def _charset_within(part: Part, data: bytes) -> str:
    """What HTML itself says of its encoding; "" where it is UTF-8 whatever it says, as after forwarding."""
    found = _META.search(data, 0, _META_WITHIN) if part.media_type == "text/html" else None
    if found is None or (not data.isascii() and decoded(data, "utf-8")[1]):
        return ""
    return found[1].decode("ascii", "replace")


def _holds_body(part: Part) -> bool:
    return _is_body(part) or any(_holds_body(inner) for inner in part.parts)


def _leaves(part: Part) -> Iterator[Part]:
    for inner in part.parts:
        yield from _leaves(inner)
    if not part.parts:
        yield part


def _plainness(part: Part) -> int:
    """Plain text before a multipart, before HTML."""
    return {"text/plain": 0, "text/html": 2}.get(part.media_type, 1 if part.parts else 3)


def _is_clutter(part: Part) -> bool:
    if part.media_type in _SIGNATURES:
        return True
    tiny = part.end - part.start <= TINY_PICTURE * (1.4 if part.encoding == "base64" else 1)
    shown = part.disposition != "attachment" or "content-id" in part.fields
    return part.media_type.startswith("image/") and shown and tiny


def _is_locked(root: Part) -> bool:
    sealed = root.media_type in _LOCKED_TYPES and root.parameter("smime-type").lower() == "enveloped-data"
    return sealed or root.media_type == "multipart/encrypted"


class _MailReading:
    """One mail, cut into sections where it is long."""

    unit = Unit.SECTION

    def __init__(self, file: BinaryIO, media_type: str, message: _Message) -> None:
        if message.encrypted:
            raise EncryptedDocument(_LOCKED)
        self.media_type = media_type
        self.title = message.subject or None
        self.notices = message.notices
        self._file, self._message = file, message
        self._texts = list(sections([message.text])) or [""]
        self.total = len(self._texts)

    def pages(self) -> Iterator[RawPage]:
        """Yield the sections in order."""
        for number, text in enumerate(self._texts, start=1):
            yield RawPage(number, text)

    def files(self) -> Iterator[Enclosed | Piece | Sealed]:
        """Yield the attachments."""
        yield from self._message.files(Names(self.notices))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass(slots=True)
class _MailboxReading:
    """A mailbox: each message a section, a long one several, read one by one.

    Attributes:
        spans: where each message stands in the file.
    """

    file: BinaryIO
    media_type: str
    spans: list[tuple[int, int]]
    total: int = 0
    unit: Unit = Unit.SECTION
    title: str | None = None
    notices: list[Notice] = field(default_factory=list)
    _attaching: list[int] = field(default_factory=list)
    _counts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find out how many sections the messages are."""
        self._counts = [self._count(number) for number in range(1, len(self.spans) + 1)]
        self.total = sum(self._counts)

    def pages(self) -> Iterator[RawPage]:
        """Yield each message with its day as its label."""
        place = 1
        for number, count in enumerate(self._counts, start=1):
            message = self._message(number)
            if message.attached:
                self._attaching.append(number)
            told = tuple(Notice(one.code, one.detail, place) for one in message.notices)
            for text in sections([message.text]) if count > 1 else [message.text]:
                yield RawPage(place, text, message.day, notices=told)
                place, told = place + 1, ()

    def files(self) -> Iterator[Enclosed | Piece | Sealed]:
        """Yield the attachments, each in a folder that is named by its message's number."""
        names = Names(self.notices)
        for number in self._attaching:
            yield from self._message(number).files(names, under=f"message {number}")

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _message(self, number: int) -> _Message:
        return _Message(self.file, *self.spans[number - 1], quoted_from=True)

    def _count(self, number: int) -> int:
        """Of how many sections the message is; one of few bytes has no long text."""
        start, end = self.spans[number - 1]
        text = self._message(number).text if end - start > MAX_CHARS else ""
        return sum(1 for _ in sections([text])) if len(text) > MAX_CHARS else 1


def _messages(file: BinaryIO, size: int) -> list[tuple[int, int]]:
    """Return where each message begins, after its separator, and ends, before the next one's.

    Raises:
        DamagedDocument: there is none.
        TooLarge: there are more than `MAX_MESSAGES`.
    """
    found = list(_separators(file, size))
    if not found:
        raise DamagedDocument("The mailbox holds no message that can be told apart. Export it anew as MBOX.")
    ends = [*(begin for begin, _ in found[1:]), size]
    return [(start, end) for (_, start), end in zip(found, ends, strict=True)]


def _separators(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Yield the place of each separator and the place after it."""
    count = place = behind = 0
    while place < size:
        before = min(place, fromline.REACH)
        file.seek(place - before)
        chunk = file.read(before + _CHUNK + _OVERLAP)
        begins = fromline.first(chunk) if place == 0 else None
        for span in chain([begins] if begins else [], fromline.later(chunk)):
            start, end = (place - before + at for at in span)
            if not max(place, behind) <= start < place + _CHUNK:
                continue
            count += 1
            if count > MAX_MESSAGES:
                raise TooLarge(
                    f"The mailbox holds over {MAX_MESSAGES:,} messages. Split it and upload the parts."
                )
            yield start, end
            behind = end
        place += _CHUNK
