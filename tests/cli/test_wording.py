"""What a user of the command line is told names options and commands, never the fields of REST."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from service import wording
from service.domain.questions import Question
from service.usecases.ask_question import Request

ROOT = Path(__file__).parents[2]
FIELDS = {"limit_usd", "expires_at"} | {
    one.name for of in (Question, Request) for one in fields(of) if "_" in one.name
}
NAMED = re.compile(rf"(?<![\w-])({'|'.join(sorted(FIELDS))})(?!\w)")
NEVER_HERE = ("Say what to ask: `question`, or the `plan_id` of a plan.",)
"""Only a REST request can be told that."""


def sentences() -> Iterator[str]:
    """Text of the use cases and rules that holds a field's name within a sentence; docstrings aside."""
    for folder in ("domain", "usecases", "provider"):
        for path in sorted((ROOT / "service" / folder).glob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            said = (
                node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs
            )
            texts = (str(node.value) for node in said)
            yield from (text for text in texts if NAMED.search(text) and " " in text.strip())


def test_there_are_sentences_to_translate() -> None:
    assert any("max_cost_usd" in said for said in sentences())


@pytest.mark.parametrize("said", sorted({*sentences()} - {*NEVER_HERE}))
def test_no_field_of_rest_is_named(said: str) -> None:
    assert not NAMED.search(wording.in_options(said)), wording.in_options(said)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "The ceiling is $7.090325, above max_cost_usd $1.00.",
            "The ceiling is $7.10, above --max-cost $1.00.",
        ),
        ("Ask with strategy split.", "Ask with --strategy split."),
        ("Question 2 of `questions` is empty.", "Question 2 (--also) is empty."),
        ("The strategy wholeheartedly works.", "The strategy wholeheartedly works."),
        ("See --leave-out and `page_images`.", "See --leave-out and --page-images."),
    ],
    ids=["money", "strategy", "also", "no field", "code"],
)
def test_sentences_are_told_in_options(said: str, told: str) -> None:
    assert wording.in_options(said) == told


@pytest.mark.parametrize(
    ("fix", "told"),
    [
        ({"do": "raise_max_cost", "max_usd": "7.090325"}, "--max-cost 7.10"),
        (
            {"do": "raise_budget", "scope": "tenant", "limit_usd": "6.424847"},
            "unabridged budget tenant 6.43",
        ),
        (
            {
                "do": "leave_out_waste",
                "detail": "Leave out blank pages.",
                "leave_out": ["repeated", "blank"],
                "saves_tokens": 1200,
                "saves_usd": None,
            },
            "--leave-out repeated --leave-out blank. It saves 1,200 tokens.",
        ),
        (
            {
                "do": "leave_out",
                "detail": "Leave out a.pdf.",
                "document_ids": ["doc_1"],
                "saves_tokens": 5,
                "saves_usd": "0.002",
            },
            "Leave out a.pdf: --without NAME for each. It saves 5 tokens, $0.0020.",
        ),
        (
            {"do": "use_strategy", "detail": "Ask with strategy split.", "strategy": "split"},
            "Ask with --strategy split.",
        ),
        ({"do": "use_model", "detail": "use model gpt-5.5", "model": "gpt-5.5"}, "use model gpt-5.5"),
        ({"do": "wait", "detail": "Wait a moment."}, "Wait a moment."),
        ({"do": "turn_round", "pages": 3}, "turn round pages 3"),
    ],
    ids=["ceiling", "budget", "waste", "documents", "strategy", "model", "sentence", "unknown"],
)
def test_a_way_out_says_what_to_type(fix: dict[str, Any], told: str) -> None:
    assert wording.way(fix) == told
