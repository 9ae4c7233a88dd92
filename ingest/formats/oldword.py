"""DOC, Word's format until 2003: the text by its piece table, with headings, table rows and page breaks."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from struct import unpack_from
from typing import Final

from ingest.document import Notice, Unit
from ingest.errors import EmptyDocument, EncryptedDocument
from ingest.formats.archive import Pages, on_one_line, unlabelled
from ingest.formats.compound import Streams
from ingest.formats.sections import sections

_MAIN: Final = "WordDocument"
_MAX_BY_HAND: Final = 6_000
"""Characters up to which a part between page breaks made by hand can be one page."""

# Places in the file information block ([MS-DOC] 2.5).
_MAGIC: Final = 0xA5EC
_WORD_97: Final = 0xC0
_ENCRYPTED: Final = 0x0100
_TABLE_STREAM: Final = 0x0200
_LENGTHS: Final = 0x4C  # of the text, the footnotes, headers, macros, comments, endnotes and text boxes
_OLD_LENGTHS: Final = 0x34  # the same in Word 6 and 95
_CLX: Final = 0x01A2
_PARAGRAPHS: Final = 0x0102  # the index of the paragraphs' properties
_PAGE: Final = 512
_IN_ROW_END: Final = 0x2417  # sprmPFTtp
_IN_TABLE: Final = 0x2416  # sprmPFInTable
_OUTLINE: Final = 0x2640  # sprmPOutLvl
_PAGE_BEFORE: Final = 0x2407  # sprmPFPageBreakBefore
_TABLE_SHAPE: Final = 0xD608  # sprmTDefTable
_MAX_PIECES: Final = 1_000_000

_CELL_END: Final = "\x07"
_ENDS: Final = re.compile("[\r\x07\x0c]")
# What stands for itself no more: field marks are handled apart ([MS-DOC] 2.4.1 and 2.8.25).
_CHARACTERS: Final = {
    **dict.fromkeys(range(0x20)),
    0x09: "\t",
    0x0B: "\n",
    0x0E: " ",
    0x1E: "-",
}
_PARTS: Final = (("footnote", 1), ("header", 2), ("comment", 4), ("endnote", 5), ("text box", 6))
_HEADER_PART: Final = 2


def open_document(path: Path, media_type: str) -> Pages:
    """Open and read a DOC.

    Raises:
        DamagedDocument: its structure is broken.
        EncryptedDocument: it needs a password.
        TooLarge: its text part is beyond the limits.
        EmptyDocument: it holds no text.
    """
    streams = Streams(path, program="Word", format_now="DOCX")
    try:
        with streams.faults_told():
            document = _Document(streams)
            unit, texts = document.texts()
        title = streams.title() or document.first_heading
    finally:
        streams.close()
    if not any(text.strip() for text in texts):
        raise EmptyDocument(
            "The Word document holds no text. If it holds scanned pages, save it as PDF first."
        )
    return Pages(media_type, unit, title, unlabelled(texts), document.notices())


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run of text that stands together in the file."""

    start: int  # in characters, of the whole text
    offset: int  # in bytes, of the main stream
    width: int  # bytes a character
    text: str


@dataclass(frozen=True, slots=True)
class _Look:
    """What a paragraph's properties say."""

    heading: int = 0
    row_end: bool = False
    in_table: bool = False
    page_before: bool = False


