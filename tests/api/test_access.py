"""Who may call as keys come and go: nothing opens by time alone, and nothing to other machines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from service import factory, jobs
from service.api.access import KNOWN_SECONDS, OPEN, KnownKeys
from service.domain.keys import Caller, Key
from service.errors import KeyNeeded, StoreUnavailable
from service.usecases import manage_keys
from service.usecases.context import LOCAL, Context
from service.usecases.manage_keys import NewKey
from tests.support.server import Server, serving, settings_in

ELSEWHERE = {"Host": "reports.example", "Origin": "https://reports.example"}


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[Context]:
    opened = factory.open_context(settings_in(tmp_path), queue=jobs.JobQueue)
    yield opened
    opened.close()


def called(server: Server, **headers: str) -> int:
    return server.client.get("/v1/corpora", headers=headers).status_code


def test_reached_by_others_it_is_never_open(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path), exposed=True) as server:
        assert (called(server), called(server, **ELSEWHERE)) == (401, 401)
        assert server.client.post("/v1/keys", json={"name": "mine"}).status_code == 401
        assert {server.client.get(path, headers=ELSEWHERE).status_code for path in OPEN} == {200}
        made = manage_keys.add_key(server.context, NewKey("page"))
        key = {"Authorization": f"Bearer {made['secret']}"}
        assert (called(server, **key), called(server, **key, **ELSEWHERE), called(server)) == (200, 200, 401)
        assert not manage_keys.revoke_key(server.context, made["id"]), "it was the last"
        server.app.state.known_keys.forget()
        assert (called(server, **key), called(server), called(server, **ELSEWHERE)) == (401, 401, 401)


def test_on_this_machine_the_last_key_gives_way_to_the_local_user(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path)) as server:
        corpus = server.corpus()
        soon = datetime.now(UTC) + timedelta(seconds=60)
        made = manage_keys.add_key(server.context, NewKey("page", expires_at=soon))
        server.app.state.known_keys.forget()
        assert called(server) == 401
        with server.later(timedelta(seconds=61)):
            server.app.state.known_keys.forget()
            assert called(server) == 401, "that it expired opens nothing"
        assert not manage_keys.revoke_key(server.context, made["id"])
        server.app.state.known_keys.forget()
        assert [one["id"] for one in server.client.get("/v1/corpora").json()["data"]] == [corpus]
        assert called(server, **ELSEWHERE) == 403


def test_health_is_told_while_the_store_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: Context) -> bool:
        raise StoreUnavailable("The database can't be used just now.")

    with serving(settings_in(tmp_path)) as server:
        monkeypatch.setattr(manage_keys, "are_keys_needed", away)
        server.app.state.known_keys.forget()
        assert server.client.get("/healthz").status_code == 200
        refused = server.client.get("/v1/corpora")
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")


def test_what_is_known_is_forgotten_after_seconds(ctx: Context) -> None:
    """Another process learns of a key or a revocation by looking again."""
    now = 100.0
    known = KnownKeys(clock=lambda: now)

    async def seen(secret: str) -> tuple[bool, Caller | None]:
        return await known.needed(ctx), await known.caller(ctx, secret)

    assert asyncio.run(known.needed(ctx)) is False
    made = manage_keys.add_key(ctx, NewKey("page"))
    assert asyncio.run(seen(made["secret"])) == (False, Caller(LOCAL, made["id"])), "nothing unknown is kept"
    now += KNOWN_SECONDS
    assert asyncio.run(seen(made["secret"])) == (True, Caller(LOCAL, made["id"]))
    manage_keys.revoke_key(ctx, made["id"])
    now += KNOWN_SECONDS - 0.01
    assert asyncio.run(seen(made["secret"])) == (True, Caller(LOCAL, made["id"]))
    now += 0.01
    assert asyncio.run(seen(made["secret"])) == (False, None)
    assert KNOWN_SECONDS <= 3


def test_what_is_looked_up_while_a_key_is_revoked_is_not_kept(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = KnownKeys(clock=lambda: 100.0)
    made = manage_keys.add_key(ctx, NewKey("page"))
    recognise = manage_keys.recognise

    def revoked_meanwhile(opened: Context, secret: str) -> Key | None:
        key = recognise(opened, secret)
        manage_keys.revoke_key(opened, made["id"])
        known.forget()
        return key

    monkeypatch.setattr(manage_keys, "recognise", revoked_meanwhile)
    assert asyncio.run(known.caller(ctx, made["secret"])) == Caller(LOCAL, made["id"]), "it was sent before"
    monkeypatch.undo()
    assert asyncio.run(known.caller(ctx, made["secret"])) is None


def test_who_has_no_key_makes_none_once_there_is_one(ctx: Context) -> None:
    """A process that has not seen the first key yet lets nobody add another without it."""
    manage_keys.add_own_key(ctx, Caller(LOCAL), NewKey("first"))
    with pytest.raises(KeyNeeded):
        manage_keys.add_own_key(ctx, Caller(LOCAL), NewKey("second"))
    assert [key["name"] for key in manage_keys.list_keys(ctx, None)] == ["first"]


def test_nobody_is_known_before_anything_was_looked_up(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path)) as server:
        manage_keys.add_key(server.context, NewKey("page"))
        with httpx.Client(base_url=server.client.base_url, trust_env=False) as first:
            assert first.get("/v1/corpora").status_code == 401


def test_all_who_wait_for_whether_there_are_keys_wait_for_one_look(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bool] = []
    look = manage_keys.are_keys_needed

    def counted(opened: Context) -> bool:
        looks.append(look(opened))
        return looks[-1]

    async def asked() -> list[bool]:
        known = KnownKeys(clock=lambda: 100.0)
        return await asyncio.gather(*(known.needed(ctx) for _ in range(50)))

    monkeypatch.setattr(manage_keys, "are_keys_needed", counted)
    assert asyncio.run(asked()) == [False] * 50
    assert looks == [False]
