"""PPT, PowerPoint's format until 2003: one page a slide, found through the records' own directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from struct import unpack_from
from typing import Final

from ingest.document import Unit
from ingest.errors import EmptyDocument, EncryptedDocument
from ingest.formats.archive import Pages, on_one_line
from ingest.formats.compound import Streams
from ingest.formats.slides import NO_TEXT

_ENCRYPTED: Final = 0xF3D1C4DF  # the header token of the Current User stream
_MAX_DEPTH: Final = 200
_MAX_EDITS: Final = 10_000

# Record types ([MS-PPT] 2.13.24, [MS-ODRAW] 2.2).
_USER_EDIT: Final = 0x0FF5
_DIRECTORY: Final = 0x1772
_LISTED_TEXT: Final = 0x0FF0
_SLIDE_PERSIST: Final = 0x03F3
_SLIDE_ATOM: Final = 0x03EF
_SHOW_INFO: Final = 0x03F9
_HEADER: Final = 0x0F9F
_CHARS: Final = 0x0FA0
_BYTES: Final = 0x0FA8
_OUTLINE_TEXT: Final = 0x0F9E
_TEXT_BOX: Final = 0xF00D
_COMMENT: Final = 0x2EE0
_CSTRING: Final = 0x0FBA

_SLIDES: Final = 0  # which list of texts it is, by its instance
_NOTES: Final = 2
_TITLES: Final = {0, 6}  # a title, a centred title
_NOTES_TEXT: Final = 2
_HIDDEN: Final = 0x04


def open_document(path: Path, media_type: str) -> Pages:
    """Open and read a PPT.

    Raises:
        DamagedDocument: its records break the format.
        EncryptedDocument: it needs a password.
        TooLarge: its text part is beyond the limits.
        EmptyDocument: no slide holds text.
    """
    streams = Streams(path, program="PowerPoint", format_now="PPTX")
    try:
        data, user = streams.read("PowerPoint Document"), streams.read("Current User")
        if data is None or user is None:
            raise streams.damaged("its main part is missing")
        with streams.faults_told():
            deck = _Deck(data, user)
            slides = list(deck.slides())
        title = streams.title() or deck.first_title
    finally:
        streams.close()
    if not any(slides):
        raise EmptyDocument(NO_TEXT)
    return Pages(
        media_type, Unit.PAGE, title, [(f"slide {number}", text) for number, text in enumerate(slides, 1)]
    )


@dataclass(frozen=True, slots=True)
class _Record:
    kind: int
    instance: int
    container: bool
    start: int
    end: int


@dataclass(slots=True)
class _Text:
    """The text of one shape."""

    kind: int
    text: str = ""


@dataclass(slots=True)
class _Listed:
    """A slide as the document lists it, with the texts that its outline holds."""

    reference: int
    number: int
    texts: list[_Text] = field(default_factory=list)


class _Deck:
    """The presentation's live records.

    Attributes:
        first_title: of the first slide that has one.
    """

    def __init__(self, data: bytes, user: bytes) -> None:
        self.first_title: str | None = None
        self._data = data
        if unpack_from("<I", user, 12)[0] == _ENCRYPTED:
            raise EncryptedDocument(
                "The presentation is locked with a password. "
                "Remove the password in PowerPoint and upload it again."
            )
        self._places, document = self._directory(unpack_from("<I", user, 16)[0])
        root = self._record(self._places[document])
        self._lists = {
            record.instance: self._listed(record)
            for record in self._children(root.start, root.end)
            if record.kind == _LISTED_TEXT
        }

    def slides(self) -> Iterator[str]:
        """Yield each slide's text."""
        notes = {listed.number: listed for listed in self._lists.get(_NOTES, [])}
        for listed in self._lists.get(_SLIDES, []):
            slide = self._record(self._places[listed.reference])
            texts = list(self._texts(slide, listed.texts))
            hidden, notes_number = self._properties(slide)
            title = next((on_one_line(each.text) for each in texts if each.kind in _TITLES), "")
            self.first_title = self.first_title or title or None
            lines = ["[hidden slide]"] if hidden else []
            lines += [f"# {title}"] if title else []
            lines += [each.text for each in texts if each.kind not in _TITLES]
            lines += [f"[comment: {text}]" for text in self._comments(slide)]
            lines += self._notes(notes.get(notes_number))
            yield "\n".join(lines)

    def _notes(self, listed: _Listed | None) -> list[str]:
        if listed is None or listed.reference not in self._places:
            return []
        page = self._record(self._places[listed.reference])
        texts = [each.text for each in self._texts(page, listed.texts) if each.kind == _NOTES_TEXT]
        return [f"[notes: {text}]" for text in texts]

    # The directory ----------------------------------------------------------------------------------------

    def _directory(self, offset: int) -> tuple[dict[int, int], int]:
        """Follow the edits back; return where each live record stands, and the document's own number."""
        places: dict[int, int] = {}
        document = None
        for _ in range(_MAX_EDITS):
            edit = self._record(offset)
            if edit.kind != _USER_EDIT:
                raise ValueError("no edit where one should be")
            before, directory, number = unpack_from("<III", self._data, edit.start + 8)
            document = number if document is None else document
            for reference, place in self._entries(self._record(directory)):
                places.setdefault(reference, place)
            if not 0 < before < offset:
                break
            offset = before
        return places, document or 0

    def _entries(self, directory: _Record) -> Iterator[tuple[int, int]]:
        place = directory.start
        while directory.kind == _DIRECTORY and place + 4 <= directory.end:
            head = unpack_from("<I", self._data, place)[0]
            first, count = head & 0xFFFFF, head >> 20
            place += 4
            count = min(count, (directory.end - place) // 4)
            yield from enumerate(unpack_from(f"<{count}I", self._data, place), start=first)
            place += 4 * count

    def _listed(self, record: _Record) -> list[_Listed]:
        found: list[_Listed] = []
        for each in self._children(record.start, record.end):
            if each.kind == _SLIDE_PERSIST:
                reference = unpack_from("<I", self._data, each.start)[0]
                found.append(_Listed(reference, unpack_from("<I", self._data, each.start + 12)[0]))
            elif found:
                self._take(each, found[-1].texts)
        return found

    # A slide ----------------------------------------------------------------------------------------------

    def _properties(self, slide: _Record) -> tuple[bool, int]:
        """Return whether the slide is hidden, and the number of its notes."""
        hidden, notes = False, -1
        for record in self._children(slide.start, slide.end):
            if record.kind == _SHOW_INFO and record.end - record.start >= 12:  # noqa: PLR2004 - its flags
                hidden = bool(unpack_from("<H", self._data, record.start + 10)[0] & _HIDDEN)
            elif record.kind == _SLIDE_ATOM and record.end - record.start >= 20:  # noqa: PLR2004 - its notes
                notes = unpack_from("<I", self._data, record.start + 16)[0]
        return hidden, notes

    def _texts(self, slide: _Record, outline: list[_Text]) -> Iterator[_Text]:
        """Yield what the shapes say, in their order; a placeholder's text stands in the outline."""
        shown: set[int] = set()
        for box in self._inside(slide, _TEXT_BOX):
            own: list[_Text] = []
            for record in self._children(box.start, box.end):
                if record.kind == _OUTLINE_TEXT:
                    index = unpack_from("<I", self._data, record.start)[0]
                    if index < len(outline) and index not in shown:
                        shown.add(index)
                        own.append(outline[index])
                else:
                    self._take(record, own)
            yield from (each for each in own if each.text)
        yield from (each for index, each in enumerate(outline) if index not in shown and each.text)

    def _take(self, record: _Record, texts: list[_Text]) -> None:
        """Add a record's text to those of its shape."""
        if record.kind == _HEADER:
            texts.append(_Text(unpack_from("<I", self._data, record.start)[0]))
        elif record.kind in {_CHARS, _BYTES}:
            if not texts or texts[-1].text:
                texts.append(_Text(texts[-1].kind if texts else -1))
            codec = "utf-16-le" if record.kind == _CHARS else "latin-1"
            texts[-1].text = _shown(self._data[record.start : record.end].decode(codec, "replace"))

    def _comments(self, slide: _Record) -> Iterator[str]:
        """Yield the reviewers' comments: the second string of each is its text."""
        for comment in self._inside(slide, _COMMENT):
            for record in self._children(comment.start, comment.end):
                if record.kind == _CSTRING and record.instance == 1:
                    text = self._data[record.start : record.end].decode("utf-16-le", "replace")
                    yield on_one_line(text)

    # Records ----------------------------------------------------------------------------------------------

    def _record(self, place: int) -> _Record:
        head, kind, length = unpack_from("<HHI", self._data, place)
        end = place + 8 + length
        if end > len(self._data):
            raise ValueError("a record beyond the end")
        return _Record(kind, head >> 4, (head & 0xF) == 0xF, place + 8, end)  # noqa: PLR2004 - marks a container

    def _children(self, start: int, end: int) -> Iterator[_Record]:
        while start + 8 <= end:
            record = self._record(start)
            if record.end > end:
                return
            yield record
            start = record.end

    def _inside(self, outer: _Record, kind: int) -> Iterator[_Record]:
        """Yield the records of a kind at any depth, in order."""
        open_records = [self._children(outer.start, outer.end)]
        while open_records:
            record = next(open_records[-1], None)
            if record is None:
                open_records.pop()
            elif record.kind == kind:
                yield record
            elif record.container and len(open_records) < _MAX_DEPTH:
                open_records.append(self._children(record.start, record.end))


def _shown(text: str) -> str:
    """Return the lines that say something; an asterisk alone stands for a date or the slide's number."""
    lines = (line.strip() for line in text.replace("\x0b", "\n").replace("\r", "\n").split("\n"))
    return "" if text.strip() == "*" else "\n".join(line for line in lines if line)
