"""HTML as running text: headings, lists, table rows and paragraphs as lines; imports selectolax alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import compress
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_DEPTH: Final = 400
"""Elements kept inside one another; browsers stop at 512. Parsing time grows with the square of the depth."""
_MAX_SPAN: Final = 100
"""Columns or rows that one table cell may claim; HTML allows 1,000, which a hostile table would multiply."""
_MAX_PLACES: Final = 500_000
"""Places of one table; beyond them its cells take one each."""

_SPAN_DIGITS: Final = 6
SECTION_LEVELS: Final = 2
"""Headings of these levels begin a section."""

_DROPPED: Final = {
    *(
        "script",
        "style",
        "template",
        "noscript",
        "head",
        "svg",
        "iframe",
        "object",
        "embed",
        "canvas",
        "audio",
    ),
    *(
        "video",
        "input",
        "datalist",
        "annotation",
        "annotation-xml",
        "frameset",
        "noembed",
        "noframes",
        "title",
    ),
}
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_PARAGRAPHS: Final = {
    "p",
    "blockquote",
    "pre",
    "table",
    "ul",
    "ol",
    "dl",
    "figure",
    "hr",
    "form",
    "fieldset",
    *_HEADINGS,
}
_LINES: Final = {
    *(
        "div",
        "section",
        "article",
        "main",
        "header",
        "footer",
        "nav",
        "aside",
        "address",
        "li",
        "dt",
        "dd",
        "tr",
    ),
    *(
        "td",
        "th",
        "caption",
        "figcaption",
        "details",
        "summary",
        "option",
        "legend",
        "body",
        "center",
        "title",
    ),
}
_VERBATIM: Final = {"pre", "textarea"}

_BLANKS: Final = re.compile("[ \t\n\r\f]+")
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_DOCTYPE: Final = re.compile(r"<!DOCTYPE[^<>\[]{0,1000}\[", re.IGNORECASE)
_DOCTYPE_WITHIN: Final = 4_096
_TAG: Final = re.compile(
    r"<!--(?:.*?-->|.*\Z)|<(script|style)\b(?:.*?</\1|.*\Z)|<(/?)([a-z][a-z0-9:-]*)",
    re.IGNORECASE | re.DOTALL,
)
# These take no end tag, or their end tags may be left out, so that counting them would count too high.
_UNCOUNTED: Final = {
    *(
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
        "param",
    ),
    *(
        "p",
        "li",
        "dt",
        "dd",
        "tr",
        "td",
        "th",
        "thead",
        "tbody",
        "tfoot",
        "option",
        "optgroup",
        "colgroup",
        "html",
    ),
    *("body", "head", "rp", "rt"),
}


@dataclass(frozen=True, slots=True)
class Hypertext:
    """What a page of HTML says.

    Attributes:
        text: its lines; a form feed stands before each heading of the first two levels that ends a section.
        title: the `<title>`, or else the first heading.
    """

    text: str
    title: str | None


def read_hypertext(html: str) -> Hypertext:
    """Read HTML of any quality: a broken page gives what a browser would show of it."""
    writer = _Writer()
    tree = LexborHTMLParser(bounded_depth(_without_declarations(html)))
    if tree.body is not None:
        _walk(tree.body, writer, _data_tables(tree))
    named = tree.css_first("title")
    title = _BLANKS.sub(" ", named.text()).strip() if named is not None else ""
    return Hypertext(writer.finished(), title or writer.first_heading)


def _without_declarations(html: str) -> str:
    """Drop what the document type declares, as XML allows: HTML's parser shows a part of it as text."""
    found = _DOCTYPE.search(html, 0, _DOCTYPE_WITHIN)
    end = html.find("]", found.end()) if found else -1
    return html[: found.end() - 1] + html[end + 1 :] if found and end >= 0 else html


def bounded_depth(html: str) -> str:
    """Make each start tag beyond `MAX_DEPTH` open elements a `<br`, which opens nothing."""
    if html.count("<") <= MAX_DEPTH:
        return html
    open_elements = dropped = 0

    def bounded(match: re.Match[str]) -> str:
        nonlocal open_elements, dropped
        name = match[3]
        if name is None or name.lower() in _UNCOUNTED:
            return match[0]
        if match[2]:
            dropped, open_elements = (
                (dropped - 1, open_elements) if dropped else (0, max(open_elements - 1, 0))
            )
        elif open_elements >= MAX_DEPTH:
            dropped += 1
            return "<br"
        else:
            open_elements += 1
        return match[0]

    return _TAG.sub(bounded, html)


