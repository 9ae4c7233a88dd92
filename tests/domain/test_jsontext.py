"""The strings of a JSON text are those that a JSON reader finds, each under its path."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain import jsontext

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
STEP = re.compile(r"\.(\w+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]", re.DOTALL)


def walked(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walked(inner)


def at(value: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    """What stands under a path, read with another parser of paths."""
    for name, index, quoted in STEP.findall(path[1:]):
        if index:
            value = value[int(index)]
        else:
            value = value[name or re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)]
    return value


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_strings_are_found_where_they_stand(value: Any, ascii_only: bool, indent: int | None) -> None:  # noqa: ANN401, FBT001
    said = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    found = jsontext.texts(said)
    assert [one.value for one in found] == list(walked(value))
    assert [at(value, one.path) for one in found] == [one.value for one in found]
    assert [json.loads(said[one.start : one.end]) for one in found] == [one.value for one in found]


@given(VALUES, st.text())
def test_other_values_leave_the_rest_as_it_is(value: Any, words: str) -> None:  # noqa: ANN401 - any JSON value
    said = json.dumps(value)
    found = jsontext.texts(said)
    for place, one in enumerate(found):
        then = jsontext.rewritten(said, {place: words}, found)
        assert (then[: one.start], then[len(then) - len(said) + one.end :]) == (
            said[: one.start],
            said[one.end :],
        )
        assert at(json.loads(then), one.path) == words


def test_siblings_share_their_parent() -> None:
    found = jsontext.texts('{"a": {"b": "1", "c": "2"}, "d": ["3", {"e": "4"}], "f": "5"}')
    assert [(one.path, one.name) for one in found] == [
        ("$.a.b", "b"),
        ("$.a.c", "c"),
        ("$.d[0]", None),
        ("$.d[1].e", "e"),
        ("$.f", "f"),
    ]
    parents = [one.parent for one in found]
    assert parents[0] == parents[1]
    assert len(set(parents)) == 4


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ('{"a": "whole", "b": "cut of', ["whole", "cut of"]),
        ('{"a": "whole", "b', ["whole"]),
        ('["one", ["two"', ["one", "two"]),
        ('"end\\', ["end"]),
        ('"so \\"quoted\\" and \\u00', ['so \\"quoted\\" and \\u00']),
        ('"so \\"quoted\\" and', ['so "quoted" and']),
        ("]]}}, no JSON", []),
        ("", []),
    ],
)
def test_what_breaks_off_is_read_as_far_as_it_goes(said: str, values: list[str]) -> None:
    assert [one.value for one in jsontext.texts(said)] == values
