"""RTF: its control words followed in one pass; pages where the author broke them, sections elsewhere."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ingest.document import Notice, Unit
from ingest.errors import DamagedDocument, EmptyDocument, TooLarge
from ingest.formats.archive import Pages, on_one_line, unlabelled
from ingest.formats.sections import sections

MAX_BYTES: Final = 128 * 1024 * 1024
MAX_DEPTH: Final = 10_000
_MAX_BY_HAND: Final = 6_000
"""Characters up to which a part between page breaks made by hand can be one page."""

_TOKEN: Final = re.compile(
    rb"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?[0-9]{1,10})?[ ]?|\\'(?P<byte>[0-9a-fA-F]{2})"
    rb"|\\(?P<symbol>[^a-zA-Z])|(?P<brace>[{}])|(?P<ends>[\r\n\0]+)|(?P<plain>[^\\{}\r\n\0]+)|(?P<stray>\\)"
)
# Windows' character sets by their number in the font table ([MS-RTF] 2.1, \fcharset).
_CHARSETS: Final = {
    0: "cp1252",
    77: "mac_roman",
    128: "cp932",
    129: "cp949",
    130: "johab",
    134: "gb18030",
    136: "big5hkscs",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
    254: "cp437",
    255: "cp850",
}
_SYMBOL_FONT: Final = 2
_DEFAULT: Final = {"ansi": "cp1252", "mac": "mac_roman", "pc": "cp437", "pca": "cp850"}
_TEXT: Final = {
    "tab": "\t",
    "line": "\n",
    "lbr": "\n",
    "softline": "",
    "bullet": "\u2022",
    "emdash": "\u2014",
    "endash": "\u2013",
    "lquote": "\u2018",
    "rquote": "\u2019",
    "ldblquote": "\u201c",
    "rdblquote": "\u201d",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
    "zwj": "\u200d",
    "zwnj": "\u200c",
    "ltrmark": "\u200e",
    "rtlmark": "\u200f",
}
_SYMBOLS: Final = {b"~": " ", b"_": "-", b"-": "", b"\n": "\n", b"\r": "\n", b"\t": "\t"}
_SKIPPED: Final = {
    *("colortbl", "filetbl", "revtbl", "listtable", "listoverridetable", "rsidtbl", "generator"),
    *("xmlnstbl", "latentstyles", "datastore", "themedata", "colorschememapping", "pict"),
    *("objdata", "objclass", "objname", "fldinst", "bkmkstart", "bkmkend", "nonshppict", "sp"),
    *("author", "operator", "company", "manager", "category", "keywords", "comment", "doccomm"),
    *("subject", "hlinkbase", "userprops", "creatim", "revtim", "printim", "buptim", "template"),
    *("private", "mmathPr", "do", "listname", "atnid", "atndate", "atntime", "atnref"),
    *("atrfstart", "atrfend", "ftnsep", "ftnsepc", "aftnsep", "aftnsepc", "wgrffmtfilter"),
    *("passwordhash", "shprslt", "fontemb", "fontfile", "panose", "falt", "pgptbl", "listlevel"),
    *("levelnumbers", "leveltext", "background", "ud", "xe", "tc", "mhtmltag", "htmltag"),
    *("factoidname", "protusertbl", "pnseclvl", "bliptag", "blipuid", "picprop"),
}
_ASIDES: Final = {
    **dict.fromkeys(("header", "headerf", "headerl", "headerr"), "header"),
    **dict.fromkeys(("footer", "footerf", "footerl", "footerr"), "footer"),
    "footnote": "note",
    "annotation": "comment",
    "atnauthor": "author",
    "title": "title",
    "shptxt": "box",
    "stylesheet": "stylesheet",
    "fonttbl": "fonttbl",
    "info": "info",
}
_KNOWN_STARRED: Final = {"shpinst"}
_HEADING: Final = re.compile(r"heading ([1-9])|title", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _State:
    """What a group inherits from the one around it and loses at its end."""

    skip: bool = False
    aside: str = ""
    codec: str = "cp1252"
    symbol: bool = False
    unicode_skip: int = 1
    hidden: bool = False
    in_table: bool = False
    style: int = 0
    outline: int | None = None


def open_document(path: Path, media_type: str) -> Pages:
    """Open and read an RTF.

    Raises:
        DamagedDocument: its groups are nested beyond reason.
        TooLarge: it is over `MAX_BYTES`.
        EmptyDocument: it holds no text.
    """
    if path.stat().st_size > MAX_BYTES:
        raise TooLarge(
            f"The RTF file is over {MAX_BYTES / 2**20:,.0f} MB. "
            "Save it as DOCX, or split it, and upload that."
        )
    document = _Document()
    document.read(path.read_bytes())
    unit, texts = document.texts()
    if not any(text.strip() for text in texts):
        raise EmptyDocument(
            "The RTF document holds no text. If it holds scanned pages, save it as PDF first."
        )
    return Pages(media_type, unit, document.title, unlabelled(texts), document.notices())


def text_of(data: bytes) -> str:
    """Return the text of an RTF without its file."""
    document = _Document()
    document.read(data)
    return "\n".join(document.texts()[1])


@dataclass(slots=True)
class _Document:
    """The text so far and what is open around the next.

    Attributes:
        pages: the lines of each, with form feeds where a section may begin.
        frame: the headers and footers.
        title: from the file's properties, or else the first heading.
    """

    pages: list[list[str]] = field(default_factory=lambda: [[]])
    frame: dict[str, None] = field(default_factory=dict)  # headers and footers, once each
    title: str | None = None
    _state: _State = field(default_factory=_State)
    _stack: list[tuple[_State, bool]] = field(default_factory=list)
    _default: str = "cp1252"
    _fonts: dict[int, tuple[str, bool]] = field(default_factory=dict)
    _font: int = 0
    _headings: dict[int, int] = field(default_factory=dict)
    _bytes: bytearray = field(default_factory=bytearray)  # in the code page of the moment
    _pieces: dict[str, list[str]] = field(default_factory=dict)  # by what they are an aside of
    _row: list[str] = field(default_factory=list)
    _cell: list[str] = field(default_factory=list)
    _notes: list[str] = field(default_factory=list)
    _author: str = ""
    _cited: int = 0
    _swallow: int = 0
    _opened: bool = False  # a group began and nothing is in it yet
    _starred: bool = False
    _deleted: bool = False

    def texts(self) -> tuple[Unit, list[str]]:
        """Pages by the author's breaks if they leave nothing longer than a page, else sections."""
        pages = ["\n".join(line for line in page if line != "\f") for page in self.pages]
        pages[0] = "\n".join([*self.frame, pages[0]])
        if len(pages) > 1 and max(map(len, pages)) <= _MAX_BY_HAND:
            return Unit.PAGE, pages
        lines = [*self.frame, *(line for page in self.pages for line in ["\f", *page])]
        return Unit.SECTION, list(sections(_joined(lines)))

    def notices(self) -> list[Notice]:
        """Return what the user is told beside the text."""
        if not self._deleted:
            return []
        detail = "The document has tracked changes: what was inserted is read, what was deleted is not."
        return [Notice("tracked_changes", detail)]

    # Tokens -----------------------------------------------------------------------------------------------

    def read(self, data: bytes) -> None:
        """Follow the whole file."""
        place, size = 0, len(data)
        while place < size and (match := _TOKEN.match(data, place)):
            place = match.end()
            kind = match.lastgroup
            if kind == "word" or kind == "number":  # noqa: PLR1714 - faster, and this is the inner loop
                place += self._control(match["word"].decode(), match["number"])
            elif kind == "plain":
                self._take_plain(match["plain"])
            elif kind == "byte":
                self._take_byte(int(match["byte"], 16))
            elif kind == "brace":
                self._brace(match["brace"])
            elif kind == "symbol":
                self._symbol(match["symbol"])
        self._flush()
        self._end_paragraph(force=True)
        self._put_notes()

    def _brace(self, brace: bytes) -> None:
        self._flush()
        self._swallow = 0
        if brace == b"{":
            if len(self._stack) >= MAX_DEPTH:
                raise DamagedDocument(
                    f"The RTF file is damaged: its groups are nested over {MAX_DEPTH:,} deep. "
                    "Open it in Word, save it as DOCX and upload that file."
                )
            self._stack.append((self._state, self._opened))
            self._opened, self._starred = True, False
        elif self._stack:
            inner = self._state
            self._state, _ = self._stack.pop()
            self._opened = self._starred = False
            if inner.aside == self._state.aside == "stylesheet":
                self._name_style(inner.style)
            elif inner.aside != self._state.aside and not inner.skip:
                self._end_aside(inner.aside)

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self._starred = self._opened
        elif symbol in _SYMBOLS:
            if symbol in {b"\n", b"\r"}:
                self._flush()
                self._end_paragraph()
            else:
                self._write(_SYMBOLS[symbol])
        elif symbol in {b"\\", b"{", b"}"}:
            self._take_plain(symbol)

    def _control(self, word: str, number: bytes | None) -> int:
        """Follow a control word; return how many bytes after it are no RTF."""
        value = int(number) if number is not None else None
        if self._opened:
            self._destination(word)
        if word == "bin":
            return max(value or 0, 0)
        if word == "u" and value is not None:
            self._take_unicode(value)
        elif self._swallow and word in _TEXT:
            self._swallow -= 1
        elif word in _TEXT:
            self._write(_TEXT[word])
        elif not self._state.skip:
            self._flush()
            self._follow(word, value)
        return 0

    def _destination(self, word: str) -> None:
        """Look at the first word of a group, which may say what the group is."""
        starred, self._opened, self._starred = self._starred, False, False
        unknown = starred and word not in _KNOWN_STARRED and word not in _ASIDES
        if word in _SKIPPED or unknown:
            self._state = replace(self._state, skip=True)
        elif word in _ASIDES and not (word == "title" and self._state.aside != "info"):
            self._flush()
            self._state = replace(self._state, aside=_ASIDES[word])
            self._pieces[_ASIDES[word]] = []

    def _follow(self, word: str, value: int | None) -> None:
        on = value != 0
        match word:
            case "par" | "sect" | "nestrow" | "row":
                self._end_line(word)
            case "cell" | "nestcell":
                self._end_cell()
            case "page" | "pagebb":
                self._break_page(word, on=on)
            case "chftn":
                self._mark_note()
            case "deleted" if on:
                self._deleted = True
                self._state = replace(self._state, hidden=True)
            case _:
                self._set_look(word, value)
                self._set_code(word, value)

    def _set_look(self, word: str, value: int | None) -> None:
        """Follow what says how the next text looks."""
        match word:
            case "pard":
                self._state = replace(self._state, in_table=False, style=0, outline=None)
            case "plain":
                self._state = replace(self._state, hidden=False)
            case "intbl":
                self._state = replace(self._state, in_table=value != 0)
            case "v" | "deleted":
                self._state = replace(self._state, hidden=value != 0)
            case "s":
                self._state = replace(self._state, style=value or 0)
            case "outlinelevel":
                self._state = replace(self._state, outline=value)

    def _set_code(self, word: str, value: int | None) -> None:
        """Follow what says how bytes are characters."""
        if word in _DEFAULT or word == "ansicpg":
            codec = _codec(f"cp{value}") if word == "ansicpg" else _DEFAULT[word]
            self._default = {"cp0": None, "cp65001": "utf-8"}.get(f"cp{value}", codec) or self._default
            self._state = replace(self._state, codec=self._default)
        elif word == "uc":
            self._state = replace(self._state, unicode_skip=min(max(value or 0, 0), 100))
        elif word == "f":
            self._font = value or 0
            codec, symbol = self._fonts.get(self._font, (self._default, False))
            if self._state.aside != "fonttbl":
                self._state = replace(self._state, codec=codec, symbol=symbol)
        elif word in {"fcharset", "cpg"} and self._state.aside == "fonttbl":
            codec = _CHARSETS.get(value or 0, self._default) if word == "fcharset" else _codec(f"cp{value}")
            if value in {0, 1} and word == "fcharset":
                codec = self._default
            self._fonts[self._font] = (codec or self._default, value == _SYMBOL_FONT and word == "fcharset")

    # Characters -------------------------------------------------------------------------------------------

    def _take_plain(self, data: bytes) -> None:
        if self._swallow:
            gone = min(self._swallow, len(data))
            self._swallow -= gone
            data = data[gone:]
        if data:
            self._opened = False
            if not self._state.skip:
                self._bytes += data

    def _take_byte(self, code: int) -> None:
        self._opened = False
        if self._swallow:
            self._swallow -= 1
        elif not self._state.skip:
            self._bytes.append(code)

    def _take_unicode(self, value: int) -> None:
        r"""`\u` counts as a signed 16-bit number; what stands for it in the code page follows."""
        self._flush()
        code = value + 0x10000 if value < 0 else value
        if 0 < code <= 0x10FFFF:  # noqa: PLR2004 - Unicode's last
            if self._state.symbol and 0xF000 <= code <= 0xF0FF:  # noqa: PLR2004 - where Symbol's bytes are shifted
                self._write(_symbols(bytes([code & 0xFF])))
            else:
                self._write(chr(code))
        self._swallow = self._state.unicode_skip

    def _flush(self) -> None:
        """Decode the bytes held, in whose code page they are."""
        if not self._bytes:
            return
        data = bytes(self._bytes)
        self._bytes.clear()
        if self._state.symbol and not data.isascii():
            self._write(_symbols(data))
        else:
            self._write(data.decode(self._state.codec, "replace"))

    def _write(self, text: str) -> None:
        self._flush()
        state = self._state
        if state.skip or state.hidden:
            return
        self._pieces.setdefault(state.aside, []).append(text)

    def _taken(self, aside: str) -> str:
        """Return what was written, and begin anew; halves of one character beyond the BMP are joined."""
        text = "".join(self._pieces.pop(aside, []))
        if any("\ud800" <= character <= "\udfff" for character in text):
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return text

    # Lines ------------------------------------------------------------------------------------------------

    def _end_line(self, word: str) -> None:
        if self._state.aside:
            self._write("\n")
        elif word in {"row", "nestrow"}:
            self._end_row()
        else:
            self._end_paragraph()
            if word == "sect":
                self.pages[-1].append("\f")

    def _end_paragraph(self, *, force: bool = False) -> None:
        if self._state.aside and not force:
            self._write("\n")
            return
        text = self._taken("").strip(" \n")
        if self._state.in_table and not force:
            self._cell.append(text)
            return
        if self._row or self._cell:
            self._end_row()
        if text:
            level = self._heading()
            if level:
                self.title = self.title or on_one_line(text)
                self.pages[-1] += ["\f"] if level <= 2 else []  # noqa: PLR2004 - as in other formats
            self.pages[-1].append("#" * level + " " + text if level else text)

    def _heading(self) -> int:
        if self._state.outline is not None and 0 <= self._state.outline < 9:  # noqa: PLR2004 - nine is body text
            return min(self._state.outline + 1, 6)
        return self._headings.get(self._state.style, 0)

    def _end_cell(self) -> None:
        if self._state.aside:
            self._write(" ")
        else:
            self._cell.append(self._taken(""))
            self._row.append(on_one_line(" ".join(self._cell)))
            self._cell = []

    def _end_row(self) -> None:
        rest = on_one_line(" ".join(self._cell))
        row = [*self._row, rest] if rest else self._row
        self._row, self._cell = [], []
        if any(row):
            self.pages[-1].append(" | ".join(row).rstrip(" |"))

    def _break_page(self, word: str, *, on: bool) -> None:
        if self._state.aside or self._state.skip or self._state.in_table or not on:
            return
        if word == "page":
            self._end_paragraph()
        self._put_notes()
        if any(line != "\f" for line in self.pages[-1]):
            self.pages.append([])

    def _put_notes(self) -> None:
        self.pages[-1] += self._notes
        self._notes = []

    # Asides -----------------------------------------------------------------------------------------------

    def _mark_note(self) -> None:
        if self._state.aside != "note":
            self._cited += 1
            self._write(f"[^{self._cited}]")

    def _name_style(self, style: int) -> None:
        """Note the paragraph styles that are headings, by their built-in names."""
        name = self._taken("stylesheet").partition(";")[0].strip()
        if found := _HEADING.fullmatch(name):
            self._headings[style] = min(int(found[1] or 1), 6)

    def _end_aside(self, aside: str) -> None:
        text = self._taken(aside)
        said = on_one_line(text)
        match aside:
            case "header" | "footer" if any(map(str.isalpha, said)):
                self.frame[f"[{aside}: {said}]"] = None
            case "note" if said:
                self._notes.append(f"[^{self._cited or '*'}]: {said}")
            case "comment" if said:
                by = f" by {self._author}" if self._author else ""
                self._notes.append(f"[comment{by}: {said}]")
            case "author":
                self._author = said
            case "title":
                self.title = said or None
            case "box":
                self.pages[-1] += [text.strip("\n")] if said else []


def _joined(lines: list[str]) -> list[str]:
    """Lines with their ends; a section that would hold headings alone goes on with the next."""
    made, says_something = [], False
    for line in lines:
        if line != "\f":
            says_something = says_something or not line.startswith(("#", "[header: ", "[footer: "))
            made.append(line + "\n")
        elif says_something:
            says_something = False
            made.append("\f")
    return made


def _codec(name: str) -> str | None:
    """Return the name if Python knows it."""
    names = {"cp10000": "mac_roman", "cp936": "gb18030", "cp950": "big5hkscs", "cp1361": "johab"}
    name = names.get(name, name)
    try:
        codecs.lookup(name)
    except LookupError:
        return None
    return name


def _symbols(data: bytes) -> str:
    """Return the bytes of a symbol font as characters where they are known ones."""
    return "".join("•" if code == 0xB7 else chr(code) if code < 0x80 else "" for code in data)  # noqa: PLR2004
