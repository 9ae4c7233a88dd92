"""XLSX: one page a sheet, or one for each 200 rows of it; numbers, dates and percents as they are shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final

from ingest.document import Notice, Unit
from ingest.errors import EmptyDocument
from ingest.formats.archive import Archive, Pages, on_one_line
from ingest.formats.charts import chart_lines
from ingest.formats.grid import Budget, Grid
from ingest.formats.numberformats import BUILT_IN, GENERAL, shown

_MAIN: Final = "xl/workbook.xml"
_PROPERTIES: Final = "docProps/core.xml"
_HIDDEN: Final = {"hidden", "veryHidden"}
_REFERENCE: Final = re.compile(r"([A-Za-z]{1,3})[0-9]")
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_MAX_COLUMN: Final = 16_384
_MAX_TEXTS: Final = 4_000_000
_MAX_INDEX_DIGITS: Final = 9
_SAFE_DIGITS: Final = 15
NO_CELLS: Final = "The workbook holds no filled cells. Check that it was saved and upload it again."


def open_document(path: Path, media_type: str) -> Pages:
    """Open and read an XLSX.

    Raises:
        DamagedDocument: it can't be unpacked, or its XML is broken.
        EncryptedDocument: it needs a password.
        TooLarge: it unpacks beyond the limits, or has too many cells.
        EmptyDocument: no cell says anything.
    """
    archive = Archive(path, program="Excel")
    try:
        workbook = _Workbook(archive)
        texts = [page for grid in workbook.grids() for page in grid.pages()]
        title = next(iter(archive.texts_of(_PROPERTIES, "title")), "") or None
    finally:
        archive.close()
    if not texts:
        raise EmptyDocument(NO_CELLS)
    return Pages(media_type, Unit.SECTION, title, list(texts), workbook.notices())


class _Workbook:
    """The sheets in the order of their tabs."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._relations = archive.relations(_MAIN)
        self._listed: list[
            tuple[str, str, bool]
        ] = []  # each sheet's name, relation, and whether it is hidden
        self._from_1904 = False
        self._budget = Budget()
        self._valueless = 0
        archive.parse(_MAIN, start=self._list)
        self._texts = _shared_texts(archive, self._part("sharedStrings"))
        self._formats = _formats(archive, self._part("styles"))

    def grids(self) -> Iterator[Grid]:
        """Yield the sheets; one at a time is in memory."""
        for name, relation, hidden in self._listed:
            kind, part = self._relations.get(relation, ("", ""))
            if part not in self._archive.names:
                continue
            grid = Grid(name, hidden)
            if kind == "worksheet":
                cells = _Cells(grid, self._texts, self._shown, self._budget)
                self._archive.parse(part, start=cells.start, end=cells.end, text=cells.text)
                self._valueless += cells.valueless
            grid.remarks.extend(self._remarks(part))
            yield grid

    def notices(self) -> list[Notice]:
        """Return what the user is told beside the text."""
        if not self._valueless:
            return []
        if self._valueless == 1:
            formulas, values = "1 formula carries no result and is read as a formula", "its value"
        else:
            formulas = f"{self._valueless:,} formulas carry no result and are read as formulas"
            values = "their values"
        detail = f"{formulas}. Open the workbook in Excel and save it to have {values}."
        return [Notice("formulas_without_values", detail)]

    def _list(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "sheet":
            hidden = attributes.get("state") in _HIDDEN
            self._listed.append((attributes.get("name", ""), attributes.get("id", ""), hidden))
        elif tag == "workbookPr":
            self._from_1904 = attributes.get("date1904") in {"1", "true"}

    def _part(self, kind: str) -> str | None:
        names = (name for of, name in self._relations.values() if of == kind and name in self._archive.names)
        return next(names, None)

    def _shown(self, value: str, style: str) -> str:
        """Return a number's text as its style shows it."""
        index = int(style) if style.isdecimal() and len(style) < _MAX_INDEX_DIGITS else 0
        code = self._formats[index] if index < len(self._formats) else GENERAL
        if code == GENERAL and value.isdecimal() and len(value) < _SAFE_DIGITS:
            return value
        try:
            number = float(value)
        except ValueError:
            return value
        return shown(number, code, from_1904=self._from_1904)

    def _remarks(self, part: str) -> Iterator[str]:
        """Yield the sheet's comments and charts."""
        for kind, name in self._archive.relations(part).values():
            if name not in self._archive.names:
                continue
            if kind == "comments":
                texts = self._archive.texts_of(name, "text")
                yield from (f"[comment: {on_one_line(text)}]" for text in texts if text)
            elif kind == "drawing":
                for of, chart in self._archive.relations(name).values():
                    if of == "chart" and chart in self._archive.names:
                        yield from islice(chart_lines(self._archive, chart), 1)  # its numbers are cells


class _Cells:
    """Takes the events of a sheet's XML (ECMA-376 18.3.1).

    Attributes:
        valueless: formulas whose result the file does not hold.
    """

    def __init__(
        self, grid: Grid, texts: list[str], number: Callable[[str, str], str], budget: Budget
    ) -> None:
        self.valueless = 0
        self._grid = grid
        self._texts = texts
        self._number = number
        self._budget = budget
        self._row: list[tuple[int, str]] = []
        self._row_number = 0
        self._column = -1
        self._attributes: dict[str, str] = {}
        self._phonetic = 0
        self._into: list[str] | None = None
        self._value: list[str] = []
        self._formula: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if tag == "c":
            self._attributes = attributes
            found = _REFERENCE.match(attributes.get("r", ""))
            self._column = min(_column(found[1]) if found else self._column + 1, _MAX_COLUMN)
            self._value, self._formula = [], []
        elif tag == "v":
            self._into = self._value
        elif tag == "t":
            self._into = None if self._phonetic else self._value
        elif tag == "f":
            self._into = self._formula
        elif tag == "rPh":
            self._phonetic += 1
        elif tag == "row":
            number = attributes.get("r", "")
            told = number.isascii() and number.isdecimal() and len(number) < _MAX_INDEX_DIGITS
            self._row_number = int(number) if told else self._row_number + 1
            self._row, self._column = [], -1

    def end(self, tag: str) -> None:
        """End an element."""
        if tag == "c":
            text = self._shown()
            if text:
                self._row.append((self._column, self._budget.spend(text)))
        elif tag in {"v", "t", "f"}:
            self._into = None
        elif tag == "rPh":
            self._phonetic -= 1
        elif tag == "row" and self._row:
            self._budget.take(self._grid.add(self._row_number, sorted(self._row)))

    def text(self, text: str) -> None:
        """Take characters."""
        if self._into is not None:
            self._into.append(text)

    def _shown(self) -> str:
        value = "".join(self._value)
        kind = self._attributes.get("t", "n")
        if not value:
            formula = "".join(self._formula)
            self.valueless += bool(formula) and kind != "str"
            return f"={formula}" if formula and kind != "str" else ""
        match kind:
            case "s":
                index = int(value) if value.isdecimal() and len(value) < _MAX_INDEX_DIGITS else -1
                return self._texts[index] if 0 <= index < len(self._texts) else ""
            case "b":
                return "TRUE" if value == "1" else "FALSE"
            case "n":
                return self._number(value, self._attributes.get("s", "0"))
            case "d":
                return _moment(value)
        return _unescaped(value)


def _shared_texts(archive: Archive, part: str | None) -> list[str]:
    """Return the texts that cells refer to by their place, without phonetic guides."""
    texts: list[str] = []
    pieces: list[str] = []
    phonetic = inside = 0

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal phonetic, inside
        phonetic += tag == "rPh"
        inside = tag == "t" and not phonetic

    def end(tag: str) -> None:
        nonlocal phonetic, inside
        phonetic -= tag == "rPh"
        inside = False
        if tag == "si":
            texts.append(_unescaped("".join(pieces)))
            pieces.clear()
            Budget(_MAX_TEXTS - len(texts)).take(0)

    if part is not None:
        archive.parse(part, start=start, end=end, text=lambda text: pieces.append(text) if inside else None)
    return texts


def _formats(archive: Archive, part: str | None) -> list[str]:
    """Return the format code of each cell style, by its place."""
    own: dict[str, str] = {}
    used: list[str] = []
    in_cells = False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal in_cells
        if tag == "numFmt":
            own.setdefault(attributes.get("numFmtId", ""), attributes.get("formatCode", GENERAL))
        elif tag == "cellXfs":
            in_cells = True
        elif tag == "xf" and in_cells:
            used.append(attributes.get("numFmtId", "0"))

    def end(tag: str) -> None:
        nonlocal in_cells
        in_cells = in_cells and tag != "cellXfs"

    if part is not None:
        archive.parse(part, start=start, end=end)
    known = {str(number): code for number, code in BUILT_IN.items()} | own
    return [known.get(number, GENERAL) for number in used]


def _unescaped(text: str) -> str:
    """Undo `_x000D_`, which stands for a character that XML can't hold (ECMA-376 22.4.2.4)."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def _moment(value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return moment.isoformat(" ").removesuffix(" 00:00:00")


@cache
def _column(name: str) -> int:
    number = 0
    for letter in name.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1
