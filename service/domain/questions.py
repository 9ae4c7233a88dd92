"""A question with its parameters, as it was asked."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, replace
from typing import Any

from service.domain import shown_images
from service.domain.manner import PageImages
from service.domain.shown_images import ShownImage
from service.domain.vision import Detail
from service.errors import Invalid

MAX_QUESTIONS = 100
"""Asked together in one call."""

MAX_QUESTION_CHARS = 200_000
"""Of a question, and of all in a list together."""

DEFAULT_MAX_COMPLETION_TOKENS = 16_000
"""Reserved for each call where the caller names nothing: room for reasoning and an answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and how; None leaves a parameter to the model.

    Attributes:
        text: the question; of several asked together, the numbered list.
        questions: those asked together, in order; empty where it is one.
        strategies: the plans wanted; empty means all that apply.
        document_ids: the documents to ask; empty means the whole corpus.
        priorities: how dear documents are, by id, 0 unless named: what is suggested to leave out goes by it.
        expected_questions: how many questions the caller means to ask, for the price of a warm cache.
        page_images, image_detail: which pages are sent as pictures too, and how closely the model looks.
        leave_out: waste that is not packed (`waste.SWITCHES`).
        budget_tokens: what the input of a ranked plan stays within, instead of the budgets that are offered.
        conversation_id: it is asked behind what was asked and answered there before.
        citations: check the answer's quotes against the source.
        repair: ask once more, where quotes fail, for better ones.
        images: shown beside the question, behind the documents.
        presence_penalty, frequency_penalty, seed, stop: as providers know them; `stop` ends the answer alone,
            never the findings of a split.
        system_prompt: the caller's own instructions; they travel with the question, behind the documents,
            so that they never cost the cache.
    """

    text: str
    model: str
    strategies: tuple[str, ...] = ()
    document_ids: tuple[str, ...] = ()
    service_tier: str | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    max_completion_tokens: int = DEFAULT_MAX_COMPLETION_TOKENS
    temperature: float | None = None
    top_p: float | None = None
    system_prompt: str | None = None
    response_format: dict[str, Any] | None = None
    expected_questions: int = 1
    priorities: dict[str, int] = field(default_factory=dict)
    citations: bool = True
    leave_out: tuple[str, ...] = ()
    page_images: PageImages = "none"
    image_detail: Detail = "high"
    questions: tuple[str, ...] = ()
    budget_tokens: int | None = None
    conversation_id: str | None = None
    repair: bool = False
    images: tuple[ShownImage, ...] = ()
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many questions it asks."""
        return max(len(self.questions), 1)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; as `dataclasses.asdict` has it, which looks at every value as if it might hold more."""
        return {name: self._plain(name) for name in _DEFAULTS}

    def said(self) -> dict[str, Any]:
        """What differs from the defaults, JSON-ready: fields that are added later change nothing of it."""
        return {name: self._plain(name) for name, usual in _DEFAULTS.items() if getattr(self, name) != usual}

    def _plain(self, name: str) -> Any:  # noqa: ANN401 - JSON
        value = getattr(self, name)
        if name == "images":
            return tuple([asdict(image) for image in value])
        return copy.deepcopy(value) if isinstance(value, dict) else value

    def earlier_forms(self) -> Iterator[dict[str, Any]]:
        """Yield it as earlier versions wrote it, with all fields they had, where those say all of it."""
        every = self.as_dict()
        usual = {name for name, default in _DEFAULTS.items() if getattr(self, name) == default}
        for number in range(len(_FIELDS_BY_VERSION), 0, -1):
            had = {name for added in _FIELDS_BY_VERSION[:number] for name in added}
            if every.keys() - had <= usual:
                yield {name: value for name, value in every.items() if name in had}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Question:
        """The question back from its JSON form."""
        tuples = {name: tuple(values.get(name, ())) for name in _TUPLES}
        images = shown_images.from_dicts(values.get("images", ()))
        return Question(**{**values, **tuples, "images": images})


def _default(one: Field[Any]) -> object:
    return one.default if one.default_factory is MISSING else one.default_factory()


_DEFAULTS = {one.name: _default(one) for one in fields(Question)}
"""Of every field in order; `MISSING` of those that have to be said."""

_FIELDS_BY_VERSION = (
    (
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
    ),
    ("citations",),
    ("leave_out", "page_images", "image_detail"),
    ("priorities",),
    ("questions",),
    ("budget_tokens",),
)
"""What each version added, as long as requests were known again by all fields; complete, nothing joins it."""

_TUPLES = ("strategies", "document_ids", "leave_out", "questions", "stop")


def numbered(questions: Sequence[str]) -> str:
    """Return questions asked together as one text: `1. …`, each on lines of its own."""
    return "\n".join(f"{number}. {question.strip()}" for number, question in enumerate(questions, 1))


def cited(question: Question, *, citations: bool) -> Question:
    """Return a question whose quotes are checked, or not.

    Raises:
        Invalid: it wants failed quotes repaired, which then nobody finds.
    """
    if question.repair and not citations:
        raise Invalid("A repair needs `citations`: leave out one of `repair: true` and `citations: false`.")
    return replace(question, citations=citations)


def check_together(questions: Sequence[str]) -> None:
    """Refuse a list that can't be asked in one call.

    Raises:
        Invalid: there is none in it, or too many; one of them is empty; all together are too long.
    """
    if not 1 <= len(questions) <= MAX_QUESTIONS:
        raise Invalid(f"`questions` holds 1 to {MAX_QUESTIONS} questions; these are {len(questions):,}.")
    empty = next((number for number, one in enumerate(questions, 1) if not one.strip()), None)
    if empty is not None:
        raise Invalid(f"Question {empty} of `questions` is empty: say it, or leave it out.")
    if (chars := sum(map(len, questions))) > MAX_QUESTION_CHARS:
        raise Invalid(
            f"`questions` hold {chars:,} characters together, more than {MAX_QUESTION_CHARS:,}: ask fewer."
        )
