"""Money as rows: reservations end once, sums agree with the ledger, and no crowd passes a cap."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from service.domain import budgets as periods
from service.store import ledger
from service.store.ledger import StoredBudget
from service.store.session import Database, Transaction
from tests.store import rivals, rows

CAP = 10_000


def budget(scope: str = "tenant", *, cap: int = CAP, period: str = "total") -> StoredBudget:
    return StoredBudget(tenant=rows.TENANT, scope=scope, period=period, period_start=rows.NOW, cap_micros=cap)


def state(db: Database, scope: str = "tenant") -> tuple[int, int]:
    """Spent and reserved."""
    with db.read() as tx:
        (known,) = ledger.budgets_of(tx, rows.TENANT, [scope])
    return known.spent_micros, known.reserved_micros


def hold(tx: Transaction, number: int, micros: int, scopes: tuple[str, ...] = ("tenant",)) -> str:
    """Reserve for a fresh call in budgets that have the room."""
    call = rows.add_call(tx, rows.add_answer(tx, number), micros=micros)
    for known in ledger.budgets_of(tx, rows.TENANT, scopes):
        assert ledger.take_room(tx, known, micros)
    ledger.hold(
        tx,
        call_id=call.id,
        tenant=rows.TENANT,
        corpus_id="cor_0001",
        micros=micros,
        scopes=scopes,
        at=rows.NOW,
    )
    return call.id


@contextmanager
def rolled_back(db: Database) -> Iterator[Transaction]:
    """A transaction of which nothing stays, so that one database serves every example."""
    with suppress(_Undone), db.write() as tx:
        yield tx
        raise _Undone


class _Undone(Exception):
    pass


def lines(db: Database) -> list[tuple[str, int]]:
    with db.read() as tx:
        return [(entry.kind, entry.micros) for entry in ledger.entries(tx, rows.TENANT)]


def test_a_new_budget_counts_what_its_period_has_cost_and_what_is_open(db: Database) -> None:
    with db.write() as tx:
        ended, held = hold(tx, 1, 600, ()), hold(tx, 2, 300, ())
        ledger.settle(tx, ended, actual_micros=500, actual_usd=None, at=rows.NOW)
        ledger.set_budget(tx, budget())
        ledger.set_budget(tx, budget("corpus:cor_0001"), corpus_id="cor_0001")
        ledger.set_budget(tx, budget("corpus:cor_none"), corpus_id="cor_none")
        ledger.set_budget(tx, replace(budget("corpus:later"), period_start=rows.later(1)))
    assert state(db) == state(db, "corpus:cor_0001") == (500, 300)
    assert state(db, "corpus:cor_none") == (0, 0)
    assert state(db, "corpus:later") == (0, 300)
    with db.write() as tx:
        ledger.settle(tx, held, actual_micros=200, actual_usd=None, at=rows.NOW)
    assert state(db) == state(db, "corpus:cor_0001") == (700, 0)
    assert state(db, "corpus:cor_none") == (0, 0)


def test_a_reservation_outlives_its_budget(db: Database) -> None:
    with db.write() as tx:
        ledger.set_budget(tx, budget())
        call = hold(tx, 1, 600)
        assert ledger.remove_budget(tx, rows.TENANT, "tenant")
        assert not ledger.remove_budget(tx, rows.TENANT, "tenant")
        assert ledger.settle(tx, call, actual_micros=500, actual_usd=None, at=rows.NOW)
        ledger.set_budget(tx, budget())
    assert state(db) == (500, 0)


def test_a_budget_keeps_what_is_spent_when_its_limit_changes(db: Database) -> None:
    with db.write() as tx:
        ledger.set_budget(tx, budget())
        ledger.set_budget(tx, budget("corpus:cor_0001", cap=1))
        call = hold(tx, 1, 600)
        ledger.settle(tx, call, actual_micros=500, actual_usd=None, at=rows.NOW)
        hold(tx, 2, 300)
        ledger.set_budget(tx, budget(cap=20_000, period="month"))
        known = ledger.budgets_of(tx, rows.TENANT)
        assert [b.scope for b in known] == ["corpus:cor_0001", "tenant"]
        assert (known[1].cap_micros, known[1].period) == (20_000, "month")
        assert ledger.budgets_of(tx, "other") == []
        assert ledger.budgets_of(tx, rows.TENANT, []) == []
    assert state(db) == (500, 300)


def test_settling_gives_the_reservation_back_and_records_the_bill(db: Database) -> None:
    with db.write() as tx:
        ledger.set_budget(tx, budget())
        call = hold(tx, 1, 600)
    assert state(db) == (0, 600)
    with db.write() as tx:
        assert ledger.settle(tx, call, actual_micros=421, actual_usd=Decimal("0.0004201"), at=rows.later(9))
    assert state(db) == (421, 0)
    assert lines(db) == [("reserve", 600), ("release", -600), ("settle", 421)]
    with db.read() as tx:
        last = ledger.entries(tx, rows.TENANT, since=rows.later(1))[-1]
        assert len(ledger.entries(tx, rows.TENANT, since=rows.later(1))) == 2
    assert (last.call_id, last.corpus_id, last.at) == (call, "cor_0001", rows.later(9))
    assert last.actual_usd == Decimal("0.0004201")


def test_releasing_gives_everything_back(db: Database) -> None:
    with db.write() as tx:
        ledger.set_budget(tx, budget())
        call = hold(tx, 1, 600)
        assert ledger.release(tx, call, at=rows.NOW)
    assert state(db) == (0, 0)
    assert lines(db) == [("reserve", 600), ("release", -600)]


@pytest.mark.parametrize("first", ["settle", "release"])
def test_the_second_end_of_a_reservation_changes_nothing(db: Database, first: str) -> None:
    with db.write() as tx:
        ledger.set_budget(tx, budget())
        call = hold(tx, 1, 600)
        hold(tx, 2, 50)
        if first == "settle":
            assert ledger.settle(tx, call, actual_micros=100, actual_usd=None, at=rows.NOW)
        else:
            assert ledger.release(tx, call, at=rows.NOW)
    before, written = state(db), lines(db)
    with db.write() as tx:
        assert not ledger.settle(tx, call, actual_micros=999, actual_usd=None, at=rows.NOW)
        assert not ledger.release(tx, call, at=rows.NOW)
        assert not ledger.settle(tx, "ans_none.0", actual_micros=9, actual_usd=None, at=rows.NOW)
    assert (state(db), lines(db)) == (before, written)


def test_a_call_is_held_once(db: Database) -> None:
    with db.write() as tx:
        ledger.set_budget(tx, budget())
        call = hold(tx, 1, 600)
    with pytest.raises(IntegrityError), db.write() as tx:
        ledger.hold(
            tx, call_id=call, tenant=rows.TENANT, corpus_id="c", micros=1, scopes=["tenant"], at=rows.NOW
        )
    assert lines(db) == [("reserve", 600)]


@pytest.mark.parametrize(("micros", "fits"), [(9_999, True), (10_000, True), (10_001, False)])
def test_room_is_taken_to_the_last_micro_dollar(db: Database, micros: int, fits: bool) -> None:  # noqa: FBT001 - a parameter
    with db.write() as tx:
        ledger.set_budget(tx, budget())
        (known,) = ledger.budgets_of(tx, rows.TENANT)
        assert ledger.take_room(tx, known, micros) is fits
    assert state(db) == (0, micros if fits else 0)


def test_a_bill_above_its_reservation_is_recorded_in_full(db: Database) -> None:
    with db.write() as tx:
        ledger.set_budget(tx, budget())
        call = hold(tx, 1, CAP)
        assert ledger.settle(tx, call, actual_micros=CAP * 2, actual_usd=None, at=rows.NOW)
        (known,) = ledger.budgets_of(tx, rows.TENANT)
        assert not ledger.take_room(tx, known, 1)
        assert not ledger.take_room(tx, known, 0)
    assert state(db) == (CAP * 2, 0)
    assert sum(micros for _, micros in lines(db)) == CAP * 2


def test_a_reservation_counts_in_every_budget_it_was_made_in(db: Database) -> None:
    with db.write() as tx:
        for scope in ("tenant", "corpus:cor_0001", "corpus:cor_0002"):
            ledger.set_budget(tx, budget(scope))
        call = hold(tx, 1, 600, ("tenant", "corpus:cor_0001"))
        ledger.settle(tx, call, actual_micros=70, actual_usd=None, at=rows.NOW)
    assert (state(db), state(db, "corpus:cor_0001"), state(db, "corpus:cor_0002")) == (
        (70, 0),
        (70, 0),
        (0, 0),
    )


def test_without_a_budget_the_ledger_is_written_all_the_same(db: Database) -> None:
    with db.write() as tx:
        call = hold(tx, 1, 600, ())
        assert ledger.settle(tx, call, actual_micros=5, actual_usd=None, at=rows.NOW)
    assert lines(db) == [("reserve", 600), ("release", -600), ("settle", 5)]


def test_a_new_period_forgets_what_was_spent_and_carries_what_is_held(db: Database) -> None:
    with db.write() as tx:
        ledger.set_budget(tx, budget(period="day"))
        ledger.settle(tx, hold(tx, 1, 600), actual_micros=500, actual_usd=None, at=rows.NOW)
        open_call = hold(tx, 2, 300)
        (known,) = ledger.budgets_of(tx, rows.TENANT)
        ledger.turn_period(tx, known, rows.later(86_400))
    assert state(db) == (0, 300)
    with db.write() as tx:
        ledger.turn_period(tx, known, rows.later(86_400))  # a second one sees that it is done
        assert ledger.settle(tx, open_call, actual_micros=200, actual_usd=None, at=rows.NOW)
        ledger.turn_period(tx, known, rows.later(86_400))
    assert state(db) == (200, 0)


@pytest.mark.parametrize("period", ["day", "month"])
def test_a_bill_after_midnight_counts_in_the_period_that_has_begun(db: Database, period: str) -> None:
    later = rows.NOW + timedelta(days={"day": 1, "month": 31}[period])
    with db.write() as tx:
        ledger.set_budget(tx, budget(period=period))
        ledger.settle(tx, hold(tx, 1, 600), actual_micros=500, actual_usd=None, at=rows.NOW)
        over_midnight = [hold(tx, 2, 300), hold(tx, 3, 300)]
        ledger.settle(tx, over_midnight[0], actual_micros=200, actual_usd=None, at=later)
    assert state(db) == (200, 300)
    with db.write() as tx:
        (known,) = ledger.budgets_of(tx, rows.TENANT)
        start = periods.period_start(known.period, later)  # type: ignore[arg-type]
        assert start is not None
        ledger.turn_period(tx, known, start)  # as the next reservation would
        ledger.release(tx, over_midnight[1], at=later)
        assert ledger.spent_since(tx, rows.TENANT, start) == 200
    assert state(db) == (200, 0)


def test_a_crowd_never_passes_a_cap(db: Database) -> None:
    with db.write() as tx:
        ledger.set_budget(tx, budget(cap=100 * rivals.PRICE + rivals.PRICE // 2))
        ledger.set_budget(tx, budget("corpus:cor_0001", cap=80 * rivals.PRICE))
    won = rivals.compete(db.url, rivals.reserve_often, processes=2, threads=25)
    assert len(won) == 50
    assert sum(won) == 80  # the tighter one decides, and a refusal in one takes nothing from the other
    assert state(db) == state(db, "corpus:cor_0001") == (0, 80 * rivals.PRICE)
    assert lines(db) == [("reserve", rivals.PRICE)] * 80


def test_after_a_crowd_every_sum_agrees_with_the_ledger(db: Database) -> None:
    with db.write() as tx:
        ledger.set_budget(tx, budget(cap=60 * rivals.PRICE))
    ended = rivals.compete(db.url, rivals.reserve_and_end, processes=2, threads=10)
    written = lines(db)
    reserved = [micros for kind, micros in written if kind == "reserve"]
    settled = [micros for kind, micros in written if kind == "settle"]
    assert sum(ended) == len(reserved)  # each ended exactly once, although each was ended twice
    assert state(db) == (sum(settled), 0) == (sum(micros for _, micros in written), 0)
    assert sum(settled) <= 60 * rivals.PRICE


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["hold", "settle", "release"]), st.integers(0, 4_000)),
        max_size=25,
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_sum_of_every_order_of_events_agrees(db: Database, steps: list[tuple[int, str, int]]) -> None:
    """What is reserved, settled and released sums to what was paid, whatever happens when and how often."""
    held: dict[int, int] = {}
    paid: dict[int, int] = {}
    names: dict[int, str] = {}
    with rolled_back(db) as tx:
        ledger.set_budget(tx, budget(cap=10**9))
        for number, event, micros in steps:
            name = names.get(number, "ans_none.0")
            if event == "hold" and number not in names:
                names[number], held[number] = hold(tx, number, micros), micros
            elif event == "settle":
                ended = ledger.settle(tx, name, actual_micros=micros, actual_usd=None, at=rows.NOW)
                assert ended == (number in held)
                paid |= {number: micros} if ended else {}
                held.pop(number, None)
            elif event == "release":
                assert ledger.release(tx, name, at=rows.NOW) == (number in held)
                held.pop(number, None)
        (known,) = ledger.budgets_of(tx, rows.TENANT)
        assert (known.spent_micros, known.reserved_micros) == (sum(paid.values()), sum(held.values()))
        of: dict[str, int] = dict.fromkeys(names.values(), 0)
        for entry in ledger.entries(tx, rows.TENANT):
            of[entry.call_id] += entry.micros
        assert of == {name: paid.get(number, held.get(number, 0)) for number, name in names.items()}
