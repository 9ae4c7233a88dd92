"""A part of a Word document as blocks of text, from the events of its XML: no tree, no recursion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ingest.formats.numbering import Numbering, Style, level_of, switched_on, whole
from ingest.formats.wordmath import Formula

SECTION_LEVELS: Final = 2
"""Headings of these levels begin a section."""
BREAK: Final = "\f"
"""Begins a block that is no text (XML can't hold one): here a section may begin. A number after it says which
of `WordEvents.sections` does."""

_LEFT_OUT: Final = {"del", "moveFrom", "Fallback"}
_CHANGES: Final = {"ins", "delText", "moveTo"}
_OBJECTS: Final = {"drawing", "pict", "object"}
_NOTE_PARTS: Final = {"footnote", "endnote", "comment"}
_PRIVATE_USE: Final = (0xE000, 0xF8FF)
# Adobe's Symbol encoding, which Word shifts to U+F000: Greek letters and the commonest signs.
_SYMBOLS: Final = {
    **dict(zip(range(0x61, 0x7B), "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True)),
    **dict(zip(range(0x41, 0x5B), "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", strict=True)),
    **dict(
        zip(
            b"\xa3\xa5\xae\xb0\xb1\xb3\xb4\xb7\xb8\xb9\xbb\xd6\xe5\x2d",
            "≤∞→°±≥\u00d7•÷≠≈√∑\u2212",
            strict=True,
        )
    ),
}


@dataclass(slots=True)
class Note:
    """A footnote, endnote or comment."""

    blocks: list[str]
    author: str = ""


@dataclass(slots=True)
class _Paragraph:
    pieces: list[str] = field(default_factory=list)
    asides: list[str] = field(default_factory=list)  # text boxes anchored in it
    style: str | None = None
    number: str | None = None
    level: int | None = None
    outline: int | None = None
    page_break: bool | None = None
    prefix: str | None = None  # None until the first text is put
    formula: Formula | None = None


@dataclass(slots=True)
class _Row:
    cells: list[list[str]] = field(default_factory=list)


class WordEvents:
    """Takes the events of one part; `pages`, `notes` and `sections` are complete after the last.

    Attributes:
        pages: the blocks of each, at least one page; a new one at each page break.
        sections: the kind and relation id of each header and footer, for each section of the document.
        notes: by id, where the part is one of notes.
        rendered: whether Word noted where its own pages ended.
        first_heading: the first title or heading.
        changed: tracked changes were met.
        unreadable: symbols of decorative fonts that no character stands for.
        pictures: relation ids of pictures that have no description.
        embedded: other documents were merged in by reference.
    """

    def __init__(self, numbering: Numbering, notes: Mapping[str, Mapping[str, Note]] | None = None) -> None:
        """Notes by kind and id, for a part that refers to them."""
        self.numbering = numbering
        self.known_notes = notes or {}
        self.pages = [[f"{BREAK}0"]]
        self.notes: dict[str, Note] = {}
        self.sections: list[list[tuple[str, str]]] = [[]]
        self.rendered = False
        self.explicit_breaks = 0
        self.first_heading: str | None = None
        self.changed = False
        self.unreadable = 0
        self.pictures: set[str] = set()
        self._open: list[_Paragraph | _Row | list[str]] = []  # lists are the blocks of a cell or a note
        self._left_out = 0
        self._in_properties = 0
        self._in_text = False
        self._in_math = 0
        self._described = False  # the drawing that is open
        self._fresh = True  # nothing seen on this page yet
        self._rows_break = False
        self._due: list[str] = []  # notes that the page or section still owes
        self._endnotes: list[str] = []
        self._cited: Counter[str] = Counter()
        self._labels: dict[tuple[str, str], str] = {}  # of the notes that were referred to
        self._styles: dict[str | None, Style] = {}

    # Events -----------------------------------------------------------------------------------------------

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if self._left_out or tag in _LEFT_OUT or tag.endswith("PrChange"):
            self._left_out += 1
            self.changed = self.changed or tag in _CHANGES
        elif tag == "t":
            self._in_text = True
        elif tag in _CONTAINERS:
            self._open_container(tag, attributes)
        elif self._in_properties or tag in _PROPERTIES:
            self._property(tag, attributes)
        elif self._in_math or tag == "oMath":
            self._start_math(tag, attributes)
        else:
            self._run_content(tag, attributes)

    def end(self, tag: str) -> None:
        """End an element."""
        if self._left_out:
            self._left_out -= 1
        elif tag == "t":
            self._in_text = False
        elif tag in _CONTAINERS:
            self._close_container(tag)
        elif tag in _PROPERTIES:
            self._in_properties -= 1
            if tag == "pPr":
                self._properties_done()
            elif tag == "sectPr":
                self._section_done()
        elif self._in_math:
            self._end_math(tag)

    def finish(self) -> None:
        """Put what is still owed, after the last event."""
        self._put_notes()
        self.pages[-1].extend(self._endnotes)

    def text(self, text: str) -> None:
        """Take characters."""
        if self._in_text and not self._left_out:
            self._write(text)

    # Containers -------------------------------------------------------------------------------------------

    def _open_container(self, tag: str, attributes: dict[str, str]) -> None:
        match tag:
            case "p":
                self._open.append(_Paragraph())
            case "tr":
                self._open.append(_Row())
            case "tc":
                self._open.append([])
            case _:
                note = Note([], attributes.get("author", ""))
                self.notes[attributes.get("id", "")] = note
                self._open.append(note.blocks)

    def _close_container(self, tag: str) -> None:
        closed = self._open.pop() if self._open else None
        if isinstance(closed, _Paragraph):
            self._put_paragraph(closed)
        elif isinstance(closed, _Row):
            self._put_row(closed)
        elif isinstance(closed, list) and tag == "tc" and self._open and isinstance(self._open[-1], _Row):
            self._open[-1].cells.append(closed)

    def _put(self, block: str) -> None:
        """Add a block to what is open: a cell, a note, the paragraph of a text box, or the page."""
        parent = self._open[-1] if self._open else None
        if isinstance(parent, list):
            parent.append(block)
        elif isinstance(parent, _Paragraph):
            parent.asides.append(block)
        elif isinstance(parent, _Row):
            parent.cells.append([block])
        else:
            if block.startswith(BREAK):
                self._put_notes()
            self.pages[-1].append(block)

    def _put_notes(self) -> None:
        self.pages[-1].extend(self._due)
        self._due.clear()

    def _put_paragraph(self, paragraph: _Paragraph) -> None:
        self._put_pieces(paragraph)
        for block in paragraph.asides:
            self._put(block)

    def _put_pieces(self, paragraph: _Paragraph) -> None:
        text = "".join(paragraph.pieces)
        paragraph.pieces.clear()
        if not text.strip():
            return
        style = self._style(paragraph.style)
        level = _heading_level(paragraph, style)
        if paragraph.prefix is None:
            paragraph.prefix = self._prefix(paragraph, style, level)
            if level is not None and not self._open:
                self.first_heading = self.first_heading or text.strip()
                if level <= SECTION_LEVELS:
                    self._put(BREAK)
        self._put(paragraph.prefix + (text.strip() if paragraph.prefix else text.strip("\n")))
        paragraph.prefix = ""

    def _prefix(self, paragraph: _Paragraph, style: Style, heading: int | None) -> str:
        number = style.number if paragraph.number is None else paragraph.number
        level = (style.level or 0) if paragraph.level is None else paragraph.level
        label = self.numbering.label(number, level) if number and number != "0" else ""
        marks = "#" * heading + " " if heading is not None else "  " * level if label else ""
        return f"{marks}{label} " if label else marks

    def _put_row(self, row: _Row) -> None:
        """A row is a line; one with a single cell that says something keeps its blocks."""
        if self._rows_break and not self._open:
            self._new_page()
        self._rows_break = self._rows_break and bool(self._open)
        cells = [[block for block in cell if not block.startswith(BREAK)] for cell in row.cells]
        filled = [cell for cell in cells if cell]
        if len(filled) == 1:
            for block in filled[0]:
                self._put(block)
        elif filled:
            self._put(" | ".join(" ".join(" ".join(cell).split()) for cell in cells))

    # Paragraph properties and sections --------------------------------------------------------------------

    def _property(self, tag: str, attributes: dict[str, str]) -> None:
        self._in_properties += tag in _PROPERTIES
        paragraph = self._paragraph()
        if tag in {"headerReference", "footerReference"}:
            self.sections[-1].append((tag.removesuffix("Reference"), attributes.get("id", "")))
        elif paragraph is not None:
            match tag:
                case "pStyle":
                    paragraph.style = attributes.get("val")
                case "numId":
                    paragraph.number = attributes.get("val")
                case "ilvl":
                    paragraph.level = level_of(attributes.get("val", ""))
                case "outlineLvl":
                    paragraph.outline = whole(attributes.get("val", ""))
                case "pageBreakBefore":
                    paragraph.page_break = switched_on(attributes)

    def _properties_done(self) -> None:
        paragraph = self._paragraph()
        if paragraph is None or len(self._open) > 1 or self._fresh:
            return
        wanted = paragraph.page_break
        if self._style(paragraph.style).page_break if wanted is None else wanted:
            self.explicit_breaks += 1
            self._new_page()

    def _section_done(self) -> None:
        if len(self._open) <= 1:
            self._put(f"{BREAK}{len(self.sections)}")
        self.sections.append([])

    # Runs -------------------------------------------------------------------------------------------------

    def _run_content(self, tag: str, attributes: dict[str, str]) -> None:
        match tag:
            case "tab" | "ptab":
                self._write("\t")
            case "br" | "cr":
                self._line_or_page_break(attributes.get("type"))
            case "lastRenderedPageBreak":
                self._rendered_break()
            case "noBreakHyphen":
                self._write("-")
            case "sym":
                self._symbol(attributes)
            case "footnoteReference" | "endnoteReference" | "commentReference":
                self._refer(tag.removesuffix("Reference"), attributes.get("id", ""))
            case "docPr":
                self._described = bool(said := " ".join(attributes.get("descr", "").split()))
                if said:
                    self._write(f"[image: {said}]")
            case "blip" | "imagedata":
                self._picture(attributes)
            case _:
                self._described = self._described and tag not in _OBJECTS
                self._fresh = self._fresh and tag not in _OBJECTS
                self.changed = self.changed or tag in _CHANGES

    def _write(self, text: str) -> None:
        if (paragraph := self._paragraph()) is not None:
            paragraph.pieces.append(text)
            self._fresh = self._fresh and text.isspace()

    def _line_or_page_break(self, kind: str | None) -> None:
        if kind != "page":
            self._write("\n")
        elif len(self._open) > 1:
            self._rows_break = not self._in_text_box()
        else:
            self.explicit_breaks += 1
            self._new_page()

    def _rendered_break(self) -> None:
        """Word notes one also after each break that the author made, where the page has nothing yet."""
        self.rendered = True
        if len(self._open) > 1:
            self._rows_break = not self._in_text_box() and not self._fresh
        elif not self._fresh:
            self._new_page()

    def _new_page(self) -> None:
        if isinstance(paragraph := self._open.pop() if self._open else None, _Paragraph):
            self._put_pieces(paragraph)
            self._open.append(paragraph)
        self._put_notes()
        self.pages.append([])
        self._fresh = True

    def _symbol(self, attributes: dict[str, str]) -> None:
        try:
            code = int(attributes.get("char", ""), 16)
        except ValueError:
            code = 0
        is_symbol = attributes.get("font", "").lower() == "symbol"
        if is_symbol and code & 0xFF in _SYMBOLS:
            self._write(_SYMBOLS[code & 0xFF])
        elif _PRIVATE_USE[0] <= code <= _PRIVATE_USE[1] or not 0 < code < 0x10000:  # noqa: PLR2004 - Unicode's BMP
            self.unreadable += 1
        else:
            self._write(chr(code))

    def _picture(self, attributes: dict[str, str]) -> None:
        link = next((attributes[name] for name in ("embed", "link", "id") if name in attributes), None)
        if link and not self._described:
            self.pictures.add(link)

    def _refer(self, kind: str, number: str) -> None:
        """Mark a foot- or endnote's place; what it says follows where the page or section ends."""
        note = self.known_notes.get(kind, {}).get(number)
        if note is None:
            return
        if (kind, number) in self._labels:  # what it says stands at its first place
            self._write(self._labels[kind, number])
            return
        self._labels[kind, number] = ""
        text = " ".join(" ".join(visible(note.blocks)).split())
        if kind == "comment":
            self._due.append(f"[comment by {note.author or 'unknown'}: {text}]")
            return
        self._cited[kind] += 1
        label = f"[^{'e' if kind == 'endnote' else ''}{self._cited[kind]}]"
        self._labels[kind, number] = label
        self._write(label)
        (self._endnotes if kind == "endnote" else self._due).append(f"{label}: {text}")

    # Formulas ---------------------------------------------------------------------------------------------

    def _start_math(self, tag: str, attributes: dict[str, str]) -> None:
        paragraph = self._paragraph()
        if tag == "oMath":
            self._in_math += 1
            if paragraph is not None and paragraph.formula is None:
                paragraph.formula = Formula(paragraph.pieces)
        elif paragraph is not None and paragraph.formula is not None:
            paragraph.formula.start(tag, attributes)

    def _end_math(self, tag: str) -> None:
        paragraph = self._paragraph()
        if tag == "oMath":
            self._in_math -= 1
            if paragraph is not None:
                paragraph.formula = None
        elif paragraph is not None and paragraph.formula is not None:
            paragraph.formula.end(tag)

    # What is open -----------------------------------------------------------------------------------------

    def _paragraph(self) -> _Paragraph | None:
        innermost = self._open[-1] if self._open else None
        return innermost if isinstance(innermost, _Paragraph) else None

    def _in_text_box(self) -> bool:
        return any(isinstance(outer, _Paragraph) for outer in self._open[:-1])

    def _style(self, name: str | None) -> Style:
        if name not in self._styles:
            self._styles[name] = self.numbering.style(name)
        return self._styles[name]


_CONTAINERS: Final = {"p", "tr", "tc", *_NOTE_PARTS}
_PROPERTIES: Final = {"pPr", "sectPr"}


def _heading_level(paragraph: _Paragraph, style: Style) -> int | None:
    """1 to 6: the outline level, or the built-in name, which is English in every language of Word."""
    outline = style.outline if paragraph.outline is None else paragraph.outline
    if outline is not None and outline < 9:  # noqa: PLR2004 - nine means body text (ECMA-376 17.3.1.20)
        return min(outline + 1, 6)
    if style.name == "title":
        return 1
    kind, _, number = style.name.partition(" ")
    return min(max(whole(number), 1), 6) if kind == "heading" else None


def visible(blocks: Iterable[str]) -> Iterator[str]:
    """The blocks that are text."""
    return (block for block in blocks if not block.startswith(BREAK))
