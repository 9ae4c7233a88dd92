"""Statements that are spelled out once: what SQLAlchemy does anew for each carrying out is done beforehand.

It looks every statement up by all its parts, and gathers each value of each row by the names of all columns:
several times what SQLite takes to write a small row. Here the text is kept, and what makes its parameters;
SQLite's driver is told both without a way round. Its errors are SQLAlchemy's, as ever.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter, methodcaller
from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, Dialect, Float, Integer, Table, literal_column
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

from service.store.session import Transaction

MOST: Final = 64
"""Spellings of one statement that are kept: one for each engine and each set of names."""

Row = Mapping[str, Any]


def at_most(rows: int) -> ColumnElement[int]:
    """Return a limit that stands in the statement: told as a value, SQLite prepares it anew each time."""
    return literal_column(str(rows), Integer)


def put(table: Table) -> Insert:
    """Return what writes whole rows, those that are there already too: many may at the same time.

    The words are PostgreSQL's, which SQLite took over.
    """
    made = insert(table).inline()
    values = {column.name: made.excluded[column.name] for column in table.c if not column.primary_key}
    return made.on_conflict_do_update(index_elements=list(table.primary_key), set_=values)


class Spelled:
    """One statement, for any database and any thread; it is made when it is first carried out.

    It is told values of the columns that are written, and of what it names itself. A list of any length
    (`in_`) can't be spelled out once.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._known: dict[tuple[object, ...], Spelling] = {}

    def on(self, tx: Transaction, row: Row) -> int:
        """Change rows, and return how many."""
        spelling = self._spelling(tx.dialect, row)
        changed: int = _carry_out(tx, spelling.text, spelling.values(row), _CHANGED)
        return changed

    def on_each(self, tx: Transaction, rows: Sequence[Row]) -> None:
        """Carry it out for each of these rows, one at least; all name the same."""
        spelling = self._spelling(tx.dialect, rows[0])
        _carry_out(tx, spelling.text, [spelling.values(row) for row in rows], _CHANGED)

    def found(self, tx: Transaction, row: Row) -> list[Any]:
        """Return all rows that a query finds, or a change returns: tuples with a name for each column."""
        read = self._spelling(tx.dialect, row).read
        return [read(one) for one in self.raw(tx, row)]

    def raw(self, tx: Transaction, row: Row) -> list[tuple[Any, ...]]:
        """Return the same as the driver does: numbers and texts are what they are."""
        spelling = self._spelling(tx.dialect, row)
        rows: list[tuple[Any, ...]] = _carry_out(tx, spelling.text, spelling.values(row), _ROWS)
        return rows

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
        columns = list(statement.exported_columns)
        self._found = _tuple_of([getattr(column, "name", "") for column in columns])
        makers = [_made(column, dialect) for column in columns]
        self._makers = [(place, make) for place, make in enumerate(makers) if make is not None]

    def values(self, row: Row) -> Any:  # noqa: ANN401 - what the driver takes: by place, or by name
        """Return the values as the database keeps them; what the statement holds itself is among them."""
        made = [
            (row[name] if is_told else own) if kept_as is None else kept_as(row[name] if is_told else own)
            for name, is_told, own, kept_as in self._made
        ]
        if self._by_place:
            return tuple(made)
        return {name: value for (name, *_), value in zip(self._made, made, strict=True)}

    def read(self, row: Iterable[Any]) -> Any:  # noqa: ANN401 - a tuple with names
        """Return a row that the driver found as it was written."""
        values = list(row)
        for place, make in self._makers:
            values[place] = make(values[place])
        return self._found._make(values)


_CHANGED: Final = attrgetter("rowcount")
_ROWS: Final = methodcaller("fetchall")


def _carry_out(tx: Transaction, text: str, values: Any, then: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - the driver's own
    """Return what is then asked of it; a list of values is carried out for each.

    Where a server may go away, SQLAlchemy has to see it.
    """
    if tx.dialect.name != "sqlite":
        return then(tx.exec_driver_sql(text, values))
    cursor = tx.connection.cursor()
    try:
        if isinstance(values, list):
            cursor.executemany(text, values)
        else:
            cursor.execute(text, values)
        return then(cursor)
    except tx.dialect.loaded_dbapi.Error as error:
        raise DBAPIError.instance(
            text, values, error, tx.dialect.loaded_dbapi.Error, dialect=tx.dialect
        ) from error
    finally:
        cursor.close()


def _kept(bind: BindParameter[Any], dialect: Dialect) -> tuple[Any, Callable[[Any], Any] | None]:
    """The value that a statement holds itself, and what makes a value one that the driver takes."""
    return bind.effective_value, bind.type.dialect_impl(dialect).bind_processor(dialect)


def _made(column: ColumnElement[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """What makes a column's value out of the driver's, whose floats are what they are."""
    if isinstance(column.type, Float):
        return None
    return column.type.dialect_impl(dialect).result_processor(dialect, None)


def _tuple_of(names: Sequence[str]) -> Any:  # noqa: ANN401 - a type of tuples
    """A type that is named when it runs."""
    return namedtuple("_Found", names, rename=True)  # noqa: PYI024 - its names vary
