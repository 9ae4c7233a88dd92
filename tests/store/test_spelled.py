"""What is spelled out once writes and finds what SQLAlchemy does, on either database, for any names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest
from sqlalchemy import Insert, bindparam, column, insert, make_url, or_, select, table, text, update
from sqlalchemy.exc import IntegrityError, ResourceClosedError

from service import store
from service.errors import StoreUnavailable
from service.store import learnt, spelled
from service.store.session import Database
from service.store.spelled import Spelled
from service.store.tables import answer_events, keys, ledger
from tests.store import rows

LINE: dict[str, Any] = {
    "at": datetime(2026, 3, 1, 12, 30, tzinfo=timezone(timedelta(hours=2))),
    "tenant": rows.TENANT,
    "corpus_id": "cor_1",
    "call_id": "a.0",
    "kind": "settle",
    "micros": -7,
    "actual_usd": Decimal("0.000000001"),
    "key_id": None,
}


def in_use() -> list[tuple[str, Spelled]]:
    """Every statement that the store spells out, by its name."""
    found = [
        (f"{module.__name__}.{name}", one)
        for module in map(
            import_module, (f"service.store.{one.name}" for one in iter_modules(store.__path__))
        )
        for name, one in vars(module).items()
        if isinstance(one, Spelled)
    ]
    return [*found, ("service.store.learnt", learnt._look_at(5))]  # noqa: SLF001 - made for a number of rows


@pytest.mark.parametrize("one", [one for _, one in in_use()], ids=[name for name, _ in in_use()])
@pytest.mark.parametrize("url", ["sqlite://", "postgresql+psycopg://"])
def test_what_is_in_use_can_be_spelled_for_either_database(one: Spelled, url: str) -> None:
    statement = one._make()
    names = [column.name for column in statement.table.columns] if isinstance(statement, Insert) else []
    spelling = spelled.Spelling(statement, make_url(url).get_dialect()(), names)
    assert "POSTCOMPILE" not in spelling.text  # a list of any length


def enter() -> Spelled:
    return Spelled(lambda: insert(ledger).inline())


def test_rows_are_kept_as_sqlalchemy_keeps_them(db: Database) -> None:
    one = enter()
    with db.write() as tx:
        tx.execute(insert(ledger), LINE)
        one.on(tx, LINE)
        one.on_each(tx, [LINE, LINE])
    with db.read() as tx:
        raw = tx.execute(text("select at, tenant, micros, actual_usd, key_id from ledger order by id")).all()
        told = [row._asdict() for row in tx.execute(select(ledger).order_by(ledger.c.id))]
    assert len(raw) == 4
    assert set(raw) == {raw[0]}
    assert [one.pop("id") for one in told] == [1, 2, 3, 4]
    assert told == [{**LINE, "at": datetime(2026, 3, 1, 10, 30, tzinfo=UTC)}] * 4


def test_rows_are_read_as_sqlalchemy_reads_them(db: Database) -> None:
    query = select(ledger).where(ledger.c.tenant == bindparam("of"))
    find = Spelled(lambda: query)
    event = {"answer_id": "", "number": 1, "name": "done", "data": {"é": [1, None]}}
    with db.write() as tx:
        enter().on_each(tx, [LINE, {**LINE, "actual_usd": None}])
        tx.execute(insert(answer_events), {**event, "answer_id": rows.add_answer(tx, 1).id})
        found = find.found(tx, {"of": rows.TENANT})
        assert [one._asdict() for one in found] == [
            one._asdict() for one in tx.execute(query, {"of": rows.TENANT})
        ]
        assert found[0].at == LINE["at"]
        assert find.found(tx, {"of": "nobody"}) == []
        assert [one.data for one in Spelled(lambda: select(answer_events)).found(tx, {})] == [event["data"]]


def test_the_columns_that_are_named_are_written(db: Database) -> None:
    change = Spelled(lambda: update(ledger).where(ledger.c.call_id == bindparam("of_call")))
    with db.write() as tx:
        enter().on(tx, LINE)
        assert change.on(tx, {"of_call": "a.0", "micros": 3}) == 1
        assert change.on(tx, {"of_call": "a.0", "kind": "release", "key_id": "k"}) == 1
        assert change.on(tx, {"of_call": "a.1", "kind": "reserve"}) == 0
        row = tx.execute(select(ledger)).one()
    assert (row.micros, row.kind, row.key_id, row.actual_usd) == (3, "release", "k", Decimal("0.000000001"))


def test_no_more_spellings_are_kept_than_a_few(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spelled, "MOST", 1)
    change = Spelled(lambda: update(ledger).where(ledger.c.call_id == bindparam("of_call")))
    with db.write() as tx:
        enter().on(tx, LINE)
        for name, value in [("micros", 1), ("kind", "release"), ("micros", 2)]:
            assert change.on(tx, {"of_call": "a.0", name: value}) == 1
        assert tx.execute(select(ledger.c.micros, ledger.c.kind)).one() == (2, "release")


def test_what_the_database_refuses_is_said_as_ever(db: Database) -> None:
    add = Spelled(lambda: insert(answer_events).inline())
    row = {"answer_id": "nobody", "number": 1, "name": "done", "data": None}
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), db.write() as tx:
        add.on(tx, row)
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), db.write() as tx:
        add.on_each(tx, [row, row])
    with pytest.raises(StoreUnavailable, match="no such table"), db.write() as tx:
        Spelled(lambda: select(column("n")).select_from(table("nowhere"))).found(tx, {})
    with db.read() as tx:
        assert tx.execute(select(answer_events)).all() == []


def test_what_is_over_is_over(db: Database) -> None:
    with db.write() as tx:
        pass
    with pytest.raises(ResourceClosedError):
        enter().on(tx, LINE)


def test_another_database_is_told_in_its_own_words() -> None:
    dialect = make_url("postgresql+psycopg://user@host/name").get_dialect()()
    statement = select(keys.c.id).where(
        keys.c.tenant == bindparam("of"), or_(keys.c.name == "100%", keys.c.hash == bindparam("of"))
    )
    spelling = spelled.Spelling(statement, dialect, ["of"])
    assert spelling.values({"of": "t"}) == {"of": "t", "name_1": "100%"}
    assert spelling.text % {"of": "?", "name_1": "?"} == (
        "SELECT keys.id \nFROM keys \nWHERE keys.tenant = ?::VARCHAR AND (keys.name = ?::VARCHAR OR "
        "keys.hash = ?::VARCHAR)"
    )
    event = {"answer_id": "a", "number": 1, "name": "plan", "data": {"a": 1}}
    kept = spelled.Spelling(insert(answer_events).inline(), dialect, list(event)).values(event)
    assert kept["data"].obj == {"a": 1}
    assert kept["number"] == 1
