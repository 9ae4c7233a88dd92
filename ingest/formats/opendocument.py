"""ODT, ODP and ODS: sections or pages, slides, and sheets, each from the one part that holds the content."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from ingest.document import Notice, Unit
from ingest.errors import EmptyDocument, EncryptedDocument
from ingest.formats import ODP, ODS
from ingest.formats.archive import Archive, Pages, on_one_line, unlabelled
from ingest.formats.grid import Budget, Grid
from ingest.formats.opentext import BREAK, MAX_REPEATS, Numbered, OpenText
from ingest.formats.sections import sections
from ingest.formats.sheets import NO_CELLS
from ingest.formats.slides import NO_TEXT
from ingest.formats.unread import pictures_not_read

_CONTENT: Final = "content.xml"
_STYLES: Final = "styles.xml"
_META: Final = "meta.xml"
_MANIFEST: Final = "META-INF/manifest.xml"
_FURNITURE: Final = {"page-number", "date-time", "header", "footer"}
_EMBEDDED: Final = Notice(
    "embedded_files_not_read", "The document holds charts, formulas or other objects, which are not read."
)


def open_document(path: Path, media_type: str) -> Pages:
    """Open and read an OpenDocument file.

    Raises:
        DamagedDocument: it can't be unpacked, or its XML is broken.
        EncryptedDocument: it needs a password.
        TooLarge: it unpacks beyond the limits, or has too many cells.
        EmptyDocument: it holds no text.
    """
    archive = Archive(path, program="LibreOffice")
    try:
        _refuse_locked(archive)
        read = {ODS: _read_sheets, ODP: _read_slides}.get(media_type, _read_text)
        pages = read(archive, media_type)
        pages.title = next(iter(archive.texts_of(_META, "title")), "") or pages.title
        if any(name.startswith("Object ") and name.endswith(f"/{_CONTENT}") for name in archive.names):
            pages.notices.append(_EMBEDDED)
    finally:
        archive.close()
    return pages


def _refuse_locked(archive: Archive) -> None:
    """A locked file says so in its manifest (OpenDocument 1.3 part 2, 4.3)."""
    locked = False

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal locked
        locked = locked or tag == "encryption-data"

    if _MANIFEST in archive.names:
        archive.parse(_MANIFEST, start=start)
    if locked:
        raise EncryptedDocument(
            "The document is locked with a password. Remove the password in LibreOffice and upload it again."
        )


class _Styles:
    """What the automatic and named styles say that matters here.

    Attributes:
        numbered: list styles and their levels that count.
        paged: whether a paragraph style begins a page, by its name.
        hidden: styles of sheets and slides that are not shown.
    """

    def __init__(self, archive: Archive, *parts: str) -> None:
        self.numbered: set[tuple[str, str]] = set()
        self.paged: dict[str, bool] = {}
        self.hidden: set[str] = set()
        self._name = ""
        for part in parts:
            if part in archive.names:
                archive.parse(part, start=self._start)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in {"style", "list-style"}:
            self._name = attributes.get("name", "")
            self.paged.setdefault(self._name, self.paged.get(attributes.get("parent-style-name", ""), False))
        elif tag == "list-level-style-number" and attributes.get("num-format"):
            self.numbered.add((self._name, attributes.get("level", "")))
        elif tag == "paragraph-properties" and "break-before" in attributes:
            self.paged[self._name] = attributes["break-before"] == "page"
        elif (tag == "table-properties" and attributes.get("display") == "false") or (
            tag == "drawing-page-properties" and attributes.get("visibility") == "hidden"
        ):
            self.hidden.add(self._name)


# Text -----------------------------------------------------------------------------------------------------


def _read_text(archive: Archive, media_type: str) -> Pages:
    styles = _Styles(archive, _STYLES, _CONTENT)
    text = OpenText(frozenset(styles.numbered), styles.paged)
    archive.parse(_CONTENT, start=text.start, end=text.end, text=text.text)
    text.finish()
    frame = _headers_and_footers(archive)
    texts = _own_pages(text, frame) if text.soft_pages else list(sections(_joined([*frame, *text.blocks])))
    if not any(block for block in text.blocks if block != BREAK) or not texts:
        raise EmptyDocument(
            "The document holds no text. If it holds scanned pages, save it as PDF and upload that file."
        )
    detail = "The document has tracked changes: what was inserted is read, what was deleted is not."
    notices = [Notice("tracked_changes", detail)] if text.changed else []
    notices += pictures_not_read(len(text.pictures))
    unit = Unit.PAGE if text.soft_pages else Unit.SECTION
    return Pages(media_type, unit, text.first_heading, unlabelled(texts), notices)


def _own_pages(text: OpenText, frame: list[str]) -> list[str]:
    """Return the pages that the file's writer noted."""
    ends = [0, *dict.fromkeys(text.pages), len(text.blocks)]
    pages = [[block for block in text.blocks[first:last] if block != BREAK] for first, last in pairwise(ends)]
    pages[0][:0] = frame
    return ["\n".join(page) for page in pages]


def _joined(blocks: list[str]) -> Iterator[str]:
    """Blocks as lines. A section that would hold headings alone goes on with the next."""
    says_something = False
    for block in blocks:
        if block != BREAK:
            says_something = says_something or not block.startswith(("#", "[header: ", "[footer: "))
            yield block + "\n"
        elif says_something:
            says_something = False
            yield BREAK


