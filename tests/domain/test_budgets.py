"""Budgets: reservations never pass the cap, bills are recorded in full, periods follow the UTC calendar."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from service.domain.budgets import PERIODS, Budget, Period, period_end, period_start
from service.errors import BudgetExceeded

DOLLAR = 1_000_000
amounts = st.integers(0, 5 * DOLLAR)


class Spending(RuleBasedStateMachine):
    """Any sequence of calls on a budget, next to a ledger that remembers each of them."""

    running = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.budget = Budget(cap=10 * DOLLAR)
        self.held: list[int] = []
        self.bills: list[int] = []

    @rule(target=running, amount=amounts)
    def reserve(self, amount: int) -> int:
        fits = sum(self.bills) + sum(self.held) + amount <= 10 * DOLLAR
        try:
            self.budget = self.budget.reserve(amount)
        except BudgetExceeded:
            assert not fits
            return 0
        assert fits
        assert self.budget.available >= 0
        self.held.append(amount)
        return amount

    @rule(reserved=consumes(running), actual=amounts)
    def settle(self, reserved: int, actual: int) -> None:
        self.budget = self.budget.settle(reserved, actual)
        self._forget(reserved)
        self.bills.append(actual)

    @rule(reserved=consumes(running))
    def release(self, reserved: int) -> None:
        self.budget = self.budget.release(reserved)
        self._forget(reserved)

    def _forget(self, reserved: int) -> None:
        if reserved in self.held:
            self.held.remove(reserved)

    @invariant()
    def the_sums_have_no_error(self) -> None:
        assert (self.budget.spent, self.budget.reserved) == (sum(self.bills), sum(self.held))
        assert self.budget.available == self.budget.cap - sum(self.bills) - sum(self.held)


TestSpending = Spending.TestCase


@given(st.lists(amounts, max_size=20))
def test_ceilings_that_are_settled_below_never_pass_the_cap(ceilings: list[int]) -> None:
    budget = Budget(cap=10 * DOLLAR)
    for ceiling in ceilings:
        if ceiling <= budget.available:
            budget = budget.reserve(ceiling).settle(ceiling, ceiling // 2)
    assert budget.spent <= budget.cap
    assert budget.reserved == 0


def test_the_last_micro_dollar_can_be_reserved_and_no_more() -> None:
    full = Budget(cap=100, spent=40).reserve(60)
    assert full.available == 0
    assert full.reserve(0) == full
    with pytest.raises(BudgetExceeded):
        full.reserve(1)


def test_a_bill_above_its_reservation_is_recorded_in_full() -> None:
    budget = Budget(cap=100).reserve(90).settle(90, 130)
    assert (budget.spent, budget.reserved, budget.available) == (130, 0, -30)
    with pytest.raises(BudgetExceeded):
        budget.reserve(1)


def test_a_refusal_leaves_the_budget_as_it_was_and_says_what_would_help() -> None:
    budget = Budget(cap=10 * DOLLAR, spent=3 * DOLLAR, reserved=DOLLAR, period="month", scope="key:key_1")
    with pytest.raises(BudgetExceeded) as caught:
        budget.reserve(9_240_500)
    assert caught.value.detail == (
        "The budget of key:key_1 ($10.00 a month) has $6.00 left; the ceiling is $9.2405."
    )
    named = r"^The budget of the key “a” \(key:key_1, \$10\.00 a month\) has"
    with pytest.raises(BudgetExceeded, match=named):
        replace(budget, name="the key “a”").reserve(9_240_500)
    lower, more, answers, period = (fix.as_dict() for fix in caught.value.fixes)
    assert (lower["do"], lower["max_usd"]) == ("lower_ceiling", "6.00")
    assert more == {"do": "raise_budget", "scope": "key:key_1", "limit_usd": "13.2405"}
    assert (answers["do"], answers["reserved_usd"]) == ("wait_for_answers", "1.00")
    assert period["do"] == "wait_for_next_period"
    assert "month" in period["detail"]
    assert budget.available == 6 * DOLLAR


def test_the_fix_that_raises_the_budget_is_just_enough() -> None:
    budget = Budget(cap=100, spent=130)
    with pytest.raises(BudgetExceeded) as caught:
        budget.reserve(70)
    (more,) = (fix.as_dict() for fix in caught.value.fixes)  # no plan costs nothing, so none is named
    assert more["limit_usd"] == "0.0002"
    assert Budget(cap=200, spent=130).reserve(70).available == 0


@pytest.mark.parametrize("amount", [-1, -DOLLAR])
def test_negative_amounts_are_refused(amount: int) -> None:
    with pytest.raises(ValueError, match="never negative"):
        Budget(cap=amount)
    with pytest.raises(ValueError, match="never negative"):
        Budget(cap=100).reserve(amount)
    with pytest.raises(ValueError, match="never negative"):
        Budget(cap=100, reserved=10).settle(10, amount)
    with pytest.raises(ValueError, match="never negative"):
        Budget(cap=100, reserved=10).release(amount)


def test_nothing_is_given_back_twice() -> None:
    budget = Budget(cap=100).reserve(60).release(60)
    with pytest.raises(ValueError, match="not reserved"):
        budget.release(60)
    with pytest.raises(ValueError, match="not reserved"):
        budget.settle(60, 10)


# --- periods


@pytest.mark.parametrize(
    ("period", "now", "start", "end"),
    [
        ("day", "2026-11-22T00:00:00+00:00", "2026-11-22", "2026-11-23"),
        ("day", "2026-11-22T23:59:59.999999+00:00", "2026-11-22", "2026-11-23"),
        ("day", "2026-11-22T00:30:00+01:00", "2026-11-21", "2026-11-22"),
        ("day", "2028-02-28T12:00:00+00:00", "2028-02-28", "2028-02-29"),
        ("month", "2026-11-22T12:00:00+00:00", "2026-11-01", "2026-12-01"),
        ("month", "2026-12-31T23:00:00-02:00", "2027-01-01", "2027-02-01"),
        ("month", "2026-12-31T23:59:59+00:00", "2026-12-01", "2027-01-01"),
    ],
)
def test_periods_follow_the_utc_calendar(period: Period, now: str, start: str, end: str) -> None:
    moment = datetime.fromisoformat(now)
    assert period_start(period, moment) == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert period_end(period, moment) == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_a_total_budget_has_no_beginning_and_no_end() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert period_start("total", now) is None
    assert period_end("total", now) is None


zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(
    st.sampled_from([period for period in PERIODS if period != "total"]),
    st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=zones),  # noqa: DTZ001 - hypothesis wants naive bounds
)
def test_every_moment_lies_in_exactly_one_period(period: Period, now: datetime) -> None:
    start, end = period_start(period, now), period_end(period, now)
    assert start is not None
    assert end is not None
    assert start <= now < end
    assert period_start(period, end) == end
    assert period_end(period, start) == end


@pytest.mark.parametrize("period", PERIODS)
def test_a_time_without_a_zone_is_refused(period: Period) -> None:
    naive = datetime(2026, 11, 22)  # noqa: DTZ001 - the mistake under test
    with pytest.raises(ValueError, match="without a zone"):
        period_start(period, naive)
    with pytest.raises(ValueError, match="without a zone"):
        period_end(period, naive)
