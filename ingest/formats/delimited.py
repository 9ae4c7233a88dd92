"""CSV and TSV: their delimiter and encoding found, rows as pages of 200, never whole in memory."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from ingest.document import Notice, Unit
from ingest.errors import EmptyDocument
from ingest.formats import RawPage, Reading
from ingest.formats import plain as plain_text
from ingest.formats.archive import on_one_line
from ingest.formats.grid import cut
from ingest.formats.plain import Encoding, decode, find_encoding

_DELIMITERS: Final = "\t;|,"
"""Where several fit, the first does: commas also stand in numbers and sentences."""
_LOOKED_AT: Final = 200
_MAX_LINE: Final = 131_072
"""Of one field, in characters: csv's own limit; a file beyond it is read as plain text."""
_TSV: Final = "text/tab-separated-values"


@dataclass(frozen=True, slots=True)
class _Rows:
    """Read anew at each iteration, so that no more than a page is in memory."""

    path: Path
    encoding: Encoding
    delimiter: str

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Yield the number of each row that says something, and its text."""
        lines = _lines(decode(self.path, self.encoding))
        for number, row in enumerate(csv.reader(lines, delimiter=self.delimiter), start=1):
            cells = [cell and on_one_line(cell) for cell in row] if any(row) else []
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                yield number, " | ".join(cells)


@dataclass(slots=True)
class DelimitedReading:
    """A CSV file, cut twice: once to know how many pages there are, once to give them."""

    media_type: str
    rows: _Rows
    total: int
    title: str | None = None
    unit: Unit = Unit.SECTION
    notices: list[Notice] = field(default_factory=list)

    def pages(self) -> Iterator[RawPage]:
        """Yield the pages in order."""
        for number, (first, last, lines) in enumerate(cut(self.rows), start=1):
            label = f"rows {first:,}–{last:,}" if self.total > 1 else None  # noqa: RUF001 - a range
            yield RawPage(number, "\n".join(lines), label=label)

    def close(self) -> None:
        """Nothing stays open between pages."""


def open_document(path: Path, media_type: str) -> Reading:
    """Open a CSV or TSV file; one that breaks the format is read as plain text.

    Raises:
        EmptyDocument: no cell says anything.
    """
    encoding = find_encoding(path)
    try:
        rows = _Rows(path, encoding, _delimiter(path, encoding, media_type))
        total = sum(1 for _ in cut(rows))
    except csv.Error:
        reading = plain_text.open_document(path, media_type)
        detail = "The file is no regular table: it was read as plain text."
        return _with_notice(reading, Notice("read_as_text", detail))
    if not total:
        raise EmptyDocument("The table holds no filled cells. Check that it was saved and upload it again.")
    return DelimitedReading(media_type, rows, total, notices=encoding.notices())


def _with_notice(reading: Reading, notice: Notice) -> Reading:
    reading.notices.append(notice)
    return reading


def _delimiter(path: Path, encoding: Encoding, media_type: str) -> str:
    """Return the delimiter that gives the most of the first rows one number of columns above one."""
    if media_type == _TSV:
        return "\t"
    head = list(islice(_lines(decode(path, encoding)), _LOOKED_AT))
    return max(_DELIMITERS, key=lambda delimiter: _regularity(head, delimiter))


def _regularity(lines: list[str], delimiter: str) -> float:
    """Return the share of rows that have the commonest number of columns above one."""
    rows: list[list[str]] = []
    with suppress(csv.Error):
        rows.extend(csv.reader(lines, delimiter=delimiter))
    columns = Counter(len(row) for row in rows if row)
    wide = [times for count, times in columns.items() if count > 1]
    return max(wide, default=0) / max(columns.total(), 1)


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    r"""Lines with their `\n`; one beyond what csv takes comes in parts, which it then refuses."""
    rest = ""
    for piece in pieces:
        *whole, rest = (rest + piece).split("\n")
        for line in whole:
            yield line + "\n"
        if len(rest) > 2 * _MAX_LINE:
            raise csv.Error("a line is too long")
    if rest:
        yield rest
