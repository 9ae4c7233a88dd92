"""Statements that are spelled out once: what SQLAlchemy does anew for each carrying out is done beforehand.

It looks every statement up by all its parts, and gathers each value of each row by the names of all columns:
several times what SQLite takes to write a small row. Here the text is kept, and what makes its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, CursorResult, Dialect, Integer, literal_column
from sqlalchemy.sql.compiler import SQLCompiler

from service.store.session import Transaction

MOST: Final = 64
"""Spellings of one statement that are kept: one for each engine and each set of names."""

Row = Mapping[str, Any]


def at_most(rows: int) -> ColumnElement[int]:
    """Return a limit that stands in the statement: told as a value, SQLite prepares it anew each time."""
    return literal_column(str(rows), Integer)


class Spelled:
    """One statement, for any database and any thread; it is made when it is first carried out.

    What a query finds is as the driver returns it, so it should ask for numbers and texts alone. A list of
    any length (`in_`) can't be spelled out once.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._known: dict[tuple[object, ...], Spelling] = {}

    def on(self, tx: Transaction, row: Row) -> CursorResult[Any]:
        """Carry it out with these values: of the columns that are written, and of what it names itself."""
        spelling = self._spelling(tx.dialect, row)
        return tx.exec_driver_sql(spelling.text, spelling.values(row))

    def on_each(self, tx: Transaction, rows: Sequence[Row]) -> None:
        """Carry it out for each of these rows, one at least; all name the same."""
        spelling = self._spelling(tx.dialect, rows[0])
        tx.exec_driver_sql(spelling.text, [spelling.values(row) for row in rows])

    def _spelling(self, dialect: Dialect, row: Row) -> Spelling:
        key = (dialect, *row)
        known = self._known.get(key)
        if known is None:
            kept = self._known if len(self._known) < MOST else {}
            known = Spelling(self._make(), dialect, list(row))
            self._known = {**kept, key: known}
        return known


class Spelling:
    """A statement in one database's words, for values of just these names."""

    def __init__(self, statement: Any, dialect: Dialect, names: Sequence[str]) -> None:  # noqa: ANN401 - any
        compiled: SQLCompiler = statement.compile(dialect=dialect, column_keys=list(names))
        self.text = compiled.string
        self._by_place = compiled.positiontup is not None
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        needed = compiled.positiontup or binds
        self._made = [(name, name in names, *_kept(binds[name], dialect)) for name in needed]

    def values(self, row: Row) -> Any:  # noqa: ANN401 - what the driver takes: by place, or by name
        """Return the values as the database keeps them; what the statement holds itself is among them."""
        made = [
            (row[name] if is_told else own) if kept_as is None else kept_as(row[name] if is_told else own)
            for name, is_told, own, kept_as in self._made
        ]
        if self._by_place:
            return tuple(made)
        return {name: value for (name, *_), value in zip(self._made, made, strict=True)}


def _kept(bind: BindParameter[Any], dialect: Dialect) -> tuple[Any, Callable[[Any], Any] | None]:
    """The value that a statement holds itself, and what makes a value one that the driver takes."""
    return bind.effective_value, bind.type.dialect_impl(dialect).bind_processor(dialect)