class _Document:
    """The text and what is known of its paragraphs.

    Attributes:
        first_heading: the first heading, on one line.
    """

    def __init__(self, streams: Streams) -> None:
        main = streams.read(_MAIN)
        if main is None or len(main) < _CLX + 8 or unpack_from("<H", main)[0] != _MAGIC:
            raise streams.damaged("its main part is missing")
        version, flags = unpack_from("<H", main, 2)[0], unpack_from("<H", main, 0x0A)[0]
        if flags & _ENCRYPTED:
            raise EncryptedDocument(
                "The Word document is locked with a password. Remove it in Word and upload the file again."
            )
        self.first_heading: str | None = None
        self._looks = _Looks([], [])
        self._lengths = _lengths(main, _OLD_LENGTHS if version < _WORD_97 else _LENGTHS)
        if version < _WORD_97:
            self._pieces = [_old_text(main)]
            self._known = False
            return
        table = streams.read("1Table" if flags & _TABLE_STREAM else "0Table")
        if table is None:
            raise streams.damaged("its table part is missing")
        self._pieces = list(_pieces(main, _part(table, main, _CLX)))
        self._looks = _Looks(list(_looks(main, _part(table, main, _PARAGRAPHS))), self._pieces)
        self._known = True

    def texts(self) -> tuple[Unit, list[str]]:
        """Pages by the author's breaks if they leave nothing longer than a page, else sections."""
        pages = self._pages()
        joined = ["\n".join(line for line in page if line != "\f") for page in pages]
        if len(pages) > 1 and max(map(len, joined)) <= _MAX_BY_HAND:
            return Unit.PAGE, joined
        return Unit.SECTION, list(sections(_joined([line for page in pages for line in ["\f", *page]])))

    def notices(self) -> list[Notice]:
        """Return what the user is told beside the text."""
        if self._known:
            return []
        detail = "The document is of a very old Word: its text is read without headings."
        return [Notice("old_format", detail)]

    def _pages(self) -> list[list[str]]:
        """The body, then what stands outside it: headers before it, notes and comments after."""
        begin, parts = 0, list[str]()
        whole = "".join(piece.text for piece in self._pieces)
        for length in self._lengths:
            parts.append(whole[begin : begin + length])
            begin += length
        pages = self._body(parts[0])
        for name, index in _PARTS:
            texts = (on_one_line(_plain(text)) for text in _ENDS.split(parts[index]))
            said = dict.fromkeys(text for text in texts if any(map(str.isalpha, text)))
            lines = [f"[{name}: {text}]" for text in said]
            if index == _HEADER_PART:
                pages[0][:0] = lines
            else:
                pages[-1] += lines
        return pages

    def _body(self, text: str) -> list[list[str]]:
        pages: list[list[str]] = [[]]
        row, cell, start = list[str](), list[str](), 0
        for match in _ENDS.finditer(text + "\r"):
            paragraph, mark, at = text[start : match.start()], match[0], self._looks.at(match.start())
            start = match.end()
            if mark == _CELL_END and not (at.row_end or (not self._known and row and not paragraph)):
                row.append(on_one_line(" ".join([*cell, _plain(paragraph)])))
                cell = []
            elif mark == _CELL_END:
                pages[-1] += _row(row)
                row = []
            elif at.in_table and mark == "\r":
                cell.append(_plain(paragraph))
            else:
                pages[-1] += _row([*row, *cell])
                row, cell = [], []
                self._put(pages, _plain(paragraph), at)
                if mark == "\x0c":
                    pages.append([])
        return [page for page in pages if page] or [[]]

    def _put(self, pages: list[list[str]], text: str, at: _Look) -> None:
        if at.page_before and pages[-1]:
            pages.append([])
        if not text.strip():
            return
        if at.heading:
            self.first_heading = self.first_heading or on_one_line(text)
            pages[-1] += ["\f"] if at.heading <= 2 else []  # noqa: PLR2004 - as in other formats
            text = "#" * min(at.heading, 6) + " " + text.strip()
        pages[-1].append(text.strip("\n"))


class _Looks:
    """The paragraphs' properties, found by where a paragraph ends."""

    def __init__(self, looks: list[tuple[int, _Look]], pieces: list[_Piece]) -> None:
        self._looks = sorted(looks, key=lambda look: look[0])
        self._ends = [end for end, _ in self._looks]
        self._pieces = pieces
        self._starts = [piece.start for piece in pieces]

    def at(self, character: int) -> _Look:
        """Return those of the paragraph whose mark is this character of the text."""
        if not self._looks:
            return _Look()
        piece = self._pieces[max(bisect_left(self._starts, character + 1) - 1, 0)]
        place = piece.offset + (character - piece.start) * piece.width + 1
        found = bisect_left(self._ends, place)
        return self._looks[found][1] if found < len(self._looks) else _Look()


def _row(cells: list[str]) -> list[str]:
    return [" | ".join(cells).rstrip(" |")] if any(cells) else []


def _part(table: bytes, main: bytes, place: int) -> bytes:
    """Return what an offset and a length in the file information block point at."""
    offset, length = unpack_from("<Ii", main, place)
    return table[offset : offset + max(length, 0)]


def _lengths(main: bytes, place: int) -> list[int]:
    return [max(length, 0) for length in unpack_from("<7i", main, place)]


def _old_text(main: bytes) -> _Piece:
    """Word 6 and 95 keep the text in one run ([MS-DOC] leaves them to older papers)."""
    first, last = unpack_from("<II", main, 0x18)
    return _Piece(0, first, 1, main[first:last].decode("cp1252", "replace"))


