"""The last message of a call, as a question by itself makes it."""

from __future__ import annotations

from service.domain.planner import CallKind
from service.domain.questions import Question
from service.domain.tasks import task_of


def task_text(question: str, *, own: str | None = None, kind: CallKind = "answer") -> str:
    """Return the task of one question, with the caller's own instructions."""
    return task_of(Question(question, "gpt-5.5", system_prompt=own), kind)
