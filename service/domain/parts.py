"""What of a split's parts is lacking: a lost part is never passed over in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from service.domain.answers import Call, CallState
from service.domain.planner import PlannedCall

Lack = Literal["refused", "length", "content_filter", "empty"]

PART_INCOMPLETE = "part_incomplete"

_NAMED = 3
_SAID: dict[Lack, str] = {
    "refused": "the model refused it",
    "length": "its findings were cut off: they reached the output that was reserved",
    "content_filter": "the provider's content filter ended its findings",
    "empty": "it brought nothing, not even that nothing was found",
}


def lack_of(call: Call) -> Lack | None:
    """Return why a part that is done lacks something; None where its findings are whole."""
    if call.refusal:
        return "refused"
    if call.finish_reason == "length":
        return "length"
    if call.finish_reason == "content_filter":
        return "content_filter"
    return None if call.text.strip() else "empty"


def lacking(planned: Sequence[PlannedCall], calls: Sequence[Call]) -> dict[int, Lack]:
    """Return the parts that are done and lack something, and why, in order."""
    found = {
        call.part: lack_of(call)
        for call in calls
        if call.state is CallState.DONE and call.is_whole and planned[call.part].kind == "part"
    }
    return {part: lack for part, lack in sorted(found.items()) if lack is not None}


def kept_parts(planned: Sequence[PlannedCall], calls: Sequence[Call]) -> set[int]:
    """Return the calls whose replies stay when an answer is gone on with: they are not paid again.

    What was made of findings that lack something is made anew.
    """
    lost = lacking(planned, calls)
    whole = {call.part for call in calls if call.is_whole} - lost.keys()
    return {part for part in whole if not lost or planned[part].kind == "part"}


def part_warnings(
    planned: Sequence[PlannedCall], calls: Sequence[Call], *, answer_id: str
) -> tuple[dict[str, Any], ...]:
    """Return a warning for each part that lacks something (JSON-ready)."""
    of = sum(one.kind == "part" for one in planned)
    return tuple(
        _warning(planned[part], part + 1, of, lack, answer_id)
        for part, lack in lacking(planned, calls).items()
    )


def _warning(planned: PlannedCall, part: int, of: int, lack: Lack, answer_id: str) -> dict[str, Any]:
    names = [piece.filename for piece in planned.slices]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return {
        "code": PART_INCOMPLETE,
        "detail": (
            f"Part {part} of {of} ({', '.join(names[:_NAMED])}{more}) is not whole: {_SAID[lack]}. What it "
            "holds may be missing from the answer. Retry the answer to ask this part again."
        ),
        "fixes": [{"do": "retry", "detail": "Ask this part again, and merge anew.", "answer_id": answer_id}],
        "part": part,
        "of": of,
        "reason": lack,
        "document_ids": list(dict.fromkeys(piece.document_id for piece in planned.slices)),
    }
