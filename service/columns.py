"""Tables that fit the terminal: no figure is ever cut, columns leave first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column before it is known whether there is room for it.

    Attributes:
        cells: in console markup.
        leaves: 0 stays; of the others the highest leaves first where it is narrow.
    """

    title: str
    cells: tuple[str, ...]
    leaves: int = 0
    left: bool = False

    @property
    def natural(self) -> int:
        """Cells of the terminal that it takes unbroken."""
        return max(cell_len(line) for line in (self.title, *self._lines))

    @property
    def least(self) -> int:
        """Cells that it takes with its title broken into words."""
        return max(cell_len(word) for word in (*self.title.split(), *self._lines, ""))

    @property
    def _lines(self) -> list[str]:
        return [line for cell in self.cells for line in Text.from_markup(cell).plain.split("\n")]


def fitted(columns: Sequence[Column], width: int) -> Table:
    """Return a table in which no figure is ever cut: columns leave, and at last the rows are stacked."""
    shown = list(columns)
    while room([column.least for column in shown]) > width and any(column.leaves for column in shown):
        shown.remove(max(shown, key=lambda column: column.leaves))
    natural = [column.natural for column in shown]
    widths = natural if room(natural) <= width else [column.least for column in shown]
    if room(widths) > width:
        return _stacked(shown)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, cells in zip(shown, widths, strict=True):
        table.add_column(column.title, justify="left" if column.left else "right", width=cells)
    for row in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*row)
    return table


def room(widths: Sequence[int]) -> int:
    """Return how many cells so wide columns take side by side."""
    return sum(widths) + GAP * (len(widths) - 1)


def _stacked(columns: Sequence[Column]) -> Table:
    """Each row as lines of its own; what is still too long is folded."""
    table = Table.grid()
    table.add_column(overflow="fold")
    for name, *cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(name)
        for column, cell in zip(columns[1:], cells, strict=True):
            table.add_row(f"  {column.title} {cell}".rstrip())
    return table
