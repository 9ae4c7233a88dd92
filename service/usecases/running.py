"""One running of one answer: what it works on, what it has shown, and the ways it can be stopped."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from service.domain import progress
from service.domain.answers import Answer, AnswerStatus, Call
from service.domain.conversations import NOTHING_SAID, History
from service.domain.documents import Failure
from service.domain.planner import PlannedCall
from service.domain.questions import Question
from service.errors import UnabridgedError
from service.provider import ChatRequest, Waiting
from service.store.answers import Event
from service.store.session import Transaction
from service.usecases.context import Context
from service.usecases.feed import Channel

IN_DOUBT = Failure(
    "in_doubt",
    "The reply never came whole: the call may have been billed. It is not repeated, "
    "and its price stays held until you resolve the answer as billed or not.",
)


INTERRUPTED = Failure(
    "interrupted",
    "The process that was asked stopped before anything was sent. Nothing was billed: ask again.",
)


DEARER = Failure(
    "plan_changed",
    "The price rose between the question and its sending: nothing more was sent, and what was held for it is "
    "free again. Ask again.",
)


def failure_of(error: UnabridgedError) -> Failure:
    """Return an error as it is recorded."""
    return Failure(error.code, error.detail, [fix.as_dict() for fix in error.fixes])


def in_doubt_after(detail: str) -> Failure:
    """Return the failure of what ended in doubt, by what was met last."""
    return replace(IN_DOUBT, detail=f"{detail} {IN_DOUBT.detail}")


Prepared = tuple[Call, ChatRequest | None]
"""A call as it is kept; where it was taken to be sent now, with what to send."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An answer that is taken up in the transaction that accepts it: what is recorded of it at once.

    Attributes:
        answer: running.
        calls: those that are to be paid for, the first of them taken for sending.
        seat: of the process that runs it.
        opening: the first event of its stream.
    """

    answer: Answer
    calls: tuple[Call, ...]
    seat: str
    opening: Event


Begin = Callable[[Transaction, Answer, tuple[Call, ...]], Begun | None]
"""Takes an answer up before it is recorded; returns None where that is done after the transaction."""


class Cancelled(Exception):
    """The user asked to stop."""


class Stopped(Exception):
    """A call ended without an answer; the answer ends in the given status."""

    def __init__(self, status: AnswerStatus, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.status = status
        self.failure = failure


@dataclass(slots=True)
class Run:
    """One running of one answer.

    Attributes:
        may_send: whether calls that are not sent yet may be; a command that takes up what another process
            left only concludes it.
        shown: the text that clients have seen, also from an earlier running.
        citations_shown: the same of citations.
        history: what was asked and answered before it in its conversation.
        citations_shown: how many citations clients have seen, also from an earlier running.
        progress_shown: which events of progress they have seen.
        repair_shown: whether they have seen what became of the repair.
        citations: as they are known by now.
        prepared: its call, where it has one alone and that was taken when the answer was taken up.
        unsettled: works out what the last call of this running cost, where that is recorded together with the
            answer's end; what it returns records it. It is told the running, since holding it would keep both
            and their prompt until garbage is looked for.
    """

    ctx: Context
    answer: Answer
    channel: Channel
    planned: tuple[PlannedCall, ...]
    question: Question
    may_send: bool = True
    shown: str = ""
    citations_shown: int = 0
    history: History = NOTHING_SAID
    repair_shown: bool = False
    progress_shown: set[tuple[str, int | None, str]] = field(default_factory=set)
    first_token_at: datetime | None = None
    citations: list[dict[str, Any]] = field(default_factory=list)
    prepared: Future[Prepared] | None = None
    unsettled: Callable[[Run], Callable[[Transaction], None]] | None = None
    _cited: int = 0

    def settling(self) -> Callable[[Transaction], None]:
        """Return what records the call that is unsettled, if one is; a second time it changes nothing."""
        return self.unsettled(self) if self.unsettled is not None else lambda _: None

    def say(self, text: str) -> None:
        """Show a piece of the answer's text."""
        self.first_token_at = self.first_token_at or self.ctx.now()
        self.shown += text
        self.channel.publish("delta", {"text": text})

    def cite(self, citation: dict[str, Any]) -> None:
        """Keep a citation and tell it."""
        self.citations.append(citation)
        self.cite_again(citation)

    def cite_again(self, citation: dict[str, Any]) -> None:
        """Tell a citation, unless an earlier running has."""
        self._cited += 1
        if self._cited > self.citations_shown:
            self.channel.publish("citation", citation)

    def tell_progress(self, data: dict[str, Any]) -> None:
        """Tell how far a split is, unless an earlier running has."""
        if progress.told(data) not in self.progress_shown:
            self.progress_shown.add(progress.told(data))
            self.channel.publish("progress", data)

    def tell_waiting(self, part: int, waiting: Waiting) -> None:
        """Tell that the provider refused a call for now, and when it is sent again."""
        told = progress.wait(self.planned, part, **asdict(waiting), at=self.ctx.now())
        self.channel.publish("waiting", told)

    def tell_repair(self, repair: dict[str, Any]) -> None:
        """Tell what became of the repair, unless an earlier running has."""
        if not self.repair_shown:
            self.channel.publish("repair", repair)
