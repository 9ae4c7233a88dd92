"""`kill -9` at fifty random moments while twenty answers are in work: every one ends, and no cent is lost.

Twenty users ask and ask again, each question with a key of its own: who loses the connection asks the same
again with the same key. In the end the provider's invoice is compared with the books line by line.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.books import closed
from tests.support.day import made_up
from tests.support.forking import ForkedService
from tests.support.simulated import Simulated, question
from tests.support.upstream import Act

KILLS = int(os.environ.get("KILLS", "50"))
USERS = 20
SEED = 5
WAIT_S = 90.0
LONGEST_S = 1.2
"""Until a kill: from the moment of readiness, or, one time in four, from the start of the process."""
READY_FIRST = 0.75

WAYS = {"poll": 8, "stream": 8, "split": 1}
"""How a question is asked and waited for, with weights."""

FATES = {"well": 12, "busy once": 2, "broken once": 2, "no quota": 1, "no usage": 1, "cut": 1}
ENDED = {"done", "failed", "in_doubt"}
HOW = (
    "SELECT rtrim(status || ' ' || coalesce(json_extract(error, '$.code'), '')), count(*) "
    "FROM answers GROUP BY 1"
)
ENDS = {"done", "failed provider_error", "failed rate_limited", "in_doubt in_doubt"}
Json = dict[str, Any]


class Slow(Simulated):
    """A model that takes a moment over an answer, so that a kill finds it at every stage."""

    def act(self, body: Json) -> Act:
        draw = random.Random(f"{SEED} {body['messages'][-1]} pace")  # noqa: S311 - made up
        return replace(super().act(body), first_s=draw.uniform(0, 0.2), between_s=draw.uniform(0, 0.002))


class Users:
    """Twenty who ask questions until they are told to stop; then they wait for what they have asked.

    Attributes:
        asked: the answer of each question, by its number.
        retried: how often a connection was lost.
    """

    def __init__(self, url: str, corpora: dict[str, str]) -> None:
        self.asked: dict[int, str] = {}
        self.retried: Counter[str] = Counter()
        self.over = threading.Event()
        self._corpora = corpora
        self._client = httpx.Client(
            base_url=url, timeout=WAIT_S, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        self._numbers = iter(range(1, 1_000_000))
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(USERS)
        self._working = [self._pool.submit(self._ask_on) for _ in range(USERS)]

    def stop(self) -> None:
        """Ask nothing new, and wait until all questions have their answer."""
        self.over.set()
        for one in self._working:
            one.result()
        self._pool.shutdown()
        self._client.close()

    def _ask_on(self) -> None:
        while not self.over.is_set():
            with self._lock:
                number = next(self._numbers)
            draw = random.Random(f"{SEED} {number} way")  # noqa: S311 - made up
            (way,) = draw.choices(list(WAYS), list(WAYS.values()))
            answer_id = self._persistently(lambda n=number, w=way: self._ask(n, w))
            self.asked[number] = answer_id
            self._persistently(lambda a=answer_id: self._ended(a))

    def _persistently(self, attempt: Any) -> Any:  # noqa: ANN401 - whatever is attempted
        """Attempt again until the connection holds."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            try:
                return attempt()
            except httpx.TransportError as error:
                self.retried[type(error).__name__] += 1
                time.sleep(0.05)
        raise AssertionError("the service never came back")

    def _ask(self, number: int, way: str) -> str:
        body: Json = {"question": question(number, "what follows?"), "reasoning_effort": "low"}
        body |= {"strategy": "split"} if way == "split" else {}
        body |= {"stream": True} if way == "stream" else {"wait": False}
        path = f"/v1/corpora/{self._corpora['large' if way == 'split' else 'small']}/answers"
        headers = {"Idempotency-Key": f"question-{number}"}
        if way != "stream":
            reply = self._client.post(path, json=body, headers=headers)
            assert reply.is_success, reply.text
            return str(reply.json()["id"])
        with self._client.stream("POST", path, json=body, headers=headers) as reply:
            assert reply.is_success, reply.read()
            return str(_last(reply)["id"])

    def _ended(self, answer_id: str) -> None:
        while self._client.get(f"/v1/answers/{answer_id}").raise_for_status().json()["status"] not in ENDED:
            time.sleep(0.1)


def _last(reply: httpx.Response) -> Json:
    """Follow the events to the last one; return its answer."""
    data: Json = {}
    for line in reply.iter_lines():
        if line.startswith("data: "):
            data = json.loads(line.removeprefix("data: "))
    if "problem" not in data and "status" not in data:
        raise httpx.RemoteProtocolError("the events broke off")
    answer: Json = data.get("answer", data)
    return answer


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        found = connection.execute(query).fetchall()
    connection.close()
    return found


def model() -> Simulated:
    """The model, as patient with each question as its number says."""
    draw = random.Random(f"{SEED} fates")  # noqa: S311 - made up
    return Slow(SEED, dict(enumerate(draw.choices(list(FATES), list(FATES.values()), k=10_000))))


def _corpus(client: httpx.Client, name: str, tokens: tuple[int, ...]) -> str:
    made = client.post("/v1/corpora", json={"name": name}).json()
    for number, count in enumerate(tokens):
        where = {"filename": f"{name}-{number}.txt", "corpus_id": made["id"]}
        sent = client.post("/v1/documents", params=where, content=made_up(f"{name}{number}", count))
        document = sent.raise_for_status().json()["data"][0]
        while document["status"] != "ready":
            assert document["status"] != "failed", document
            time.sleep(0.02)
            document = client.get(f"/v1/documents/{document['id']}").json()
    return str(made["id"])


@pytest.mark.timeout(120 + 10 * KILLS)
def test_fifty_kills(tmp_path: Path) -> None:
    draw = random.Random(f"{SEED} kills")  # noqa: S311 - made up
    data = tmp_path / "data"
    database = data / "unabridged.db"
    in_work: list[int] = []
    with (
        model().upstream(keeps_bodies=False) as upstream,
        ForkedService(data, provider_url=upstream.url, provider_key=upstream.key) as service,
        httpx.Client(base_url=service.url, timeout=WAIT_S, trust_env=False) as client,
    ):
        service.start()
        service.wait_until_ready()
        corpora = {"small": _corpus(client, "small", (900, 900))}
        corpora["large"] = _corpus(client, "large", (150_000, 150_000))
        users = Users(service.url, corpora)
        for _ in range(KILLS):
            if draw.random() < READY_FIRST:
                service.wait_until_ready()
            time.sleep(draw.uniform(0, LONGEST_S))
            (count,) = rows(database, "SELECT count(*) FROM answers WHERE status IN ('queued', 'running')")[0]
            in_work.append(count)
            service.kill()
            service.start()
        service.wait_until_ready()
        users.stop()
        ended = Counter(dict(rows(database, HOW)))
        books = closed(database, upstream.invoice, client)
    for told in (SEED, in_work, users.retried, ended, books.lines, books.held_usd):
        print(told)  # noqa: T201 - shown where it fails
    assert books.mistakes == []
    assert ended.keys() <= ENDS
    assert ended.total() == len(users.asked), "each question was accepted once"
    assert len(set(users.asked.values())) == len(users.asked)
    assert upstream.violations == []
    assert books.invoiced["exact"] == books.booked["exact"] > 0
    assert books.invoiced["in doubt"] <= books.held_usd
    assert {"exact", "in doubt"} <= books.lines.keys()
    assert sum(in_work) / len(in_work) > USERS / 2, "answers were in work when it was killed"