def _pieces(main: bytes, clx: bytes) -> Iterator[_Piece]:
    """Follow the piece table ([MS-DOC] 2.8.35 and 2.9.73)."""
    place = 0
    while place < len(clx) and clx[place] == 1:  # properties of pieces, not needed
        place += 3 + unpack_from("<H", clx, place + 1)[0]
    if place >= len(clx) or clx[place] != 2:  # noqa: PLR2004 - the mark of the table
        raise ValueError("no piece table")
    table = clx[place + 5 : place + 5 + unpack_from("<I", clx, place + 1)[0]]
    count = (len(table) - 4) // 12
    if not 0 < count <= _MAX_PIECES:
        raise ValueError("a piece table out of bounds")
    starts = unpack_from(f"<{count + 1}I", table)
    left = len(main)  # pieces that overlap could multiply the text
    for index, (start, end) in enumerate(pairwise(starts)):
        where = unpack_from("<I", table, 4 * (count + 1) + 8 * index + 2)[0]
        compressed = bool(where & 0x40000000)
        width = 1 if compressed else 2
        offset = (where & 0x3FFFFFFF) // (2 if compressed else 1)
        data = main[offset : offset + (end - start) * width] if end > start else b""
        left -= len(data)
        if left < 0 or len(data) < (end - start) * width:
            raise ValueError("a piece out of bounds")
        codec = "cp1252" if compressed else "utf-16-le"
        text = data.decode(codec, "replace") if compressed else _utf16(data)
        yield _Piece(start, offset, width, text)


def _utf16(data: bytes) -> str:
    """Decode so that each code unit stays one character, as positions count them; pairs are joined later."""
    text = data.decode("utf-16-le", "replace")
    units = len(data) // 2
    return text if len(text) == units else "".join(map(chr, unpack_from(f"<{units}H", data)))


def _looks(main: bytes, index: bytes) -> Iterator[tuple[int, _Look]]:
    """Follow the pages of paragraph properties ([MS-DOC] 2.8.6 and 2.9.175)."""
    count = (len(index) - 4) // 8
    for number in range(max(count, 0)):
        page = unpack_from("<I", index, 4 * (count + 1) + 4 * number)[0] & 0x3FFFFF
        block = main[page * _PAGE : (page + 1) * _PAGE]
        if len(block) < _PAGE:
            continue
        paragraphs = min(block[-1], 29)
        ends = unpack_from(f"<{paragraphs + 1}I", block)[1:]
        for run, end in enumerate(ends):
            place = 2 * block[4 * (paragraphs + 1) + 13 * run]
            yield end, _look(block, place) if place else _Look()


def _look(block: bytes, place: int) -> _Look:
    """Read a paragraph's style and the properties that matter here."""
    size = 2 * block[place] - 1 if block[place] else 2 * block[place + 1]
    begin = place + (1 if block[place] else 2)
    data = block[begin : begin + size]
    style = int.from_bytes(data[:2], "little")
    values = dict(_properties(data[2:]))
    # Styles 1 to 9 are the headings in every document ([MS-DOC] 2.9.271).
    heading = style if 1 <= style <= 9 else 0  # noqa: PLR2004
    outline = values.get(_OUTLINE)
    if outline is not None:
        heading = outline + 1 if outline < 9 else 0  # noqa: PLR2004 - nine is body text
    row_end, in_table = bool(values.get(_IN_ROW_END)), bool(values.get(_IN_TABLE))
    return _Look(0 if in_table else heading, row_end, in_table, bool(values.get(_PAGE_BEFORE)))


def _properties(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield each property's code and the first byte of its value ([MS-DOC] 2.6.1)."""
    place = 0
    while place + 3 <= len(data):
        code = int.from_bytes(data[place : place + 2], "little")
        place += 2
        yield code, data[place]
        size = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2, 7: 3}.get(code >> 13)
        if size is None:
            wide = code == _TABLE_SHAPE  # the one whose length has two bytes
            size = 1 + (int.from_bytes(data[place : place + 2], "little") if wide else data[place])
        place += size


def _plain(text: str) -> str:
    """Return the text as shown: of a field its result, of marks nothing."""
    pieces, hidden = list[str](), list[bool]()
    for part in re.split("([\x13\x14\x15])", text):
        if part == "\x13":
            hidden.append(True)
        elif part == "\x14" and hidden:
            hidden[-1] = False
        elif part == "\x15" and hidden:
            hidden.pop()
        elif not any(hidden):
            pieces.append(part)
    shown = "".join(pieces).translate(_CHARACTERS)
    if any("\ud800" <= character <= "\udfff" for character in shown):
        shown = shown.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return shown


def _joined(lines: list[str]) -> list[str]:
    """Lines with their ends; a section that would hold headings alone goes on with the next."""
    made, says_something = [], False
    for line in lines:
        if line != "\f":
            says_something = says_something or not line.startswith(("#", "[header: "))
            made.append(line + "\n")
        elif says_something:
            says_something = False
            made.append("\f")
    return made
