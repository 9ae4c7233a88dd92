"""The running text of an OpenDocument part as blocks, from the events of its XML: no tree, no recursion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ingest.formats.archive import on_one_line

SECTION_LEVELS: Final = 2
"""Headings of these levels begin a section."""
BREAK: Final = "\f"
"""A block that is no text (XML can't hold one): here a section may begin."""
MAX_REPEATS: Final = 100
"""Copies of a repeated row or cell that are written out; of more, their number is said."""
_MAX_BLANKS: Final = 1_000
_MAX_NUMBER: Final = 9

# What an element that is not read holds is no text of its own, or is shown elsewhere.
_LEFT_OUT: Final = {
    *("tracked-changes", "scripts", "font-face-decls", "automatic-styles", "forms", "settings", "styles"),
    *("index-title-template", "table-of-content-source", "alphabetical-index-source"),
    *("illustration-index-source", "table-index-source", "user-index-source", "object-index-source"),
    *("bibliography-source", "shapes-templates", "header-left", "footer-left", "date-time-decl"),
    *("sequence-decls", "variable-decls", "user-field-decls", "dde-connection-decls", "ruby-text"),
}
_ANNOTATION: Final = "annotation"
_COVERED: Final = "covered-table-cell"
"""Holds a place that a merged cell reaches into; what is in it is not shown."""


@dataclass(slots=True)
class _Paragraph:
    prefix: str = ""
    pieces: list[str] = field(default_factory=list)
    asides: list[str] = field(default_factory=list)  # text boxes, images and comments anchored in it
    heading: int = 0


@dataclass(slots=True)
class _List:
    number: int | None  # the next one; None for bullets
    style: str
    fresh: bool = False  # an item began and has no text yet


@dataclass(slots=True)
class _Row:
    cells: list[tuple[str, int]] = field(default_factory=list)  # text and how often it stands
    repeats: int = 1


@dataclass(slots=True)
class _Cell:
    blocks: list[str] = field(default_factory=list)
    repeats: int = 1


@dataclass(slots=True)
class _Aside:
    """A note, a comment or the speaker's notes: blocks of their own."""

    kind: str
    blocks: list[str] = field(default_factory=list)
    author: list[str] = field(default_factory=list)
    citation: list[str] = field(default_factory=list)


_Open = _Paragraph | _Row | _Cell | _Aside
Numbered = frozenset[tuple[str, str]]
"""List styles with the levels, from 1, at which they count."""


class OpenText:
    """Takes the events of a part's body; `blocks` is complete after the last.

    Attributes:
        blocks: lines of text, with `BREAK` where a section may begin.
        pages: at which blocks a page began, by the file's own account.
        first_heading: the first title or heading.
        changed: deleted text was met, which is not read.
        pictures: where those are that have no description.
    """

    def __init__(self, numbered: Numbered = frozenset(), paged: Mapping[str, bool] | None = None) -> None:
        """`numbered` are the levels of lists that count; `paged` the paragraph styles that begin a page."""
        self.blocks: list[str] = []
        self.pages: list[int] = []
        self.soft_pages = False
        self.first_heading: str | None = None
        self.changed = False
        self.pictures: set[str] = set()
        self._numbered = numbered
        self._paged = paged or {}
        self._open: list[_Open] = []
        self._lists: list[_List] = []
        self._left_out = 0
        self._drawings = 0  # how many are open
        self._shown = ""  # the picture in the last frame
        self._special = ""  # an element whose characters go elsewhere than into the text
        self._due: list[str] = []  # notes that the section still owes

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if self._left_out or tag in _LEFT_OUT:
            self._left_out += 1
            self.changed = self.changed or tag == "deletion"
        elif tag == _COVERED:
            self._open.append(_Cell(repeats=_whole(attributes.get("number-columns-repeated"))))
            self._left_out = 1
        elif tag in {"p", "h"}:
            self._start_paragraph(tag, attributes)
        elif tag in _MARKS:
            self._mark(tag, attributes)
        elif tag in {"list", "list-item", "list-header"}:
            self._start_list(tag, attributes)
        elif tag == "table-row":
            self._open.append(_Row(repeats=_whole(attributes.get("number-rows-repeated"))))
        elif tag == "table-cell":
            self._open.append(_Cell(repeats=_whole(attributes.get("number-columns-repeated"))))
        elif tag in {"note", _ANNOTATION, "notes"}:
            self._open.append(_Aside(tag))
        elif tag in {"creator", "date", "note-citation", "title", "desc"}:
            self._special = tag
        self._start_drawing(tag, attributes.get("href", ""))

    def end(self, tag: str) -> None:
        """End an element."""
        if self._left_out:
            self._left_out -= 1
        if self._left_out:
            return
        self._drawings -= tag in _DRAWN
        if tag in {"p", "h"}:
            self._end_paragraph()
        elif tag == "list" and self._lists:
            self._lists.pop()
        elif tag in _CONTAINERS:
            closed = self._open.pop() if self._open else None
            if isinstance(closed, _Row):
                self.put_row(closed.cells, closed.repeats)
            elif isinstance(closed, _Cell):
                self._put_cell(closed)
            elif isinstance(closed, _Aside):
                self._put_aside(closed)
        elif tag == self._special:
            self._special = ""

    def text(self, text: str) -> None:
        """Take characters."""
        if self._left_out:
            return
        innermost = self._open[-1] if self._open else None
        if self._special:
            self._take_special(text)
        elif isinstance(innermost, _Paragraph):
            innermost.pieces.append(text.replace("\n", " "))

    def finish(self) -> None:
        """Put what is still owed, after the last event."""
        self.blocks.extend(self._due)
        self._due.clear()

    def put_row(self, cells: list[tuple[str, int]], repeats: int) -> None:
        """Put a table's row as a line."""
        texts = [text for text, times in cells for text in repeated(text, times)]
        while texts and not texts[-1]:
            texts.pop()
        if not texts:
            return
        line = " | ".join(texts)
        shown = min(repeats, MAX_REPEATS)
        for _ in range(shown):
            self._put(line)
        if repeats > shown:
            self._put(f"[the same row {repeats - shown:,} more times]")

    # Paragraphs and lists ---------------------------------------------------------------------------------

    def _start_paragraph(self, tag: str, attributes: dict[str, str]) -> None:
        outermost = not self._open
        paragraph = _Paragraph(self._prefix())
        if self._paged.get(attributes.get("style-name", "")) and outermost:
            self._new_page()
        if tag == "h":
            paragraph.heading = min(_whole(attributes.get("outline-level")), 6)
            paragraph.prefix = "#" * paragraph.heading + " "
        self._open.append(paragraph)

    def _end_paragraph(self) -> None:
        paragraph = self._open.pop() if self._open else None
        if isinstance(paragraph, _Paragraph):
            self._put_pieces(paragraph)
            for block in paragraph.asides:
                self._put(block)

    def _put_pieces(self, paragraph: _Paragraph) -> None:
        text = "".join(paragraph.pieces).strip(" \n")
        paragraph.pieces.clear()
        if not text:
            return
        if paragraph.heading and not self._open:
            self.first_heading = self.first_heading or on_one_line(text)
            if paragraph.heading <= SECTION_LEVELS:
                self.finish()
                self.blocks.append(BREAK)
        if self._lists:
            self._lists[-1].fresh = False
        self._put(paragraph.prefix + text)
        paragraph.prefix, paragraph.heading = "", 0

    def _prefix(self) -> str:
        if any(isinstance(each, _Cell) for each in self._open):
            return ""
        if not self._lists or not self._lists[-1].fresh:
            return "  " * len(self._lists)
        number = self._lists[-1].number
        if number is None:
            return "  " * (len(self._lists) - 1) + "- "
        self._lists[-1].number = number + 1
        return f"{'  ' * (len(self._lists) - 1)}{number}. "

    def _start_list(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "list":
            style = attributes.get("style-name", self._lists[-1].style if self._lists else "")
            counts = (style, str(len(self._lists) + 1)) in self._numbered
            self._lists.append(_List(1 if counts else None, style))
        elif self._lists:
            self._lists[-1].fresh = tag == "list-item"

    def _mark(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "soft-page-break":
            self.soft_pages = True
            self._break_page()
        elif tag in {"s", "tab", "line-break"} and self._open:
            innermost = self._open[-1]
            if isinstance(innermost, _Paragraph):
                blanks = " " * min(_whole(attributes.get("c")), _MAX_BLANKS)
                innermost.pieces.append({"tab": "\t", "line-break": "\n"}.get(tag, blanks))

    def _break_page(self) -> None:
        """A page ends here, also within a paragraph; within a table, before the row."""
        if len(self._open) == 1 and isinstance(self._open[0], _Paragraph):
            self._put_open(self._open[0])
        self._new_page()

    def _put_open(self, paragraph: _Paragraph) -> None:
        self._open.clear()
        self._put_pieces(paragraph)
        self._open.append(paragraph)

    def _new_page(self) -> None:
        self.finish()
        if self.blocks:
            self.pages.append(len(self.blocks))

    # What stands in other things --------------------------------------------------------------------------

    def _start_drawing(self, tag: str, link: str) -> None:
        """Of the pictures in a frame the first counts: others show the same. Stand-ins of objects do not."""
        if tag in _DRAWN:
            self._drawings += 1
            self._shown = ""
        elif tag == "image" and not (self._left_out or self._shown or "ObjectReplacements/" in link):
            self._shown = link
            self.pictures |= {link} - {""}

    def _take_special(self, text: str) -> None:
        innermost = self._open[-1] if self._open else None
        if self._special in {"title", "desc"} and self._drawings:
            if text.strip():
                self.pictures.discard(self._shown)
            if isinstance(innermost, _Paragraph) and text.strip():
                innermost.asides.append(f"[image: {on_one_line(text)}]")
            elif text.strip():
                self._put(f"[image: {on_one_line(text)}]")
        elif isinstance(innermost, _Aside) and self._special == "creator":
            innermost.author.append(text)
        elif isinstance(innermost, _Aside) and self._special == "note-citation":
            innermost.citation.append(text)
        elif isinstance(innermost, _Paragraph) and self._special in {"title", "date", "creator"}:
            innermost.pieces.append(text)

    def _put_cell(self, cell: _Cell) -> None:
        row = self._open[-1] if self._open else None
        text = on_one_line(" ".join(cell.blocks))
        if isinstance(row, _Row):
            row.cells.append((text, cell.repeats))
        elif text:
            self._put(text)

    def _put_aside(self, aside: _Aside) -> None:
        text = "\n".join(block for block in aside.blocks if block != BREAK)
        if not text.strip():
            return
        if aside.kind == "notes":
            self.blocks.append(f"[notes: {text}]")
        elif aside.kind == _ANNOTATION:
            author = on_one_line("".join(aside.author))
            said = f"[comment by {author}: {text}]" if author else f"[comment: {text}]"
            self._put(said)
        else:
            label = f"[^{on_one_line(''.join(aside.citation)) or '*'}]"
            self._due.append(f"{label}: {text}")
            if self._open and isinstance(innermost := self._open[-1], _Paragraph):
                innermost.pieces.append(label)

    def _put(self, block: str) -> None:
        """Add a block to what is open: a cell, a note, the paragraph of a text box, or the text."""
        parent = self._open[-1] if self._open else None
        if isinstance(parent, _Paragraph):
            parent.asides.append(block)
        elif isinstance(parent, _Cell | _Aside):
            parent.blocks.append(block)
        elif isinstance(parent, _Row):
            parent.cells.append((block, 1))
        else:
            self.blocks.append(block)


_CONTAINERS: Final = {"table-row", "table-cell", _COVERED, "note", _ANNOTATION, "notes"}
_DRAWN: Final = {"frame", "custom-shape"}
_MARKS: Final = {"s", "tab", "line-break", "soft-page-break"}


def repeated(text: str, times: int) -> list[str]:
    """Return the cell as often as it stands, or once with their number where that is too often."""
    if not text:
        return [""] * min(times, MAX_REPEATS)
    return [text] * times if times <= MAX_REPEATS else [f"{text} [the same in {times:,} cells]"]


def _whole(value: str | None) -> int:
    """Return a positive count; 1 where none is given."""
    good = value is not None and value.isascii() and value.isdecimal() and len(value) <= _MAX_NUMBER
    return max(int(value), 1) if good and value is not None else 1
