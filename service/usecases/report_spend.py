"""What was spent: the ledger line by line, and its sums by day, month, corpus, model, answer or key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal, get_args

from service.domain.pricing import from_micros, signed_usd, usd
from service.errors import Invalid
from service.store import corpora, keys, ledger
from service.store.ledger import Entry, Settled
from service.store.session import Transaction
from service.usecases.context import Context

Grouping = Literal["day", "month", "corpus", "model", "answer", "key"]
GROUPINGS: Final[tuple[Grouping, ...]] = get_args(Grouping)

NO_KEY: Final = "none"
"""The group of what was asked without a key; no key's id is like it."""

FIRST_YEAR: Final = 1
LAST_YEAR: Final = 9999

_KEYS: Final[dict[Grouping, Callable[[Settled], str]]] = {
    "day": lambda paid: paid.at.astimezone(UTC).date().isoformat(),
    "month": lambda paid: paid.at.astimezone(UTC).strftime("%Y-%m"),
    "corpus": lambda paid: paid.corpus_id,
    "model": lambda paid: paid.model,
    "answer": lambda paid: paid.answer_id,
    "key": lambda paid: paid.key_id or NO_KEY,
}


@dataclass(frozen=True, slots=True)
class Span:
    """From one moment on and before another; None leaves a side open."""

    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what names no moment: a time without a zone, or one that is beyond the calendar in UTC.

        Raises:
            Invalid: one does.
        """
        for at in (self.since, self.until):
            if at is not None and (at.tzinfo is None or not FIRST_YEAR < at.year < LAST_YEAR):
                raise Invalid("from and to are times with a zone, as in 2026-11-22T00:00:00Z.")


def list_entries(ctx: Context, tenant: str, span: Span, *, after: int, limit: int) -> list[Entry]:
    """Return lines of the ledger, oldest first."""
    with ctx.db.read() as tx:
        return ledger.entries(tx, tenant, since=span.since, until=span.until, after=after, limit=limit)


def report_spend(ctx: Context, tenant: str, span: Span, by: Grouping) -> dict[str, Any]:
    """Return what was spent in groups and in all, and what is still held for open calls.

    `spent_usd` is exact where every call's price is known. A call without a known price counts with its
    reservation in `booked_usd` alone, which is what budgets count, in whole micro-dollars. Of that,
    `exact_usd` is known, and the rest, `at_most_usd`, is what calls that told no usage are booked at.
    """
    groups: dict[str, list[Settled]] = {}
    with ctx.db.read() as tx:
        for paid in ledger.settled(tx, tenant, since=span.since, until=span.until):
            groups.setdefault(_KEYS[by](paid), []).append(paid)
        held = ledger.held_micros(tx, tenant)
        names = _names(tx, tenant, by)
    return {
        "group_by": by,
        "data": [{"key": key, "name": names.get(key), **_summed(group)} for key, group in groups.items()],
        "total": _summed(paid for group in groups.values() for paid in group),
        "held_usd": usd(from_micros(held)),
    }


def _names(tx: Transaction, tenant: str, by: Grouping) -> dict[str, str]:
    if by == "key":
        return {**keys.names_of(tx, tenant), NO_KEY: "without a key"}
    return corpora.names_of(tx, tenant) if by == "corpus" else {}


def _summed(group: Iterable[Settled]) -> dict[str, Any]:
    paid = list(group)
    usages = [one.usage or {} for one in paid]
    return {
        "calls": len(paid),
        "answers": len({one.answer_id for one in paid}),
        "spent_usd": usd(sum((one.actual_usd or Decimal(0) for one in paid), Decimal(0))),
        "booked_usd": usd(from_micros(sum(one.micros for one in paid))),
        "exact_usd": usd(from_micros(sum(one.micros for one in paid if one.is_exact))),
        "at_most_usd": usd(from_micros(sum(one.micros for one in paid if not one.is_exact))),
        "at_most_calls": sum(not one.is_exact for one in paid),
        "reserved_usd": usd(from_micros(sum(one.reserved_micros for one in paid))),
        "prompt_tokens": sum(usage.get("prompt_tokens", 0) for usage in usages),
        "cached_tokens": sum(usage.get("cached_tokens", 0) for usage in usages),
        "completion_tokens": sum(usage.get("completion_tokens", 0) for usage in usages),
        "estimate": _estimates(paid),
    }


def _estimates(paid: Iterable[Settled]) -> dict[str, Any] | None:
    """What was expected of calls held against what they cost, by the mean call; None of no such call."""
    known = [one for one in paid if one.expected_usd is not None and one.actual_usd is not None]
    errors = [(one.actual_usd or Decimal(0)) - (one.expected_usd or Decimal(0)) for one in known]
    if not errors:
        return None
    told = [one for one in known if one.observed_cached_tokens is not None]
    return {
        "calls": len(known),
        "mean_error_usd": signed_usd(_to_micros(sum(errors, Decimal(0)) / len(errors))),
        "mean_absolute_error_usd": usd(_to_micros(sum(map(abs, errors), Decimal(0)) / len(errors))),
        "expected_cached_tokens": sum(one.forecast_cached_tokens or 0 for one in told),
        "cached_tokens": sum(one.observed_cached_tokens or 0 for one in told),
    }


def _to_micros(mean: Decimal) -> Decimal:
    return mean.quantize(Decimal("0.000001"))
