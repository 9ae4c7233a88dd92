"""What requests may say and what replies hold, beyond the plan and the answer, which describe themselves."""

from __future__ import annotations

import math
import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from service.api.response_formats import ResponseFormat
from service.domain import corpora, documents
from service.domain.manner import PageImages
from service.domain.planner import Strategy
from service.domain.questions import (
    DEFAULT_MAX_COMPLETION_TOKENS,
    MAX_QUESTION_CHARS,
    Question,
    check_together,
    numbered,
)
from service.domain.ranked import MIN_BUDGET
from service.domain.shown_images import MAX_SHOWN
from service.domain.vision import Detail
from service.domain.waste import SWITCHES, Switch
from service.errors import Invalid
from service.usecases.resume_upload import Arrived
from service.usecases.take_images import Said

MAX_DEPTH = 60
"""Levels of a JSON body; a schema in `response_format` takes a dozen."""

_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_FINEST_USD = -12
"""Decimals of an amount: no price is finer, and a longer one would only cost memory to print."""

T = TypeVar("T")


def _not_too_fine(value: Decimal) -> Decimal:
    if int(value.as_tuple().exponent) < _FINEST_USD:
        raise ValueError(f"at most {-_FINEST_USD} decimals")
    return value


Amount = Annotated[Decimal, Field(ge=0, max_digits=24), AfterValidator(_not_too_fine)]
"""Money in USD, as a decimal string or a number."""


class Progress(BaseModel):
    """How far the reading is."""

    done: int
    total: int
    unit: str


class DocumentWarning(BaseModel):
    """Something to know of a document that was read all the same."""

    code: str
    detail: str
    page: int | None


class Failure(BaseModel):
    """Why something did not work out."""

    code: str
    detail: str


class Document(BaseModel):
    """A document of the contract."""

    id: str
    filename: str
    media_type: str
    bytes: int
    sha256: str
    status: str
    progress: Progress
    pages: int
    tokens: int = Field(description="Packed, wrapper included, in the default model's encoding.")
    chars: int
    pages_without_text: int
    title: str | None
    warnings: list[DocumentWarning]
    error: Failure | None
    duplicate: bool
    parent_ids: list[str] = Field(description="The documents that it lies in: archives, mails.")
    files: int = Field(description="How many files lie directly in it, each a document of its own.")
    created_at: datetime
    ready_at: datetime | None

    @classmethod
    def of(cls, document: documents.Document, *, tokens: int, duplicate: bool = False) -> Document:
        """Return a stored document in the contract's words."""
        return cls(
            id=document.id,
            filename=document.filename,
            media_type=document.media_type,
            bytes=document.bytes,
            sha256=document.sha256,
            status=document.status.value,
            progress=Progress(
                done=document.progress.done,
                total=document.progress.total,
                unit=document.progress.unit,
            ),
            pages=document.pages,
            tokens=tokens,
            chars=document.chars,
            pages_without_text=document.pages_without_text,
            title=document.title,
            warnings=[DocumentWarning(code=w.code, detail=w.detail, page=w.page) for w in document.warnings],
            error=Failure(code=document.error.code, detail=document.error.detail) if document.error else None,
            duplicate=duplicate,
            parent_ids=list(document.parent_ids),
            files=document.files,
            created_at=document.created_at,
            ready_at=document.ready_at,
        )


class EnclosedFile(BaseModel):
    """A file inside a document."""

    name: str = Field(description="Its path inside, parted by `/`.")
    document: Document


class Heading(BaseModel):
    """An entry of a document's own table of contents."""

    title: str
    level: int = Field(description="1 at the top.")
    page: int | None


class Page(BaseModel):
    """A page without its text."""

    number: int
    label: str | None
    tokens: int
    chars: int
    flags: list[str]


class PageText(BaseModel):
    """A page as it is packed."""

    number: int
    label: str | None
    tokens: int
    text: str


class Corpus(BaseModel):
    """A corpus of the contract."""

    id: str
    name: str
    documents: int
    document_ids: list[str] | None = None
    created_at: datetime

    @classmethod
    def of(cls, corpus: corpora.Corpus, document_ids: list[str] | None = None) -> Corpus:
        """Return a stored corpus in the contract's words."""
        return cls(
            id=corpus.id,
            name=corpus.name,
            documents=corpus.documents,
            document_ids=document_ids,
            created_at=corpus.created_at,
        )


