"""How far an answer is: what its `progress` and `waiting` events hold, and how that is said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from service.domain.planner import PlannedCall

State = Literal["started", "done", "incomplete", "kept", "failed", "cancelled", "in_doubt"]
"""`kept`: an earlier answer has paid for it, and nothing is sent. `incomplete`: see `parts.lack_of`."""

MOST_NAMED = 20
"""Documents of a part that an event names; of thousands all are in the plan."""

_NAMED_IN_WORDS = 3
_ENDED: dict[str, str] = {
    "done": "done",
    "incomplete": "not whole",
    "kept": "kept from before",
    "failed": "failed",
    "cancelled": "stopped",
    "in_doubt": "in doubt",
}


def event(planned: Sequence[PlannedCall], part: int, state: State, *, done: int) -> dict[str, Any]:
    """Return what is told of a call of a split (JSON-ready).

    Args:
        planned: all calls of the answer.
        part: the one that is told of, from 0.
        state: what became of it.
        done: how many parts are done by now.
    """
    call = planned[part]
    reads = call.kind == "part"
    pieces = call.slices
    return {
        "kind": call.kind,
        "part": part + 1 if reads else None,
        "of": sum(one.kind == "part" for one in planned),
        "state": state,
        "done": done,
        "documents": [
            {
                "document_id": piece.document_id,
                "filename": piece.filename,
                "first_page": piece.first,
                "last_page": piece.last,
            }
            for piece in pieces[:MOST_NAMED]
        ],
        "documents_in_all": len(pieces),
    }


def wait(
    planned: Sequence[PlannedCall], part: int, *, seconds: float, code: str, detail: str, at: datetime
) -> dict[str, Any]:
    """Return what is told of a call that the provider refused for now (JSON-ready).

    Args:
        planned: all calls of the answer.
        part: the one that is sent again, from 0.
        seconds: how long it is waited.
        code: of the refusal.
        detail: its sentence.
        at: when the wait begins.
    """
    parts = sum(one.kind == "part" for one in planned)
    return {
        "part": part + 1 if planned[part].kind == "part" else None,
        "of": parts or None,
        "code": code,
        "detail": detail,
        "seconds": math.ceil(seconds),
        "until": (at + timedelta(seconds=seconds)).isoformat(),
    }


def wait_said(data: Mapping[str, Any]) -> str:
    """Return such an event as a sentence without its full stop."""
    of = f"part {data['part']} of {data['of']}: " if data["part"] else ""
    return f"{of}the provider refused for now, and is asked again in {data['seconds']} s: {data['detail']}"


def told(data: Mapping[str, Any]) -> tuple[str, int | None, str]:
    """Return what tells an event from others: each is told once. Earlier versions told of ends alone."""
    return data.get("kind", "part"), data["part"], data.get("state", "done")


def said(data: Mapping[str, Any]) -> str:
    """Return an event as a sentence without its full stop."""
    kind, part, state = told(data)
    if kind != "part":
        return "the findings are merged" if state == "started" else f"merging: {_ENDED[state]}"
    where = f"part {part} of {data['of']}"
    if state == "started":
        return f"{where} is read: {_names(data)}"
    return f"{where}: {_ENDED[state]} ({data['done']} of {data['of']} parts read)"


def _names(data: Mapping[str, Any]) -> str:
    names = [one["filename"] for one in data["documents"][:_NAMED_IN_WORDS]]
    more = data["documents_in_all"] - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")