def _headers_and_footers(archive: Archive) -> list[str]:
    """Return each header and footer of the page styles once."""
    found: dict[str, None] = {}
    if _STYLES in archive.names:
        for place in ("header", "footer"):
            for text in archive.texts_of(_STYLES, place):
                said = on_one_line(text)
                if any(map(str.isalpha, said)):  # a page number alone says nothing
                    found[f"[{place}: {said}]"] = None
    return list(found)


# Slides ---------------------------------------------------------------------------------------------------


def _read_slides(archive: Archive, media_type: str) -> Pages:
    styles = _Styles(archive, _STYLES, _CONTENT)
    deck = _Deck(frozenset(styles.numbered), frozenset(styles.hidden))
    archive.parse(_CONTENT, start=deck.start, end=deck.end, text=deck.text)
    if not any(deck.slides):
        raise EmptyDocument(NO_TEXT)
    texts = [(f"slide {number}", text) for number, text in enumerate(deck.slides, start=1)]
    return Pages(media_type, Unit.PAGE, deck.first_title, list(texts), pictures_not_read(len(deck.pictures)))


class _Deck:
    """Takes the events of a presentation's content.

    Attributes:
        slides: each one's text.
        first_title: of the first slide that has one.
        pictures: where those are that have no description.
    """

    def __init__(self, numbered: Numbered, hidden: frozenset[str]) -> None:
        self.slides: list[str] = []
        self.first_title: str | None = None
        self.pictures: set[str] = set()
        self._numbered = numbered
        self._hidden_styles = hidden
        self._hidden = False
        self._text: OpenText | None = None
        self._title: list[str] = []
        self._frames: list[tuple[str, int]] = []  # what each open frame is, and where its blocks begin
        self._furniture = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if tag == "page":
            self._text = OpenText(self._numbered)
            self._title = []
            self._hidden = attributes.get("style-name") in self._hidden_styles
        elif self._text is None:
            return
        elif self._furniture or (tag == "frame" and attributes.get("class") in _FURNITURE):
            self._furniture += 1
        else:
            if tag in {"frame", "custom-shape"}:
                self._frames.append((attributes.get("class", ""), len(self._text.blocks)))
            self._text.start(tag, attributes)

    def end(self, tag: str) -> None:
        """End an element."""
        if self._text is None:
            return
        if self._furniture:
            self._furniture -= 1
        elif tag == "page":
            self._end_slide(self._text)
        else:
            self._text.end(tag)
            if tag in {"frame", "custom-shape"} and self._frames:
                kind, first = self._frames.pop()
                if kind == "title":
                    self._title += self._text.blocks[first:]
                    del self._text.blocks[first:]

    def text(self, text: str) -> None:
        """Take characters."""
        if self._text is not None and not self._furniture:
            self._text.text(text)

    def _end_slide(self, text: OpenText) -> None:
        text.finish()
        self.pictures |= text.pictures
        title = on_one_line(" ".join(self._title))
        self.first_title = self.first_title or title or None
        lines = [block for block in text.blocks if block != BREAK]
        if title:
            lines.insert(0, f"# {title}")
        if self._hidden and lines:
            lines.insert(0, "[hidden slide]")
        self.slides.append("\n".join(lines))
        self._text = None


# Sheets ---------------------------------------------------------------------------------------------------


def _read_sheets(archive: Archive, media_type: str) -> Pages:
    styles = _Styles(archive, _CONTENT)
    sheets = _Sheets(frozenset(styles.hidden))
    archive.parse(_CONTENT, start=sheets.start, end=sheets.end, text=sheets.text)
    texts = [page for grid in sheets.grids for page in grid.pages()]
    if not texts:
        raise EmptyDocument(NO_CELLS)
    return Pages(media_type, Unit.SECTION, None, list(texts))


class _Sheets(OpenText):
    """Takes the events of a spreadsheet's content; its cells hold the text that is shown.

    Attributes:
        grids: the sheets.
    """

    def __init__(self, hidden: frozenset[str]) -> None:
        super().__init__()
        self.grids: list[Grid] = []
        self._hidden_styles = hidden
        self._budget = Budget()
        self._row_number = 0
        self._tables = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if tag == "table":
            self._tables += 1
            if self._tables == 1:
                hidden = attributes.get("style-name") in self._hidden_styles
                self.grids.append(Grid(attributes.get("name", ""), hidden))
                self._row_number = 1
        super().start(tag, attributes)

    def end(self, tag: str) -> None:
        """End an element."""
        super().end(tag)
        if tag == "table":
            self._tables -= 1
            if self.blocks and self.grids:  # what stands beside the cells, such as drawings' text
                self.grids[-1].remarks.extend(self.blocks)
                self.blocks.clear()

    def put_row(self, cells: list[tuple[str, int]], repeats: int) -> None:
        """Add a row to the sheet; one that is repeated often is written once, with its number."""
        if not self.grids:
            return
        grid, row, column = self.grids[-1], list[tuple[int, str]](), 0
        for text, times in cells:
            if text and times <= MAX_REPEATS:
                row.extend((place, text) for place in range(column, column + times))
            elif text:
                row.append((column, f"{text} [the same in {times:,} cells]"))
            column += times
        for copy in range(min(repeats, MAX_REPEATS) if row else 0):
            spent = ((place, self._budget.spend(text)) for place, text in row)
            self._budget.take(grid.add(self._row_number + copy, spent))
        if row and repeats > MAX_REPEATS:
            more = f"[the same row {repeats - MAX_REPEATS:,} more times]"
            grid.add(self._row_number + MAX_REPEATS, [(row[0][0], more)])
        self._row_number += repeats
