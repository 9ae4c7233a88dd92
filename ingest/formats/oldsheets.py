"""XLS, Excel's format until 2003: one page a sheet, as `ingest.formats.sheets`; imports xlrd alone."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import xlrd
from xlrd.biffh import XLRDError, error_text_from_code
from xlrd.book import Book
from xlrd.compdoc import CompDocError
from xlrd.sheet import Cell, Sheet

from ingest.document import Unit
from ingest.errors import DamagedDocument, EmptyDocument, EncryptedDocument, TooLarge
from ingest.formats.archive import Pages, on_one_line
from ingest.formats.grid import Budget, Grid
from ingest.formats.numberformats import GENERAL, shown
from ingest.formats.sheets import NO_CELLS

MAX_BYTES: Final = 128 * 1024 * 1024
_CP1252_WHERE_UNSAID: Final = "cp1252"
# What xlrd raises on records that break the format; it checks next to nothing itself.
_FAULTS: Final = (
    *(XLRDError, CompDocError, struct.error, IndexError, KeyError, ValueError, AssertionError),
    *(TypeError, AttributeError, OverflowError, ZeroDivisionError, NotImplementedError, RecursionError),
)
_DAMAGED: Final = (
    "The Excel workbook is damaged. Open it in Excel, save it as XLSX under a new name and upload that file."
)


def open_document(path: Path, media_type: str) -> Pages:
    """Open and read an XLS.

    Raises:
        DamagedDocument: its records break the format.
        EncryptedDocument: it needs a password.
        TooLarge: it is over `MAX_BYTES`, or has too many cells.
        EmptyDocument: no cell says anything.
    """
    if path.stat().st_size > MAX_BYTES:
        raise TooLarge(
            f"The workbook is over {MAX_BYTES / 2**20:,.0f} MB. Split it into several files and upload those."
        )
    try:
        with _opened(path) as book:
            texts = [page for grid in _grids(book) for page in grid.pages()]
    except _FAULTS as error:
        raise _told(error) from error
    if not texts:
        raise EmptyDocument(NO_CELLS)
    return Pages(media_type, Unit.SECTION, None, list(texts))


def _opened(path: Path) -> Book:
    """Open the workbook; one that names no encoding is read anew in the Western one."""
    try:
        return _open(path, None)
    except UnicodeDecodeError:
        return _open(path, _CP1252_WHERE_UNSAID)


def _open(path: Path, encoding: str | None) -> Book:
    return xlrd.open_workbook(
        str(path),
        logfile=io.StringIO(),
        formatting_info=True,
        on_demand=True,
        ragged_rows=True,
        encoding_override=encoding,
    )


def _told(error: Exception) -> DamagedDocument | EncryptedDocument:
    if isinstance(error, XLRDError) and "encrypted" in str(error):
        return EncryptedDocument(
            "The workbook is locked with a password. Remove the password in Excel and upload it again."
        )
    return DamagedDocument(_DAMAGED)


def _grids(book: Book) -> Iterator[Grid]:
    """Yield the sheets; one at a time is in memory."""
    budget = Budget()
    for index in range(book.nsheets):
        sheet = book.sheet_by_index(index)
        grid = Grid(sheet.name, hidden=sheet.visibility != 0)
        for number in range(sheet.nrows):
            cells = enumerate(sheet.row(number))
            shown = ((column, budget.spend(_text(book, cell))) for column, cell in cells)
            budget.take(grid.add(number + 1, shown))
        grid.remarks.extend(_remarks(sheet))
        book.unload_sheet(index)
        yield grid


def _remarks(sheet: Sheet) -> Iterator[str]:
    for place in sorted(sheet.cell_note_map):
        text = on_one_line(sheet.cell_note_map[place].text)
        if text:
            yield f"[comment: {text}]"


def _text(book: Book, cell: Cell) -> str:
    match cell.ctype:
        case xlrd.XL_CELL_TEXT:
            return str(cell.value)
        case xlrd.XL_CELL_NUMBER | xlrd.XL_CELL_DATE:
            return shown(float(cell.value), _code(book, cell), from_1904=bool(book.datemode))
        case xlrd.XL_CELL_BOOLEAN:
            return "TRUE" if cell.value else "FALSE"
        case xlrd.XL_CELL_ERROR:
            return str(error_text_from_code.get(int(cell.value), "#ERROR"))
    return ""


def _code(book: Book, cell: Cell) -> str:
    """Return the cell's format code."""
    if cell.xf_index is None or cell.xf_index >= len(book.xf_list):
        return GENERAL
    found = book.format_map.get(book.xf_list[cell.xf_index].format_key)
    return found.format_str if found is not None else GENERAL
