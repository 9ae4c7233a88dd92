"""A question is known again by what was said, whatever fields later versions have."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from service.domain.questions import Question
from service.domain.shown_images import ShownImage

BASE = [
    "text",
    "model",
    "strategies",
    "document_ids",
    "service_tier",
    "reasoning_effort",
    "verbosity",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "system_prompt",
    "response_format",
    "expected_questions",
]

SINCE = {
    "conversation_id": "cnv_1",
    "repair": True,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "seed": 7,
    "stop": ("END",),
    "images": (ShownImage("low", url="https://a.example/b.png"),),
}
"""Fields that came after questions were known by what was said: no version wrote them with all others."""


def test_what_nobody_said_is_no_part_of_it() -> None:
    assert Question("Who?", "gpt-5.5").said() == {"text": "Who?", "model": "gpt-5.5"}
    said = Question("Who?", "gpt-5.5", citations=False, priorities={"doc_1": 2}).said()
    assert said == {"text": "Who?", "model": "gpt-5.5", "citations": False, "priorities": {"doc_1": 2}}


@pytest.mark.parametrize("said", [{}, *({name: value} for name, value in SINCE.items())], ids=str)
def test_it_is_written_as_a_dataclass_is(said: dict[str, Any]) -> None:
    question = Question(
        "Who?", "gpt-5.5", priorities={"doc_1": 2}, response_format={"type": "json", "of": [{}]}, **said
    )
    assert question.as_dict() == asdict(question)
    assert list(question.as_dict()) == list(asdict(question))
    question.as_dict()["response_format"]["of"].append("nothing of the question's")
    assert question.response_format == {"type": "json", "of": [{}]}


@pytest.mark.parametrize(
    "later",
    [
        (),
        ("budget_tokens",),
        ("budget_tokens", "questions", "priorities"),
        ("budget_tokens", "questions", "priorities", "leave_out", "page_images", "image_detail"),
    ],
    ids=["now", "before ranked", "before priorities", "before leaving out"],
)
def test_earlier_versions_wrote_all_fields_that_they_had(later: tuple[str, ...]) -> None:
    question = Question("Who?", "gpt-5.5", citations=False)
    known = {name: value for name, value in asdict(question).items() if name not in {*later, *SINCE}}
    assert known in list(question.earlier_forms())


@pytest.mark.parametrize("name", list(SINCE))
def test_what_came_since_is_said_and_was_never_written_before(name: str) -> None:
    said: dict[str, Any] = {name: SINCE[name]}
    question = Question("Who?", "gpt-5.5", **said)
    assert question.said() == {"text": "Who?", "model": "gpt-5.5", name: asdict(question)[name]}
    assert list(question.earlier_forms()) == []


def test_a_version_without_a_field_never_asked_what_it_says() -> None:
    question = Question("Who?", "gpt-5.5", leave_out=("blank",))
    forms = list(question.earlier_forms())
    assert forms
    assert all("leave_out" in form for form in forms)
    first = list(Question("Who?", "gpt-5.5").earlier_forms())[-1]
    assert set(first) == set(BASE)
