"""JSON whose long lists are kept by columns: a plan over thousands of documents in less than half its room.

A list of objects with the same keys is kept as one list a key, a column of equal values as that value, and a
list of strings that was there before as its number. `unfolded` gives back just what was folded.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Final

from service.domain.kept import Keepsake, once
from service.store import told

FROM: Final = 16
"""Shorter lists are kept as they are."""

_PLAIN: Final = {int, str, float, bool, type(None)}
_EXACT: Final = ({int}, {str})
_ROWS, _SAME, _ALL, _EACH, _APART = "#rows", "#same", "#all", "#each", "#apart"


def folded(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a JSON value in less room; one that holds no long list is returned as it is."""
    return _Folding().of(value)


def unfolded(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what was folded; what never was is returned as it is."""
    return _Unfolding().of(value)


class _Folding:
    """Of one value; columns are looked at as wholes, since a loop over thousands of rows is felt."""

    def __init__(self) -> None:
        self._seen: list[list[str]] = []

    def of(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, Keepsake) and len(value) >= FROM:
            return once(value, _apart)
        if isinstance(value, dict):
            return {
                key: self.of(held) if isinstance(held, dict | list | tuple) else held
                for key, held in value.items()
            }
        return self._list(list(value)) if isinstance(value, list | tuple) else value

    def _list(self, value: list[Any]) -> Any:  # noqa: ANN401 - JSON
        kinds = set(map(type, value))
        if len(value) >= FROM and kinds == {str}:
            return self._strings(value)
        if len(value) >= FROM and kinds == {dict} and len(value[0]) > 1:
            rows = self._rows(value)
            if rows is not None:
                return rows
        return value if kinds <= _PLAIN else [self.of(held) for held in value]

    def _rows(self, value: list[dict[str, Any]]) -> dict[str, Any] | None:
        """None where they have not all the same keys in the same order."""
        keys = list(value[0])
        try:
            columns = zip(*map(itemgetter(*keys), value), strict=True)
        except KeyError:
            return None
        if set(map(tuple, value)) != {tuple(keys)}:
            return None
        named = zip(keys, columns, strict=True)
        return {_ROWS: len(value), **{key: self._column(list(column)) for key, column in named}}

    def _column(self, column: list[Any]) -> Any:  # noqa: ANN401 - JSON
        first = column[0]
        same = column.count(first) == len(column)
        if same and (set(map(id, column)) == {id(first)} or set(map(type, column)) in _EXACT):
            return {_ALL: first}
        return {_EACH: self._list(column)}

    def _strings(self, value: list[str]) -> Any:  # noqa: ANN401 - JSON
        known = next((n for n, one in enumerate(self._seen) if one == value), None)
        if known is not None:
            return {_SAME: known}
        self._seen.append(value)
        return value


def _apart(value: Keepsake[Any]) -> Any:  # noqa: ANN401 - written JSON
    """Fold a list that several plans share, once and as it is written."""
    return told.raw({_APART: _Folding().of(list(value))})


class _Unfolding:
    """Walks as the folding did, so that strings have the numbers that it gave them."""

    def __init__(self) -> None:
        self._seen: list[list[str]] = []

    def of(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, list):
            return self._list(value)
        if not isinstance(value, dict):
            return value
        if _APART in value:
            return unfolded(value[_APART])
        if _SAME in value:
            return list(self._seen[value[_SAME]])
        if _ROWS in value:
            return self._rows(value)
        return {key: self.of(held) for key, held in value.items()}

    def _list(self, value: list[Any]) -> list[Any]:
        if len(value) < FROM or any(type(one) is not str for one in value):
            return [self.of(held) for held in value]
        self._seen.append(value)
        return value

    def _rows(self, value: dict[str, Any]) -> list[dict[str, Any]]:
        keys = [key for key in value if key != _ROWS]
        columns = [self._column(value[key], value[_ROWS]) for key in keys]
        return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]

    def _column(self, value: dict[str, Any], rows: int) -> list[Any]:
        if _EACH in value:
            return list(self.of(value[_EACH]))
        return [value[_ALL]] * rows
