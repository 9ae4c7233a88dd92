"""Budgets as arithmetic: reserve a ceiling before a call, settle to the bill after it, release on failure.

All amounts are whole micro-dollars (`pricing.to_micros_up`), so sums are exact in any store.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from service.domain.pricing import from_micros, usd
from service.errors import BudgetExceeded, Fix

Period = Literal["day", "month", "total"]
"""How long a budget lasts before it starts anew, by the UTC calendar."""

PERIODS: tuple[Period, ...] = get_args(Period)


@dataclass(frozen=True, slots=True)
class Budget:
    """What one scope may spend in one period, in micro-dollars.

    Reservations never pass the cap: `reserve` refuses. Bills may: an actual above its reservation is recorded
    in full, for it was paid, and leaves less than nothing available.

    Attributes:
        cap: the limit.
        spent: settled since the period began.
        reserved: held back for calls that are still open.
        scope: `tenant`, `key:<id>` or `corpus:<id>`.
        name: what it is of, such as `the corpus “Reports”`; messages say it beside the scope.
    """

    cap: int
    spent: int = 0
    reserved: int = 0
    period: Period = "total"
    scope: str = "tenant"
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse negative amounts.

        Raises:
            ValueError: one is; a mistake of the caller.
        """
        _at_least_zero(self.cap, self.spent, self.reserved)

    @property
    def available(self) -> int:
        """What can still be reserved; below zero after a bill above its reservation."""
        return self.cap - self.spent - self.reserved

    def reserve(self, amount: int) -> Budget:
        """Hold back a ceiling.

        Raises:
            BudgetExceeded: it does not fit what is available; the fixes name what would.
        """
        _at_least_zero(amount)
        if amount > self.available:
            raise self._exceeded(amount)
        return replace(self, reserved=self.reserved + amount)

    def settle(self, reserved: int, actual: int) -> Budget:
        """Give a reservation back and record the bill, in full even above the reservation.

        Raises:
            ValueError: no such amount is reserved; a mistake of the caller.
        """
        _at_least_zero(actual)
        return replace(self.release(reserved), spent=self.spent + actual)

    def release(self, reserved: int) -> Budget:
        """Give a reservation back: nothing was billed.

        Raises:
            ValueError: no such amount is reserved; a mistake of the caller.
        """
        _at_least_zero(reserved)
        if reserved > self.reserved:
            raise ValueError(f"{reserved} micro-dollars are not reserved: only {self.reserved} are")
        return replace(self, reserved=self.reserved - reserved)

    def _exceeded(self, amount: int) -> BudgetExceeded:
        available = max(self.available, 0)
        span = "" if self.period == "total" else f" a {self.period}"
        of = f"{self.name} ({self.scope}, " if self.name else f"{self.scope} ("
        return BudgetExceeded(
            f"The budget of {of}${_usd(self.cap)}{span}) has ${_usd(available)} left; "
            f"the ceiling is ${_usd(amount)}.",
            fixes=self._fixes(amount, available),
        )

    def _fixes(self, amount: int, available: int) -> tuple[Fix, ...]:
        needed = _usd(self.spent + self.reserved + amount)
        fixes = [Fix("raise_budget", "", (("scope", self.scope), ("limit_usd", needed)))]
        if available:
            within = (("max_usd", _usd(available)),)
            fixes.insert(0, Fix("lower_ceiling", "Choose a plan within what is left.", within))
        if self.reserved:
            text = "Open answers give back what they do not use."
            fixes.append(Fix("wait_for_answers", text, (("reserved_usd", _usd(self.reserved)),)))
        if self.period != "total":
            text = f"The budget starts anew with the next {self.period} (UTC)."
            fixes.append(Fix("wait_for_next_period", text))
        return tuple(fixes)


def period_start(period: Period, now: datetime) -> datetime | None:
    """When the period that holds `now` began, in UTC; None for `total`, which has no beginning.

    Raises:
        ValueError: `now` has no time zone.
    """
    today = _utc(now).replace(hour=0, minute=0, second=0, microsecond=0)
    return {"day": today, "month": today.replace(day=1), "total": None}[period]


def period_end(period: Period, now: datetime) -> datetime | None:
    """When the period that holds `now` ends and the next one begins, in UTC; None for `total`.

    Raises:
        ValueError: `now` has no time zone.
    """
    start = period_start(period, now)
    if start is None:
        return None
    if period == "day":
        return start + timedelta(days=1)
    years, month = divmod(start.month, 12)
    return start.replace(year=start.year + years, month=month + 1)


def _utc(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise ValueError("a time without a zone has no period")
    return now.astimezone(UTC)


def _usd(micros: int) -> str:
    return usd(from_micros(micros))


def _at_least_zero(*amounts: int) -> None:
    if min(amounts) < 0:
        raise ValueError(f"micro-dollars are never negative here: {min(amounts)}")
