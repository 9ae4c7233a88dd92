"""A batch: questions answered within a day at half the price, and the states it goes through.

A batch of ours is one or more batches of the provider's, each over one uploaded file of lines, for a file
holds only so many. A line is one paid call, named by its id (`custom_id`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from service.domain.answers import AnswerStatus, Call, CallState
from service.domain.documents import Failure
from service.domain.planner import PlannedCall

WINDOW = timedelta(hours=24)
"""What the provider takes at most; what is not done by then expires, unbilled."""

GIVEN_UP = timedelta(days=3)
"""A batch whose end is not known so long after it was sent is in doubt."""

MAX_QUESTIONS = 1000
"""Of one batch: all of them are planned and reserved before any is sent."""

LONGEST_PAUSES = 20
"""The longest pause between two looks, in first ones."""

LOST_PAUSES = 4
"""So many first pauses after it was sent, a batch whose creation was never confirmed is looked for: until
then the request may still be on its way."""

TOO_MUCH_WAITING = "token_limit_exceeded"
"""The provider's code where an account has as many tokens waiting in batches as it may."""


class BatchStatus(StrEnum):
    """preparing → submitted → in_progress → finalizing → one of the ends."""

    PREPARING = "preparing"
    SUBMITTED = "submitted"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    IN_DOUBT = "in_doubt"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self not in UNDER_WAY


UNDER_WAY = (BatchStatus.PREPARING, BatchStatus.SUBMITTED, BatchStatus.IN_PROGRESS, BatchStatus.FINALIZING)


class FileState(StrEnum):
    """ready → sent → open → stored → settled; or in_doubt.

    Only `ready` may be sent, and that is committed before. `open` is known to the provider by its id. What
    came of it is `stored` before it is settled.
    """

    READY = "ready"
    SENT = "sent"
    OPEN = "open"
    STORED = "stored"
    SETTLED = "settled"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Batch:
    """Questions that are put together.

    Attributes:
        expected_usd: of all its questions; None where the price is unknown.
        most_lines: that a file may hold, where the provider takes fewer than fit; None where it told of none.
        cancel_requested: nothing more is sent, and what is under way is asked to stop.
        error: why it is no further, or how it ended.
    """

    id: str
    tenant: str
    corpus_id: str
    engine: str
    model: str
    status: BatchStatus
    created_at: datetime
    expires_at: datetime
    cancel_requested: bool = False
    most_lines: int | None = None
    error: Failure | None = None
    finished_at: datetime | None = None
    expected_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A batch of the provider's, over one file of lines.

    Attributes:
        input_id: of the uploaded file, at the provider.
        provider_id: of the batch, at the provider.
        provider_status: as it was seen last.
        done, failed: lines, as the provider counts them.
        output_sha256, errors_sha256: what came, as it is kept.
        unknown: lines that came and belong to none that was sent.
    """

    id: str
    batch_id: str
    state: FileState
    lines: int
    bytes: int
    input_id: str | None = None
    provider_id: str | None = None
    provider_status: str | None = None
    done: int = 0
    failed: int = 0
    output_sha256: str | None = None
    errors_sha256: str | None = None
    unknown: int = 0
    error: Failure | None = None
    sent_at: datetime | None = None
    expires_at: datetime | None = None


def pause(age_s: float, first_s: float) -> float:
    """Seconds until the next look at a batch of that age: a tenth of it, within bounds."""
    return min(max(first_s, age_s / 10), LONGEST_PAUSES * first_s)


def due(calls: Sequence[Call], planned: Sequence[PlannedCall]) -> list[Call]:
    """Return the calls of an answer that can be sent now: a merge only once every part is there."""
    parts_done = all(call.state is CallState.DONE for call in calls if planned[call.part].kind == "part")
    kinds = {"answer", "part", "merge"} if parts_done else {"answer", "part"}
    return [call for call in calls if call.state is CallState.READY and planned[call.part].kind in kinds]


def over(calls: Sequence[Call], planned: Sequence[PlannedCall]) -> bool:
    """Whether an answer has nothing more to wait for: its last call came, or one brought nothing."""
    states = {call.state for call in calls}
    if CallState.SENT in states:
        return False
    if states & {CallState.FAILED, CallState.IN_DOUBT}:
        return True
    return not any(call.state is CallState.READY and planned[call.part].kind != "repair" for call in calls)


def status_under_way(files: Sequence[BatchFile]) -> BatchStatus:
    """Return how far a batch is by its files; one round may be settled and the next not sent yet."""
    sent = [one for one in files if one.state in {FileState.SENT, FileState.OPEN, FileState.STORED}]
    if not sent:
        return BatchStatus.IN_PROGRESS if files else BatchStatus.PREPARING
    seen = {one.provider_status for one in sent}
    if all(one.state is FileState.STORED or one.provider_status == "finalizing" for one in sent):
        return BatchStatus.FINALIZING
    under_way = {"in_progress", "finalizing", "cancelling"}
    begun = bool(seen & under_way) or any(one.state in {FileState.STORED, FileState.SETTLED} for one in files)
    return BatchStatus.IN_PROGRESS if begun else BatchStatus.SUBMITTED


def ended_as(ends: Collection[AnswerStatus], files: Sequence[BatchFile], *, cancelled: bool) -> BatchStatus:
    """Return how a batch ended whose answers ended so: what has to be looked at comes first."""
    if AnswerStatus.IN_DOUBT in ends:
        return BatchStatus.IN_DOUBT
    if cancelled and AnswerStatus.CANCELLED in ends:
        return BatchStatus.CANCELLED
    if set(ends) != {AnswerStatus.DONE} and any(one.provider_status == "expired" for one in files):
        return BatchStatus.EXPIRED
    return BatchStatus.DONE if AnswerStatus.DONE in ends else BatchStatus.FAILED