def _walk(root: LexborNode, writer: _Writer, data_tables: set[int]) -> None:
    """Visit the tree in document order without recursion, telling the writer of starts and ends."""
    node: LexborNode | None = root
    while node is not None:
        entered = _enter(node, writer, data_tables)
        following = node.child if entered else None
        while following is None and node is not None:
            if entered:
                writer.end(node.tag or "")
            if node.mem_id == root.mem_id:
                return
            following, node, entered = node.next, node.parent, True
        node = following


def _enter(node: LexborNode, writer: _Writer, data_tables: set[int]) -> bool:
    """Tell the writer of the node; False where its children are not read."""
    if node.is_text_node:
        writer.text(node.text_content or "")
        return False
    if not node.is_element_node or node.tag in _DROPPED:
        return False
    attributes = node.attributes
    if attributes and ("hidden" in attributes or _HIDDEN.search(attributes.get("style") or "")):
        return False
    if node.tag == "table":
        writer.start_table(for_layout=node.mem_id not in data_tables)
    else:
        writer.start(node.tag or "", attributes)
    return True


def _data_tables(tree: LexborHTMLParser) -> set[int]:
    """The ids of the tables that hold data: two columns or more, and neither tables nor headings inside."""
    columned = _nearest_tables(tree, "td:nth-child(2), th:nth-child(2)")
    return columned - _nearest_tables(tree, "table, h1, h2, h3")


def _nearest_tables(tree: LexborHTMLParser, selector: str) -> set[int]:
    """The ids of the tables that the selected elements stand in."""
    found = set()
    for element in tree.css(selector):
        outer = element.parent
        while outer is not None and outer.tag != "table":
            outer = outer.parent
        if outer is not None:
            found.add(outer.mem_id)
    return found


@dataclass(slots=True)
class _Table:
    """The rows of a data table, spans filled in, so that columns stay columns."""

    rows: list[list[str]] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)  # columns of this row that a cell above reaches into
    reaching: dict[int, int] = field(default_factory=dict)  # column -> rows below that it still reaches into
    places: int = 0  # of the rows above

    def start_row(self) -> None:
        """Begin a row under the others."""
        self.places += len(self.rows[-1]) if self.rows else 0
        self.rows.append([])
        self.taken = set(self.reaching)
        self.reaching = {column: rows - 1 for column, rows in self.reaching.items() if rows > 1}

    def add(self, text: str, *, columns: int, rows: int) -> None:
        """Put a cell into the next free place of the row."""
        if not self.rows:
            self.start_row()
        row = self.rows[-1]
        if self.places + len(row) > _MAX_PLACES:
            columns = rows = 1
        while len(row) in self.taken:
            row.append("")
        if rows > 1:
            self.reaching |= dict.fromkeys(range(len(row), len(row) + columns), rows - 1)
        row.extend([text, *[""] * (columns - 1)])

    def lines(self) -> Iterator[str]:
        """The rows that say something, without the columns that never do."""
        used = [False] * max(map(len, self.rows), default=0)
        for row in self.rows:
            for column, text in enumerate(row):
                used[column] = used[column] or bool(text)
        for row in self.rows:
            if any(row):
                yield " | ".join(compress(row, used)).rstrip(" |")