class Body(BaseModel):
    """What a request's body may hold: nothing that has no name here.

    In its strings NUL and lone surrogates become U+FFFD: no database and no provider takes them as text.
    """

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        return _as_text(value, MAX_DEPTH)


def _as_text(value: Any, depth: int) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        clean = value.isascii() and "\x00" not in value  # pictures are long, and nearly always that
        return value if clean else _NO_TEXT.sub("\ufffd", value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("NaN and Infinity are no numbers of JSON")
    if isinstance(value, dict | list) and depth == 0:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return {_as_text(name, depth): _as_text(inner, depth - 1) for name, inner in value.items()}
    return [_as_text(inner, depth - 1) for inner in value] if isinstance(value, list) else value


class NewUpload(Body):
    """What begins an upload in parts."""

    filename: str = Field(min_length=1)
    corpus_id: str | None = None


class UploadPart(BaseModel):
    """A part that has arrived."""

    number: int
    bytes: int
    sha256: str


class Upload(BaseModel):
    """An upload in parts."""

    id: str
    filename: str
    corpus_id: str | None
    document_id: str | None = Field(description="What it became, once it is complete.")
    parts: list[UploadPart]
    created_at: datetime

    @classmethod
    def of(cls, arrived: Arrived) -> Upload:
        """Return an upload in the contract's words."""
        upload = arrived.upload
        return cls(
            id=upload.id,
            filename=upload.filename,
            corpus_id=upload.corpus_id,
            document_id=upload.document_id,
            parts=[
                UploadPart(number=number, bytes=part.bytes, sha256=part.sha256)
                for number, part in arrived.parts.items()
            ],
            created_at=upload.created_at,
        )


class NewCorpus(Body):
    """What makes a corpus."""

    name: str
    document_ids: list[str] = []


class CorpusName(Body):
    """A corpus's new name."""

    name: str


class Listing(BaseModel, Generic[T]):
    """One page of a list."""

    data: list[T]
    has_more: bool = False
    next: str | None = None


class Receipt(Listing[dict[str, Any]]):
    """Every page that a plan reads, and every picture that its question shows, with their tokens."""

    question_images: list[dict[str, Any]]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else [] if value is None else value


Stop = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...],
    Field(max_length=4),
    BeforeValidator(_as_list),
]
"""One text, or a list of them."""


