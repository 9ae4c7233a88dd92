"""Keys as the use cases keep them: the first one, the last one, and what a use leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

import pytest

from service import factory, jobs
from service.domain.keys import Caller
from service.errors import Conflict, Invalid, NotAllowed, NotFound, StoreUnavailable
from service.store.session import Database
from service.usecases import manage_budgets, manage_keys
from service.usecases.context import LOCAL, Context
from service.usecases.manage_budgets import Limit
from service.usecases.manage_keys import NewKey
from tests.support.server import settings_in

START = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[Context]:
    opened = factory.open_context(settings_in(tmp_path), queue=jobs.JobQueue)
    yield replace(opened, now=lambda: START)
    opened.close()


def at(ctx: Context, seconds: float) -> Context:
    return replace(ctx, now=lambda: START + timedelta(seconds=seconds))


def test_the_first_key_is_the_local_tenants(ctx: Context) -> None:
    with pytest.raises(Invalid, match="first key is for the tenant local"):
        manage_keys.add_key(ctx, NewKey("theirs", "acme"))
    assert manage_keys.list_keys(ctx, None) == []
    assert manage_keys.add_key(ctx, NewKey("mine"))["tenant"] == LOCAL
    assert manage_keys.add_key(ctx, NewKey("theirs", "acme"))["tenant"] == "acme"
    with pytest.raises(Invalid, match="tenant's name"):
        manage_keys.add_key(ctx, NewKey("theirs", "../acme"))


def test_no_two_secrets_are_alike(ctx: Context) -> None:
    made = [manage_keys.add_key(ctx, NewKey(f"key {n}")) for n in range(20)]
    assert len({key["secret"] for key in made}) == 20
    recognised = [manage_keys.recognise(ctx, key["secret"]) for key in made]
    assert [key.id for key in recognised if key] == [key["id"] for key in made]


def test_a_limit_that_does_not_fit_makes_no_key(ctx: Context) -> None:
    with pytest.raises(Invalid, match="6 decimals"):
        manage_keys.add_key(ctx, NewKey("n", limit=Limit(Decimal("0.0000001"), "day")))
    assert manage_keys.list_keys(ctx, None) == []


def test_use_is_written_once_a_minute(ctx: Context) -> None:
    made = manage_keys.add_key(ctx, NewKey("page"))
    seen = []
    for seconds in (0, 30, 59.9, 60, 90, 119.9, 120):
        manage_keys.recognise(at(ctx, seconds), made["secret"])
        (key,) = manage_keys.list_keys(ctx, LOCAL)
        seen.append((datetime.fromisoformat(key["last_used_at"]) - START).total_seconds())
    assert seen == [0, 0, 0, 60, 60, 60, 120]
    manage_keys.recognise(at(ctx, 500), "una_" + "x" * 43)
    (key,) = manage_keys.list_keys(ctx, LOCAL)
    assert key["last_used_at"] == (START + timedelta(seconds=120)).isoformat()


def test_a_key_is_recognised_while_nothing_can_be_written(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = manage_keys.add_key(ctx, NewKey("page"))

    def away(_: Database) -> NoReturn:
        raise StoreUnavailable("The database is locked.")

    monkeypatch.setattr(Database, "write", away)
    known = manage_keys.recognise(ctx, made["secret"])
    assert known is not None
    assert known.id == made["id"]


def test_a_limited_key_is_no_manager_until_its_limit_is_lifted(ctx: Context) -> None:
    made = manage_keys.add_key(ctx, NewKey("page", limit=Limit(Decimal(5), "month")))
    who = Caller(LOCAL, made["id"])
    with pytest.raises(NotAllowed, match="budget of its own"):
        manage_keys.require_manager(ctx, who)
    manage_budgets.remove_budget(ctx, LOCAL, f"key:{made['id']}")
    manage_keys.require_manager(ctx, who)
    manage_keys.require_manager(ctx, Caller(LOCAL))


def test_only_whoever_runs_the_service_revokes_the_last(ctx: Context) -> None:
    made = manage_keys.add_key(ctx, NewKey("mine"))
    other = manage_keys.add_key(ctx, NewKey("theirs", "acme"))
    with pytest.raises(Conflict, match="last key"):
        manage_keys.revoke_own_key(ctx, Caller(LOCAL, made["id"]), made["id"])
    with pytest.raises(NotFound):
        manage_keys.revoke_own_key(ctx, Caller(LOCAL, made["id"]), other["id"])
    with pytest.raises(NotFound):
        manage_keys.revoke_key(ctx, "key_none")
    assert manage_keys.are_keys_needed(ctx)
    assert manage_keys.revoke_key(ctx, made["id"]), "another tenant's key is left"
    assert not manage_keys.revoke_key(ctx, other["id"])
    assert not manage_keys.are_keys_needed(ctx)
    assert {key["status"] for key in manage_keys.list_keys(ctx, None)} == {"revoked"}


def test_a_budget_is_for_a_key_that_holds(ctx: Context) -> None:
    mine = manage_keys.add_key(ctx, NewKey("mine"))
    theirs = manage_keys.add_key(ctx, NewKey("theirs", "acme"))
    limit = Limit(Decimal(5), "total")
    set_one = manage_budgets.set_budget(ctx, LOCAL, f"key:{mine['id']}", limit)
    assert (set_one["key"], set_one["corpus"]) == ("mine", None)
    for scope in (f"key:{theirs['id']}", "key:key_none"):
        with pytest.raises(NotFound):
            manage_budgets.set_budget(ctx, LOCAL, scope, limit)
    with pytest.raises(Invalid):
        manage_budgets.set_budget(ctx, LOCAL, "key:", limit)
    manage_keys.revoke_key(ctx, mine["id"])
    assert manage_budgets.list_budgets(ctx, LOCAL) == []
    with pytest.raises(NotFound):
        manage_budgets.set_budget(ctx, LOCAL, f"key:{mine['id']}", limit)
