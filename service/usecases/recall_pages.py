"""Recall what the earlier turns of a conversation read: an answer may quote them again."""

from __future__ import annotations

from service.domain.planner import PlannedCall
from service.store import answers
from service.usecases.describe_plan import calls_of
from service.usecases.running import Run


def recall_pages(run: Run) -> tuple[PlannedCall, ...]:
    """Return the calls of all turns that were sent whole or read for it, its own last.

    A turn that read everything has all of them in its own calls, so nothing is looked up for it.
    """
    turns = run.history.turns[run.history.listed :]
    if run.answer.plan["strategy"] not in {"ranked", "selected"} or not turns:
        return run.planned
    with run.ctx.db.read() as tx:
        earlier = [answers.get_any(tx, turn.answer_id) for turn in turns]
    return (*(call for one in earlier if one for call in calls_of(one.plan)), *run.planned)
