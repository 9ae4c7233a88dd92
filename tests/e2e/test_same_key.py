"""The same Idempotency-Key never pays twice, whoever asks at once and through whichever process."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest

from tests.e2e.test_kill import corpus, rows, service
from tests.support.books import closed
from tests.support.process import ServiceProcess
from tests.support.server import sent_events
from tests.support.upstream import Upstream

KEYS = 25
CLIENTS = 8
"""At once, with the same key, half of them at each process."""

SEED = 3


def asked(client: httpx.Client, url: str, way: str, body: dict[str, Any], key: str) -> str:
    """Ask in one of the three ways, to the end; return the answer's id."""
    headers = {"Idempotency-Key": key}
    if way == "stream":
        with client.stream("POST", url, json={**body, "stream": True}, headers=headers) as response:
            assert response.is_success, response.read()
            *_, last = sent_events(response)
        assert last.name == "done"
        return str(last.data["id"])
    response = client.post(url, json={**body, "wait": way == "wait"}, headers=headers)
    assert response.is_success, response.text
    return str(response.json()["id"])


@pytest.fixture
def upstream() -> Any:  # noqa: ANN401 - a fixture's generator
    with Upstream() as running:
        yield running


def test_the_same_key_pays_once_through_two_processes(tmp_path: Path, upstream: Upstream) -> None:
    draw = random.Random(SEED)  # noqa: S311 - made up
    settings = {"provider_url": upstream.url, "provider_key": upstream.key}
    with (
        service(tmp_path, upstream) as one,
        ServiceProcess(tmp_path / "data", **settings) as other,
        httpx.Client(timeout=60, trust_env=False) as client,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        corpus_id = corpus(one.url, b"The ferry left at noon, and once only.\n")
        urls = [f"{server.url}/v1/corpora/{corpus_id}/answers" for server in (one, other)]
        together = Barrier(CLIENTS)

        def ask(number: int, url: str, way: str) -> str:
            together.wait(60)
            return asked(client, url, way, {"question": f"When did ferry {number} leave?"}, f"key-{number}")

        for number in range(KEYS):
            ways = draw.choices(["wait", "stream", "leave"], k=CLIENTS)
            found = set(pool.map(ask, [number] * CLIENTS, urls * (CLIENTS // 2), ways))
            assert len(found) == 1, "one key, one answer"

        for answer_id in (row[0] for row in rows(tmp_path, "SELECT id FROM answers")):
            assert client.get(f"{other.url}/v1/answers/{answer_id}").json()["status"] == "done"
        with httpx.Client(base_url=one.url, timeout=60, trust_env=False) as books:
            found_books = closed(tmp_path / "data" / "unabridged.db", upstream.invoice, books)
    assert found_books.mistakes == []
    assert found_books.invoiced["exact"] == found_books.ledger_usd > 0
    assert len(upstream.requests) == len(upstream.invoice) == KEYS
    assert Counter(line.asked for line in upstream.invoice).most_common(1)[0][1] == 1
    assert rows(tmp_path, "SELECT count(*) FROM answers") == [(KEYS,)]
    assert rows(tmp_path, "SELECT count(*) FROM reservations") == [(KEYS,)]


def test_another_request_under_the_same_key_is_refused_by_either(tmp_path: Path, upstream: Upstream) -> None:
    with (
        service(tmp_path, upstream) as one,
        ServiceProcess(tmp_path / "data", provider_url=upstream.url, provider_key=upstream.key) as other,
    ):
        corpus_id = corpus(one.url, b"The ferry left at noon, and once only.\n")
        path = f"/v1/corpora/{corpus_id}/answers"
        first, second = (
            httpx.post(f"{server.url}{path}", json={"question": said}, headers={"Idempotency-Key": "k"})
            for server, said in ((one, "When?"), (other, "Where?"))
        )
    assert (first.status_code, second.status_code) == (201, 422)
    assert len(upstream.requests) == 1
