"""Keys as rows, and the money that is booked to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from service.domain.keys import Key
from service.store import keys, ledger
from service.store.ledger import StoredBudget
from service.store.session import Database, Transaction
from tests.store import rows

MINUTE = timedelta(minutes=1)


def key(number: int = 1, **other: object) -> Key:
    made = Key(f"key_{number:04}", rows.TENANT, f"key {number}", "una_abcdef", rows.later(number))
    return replace(made, **other)  # type: ignore[arg-type]


def add(db: Database, *made: Key) -> None:
    with db.write() as tx:
        for one in made:
            keys.add(tx, one, digest=f"{one.id:>64}")


def found(tx: Transaction, one: Key, *, after: float = 100) -> Key | None:
    return keys.by_digest(tx, f"{one.id:>64}", now=rows.later(after))


def test_a_key_is_found_by_its_hash_until_it_expires_or_is_revoked(db: Database) -> None:
    lasting, passing, ended = key(1), key(2, expires_at=rows.later(200)), key(3)
    add(db, lasting, passing, ended)
    with db.write() as tx:
        assert keys.revoke(tx, ended.id, rows.later(50))
        assert not keys.revoke(tx, ended.id, rows.later(60)), "it ends once"
    with db.read() as tx:
        assert (found(tx, lasting), found(tx, passing), found(tx, ended)) == (lasting, passing, None)
        assert found(tx, passing, after=200) is None
        assert keys.by_digest(tx, "0" * 64, now=rows.NOW) is None
        assert keys.get(tx, rows.TENANT, ended.id) == replace(ended, revoked_at=rows.later(50)), "it is kept"
        assert keys.get(tx, "acme", lasting.id) is None
        assert keys.get_any(tx, lasting.id) == lasting


def test_no_two_keys_have_one_hash(db: Database) -> None:
    add(db, key(1))
    with pytest.raises(IntegrityError), db.write() as tx:
        keys.add(tx, key(2), digest=f"{'key_0001':>64}")


def test_a_tenant_lists_its_own(db: Database) -> None:
    mine, more, other = key(1), key(3), key(2, tenant="acme")
    add(db, mine, more, other)
    with db.read() as tx:
        assert keys.page_through(tx, rows.TENANT, after=None, limit=9) == [mine, more]
        assert keys.page_through(tx, rows.TENANT, after=mine.id, limit=9) == [more]
        assert keys.page_through(tx, None, after=None, limit=2) == [mine, other]
        assert keys.names_of(tx, rows.TENANT) == {mine.id: "key 1", more.id: "key 3"}


def test_an_expired_key_is_left_but_not_usable(db: Database) -> None:
    with db.read() as tx:
        assert not keys.any_left(tx)
        assert not keys.any_usable(tx, now=rows.NOW)
    passing = key(1, expires_at=rows.later(200))
    add(db, passing, key(2, tenant="acme", expires_at=rows.later(300)))
    with db.write() as tx:
        for now, usable, of_tenant in ((100, True, [passing.id]), (250, True, []), (350, False, [])):
            assert keys.any_left(tx)
            assert keys.any_usable(tx, now=rows.later(now)) == usable
            assert keys.usable_of(tx, rows.TENANT, now=rows.later(now)) == of_tenant
        for ended in ("key_0001", "key_0002"):
            keys.revoke(tx, ended, rows.NOW)
        assert not keys.any_left(tx)


def test_use_is_recorded_once_a_minute(db: Database) -> None:
    add(db, key(1))
    with db.write() as tx:
        recorded = [
            seconds
            for seconds in (0, 1, 59, 60, 61, 119, 120, 121)
            if keys.touch(tx, "key_0001", rows.later(seconds), every=MINUTE)
        ]
        used = keys.get_any(tx, "key_0001")
    assert recorded == [0, 60, 120]
    assert used is not None
    assert used.last_used_at == rows.later(120)


def hold(tx: Transaction, number: int, micros: int, key_id: str | None) -> str:
    call = rows.add_call(tx, rows.add_answer(tx, number), micros=micros)
    names = {"tenant": rows.TENANT, "corpus_id": "cor_0001", "key_id": key_id}
    ledger.hold(tx, call_id=call.id, micros=micros, scopes=[], at=rows.NOW, **names)  # type: ignore[arg-type]
    return call.id


def test_a_keys_budget_counts_what_was_asked_with_it_alone(db: Database) -> None:
    with db.write() as tx:
        paid = {who: hold(tx, n, 600, who) for n, who in enumerate(("key_1", "key_2", None))}
        given_back = hold(tx, 3, 600, "key_1")
        still_held = [hold(tx, n, 300, who) for n, who in ((4, "key_1"), (5, None))]
        for call in paid.values():
            ledger.settle(tx, call, actual_micros=500, actual_usd=None, at=rows.NOW)
        ledger.release(tx, given_back, at=rows.NOW)
        budget = StoredBudget(rows.TENANT, "key:key_1", "total", rows.NOW, 10_000)
        ledger.set_budget(tx, budget, key_id="key_1")
        (stands,) = ledger.budgets_of(tx, rows.TENANT)
        assert (stands.spent_micros, stands.reserved_micros) == (500, 300)
        for call in still_held:
            ledger.settle(tx, call, actual_micros=200, actual_usd=None, at=rows.NOW)
        (stands,) = ledger.budgets_of(tx, rows.TENANT)
        assert (stands.spent_micros, stands.reserved_micros) == (700, 0)
        by_call = {entry.call_id: entry.key_id for entry in ledger.entries(tx, rows.TENANT)}
        lines = [(entry.call_id, entry.key_id) for entry in ledger.entries(tx, rows.TENANT)]
    assert all(by_call[call] == key_id for call, key_id in lines), "all lines of a call name its key"
    assert by_call[given_back] == by_call[paid["key_1"]] == "key_1"
    assert by_call[paid[None]] is None
