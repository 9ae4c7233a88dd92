"""The queue of readings: what is left in it is begun at once, whoever left it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service import factory, jobs
from service.jobs import Bell
from service.usecases.add_document import add_document
from service.usecases.context import LOCAL
from tests.support.server import WAIT_S, serving, settings_in


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks at the queue more time passes than any test waits."""
    monkeypatch.setattr(jobs, "POLL_SECONDS", 10 * WAIT_S)


async def content(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


def test_what_this_process_queues_is_begun_at_once(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path)) as server:
        for number in range(2):
            assert server.add(f"{number}.txt", f"Report {number}".encode())["status"] == "ready"


def test_more_documents_than_are_taken_at_once_follow_without_delay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "WAITING_FOR_EACH", 2)
    with serving(settings_in(tmp_path)) as server:
        sent = [server.upload(f"{n}.txt", f"Report {n}".encode()).json()["data"][0]["id"] for n in range(7)]
        assert [server.read(one)["status"] for one in sent] == ["ready"] * 7


def test_what_was_left_before_the_start_is_begun_at_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    ctx = factory.open_context(settings, queue=jobs.JobQueue)
    jobs.migrate(ctx.db)
    added = asyncio.run(add_document(ctx, LOCAL, filename="a.txt", chunks=content("Left behind")))
    ctx.close()
    with serving(settings) as server:
        assert server.read(added.document.id)["status"] == "ready"


def test_a_bell_rung_ends_one_sleep_and_a_bell_set_all() -> None:
    bell = Bell()
    assert not bell.wait(0)
    bell.ring()
    assert not bell.wait(WAIT_S)
    bell.set()
    assert bell.wait(WAIT_S)
    assert bell.is_set()
