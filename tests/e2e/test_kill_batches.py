"""The service is killed in the middle of a batch, at each step: every question is answered and paid once."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.domain.pricing import to_micros_up
from tests.e2e.test_kill import corpus, until
from tests.support.process import ServiceProcess
from tests.support.upstream import Upstream
from tests.support.upstream_batches import Dropped

QUESTIONS = ("What jumps?", "Over what?", "Near what?")
TEXT = b"The quick brown fox jumps over the lazy dog near the river.\n"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running
        assert running.violations == []


def rows(folder: Path, query: str, *values: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / "data" / "unabridged.db") as database:
        return database.execute(query, values).fetchall()


def service(folder: Path, upstream: Upstream) -> ServiceProcess:
    return ServiceProcess(
        folder / "data", provider_url=upstream.url, provider_key=upstream.key, batch_poll_seconds="0.1"
    )


class Gate:
    """Holds the first request to an address until the service behind it is dead; then it is done, or lost."""

    def __init__(self, method: str, path: str, *, dropped: bool = False) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        self._at = method, path
        self._dropped = dropped

    def __call__(self, method: str, path: str) -> None:
        here = method == self._at[0] and path.startswith(self._at[1]) and not path.endswith("/content")
        if here and not self.reached.is_set() and (method, path) != ("GET", "/v1/batches"):
            self.reached.set()
            assert self.opened.wait(60)
            if self._dropped:
                raise Dropped


def before(upstream: Upstream, method: str, path: str, *, dropped: bool = False) -> Gate:
    gate = upstream.batches.before = Gate(method, path, dropped=dropped)
    return gate


def behind(upstream: Upstream, method: str, path: str) -> Gate:
    gate = upstream.batches.after = Gate(method, path)
    return gate


STEPS: dict[str, dict[str, Callable[[Upstream], Gate]]] = {
    "upload": {
        "before it is taken": lambda upstream: before(upstream, "POST", "/v1/files", dropped=True),
        "behind it": lambda upstream: behind(upstream, "POST", "/v1/files"),
    },
    "batch": {
        "before it is made": lambda upstream: before(upstream, "POST", "/v1/batches", dropped=True),
        "on its way": lambda upstream: before(upstream, "POST", "/v1/batches"),
        "behind it": lambda upstream: behind(upstream, "POST", "/v1/batches"),
    },
    "results": {
        "at a look": lambda upstream: behind(upstream, "GET", "/v1/batches/"),
        "behind them": lambda upstream: behind(upstream, "DELETE", "/v1/files/"),
    },
}


def looked_more_often(upstream: Upstream, seen: int) -> bool:
    return upstream.batches.asked.count(("GET", "/v1/batches/batch_2")) > seen


def put_in(server: ServiceProcess, corpus_id: str) -> str:
    asked = httpx.post(
        f"{server.url}/v1/corpora/{corpus_id}/batches", json={"questions": list(QUESTIONS)}, timeout=30
    )
    assert asked.status_code == httpx.codes.ACCEPTED, asked.text
    return str(asked.json()["id"])


def ended(server: ServiceProcess, batch_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = httpx.get(f"{server.url}/v1/batches/{batch_id}", timeout=30).json()
        return found if found["finished_at"] else None

    found: dict[str, Any] = until(look)
    return found


def check(folder: Path, upstream: Upstream, batch_id: str) -> None:
    """Hold the ledger against the invoice."""
    billed = sorted(to_micros_up(one.usd) for one in upstream.invoice)
    assert sorted(one.asked for one in upstream.invoice) == sorted(QUESTIONS), "each was billed once"
    of_calls = """
        SELECT sum(l.micros) FROM ledger l JOIN calls c ON c.id = l.call_id
        JOIN answers a ON a.id = c.answer_id WHERE a.batch_id = ? GROUP BY c.id
    """
    by_call = rows(folder, of_calls, batch_id)
    assert sorted(one for (one,) in by_call) == billed
    assert rows(folder, "SELECT DISTINCT state FROM reservations") == [("settled",)]


@pytest.mark.parametrize("of", list(STEPS))
def test_kill_at_each_step(tmp_path: Path, upstream: Upstream, of: str) -> None:
    server = service(tmp_path, upstream)
    with server:
        corpus_id = corpus(server.url, TEXT)
        for name, at in STEPS[of].items():
            upstream.invoice.clear()
            gate = at(upstream)
            batch_id = put_in(server, corpus_id)
            assert gate.reached.wait(60), name
            server.kill()
            gate.opened.set()
            server.start()
            found = ended(server, batch_id)
            assert (found["status"], found["counts"]["done"]) == ("done", 3), (name, found)
            check(tmp_path, upstream, batch_id)


def test_kill_again_and_again(tmp_path: Path, upstream: Upstream) -> None:
    upstream.batches.steps = 40
    server = service(tmp_path, upstream)
    with server:
        batch_id = put_in(server, corpus(server.url, TEXT))
        until(lambda: upstream.batches.made)
        for _ in range(4):
            seen = upstream.batches.asked.count(("GET", "/v1/batches/batch_2"))
            until(partial(looked_more_often, upstream, seen))
            server.kill()
            server.start()
        upstream.batches.steps = 2
        assert ended(server, batch_id)["status"] == "done"
    assert len(upstream.batches.made) == 1
    check(tmp_path, upstream, batch_id)
