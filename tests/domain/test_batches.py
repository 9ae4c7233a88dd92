"""The rules of batches: how far one is, how it ended, what is due, and when to look again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.answers import AnswerStatus, Call, CallState
from service.domain.batches import (
    LONGEST_PAUSES,
    BatchFile,
    BatchStatus,
    FileState,
    due,
    ended_as,
    over,
    pause,
    status_under_way,
)
from service.domain.planner import CallKind, PlannedCall

ENDS = [one for one in AnswerStatus if one.final]


def planned(*kinds: CallKind) -> tuple[PlannedCall, ...]:
    return tuple(PlannedCall(kind, (), 10, 10, 5, "0" * 64, "short", 5) for kind in kinds)


def calls(*states: str) -> list[Call]:
    return [Call(f"ans_1.{part}", "ans_1", part, CallState(state), 0) for part, state in enumerate(states)]


def file(state: FileState, provider_status: str | None = None) -> BatchFile:
    return BatchFile("bfl_1", "bat_1", state, 1, 100, provider_status=provider_status)


@given(age=st.floats(0, 1e6), first=st.floats(0.01, 3600), more=st.floats(0, 1e6))
def test_pauses_grow_within_bounds(age: float, first: float, more: float) -> None:
    assert first <= pause(age, first) <= pause(age + more, first) <= LONGEST_PAUSES * first


@pytest.mark.parametrize(
    ("kinds", "states", "parts", "ended"),
    [
        (["answer"], ["ready"], [0], False),
        (["answer"], ["sent"], [], False),
        (["answer"], ["done"], [], True),
        (["answer"], ["failed"], [], True),
        (["answer", "repair"], ["ready", "ready"], [0], False),
        (["answer", "repair"], ["done", "ready"], [], True),
        (["part", "part", "merge"], ["ready", "ready", "ready"], [0, 1], False),
        (["part", "part", "merge"], ["done", "sent", "ready"], [], False),
        (["part", "part", "merge"], ["failed", "sent", "ready"], [], False),
        (["part", "part", "merge"], ["failed", "done", "ready"], [], True),
        (["part", "part", "merge"], ["in_doubt", "done", "ready"], [], True),
        (["part", "part", "merge"], ["done", "done", "ready"], [2], False),
        (["part", "part", "merge"], ["done", "done", "sent"], [], False),
        (["part", "part", "merge"], ["done", "done", "done"], [], True),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, list) else str(value),
)
def test_what_is_due_and_what_is_over(
    kinds: Sequence[CallKind], states: list[str], parts: list[int], *, ended: bool
) -> None:
    assert [call.part for call in due(calls(*states), planned(*kinds))] == parts
    assert over(calls(*states), planned(*kinds)) is ended


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ([], "preparing"),
        ([file(FileState.READY)], "in_progress"),
        ([file(FileState.SENT)], "submitted"),
        ([file(FileState.OPEN, "validating")], "submitted"),
        ([file(FileState.OPEN, "validating"), file(FileState.OPEN, "in_progress")], "in_progress"),
        ([file(FileState.OPEN, "cancelling")], "in_progress"),
        ([file(FileState.OPEN, "finalizing"), file(FileState.OPEN, "in_progress")], "in_progress"),
        ([file(FileState.OPEN, "finalizing"), file(FileState.STORED, "completed")], "finalizing"),
        ([file(FileState.SETTLED, "completed"), file(FileState.OPEN, "validating")], "in_progress"),
        ([file(FileState.SETTLED, "completed")], "in_progress"),
    ],
    ids=str,
)
def test_how_far_it_is(files: list[BatchFile], status: str) -> None:
    assert status_under_way(files) is BatchStatus(status)


@given(ends=st.sets(st.sampled_from(ENDS), min_size=1), expired=st.booleans(), cancelled=st.booleans())
def test_how_it_ended(ends: set[AnswerStatus], *, expired: bool, cancelled: bool) -> None:
    files = [file(FileState.SETTLED, "expired" if expired else "completed")]
    status = ended_as(ends, files, cancelled=cancelled)
    assert status.final
    assert (status is BatchStatus.IN_DOUBT) is (AnswerStatus.IN_DOUBT in ends)
    if ends == {AnswerStatus.DONE}:
        assert status is BatchStatus.DONE
    if status is BatchStatus.DONE:
        assert AnswerStatus.DONE in ends
    if status is BatchStatus.CANCELLED:
        assert cancelled
    if status is BatchStatus.FAILED:
        assert AnswerStatus.DONE not in ends
