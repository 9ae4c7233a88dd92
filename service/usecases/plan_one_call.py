"""Whether a question needs one plan alone: what reads everything in one call, where that fits easily."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from service.domain import planner
from service.domain.corpora import Member
from service.domain.planner import Terms
from service.domain.questions import Question


def held_to_one_call(question: Question, members: Sequence[Member], terms: Terms) -> Question:
    """Return the question, held to one call where no other plan could be recommended.

    Where all documents fit one call of a split, there is no split, and a part is not recommended instead of
    all (`domain.advice`): pages need not be ranked, nor calls packed, to know which plan would be taken.
    """
    if question.strategies or sum(one.most_tokens for one in members) > planner.split_capacity(terms):
        return question
    return replace(question, strategies=("selected" if question.document_ids else "whole",))
