"""What is written as JSON is what the standard library reads, whoever shares its lists."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.domain.kept import Keepsake, KeptObject
from service.store import told

NAMES = ["a", "é", "漢", '"'] * 5
ROWS = [{"id": name, "pages": [1, 2]} for name in NAMES]


def described(rows: list[dict[str, Any]], names: list[str]) -> dict[str, Any]:
    return {"data": [{"calls": [{"documents": rows}], "in": names}, {"documents": rows}], "usd": "0.10"}


def test_shared_lists_are_written_as_others_are() -> None:
    rows, names = Keepsake(ROWS), Keepsake(NAMES)
    for _ in range(2):
        assert told.shown(described(rows, names)) == told.encoded(described(ROWS, NAMES))
    assert json.loads(told.shown(described(rows, names))) == described(ROWS, NAMES)


def test_a_shared_list_is_written_once() -> None:
    rows = Keepsake(ROWS)
    written = told.shown({"rows": rows})
    rows[0]["id"] = "nobody may do this, and nobody sees it"
    assert told.shown({"rows": rows}) == written


@pytest.mark.parametrize("rows", [ROWS, Keepsake([{"id": "\ud800"}])], ids=["plain", "lone surrogate"])
def test_half_a_character_is_escaped(rows: list[dict[str, Any]]) -> None:
    value = {"name": "report \ud800.pdf", "rows": rows}
    assert json.loads(told.shown(value)) == value
    assert json.loads(told.text(value)) == value


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError):
        told.encoded({"name": "\ud800", "what": object()})


def test_an_object_that_is_kept_is_written_once() -> None:
    plan = KeptObject({"id": "pln_1", "name": "é \ud800", "calls": [ROWS]})
    assert json.loads(told.text(plan)) == plan == dict(plan)
    written = told.text(plan)
    assert told.text(plan) is written
    assert json.loads(told.text({"plan": plan})) == {"plan": plan}
    assert told.shown({"plan": plan}) == told.encoded({"plan": dict(plan)})
