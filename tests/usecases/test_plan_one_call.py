"""What is taken without a plan is what would be recommended among all, also where the others are not made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.domain.questions import Question
from service.usecases.context import LOCAL, Context
from service.usecases.preview_question import Offer, Preview, preview_in
from tests.usecases.test_extract_document import process
from tests.usecases.test_planning import QUESTION, fill, index

EVERY = replace(QUESTION, text="List every cost.")
OFTEN = replace(QUESTION, expected_questions=40)


def both(ctx: Context, corpus_id: str, question: Question) -> tuple[Preview, Preview]:
    """All plans, and what is taken to be asked right away."""
    with ctx.db.read() as tx:
        every = preview_in(tx, ctx, LOCAL, corpus_id, question)
        return every, preview_in(tx, ctx, LOCAL, corpus_id, question, to_ask=True)


def told(offer: Offer) -> dict[str, Any]:
    """What a plan says, but for its name and its time."""
    own = {"id", "created_at", "expires_at"}
    return {name: value for name, value in offer.description.items() if name not in own}


@pytest.mark.parametrize("question", [QUESTION, EVERY, OFTEN], ids=["ordinary", "for-all", "often"])
@pytest.mark.parametrize(
    ("sizes", "alone"),
    [
        pytest.param([2, 3], True, id="small"),
        pytest.param([20] * 17, True, id="close"),
        pytest.param([20] * 25, False, id="over-the-threshold"),
        pytest.param([20] * 80, False, id="over-the-window"),
    ],
)
def test_the_plan_taken_is_the_one_recommended(
    tmp_path: Path, sizes: Sequence[int], question: Question, *, alone: bool
) -> None:
    with process(tmp_path) as ctx:
        corpus_id = fill(ctx, sizes)
        index(ctx, corpus_id)
        every, taken = both(ctx, corpus_id, question)
        assert taken.recommended is not None
        assert every.recommended is not None
        assert taken.recommended.plan.key == every.recommended.plan.key
        assert told(taken.recommended) == told(every.recommended)
        assert (len(taken.offers) == 1) is alone
        assert len(every.offers) > 1


def test_named_documents_and_strategies_are_kept(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        corpus_id = fill(ctx, [2, 3])
        index(ctx, corpus_id)
        named = replace(QUESTION, document_ids=("doc_0002",))
        every, taken = both(ctx, corpus_id, named)
        assert taken.recommended is not None
        assert every.recommended is not None
        assert told(taken.recommended) == told(every.recommended)
        assert [offer.plan.strategy for offer in taken.offers] == ["selected"]
        _, ranked = both(ctx, corpus_id, replace(QUESTION, strategies=("ranked",)))
        assert {offer.plan.strategy for offer in ranked.offers} == {"ranked"}