class Parameters(Body):
    """How a question is asked; what is left out is left to the model."""

    question: str | None = Field(default=None, max_length=MAX_QUESTION_CHARS)
    questions: list[str] | None = Field(default=None, description="Asked together in one call: 1 to 100.")
    model: str | None = None
    strategies: list[Strategy] = []
    document_ids: list[str] = []
    service_tier: str | None = None
    reasoning_effort: Literal["none", "low", "medium", "high", "xhigh"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    max_completion_tokens: int = Field(default=DEFAULT_MAX_COMPLETION_TOKENS, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    system_prompt: str | None = Field(default=None, max_length=MAX_QUESTION_CHARS)
    response_format: ResponseFormat = None
    expected_questions: int = Field(default=1, ge=1, le=1_000_000)
    priorities: dict[str, Annotated[int, Field(ge=-1000, le=1000)]] = Field(default={}, max_length=100_000)
    leave_out: list[Switch] = Field(default=[], max_length=len(SWITCHES))
    page_images: PageImages = "none"
    image_detail: Detail = "high"
    image_urls: list[str] = Field(
        default=[],
        max_length=MAX_SHOWN,
        description="Pictures beside the question: addresses, which only the provider fetches, or data URIs.",
    )
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stop: Stop = Field(default=(), description="Up to four texts that end the answer.")
    budget_tokens: int | None = Field(default=None, ge=MIN_BUDGET)
    conversation_id: str | None = None
    repair: bool = Field(default=False, description="Ask once more, where quotes fail, for better ones.")

    def as_question(self, default_model: str) -> Question:
        """Return the question in the domain's words.

        Raises:
            Invalid: there is none, or both a question and a list, or the list can't be asked together.
        """
        return Question(
            text=self._text(),
            questions=tuple(self.questions or ()),
            model=self.model or default_model,
            strategies=tuple(self.strategies),
            document_ids=tuple(self.document_ids),
            service_tier=self.service_tier,
            reasoning_effort=self.reasoning_effort,
            verbosity=self.verbosity,
            max_completion_tokens=self.max_completion_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            system_prompt=self.system_prompt,
            response_format=self.response_format,
            expected_questions=self.expected_questions,
            priorities=self.priorities,
            leave_out=tuple(name for name in SWITCHES if name in self.leave_out),
            page_images=self.page_images,
            image_detail=self.image_detail,
            budget_tokens=self.budget_tokens,
            conversation_id=self.conversation_id,
            repair=self.repair,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            seed=self.seed,
            stop=self.stop,
        )

    @property
    def pictures(self) -> tuple[Said, ...]:
        """What the question shows; `as_question` leaves it out, for it has to be taken first."""
        return tuple(Said(uri, self.image_detail) for uri in self.image_urls)

    def _text(self) -> str:
        if self.question is not None and self.questions is not None:
            raise Invalid("Say what to ask once: either `question`, or the list `questions`.")
        if self.questions is not None:
            check_together(self.questions)
            return numbered(self.questions)
        if not (self.question or "").strip():
            raise Invalid("Say what to ask: `question`, or the list `questions`.")
        return self.question or ""


class PlanRequest(Parameters):
    """What is to be priced."""


class Asked(Parameters):
    """A question that is asked now, or plans that were offered for it and have said how."""

    strategy: Strategy | None = None
    allow_long_context: bool = False
    citations: bool = True

    @property
    def named_by_plan(self) -> list[str]:
        """What is named here, and would be said by a plan already."""
        return sorted(self.model_fields_set & {*Parameters.model_fields, "strategy"})

    def check_beside_plan(self) -> None:
        """Refuse what a plan has said already.

        Raises:
            Invalid: something of it is named.
        """
        if self.named_by_plan:
            raise Invalid(f"The plan has said how it is asked: leave out {', '.join(self.named_by_plan)}.")

    @property
    def citations_beside_plan(self) -> bool | None:
        """Whether quotes are checked; None where it is left to the plan."""
        return self.citations if "citations" in self.model_fields_set else None


class AnswerRequest(Asked):
    """What is to be answered: a plan that was offered, or a question."""

    plan_id: str | None = None
    max_cost_usd: Amount | None = None
    stream: bool = False
    wait: bool = True


class Spending(Body):
    """What may be spent, and how the answer comes."""

    max_cost_usd: Amount | None = None
    stream: bool = False
    wait: bool = True


class Retry(Spending):
    """How an answer is gone on with."""


class ReplayChanges(Body):
    """What of a question is another; what is left out stays as it was."""

    question: str | None = Field(default=None, max_length=MAX_QUESTION_CHARS)
    questions: list[str] | None = None
    model: str = ""
    service_tier: str | None = None
    reasoning_effort: Literal["none", "low", "medium", "high", "xhigh"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    max_completion_tokens: int = Field(default=DEFAULT_MAX_COMPLETION_TOKENS, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    system_prompt: str | None = Field(default=None, max_length=MAX_QUESTION_CHARS)
    response_format: ResponseFormat = None
    citations: bool = True
    repair: bool = False


class Replay(ReplayChanges, Spending):
    """A question over the very pages of an answer."""

    allow_long_context: bool = False


Count = Annotated[int, Field(ge=0, le=10**9)]
"""Tokens of one call."""


class BilledUsage(Body):
    """What the provider charged one call for, as its records show; the details are part of the first two."""

    prompt_tokens: Count
    completion_tokens: Count
    cached_tokens: Count = 0
    reasoning_tokens: Count = 0
    cache_write_tokens: Count = 0


class Resolution(Body):
    """What became of an answer in doubt, or what one was billed that told no usage."""

    billed: bool
    usage: BilledUsage | None = None
    service_tier: Literal["default", "flex", "priority"] | None = None
    amount_usd: Amount | None = None
    call: Annotated[int, Field(ge=0)] | None = None
