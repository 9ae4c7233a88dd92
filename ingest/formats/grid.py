"""A sheet's cells as pages of rows: empty rows and columns dropped, bounded however sparse the sheet is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ingest.errors import TooLarge
from ingest.formats.archive import on_one_line

MAX_ROWS: Final = 200
"""Rows of one page."""
MAX_CHARS: Final = 20_000
"""Characters of one page, but for a single row that is longer."""
MAX_CELLS: Final = 1_000_000
"""Filled cells of one workbook: some five million tokens, more than any model takes; about ten seconds."""
MAX_TEXT: Final = 64 * 1024 * 1024
"""Characters of all cells of one workbook: a single text can be shown by every cell."""
_WIDE: Final = 64
_DENSE: Final = 8
"""A sheet with more used columns than the one, of whose places less than one in the other is filled, is
written cell by cell."""


@dataclass(slots=True)
class Budget:
    """How many filled cells and characters a workbook may still hold."""

    cells: int = MAX_CELLS
    chars: int = MAX_TEXT

    def take(self, count: int) -> None:
        """Count cells.

        Raises:
            TooLarge: there are more than `MAX_CELLS`.
        """
        self.cells -= count
        if self.cells < 0:
            raise TooLarge(
                f"The workbook holds more than {MAX_CELLS:,} filled cells. "
                "Split it into several files and upload those."
            )

    def spend(self, text: str) -> str:
        """Count a cell's characters and return them.

        Raises:
            TooLarge: all cells together have more than `MAX_TEXT`.
        """
        self.chars -= len(text)
        if self.chars < 0:
            raise TooLarge(
                f"The workbook's cells show more than {MAX_TEXT:,} characters. "
                "Split it into several files and upload those."
            )
        return text


@dataclass(slots=True)
class Grid:
    """One sheet.

    Attributes:
        name: as on its tab.
        hidden: not shown when the workbook is opened.
        rows: each row's 1-based number and its filled cells, as 0-based column and text, from left to right.
        remarks: lines that belong to the sheet beside its cells, such as comments.
    """

    name: str
    hidden: bool = False
    rows: list[tuple[int, list[tuple[int, str]]]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, number: int, cells: Iterable[tuple[int, str]]) -> int:
        """Append a row; return how many of its cells say something."""
        filled = [(column, shown) for column, text in cells if (shown := on_one_line(text))]
        if filled:
            self.rows.append((number, filled))
        return len(filled)

    def pages(self) -> Iterator[tuple[str, str]]:
        """Yield each page's label and text; nothing for a sheet without any."""
        name = on_one_line(self.name) or "Sheet"
        heading = f"# {name} [hidden sheet]" if self.hidden else f"# {name}"
        parts = list(cut(self._lines()))
        if not parts and self.remarks:
            parts = [(0, 0, [])]
        for index, (first, last, lines) in enumerate(parts):
            span = "" if len(parts) == 1 else f", rows {first:,}–{last:,}"  # noqa: RUF001 - a range
            remarks = self.remarks if index == len(parts) - 1 else []
            yield f"{name}{span}", "\n".join([heading + span, *lines, *remarks])

    def _lines(self) -> Iterator[tuple[int, str]]:
        columns = sorted({column for _, cells in self.rows for column, _ in cells})
        filled = sum(len(cells) for _, cells in self.rows)
        if len(columns) > _WIDE and filled * _DENSE < len(columns) * len(self.rows):
            for number, cells in self.rows:
                yield number, " | ".join(f"{letters(column)}{number}: {text}" for column, text in cells)
            return
        places = {column: place for place, column in enumerate(columns)}
        for number, cells in self.rows:
            row = [""] * (places[cells[-1][0]] + 1)
            for column, text in cells:
                row[places[column]] = text
            yield number, " | ".join(row)


def cut(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, int, list[str]]]:
    """Cut numbered rows into pages; yield each one's first and last number and its rows."""
    first = last = size = 0
    held: list[str] = []
    for number, line in lines:
        if held and (len(held) >= MAX_ROWS or size + len(line) > MAX_CHARS):
            yield first, last, held
            held, size = [], 0
        first = number if not held else first
        held.append(line)
        last, size = number, size + len(line) + 1
    if held:
        yield first, last, held


def letters(column: int) -> str:
    """Return a 0-based column's name: A, B, …, Z, AA."""
    name = ""
    column += 1
    while column:
        column, digit = divmod(column - 1, 26)
        name = chr(65 + digit) + name
    return name
