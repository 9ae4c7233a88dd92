"""An answer, the calls it takes, and the states both go through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from service.domain.documents import Failure
from service.domain.usage import Usage

CANCELLED = "cancelled"
"""The finish reason of a call that the user stopped."""

RESOLVED = "resolved"
"""The finish reason of a call whose bill was decided by the user."""


PASSING = frozenset({"provider_unavailable", "rate_limited"})
"""What a failure that may be over by now is called."""


class AnswerStatus(StrEnum):
    """queued → running → done | failed | cancelled | in_doubt.

    What is in doubt becomes done by a late reply, or failed once the user says whether it was billed.
    """

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    IN_DOUBT = "in_doubt"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self not in {AnswerStatus.QUEUED, AnswerStatus.RUNNING}


class CallState(StrEnum):
    """ready → sent → done | failed | in_doubt. Only `ready` may be sent, and `sent` is committed before."""

    READY = "ready"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"


HOLDING = frozenset({CallState.READY, CallState.SENT, CallState.IN_DOUBT})
"""In these a call's ceiling is held."""


@dataclass(frozen=True, slots=True)
class Call:
    """One paid call of an answer.

    Attributes:
        part: 0-based position in the plan; with the answer's id it names the call.
        reserved_micros: the ceiling held for it, in micro-dollars.
        text: what came back; also of a call that broke off.
        actual_usd: exact, once known.
        replied_model: as the reply names the model.
        kept_from: the call of an earlier answer that brought this reply, and was paid for it.
    """

    id: str
    answer_id: str
    part: int
    state: CallState
    reserved_micros: int
    attempts: int = 0
    text: str = ""
    usage: Usage | None = None
    finish_reason: str | None = None
    refusal: str | None = None
    service_tier: str | None = None
    actual_usd: Decimal | None = None
    error: Failure | None = None
    sent_at: datetime | None = None
    kept_from: str | None = None
    replied_model: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it brought a whole reply: one that was stopped, or whose bill the user decided, did not."""
        return self.state is CallState.DONE and self.finish_reason not in {CANCELLED, RESOLVED}


@dataclass(frozen=True, slots=True)
class Answer:
    """A question put to a corpus, and what became of it.

    Attributes:
        request: the question's parameters as accepted (JSON-ready).
        plan: the plan it runs on, whole (JSON-ready): the receipt of what was read and for how much.
        citations: verified, JSON-ready.
        engine: who answered: a provider's name, or `offline`.
        conversation_id: what it is a turn of.
        batch_id, batch_number: the batch that it waits for, and its place there, from 1.
        citation_precision: share of the citations that are exact or close; None without citations.
        repair: what became of the repair round (JSON-ready), where one was asked for.
        retry_of, retried_as: the answer that it goes on with, and the one that goes on with it.
        replay_of: the answer whose pack it reads again.
        held_micros: what is still held for its calls; None where nobody looked.
        warnings: what its replies gave cause to warn of (JSON-ready), beside its plan's.
        cache: the forecast of cached tokens held against what was served (JSON-ready), once it is done.
    """

    id: str
    tenant: str
    corpus_id: str
    question: str
    model: str
    status: AnswerStatus
    plan_id: str
    request: dict[str, Any]
    plan: dict[str, Any]
    engine: str
    created_at: datetime
    text: str = ""
    citations: tuple[dict[str, Any], ...] = ()
    usage: Usage | None = None
    actual_usd: Decimal | None = None
    reserved_micros: int = 0
    held_micros: int | None = field(default=None, compare=False)
    finish_reason: str | None = None
    refusal: str | None = None
    error: Failure | None = None
    started_at: datetime | None = None
    first_token_at: datetime | None = None
    finished_at: datetime | None = None
    output: Any = field(default=None)
    cache: dict[str, Any] | None = None
    conversation_id: str | None = None
    citation_precision: float | None = None
    repair: dict[str, Any] | None = None
    retry_of: str | None = None
    retried_as: str | None = None
    replay_of: str | None = None
    batch_id: str | None = None
    batch_number: int | None = None
    warnings: tuple[dict[str, Any], ...] = ()

    @property
    def may_be_asked_anew(self) -> bool:
        """Whether it failed of what passes, before anything was billed: its key then stands for nothing."""
        passes = self.error is not None and self.error.code in PASSING
        return passes and self.status is AnswerStatus.FAILED and not self.actual_usd


@dataclass(frozen=True, slots=True)
class Ended:
    """An answer as it ended, and the tier that was billed (None: not told)."""

    answer: Answer
    billed_tier: str | None


def billed_tier(calls: Sequence[Call]) -> str | None:
    """Return the tier that the last of an answer's calls was billed at; None where none was told."""
    tiers = [call.service_tier for call in calls if call.service_tier]
    return tiers[-1] if tiers else None


def totalled(answer: Answer, calls: Sequence[Call]) -> Answer:
    """Return the answer with what all its calls used and cost."""
    used = [call.usage for call in calls if call.usage]
    costs = [call.actual_usd for call in calls if call.actual_usd is not None]
    return replace(
        answer,
        usage=sum(used[1:], used[0]) if used else None,
        actual_usd=sum(costs, Decimal(0)) if costs else None,
        held_micros=sum(call.reserved_micros for call in calls if call.state in HOLDING),
    )
