"""Quotes and marks are found in prose and in JSON, and one of them is replaced without touching another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain import statements
from service.domain.citations import Claim, find_claims
from service.domain.statements import WITHDRAWN

BETTER = Claim("[D9 p.9]", 9, 9, "better words", 0, 0)


def told(value: Any) -> list[tuple[str | None, str, str]]:  # noqa: ANN401 - any JSON value
    said = statements.read(json.dumps(value), structured=True)
    return [(one.path, *one.told) for one in said.statements]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": 'It says "the words" [D1 p.2].'}, [("$.a", "[D1 p.2]", "the words")]),
        ({"quote": "the words", "source": "[D1 p.2]"}, [("$.source", "[D1 p.2]", "the words")]),
        ({"source": "[D1 p.2]", "quote": "the words"}, [("$.source", "[D1 p.2]", "the words")]),
        ({"exact_quote": "“the words”", "page": "D1 p.2"}, [("$.page", "[D1 p.2]", "the words")]),
        ({"quote": "the words [D1 p.2]"}, [("$.quote", "[D1 p.2]", "the words")]),
        ({"quote": '"the words" [D1 p.2]'}, [("$.quote", "[D1 p.2]", "the words")]),
        ({"claim": "own words", "source": "[D1 p.2]"}, [("$.source", "[D1 p.2]", "")]),
        ({"grade": "D1 p.2"}, []),
        ({"D1 p.2": "no mark"}, []),
        (
            {"all": [{"quote": "one", "at": "D1 p.1"}, {"quote": "two", "at": "D2 p.2"}]},
            [("$.all[0].at", "[D1 p.1]", "one"), ("$.all[1].at", "[D2 p.2]", "two")],
        ),
        ('top "the words" [D1 p.2]', [("$", "[D1 p.2]", "the words")]),
    ],
)
def test_found_in_json(value: Any, expected: list[tuple[str, str, str]]) -> None:  # noqa: ANN401 - any JSON
    assert told(value) == expected


def test_prose_is_read_as_prose_though_json_was_asked_for() -> None:
    text = 'It says "the words" [D1 p.2].'
    for structured in (True, False):
        said = statements.read(text, structured=structured)
        assert [one.claim for one in said.statements] == list(find_claims(text))
        assert [one.path for one in said.statements] == [None]


def test_json_that_breaks_off_keeps_its_statements() -> None:
    for cut in ('{"a": "\\"the words\\" [D1 p.2]", "b": "and', '{"a": "\\"the words\\" [D1 p.2] an'):
        said = statements.read(cut, structured=True)
        assert [(one.path, *one.told) for one in said.statements] == [("$.a", "[D1 p.2]", "the words")]


@pytest.mark.parametrize(
    ("text", "better", "withdrawn"),
    [
        ('A "bad" [D1 p.2], b.', 'A "better words" [D9 p.9], b.', f"A {WITHDRAWN}, b."),
        ("A “bad” [D1 p.2].", "A “better words” [D9 p.9].", f"A {WITHDRAWN}."),
        ("No quote [D1 p.2].", 'No quote "better words" [D9 p.9].', f"No quote {WITHDRAWN}."),
    ],
)
def test_replaced_in_prose(text: str, better: str, withdrawn: str) -> None:
    said = statements.read(text, structured=False)
    for correction, then in ((BETTER, better), (None, withdrawn)):
        changed = statements.replaced(said, 0, correction)
        assert changed is not None
        assert changed.text == then


@pytest.mark.parametrize(
    ("value", "better", "withdrawn"),
    [
        (
            {"a": 'It: "bad" [D1 p.2]', "n": 1},
            {"a": 'It: "better words" [D9 p.9]', "n": 1},
            {"a": f"It: {WITHDRAWN}", "n": 1},
        ),
        (
            {"quote": "bad", "at": "[D1 p.2]"},
            {"quote": "better words", "at": "[D9 p.9]"},
            {"quote": "", "at": ""},
        ),
        ({"quote": "bad [D1 p.2]"}, {"quote": '"better words" [D9 p.9]'}, {"quote": WITHDRAWN}),
    ],
)
def test_replaced_in_json(value: Any, better: Any, withdrawn: Any) -> None:  # noqa: ANN401 - any JSON value
    said = statements.read(json.dumps(value), structured=True)
    for correction, then in ((BETTER, better), (None, withdrawn)):
        changed = statements.replaced(said, 0, correction)
        assert changed is not None
        assert json.loads(changed.text) == then


def test_what_is_not_ones_own_is_not_replaced() -> None:
    for text in ('"shared" [D1 p.1; D2 p.2]', '"shared" [D1 p.1] and [D2 p.2]'):
        said = statements.read(text, structured=False)
        assert len(said.statements) == 2
        assert [statements.replaced(said, place, BETTER) for place in (0, 1)] == [None, None]


def test_a_quote_that_would_read_otherwise_is_not_put_in() -> None:
    said = statements.read("It “bad” [D1 p.2].", structured=False)
    assert statements.replaced(said, 0, Claim("[D1 p.2]", 1, 2, "so ” and “ so [D3 p.1]", 0, 0)) is None


WORDS = st.text(st.sampled_from('ab "“”[]D1p.\n'), max_size=20)


@given(st.lists(st.tuples(WORDS, st.integers(1, 3)), max_size=4), WORDS, st.booleans())
def test_the_others_stay_as_they_are(parts: list[tuple[str, int]], words: str, structured: bool) -> None:  # noqa: FBT001
    text = "".join(f'{before} "quote {n}" [D{n} p.{n}]' for before, n in parts)
    text = json.dumps({"a": text}) if structured else text
    said = statements.read(text, structured=structured)
    for place, one in enumerate(said.statements):
        changed = statements.replaced(said, place, Claim("[D7 p.7]", 7, 7, words, 0, 0))
        if changed is None:
            continue
        rest = [other.told for other in said.statements if other is not one]
        assert [other.told for n, other in enumerate(changed.statements) if n != place] == rest
        assert changed.statements[place].told == ("[D7 p.7]", words)