@dataclass(slots=True)
class _Writer:
    """The lines so far and what is open around the next text."""

    lines: list[str] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)  # of the line being written
    prefix: str = ""  # what the next line that says something begins with
    verbatim: int = 0  # how many <pre> are open
    lists: list[int | None] = field(
        default_factory=list
    )  # the next number of each open list, None for bullets
    table: _Table | None = None
    cell: list[str] | None = None
    spans: tuple[int, int] = (1, 1)
    first_heading: str | None = None
    said_something: bool = False  # since the last form feed

    def finished(self) -> str:
        """All lines, joined."""
        self._line()
        return "\n".join(self.lines)

    def text(self, text: str) -> None:
        """Take a text node."""
        if self.cell is not None:
            self.cell.append(text)
        elif self.verbatim:
            first, *more = text.split("\n")
            self.pieces.append(first)
            for line in more:
                self._line()
                self.pieces.append(line)
        else:
            self.pieces.append(_BLANKS.sub(" ", text))

    def start_table(self, *, for_layout: bool) -> None:
        """Begin a table; one for layout is read as the blocks in it."""
        self._blank()
        self.table = None if for_layout or self.cell is not None else _Table()

    def start(self, tag: str, attributes: dict[str, str | None]) -> None:
        """Begin an element."""
        if tag == "img":
            alt = _BLANKS.sub(" ", attributes.get("alt") or "").strip()
            self.text(f"[image: {alt}]" if alt else "")
        elif self.table is not None and tag in {"tr", "td", "th"}:
            self._start_in_table(self.table, tag, attributes)
        elif tag in _HEADINGS:
            self._start_heading(_HEADINGS[tag])
        else:
            self._break_before(tag)
            self._start_list(tag, attributes)
            self.verbatim += tag in _VERBATIM

    def end(self, tag: str) -> None:
        """End the innermost open element, which is a `tag`."""
        if self.cell is not None and tag in {"td", "th"}:
            self._end_cell(self.cell)
        elif tag == "table":
            self._end_table()
        elif tag in _HEADINGS:
            self._end_heading()
        else:
            if tag in _VERBATIM:
                self._end_verbatim()
            if tag in {"ul", "ol"} and self.lists:
                self._line()
                self.lists.pop()
            self._break_before(tag)

    def _end_verbatim(self) -> None:
        if self.pieces:
            self._line()
        self.verbatim -= 1

    def _break_before(self, tag: str) -> None:
        if tag in _PARAGRAPHS and not self.lists:
            self._blank()
        elif tag in _LINES or tag in _PARAGRAPHS or tag == "br":
            self._line()

    def _line(self) -> None:
        """End the line being written, if it says anything."""
        if self.cell is not None:
            self.cell.append(" ")
            return
        text = "".join(self.pieces)
        self.pieces.clear()
        text = text if self.verbatim else _BLANKS.sub(" ", text).strip()
        if text or self.verbatim:
            self.lines.append(self.prefix + text)
            self.prefix = ""
            self.said_something = True

    def _blank(self) -> None:
        self._line()
        if self.cell is None and self.lines and self.lines[-1]:
            self.lines.append("")

    def _start_list(self, tag: str, attributes: dict[str, str | None]) -> None:
        if tag in {"ul", "ol"}:
            start = attributes.get("start") or "1"
            self.lists.append((int(start) if start.isdecimal() else 1) if tag == "ol" else None)
        elif tag == "li" and self.cell is None:
            number = self.lists[-1] if self.lists else None
            indent = "  " * min(max(len(self.lists) - 1, 0), 8)
            self.prefix = f"{indent}- " if number is None else f"{indent}{number}. "
            if number is not None:
                self.lists[-1] = number + 1

    def _start_heading(self, level: int) -> None:
        self._blank()
        if self.cell is None:
            if level <= SECTION_LEVELS and self.said_something:
                self.lines.append("\f")
                self.said_something = False
            self.prefix = "#" * level + " "

    def _end_heading(self) -> None:
        said_before, count = self.said_something, len(self.lines)
        self._line()
        if self.cell is None:
            if len(self.lines) > count:
                self.first_heading = self.first_heading or self.lines[-1].lstrip("# ")
            self.said_something, self.prefix = said_before, ""  # a heading alone is no section
            self._blank()

    def _start_in_table(self, table: _Table, tag: str, attributes: dict[str, str | None]) -> None:
        if tag == "tr":
            table.start_row()
        else:
            self._line()
            self.cell = []
            self.spans = (_span(attributes.get("colspan")), _span(attributes.get("rowspan")))

    def _end_cell(self, cell: list[str]) -> None:
        self.cell = None
        if self.table is not None:
            text = _BLANKS.sub(" ", "".join(cell)).strip()
            self.table.add(text, columns=self.spans[0], rows=self.spans[1])

    def _end_table(self) -> None:
        self._line()
        if self.table is not None:
            rows = list(self.table.lines())
            self.lines.extend(rows)
            self.said_something = self.said_something or bool(rows)
            self.table = None
        self._blank()


def _span(value: str | None) -> int:
    return (
        min(max(int(value), 1), _MAX_SPAN) if value and value.isdecimal() and len(value) < _SPAN_DIGITS else 1
    )
