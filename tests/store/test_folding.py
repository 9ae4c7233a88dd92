"""Folding loses nothing, whatever is folded, and takes less room where lists are long."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.kept import Keepsake
from service.store import told
from service.store.folding import FROM, folded, unfolded

scalars = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 0.5]) | st.text("ab\ud800é")
)
keys = st.sampled_from(["id", "pages", "of", "each"])


def long_lists(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Lists that are folded: of few different values, of strings, of rows with the same keys or nearly so."""
    few = st.lists(inner, min_size=1, max_size=2)
    mixed = few.flatmap(lambda some: st.lists(st.sampled_from(some), min_size=FROM, max_size=FROM + 3))
    strings = st.lists(st.sampled_from(["a", "b"]), min_size=FROM, max_size=FROM + 1)
    rows = st.lists(st.fixed_dictionaries({"id": scalars, "pages": inner}), min_size=FROM, max_size=FROM + 2)
    ragged = st.lists(st.dictionaries(keys, inner, max_size=2), min_size=FROM, max_size=FROM + 2)
    return mixed | strings | rows | ragged


values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=3) | long_lists(inner),
    max_leaves=12,
)


def kept(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the same with every list as one that is shared."""
    if isinstance(value, dict):
        return {key: kept(held) for key, held in value.items()}
    return Keepsake(map(kept, value)) if isinstance(value, list) else value


def through_the_store(value: Any) -> Any:  # noqa: ANN401 - JSON
    return unfolded(json.loads(told.text(folded(value))))


@given(value=values)
@example([{"id": 1, "pages": 2}] * FROM + [{"pages": 2, "id": 1}])
def test_what_was_folded_comes_back(value: Any) -> None:  # noqa: ANN401 - JSON
    assert json.dumps(through_the_store(value)) == json.dumps(value)


@given(value=values)
def test_lists_that_are_shared_come_back_too(value: Any) -> None:  # noqa: ANN401 - JSON
    shared = kept(value)
    assert json.dumps(through_the_store(shared)) == json.dumps(value)
    assert json.dumps(through_the_store(shared)) == json.dumps(value)


def a_plan(count: int) -> dict[str, Any]:
    names = [f"doc_{n:016}" for n in range(count)]
    rows = [{"document_id": name, "tokens": n, "images": {"pages": 0}} for n, name in enumerate(names)]
    return {"calls": [{"document_ids": names, "documents": rows}], "coverage": {"documents_in": names}}


def test_a_long_plan_takes_less_than_half_the_room() -> None:
    plan = a_plan(500)
    assert len(told.text(folded(plan))) < len(told.text(plan)) / 2
    assert through_the_store(plan) == plan


def test_what_was_stored_before_there_was_folding_is_read_as_it_is() -> None:
    assert unfolded(a_plan(40)) == a_plan(40)


def test_equal_numbers_and_truths_stay_what_they_are() -> None:
    rows = [{"id": 1, "pages": 0} for _ in range(FROM)]
    rows[3] = {"id": True, "pages": 0.0}  # type: ignore[dict-item]
    assert json.dumps(through_the_store(rows)) == json.dumps(rows)
