"""Hold the forecast of cached tokens against what the provider served, and say why they differ."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from service.domain import caching
from service.domain.answers import Call, CallState
from service.domain.caching import Code, Facts
from service.store import crowding
from service.store.session import Transaction
from service.usecases.running import Run

_SENTENCES: dict[Code, str] = {
    "hit": "What was sent before was still cached, as forecast.",
    "first_question": "The first question reads everything; the next one finds it cached.",
    "expired": "It was sent too long ago: the provider keeps a prefix for about an hour, and let go of it.",
    "parallel": "Another question to the same documents was under way, so nothing was cached yet: ask one "
    "first, then the others.",
    "changed": "{because}",
    "too_short": "{because}",
    "not_told": "The provider does not tell how much it served from its cache.",
    "evicted": "The provider let go of it early: its cache is best effort, and holds no promise.",
    "better_than_expected": "The provider held more than was forecast.",
    "none_held": "{because}",
}


def explain_cache(tx: Transaction, run: Run, calls: Sequence[Call]) -> dict[str, Any] | None:
    """Return the account of a finished answer's cache (JSON-ready); None where nothing was sent."""
    reading = [
        call
        for call in calls
        if call.state is CallState.DONE
        and run.planned[call.part].slices
        and run.planned[call.part].kind != "repair"
        and call.kept_from is None
    ]
    if not reading:
        return None
    served = _served(reading)
    forecast = run.answer.plan["cache"]
    facts = Facts(
        expected=sum(run.planned[call.part].expected_cached_tokens for call in reading),
        actual=served,
        forecast=forecast.get("code", "first_question"),
        warm_until=_moment(forecast["warm_until"]),
        sent_at=max((call.sent_at for call in reading if call.sent_at), default=None),
        crowded=served is not None and any(_crowded(tx, run, call) for call in reading),
    )
    code = caching.verdict(facts)
    return {
        "expected_cached_tokens": facts.expected,
        "cached_tokens": facts.actual,
        "difference": None if facts.actual is None else facts.actual - facts.expected,
        "code": code,
        "because": _because(code, run).format(because=forecast.get("because", "")),
    }


def _because(code: Code, run: Run) -> str:
    if code == "first_question" and run.answer.plan["strategy"] == "ranked":
        return "The pages were chosen for this question: another one finds little of them cached."
    return _SENTENCES[code]


def _crowded(tx: Transaction, run: Run, call: Call) -> bool:
    if call.sent_at is None:
        return False
    prefix = run.planned[call.part].prefix_sha256
    at = {"tenant": run.answer.tenant, "engine": run.answer.engine, "model": run.answer.model}
    return crowding.was_crowded(tx, call.id, prefix, call.sent_at, **at)


def _served(calls: Sequence[Call]) -> int | None:
    """Tokens from the cache; None where any of the replies does not tell."""
    usages = [call.usage for call in calls]
    told = [one.cached_tokens for one in usages if one and one.cache_told and not one.estimated]
    return sum(told) if len(told) == len(usages) else None


def _moment(said: str | None) -> datetime | None:
    return None if said is None else datetime.fromisoformat(said)
