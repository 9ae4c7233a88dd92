"""A day of questions, drawn from a seed: who asks what of which corpus, how, and what goes wrong.

day = Day(server.url, database, questions, seed=1)
day.build(shelves)
with Watcher(server.url, database) as watcher:
    day.run()
"""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.support.books import Cap, micros_up
from tests.support.simulated import question

AT_ONCE = 50
WAIT_S = 120.0
MOMENT_S = 0.3
LETTERS = "abcdefghijklmnopqrstuvwxyz"
Json = dict[str, Any]

WAYS = {"wait": 45, "stream": 30, "poll": 15, "leave": 5, "twice": 5}
"""How an answer is waited for, with weights; `twice` sends the same request and key two times at once."""

FATES = {
    "well": 860,
    "busy once": 30,
    "broken once": 25,
    "broken": 10,
    "no quota": 10,
    "error in the stream": 10,
    "cut": 15,
    "no usage": 20,
    "cancelled": 20,
}
"""What happens at the provider, with weights."""

EFFORTS = {"none": 15, "low": 20, None: 45, "high": 15, "xhigh": 5}
ASKED = {None: 60, "whole": 15, "split": 10, "selected": 15}
SPLIT_ABOVE = 272_000
"""Tokens of a corpus that one call below the threshold does not hold: others are not asked to be split."""
CHOICES = {"flex": 20, "long": 35, "stingy": 3, "by plan": 45, "late": 4, "unchecked": 40}
"""How many of a hundred questions have each of these."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A corpus to be made.

    Attributes:
        documents: tokens of each, roughly.
        weight: how often it is asked.
        cap_usd: its budget; None for none.
    """

    name: str
    documents: tuple[int, ...]
    weight: int
    cap_usd: str | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """One question as it will be asked.

    Attributes:
        way: one of `WAYS`.
        strategy: None takes what is recommended; `selected` names two documents.
        late: the plan is asked for, and the question only after the corpus may have changed.
        stingy: its max_cost_usd is too low.
    """

    number: int
    shelf: str
    way: str
    fate: str
    effort: str | None
    strategy: str | None
    flex: bool
    long: bool
    stingy: bool
    by_plan: bool
    late: bool
    citations: bool

    @property
    def text(self) -> str:
        """The question, as nobody else asks it."""
        return question(self.number, f"which records of {self.shelf} follow one another?")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a question: refused with a code, or accepted."""

    asking: Asking
    code: str | None
    answer_id: str | None


def drawn(
    seed: int, count: int, shelves: Sequence[Shelf], *, fates: Mapping[str, int] = FATES
) -> list[Asking]:
    """Return the day's questions, the same for the same seed; fates with weights."""
    draw = random.Random(f"{seed} day")  # noqa: S311 - made up
    return [_asking(draw, number, shelves, fates) for number in range(1, count + 1)]


def _asking(draw: random.Random, number: int, shelves: Sequence[Shelf], fates: Mapping[str, int]) -> Asking:
    shelf = _one(draw, {shelf: shelf.weight for shelf in shelves})
    strategies = ASKED if sum(shelf.documents) > SPLIT_ABOVE else {**ASKED, "split": 0}
    has = {name: draw.randrange(100) < share for name, share in CHOICES.items()}
    fate = _one(draw, fates)
    return Asking(
        number=number,
        shelf=shelf.name,
        way="cancel" if fate == "cancelled" else _one(draw, WAYS),
        fate=fate,
        effort=_one(draw, EFFORTS),
        strategy=_one(draw, strategies),
        flex=has["flex"],
        long=has["long"],
        stingy=has["stingy"],
        by_plan=has["by plan"] or has["late"],
        late=has["late"],
        citations=not has["unchecked"],
    )


def _one(draw: random.Random, weights: Mapping[Any, int]) -> Any:  # noqa: ANN401 - whatever is weighed
    return draw.choices(list(weights), list(weights.values()))[0]


def made_up(seed: str, tokens: int) -> bytes:
    """Lines of single letters: a token each, and two characters, so that a large corpus is quickly made."""
    draw = random.Random(seed)  # noqa: S311 - made up
    lines = tokens // 50
    return "".join(f"Record {n}: {' '.join(draw.choices(LETTERS, k=45))}\n" for n in range(lines)).encode()


class Day:
    """The users of a running service, up to fifty at once.

    Attributes:
        outcomes: what became of the questions that were asked so far.
        caps: every limit, with the line of the ledger behind which it was set.
        changes: how often a corpus was changed.
    """

    def __init__(self, url: str, database: Path, askings: Sequence[Asking], *, seed: int) -> None:
        self.outcomes: list[Outcome] = []
        self.caps: list[Cap] = []
        self.changes: Counter[str] = Counter()
        self.client = httpx.Client(base_url=url, timeout=WAIT_S, trust_env=False)
        self._database = database
        self._askings = list(askings)
        self._draw = random.Random(f"{seed} changes")  # noqa: S311 - made up
        self._corpora: dict[str, str] = {}
        self._documents: dict[str, list[str]] = {}
        self._later: list[tuple[Asking, str]] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        """Free connections."""
        self.client.close()

    def build(self, shelves: Sequence[Shelf], *, tenant_usd: str, period: str = "total") -> None:
        """Make the corpora and the budgets."""
        for shelf in shelves:
            made = self.client.post("/v1/corpora", json={"name": shelf.name}).json()
            self._corpora[shelf.name] = made["id"]
            self._documents[shelf.name] = [
                self._add(shelf.name, f"{shelf.name}-{n}.txt", tokens)
                for n, tokens in enumerate(shelf.documents)
            ]
            if shelf.cap_usd is not None:
                self.limit(f"corpus:{made['id']}", Decimal(shelf.cap_usd), "total")
        self.limit("tenant", Decimal(tenant_usd), period)

    def limit(self, scope: str, usd: Decimal, period: str) -> None:
        """Set a budget, and remember behind which line of the ledger."""
        with sqlite3.connect(f"file:{self._database}?mode=ro", uri=True) as connection:
            (behind,) = connection.execute("SELECT coalesce(max(id), 0) FROM ledger").fetchone()
        connection.close()
        body = {"limit_usd": str(usd), "period": period}
        self.client.put(f"/v1/budgets/{scope}", json=body).raise_for_status()
        self.caps.append(Cap(behind, scope, micros_up(usd)))

    def run(self) -> None:
        """Ask everything, alone, in small groups and in crowds of fifty, the corpora changing between."""
        with ThreadPoolExecutor(AT_ONCE) as crowd:
            waiting = iter(self._askings)
            while True:
                later, self._later = self._later, []
                burst = [*self._burst(waiting)]
                if not burst and not later:
                    break
                asked = [crowd.submit(self._ask, asking) for asking in burst]
                asked += [crowd.submit(self._send, asking, {"plan_id": plan}) for asking, plan in later]
                outcomes = [outcome for one in asked if (outcome := one.result()) is not None]
                self.outcomes += outcomes
                self._raise_limits(outcomes)
                self._change()
        for outcome in self.outcomes:
            if outcome.answer_id is not None:
                self._finished(outcome.answer_id)

    def _burst(self, waiting: Iterator[Asking]) -> Iterator[Asking]:
        size = self._draw.choice([1, 2, 5, 12, 25, AT_ONCE, AT_ONCE])
        for _, asking in zip(range(size), waiting, strict=False):
            yield asking

    def _raise_limits(self, outcomes: Sequence[Outcome]) -> None:
        """Do what an operator does who is told that questions were refused: give a little more."""
        refused = [outcome for outcome in outcomes if outcome.code == "budget_exceeded"]
        if len(refused) * 4 < len(outcomes) or not refused:
            return
        self.changes["limits raised"] += 1
        for budget in self.client.get("/v1/budgets").json()["data"]:
            if Decimal(budget["available_usd"]) < Decimal(budget["limit_usd"]) / 4:
                more = round(Decimal(budget["limit_usd"]) * Decimal("1.25"), 2)
                self.limit(budget["scope"], more, budget["period"])

    def _change(self) -> None:
        """Now and then a document is added to a corpus, or one that was added is taken out again."""
        shelf = self._draw.choice(list(self._corpora))
        chance = self._draw.random()
        added = self._documents[shelf][2:]
        if chance < 0.25:
            self.changes["documents added"] += 1
            self._documents[shelf].append(self._add(shelf, f"late-{self._draw.random()}.txt", 400))
        elif chance < 0.40 and added and self._later:
            self.changes["documents removed"] += 1
            gone = self._documents[shelf].pop()
            path = f"/v1/corpora/{self._corpora[shelf]}/documents/{gone}"
            self.client.delete(path).raise_for_status()

    def _add(self, shelf: str, name: str, tokens: int) -> str:
        sent = self.client.post(
            "/v1/documents",
            params={"filename": name, "corpus_id": self._corpora[shelf]},
            content=made_up(name, tokens),
        )
        document: Json = sent.raise_for_status().json()["data"][0]
        while document["status"] not in {"ready", "failed"}:
            time.sleep(0.02)
            document = self.client.get(f"/v1/documents/{document['id']}").json()
        assert document["status"] == "ready", document
        return str(document["id"])

    def _ask(self, asking: Asking) -> Outcome | None:
        """Ask; None where the plan is kept for later."""
        body = self._parameters(asking)
        if not asking.by_plan:
            more = {"allow_long_context": asking.long, "citations": asking.citations}
            strategy = {"strategy": asking.strategy} if asking.strategy else {}
            return self._send(asking, body | more | strategy)
        offered = self.client.post(f"/v1/corpora/{self._corpora[asking.shelf]}/plans", json=body)
        if offered.is_error:
            return _refused(asking, offered)
        plans = {plan["strategy"]: plan["id"] for plan in offered.json()["data"] if plan["feasible"]}
        plan = plans.get(asking.strategy or "", offered.json()["recommended"])
        if asking.late:
            with self._lock:
                self._later.append((asking, plan))
            return None
        return self._send(asking, {"plan_id": plan})

    def _parameters(self, asking: Asking) -> Json:
        body: Json = {"question": asking.text}
        if asking.effort is not None:
            body["reasoning_effort"] = asking.effort
        if asking.flex:
            body["service_tier"] = "flex"
        if asking.strategy == "selected":
            body["document_ids"] = self._documents[asking.shelf][:2]
        return body

    def _send(self, asking: Asking, body: Json) -> Outcome:
        """Send the question and wait for its end in the way that was drawn."""
        if asking.stingy:
            body = {**body, "max_cost_usd": "0.0001"}
        path = f"/v1/corpora/{self._corpora[asking.shelf]}/answers"
        if asking.way == "stream":
            return self._streamed(asking, path, {**body, "stream": True})
        if asking.way in {"wait", "twice"}:
            return self._waited(asking, path, body)
        reply = self.client.post(path, json={**body, "wait": False})
        if reply.is_error:
            return _refused(asking, reply)
        answer_id = str(reply.json()["id"])
        if asking.way in {"cancel", "leave"}:
            self._until_words(answer_id)
        if asking.way == "cancel":
            self.client.post(f"/v1/answers/{answer_id}/cancel")
        if asking.way != "leave":
            self._finished(answer_id)
        return Outcome(asking, None, answer_id)

    def _waited(self, asking: Asking, path: str, body: Json) -> Outcome:
        if asking.way == "wait":
            return _outcome(asking, self.client.post(path, json=body))
        headers = {"Idempotency-Key": f"key-{asking.number}"}
        with ThreadPoolExecutor(2) as pair:
            sent = [pair.submit(self.client.post, path, json=body, headers=headers) for _ in range(2)]
            one, other = (_outcome(asking, future.result()) for future in sent)
        assert one.code is not None or other.code is not None or one == other, (one, other)
        return other if one.answer_id is None else one

    def _streamed(self, asking: Asking, path: str, body: Json) -> Outcome:
        with self.client.stream("POST", path, json=body) as reply:
            if reply.is_error:
                reply.read()
                return _refused(asking, reply)
            events = list(_events(reply))
        name, data = events[-1]
        assert name in {"done", "error"}, events[-1]
        return Outcome(asking, None, str((data if name == "done" else data["answer"])["id"]))

    def _until_words(self, answer_id: str) -> None:
        """Follow an answer until its first words; the parts of a split say none, and get a moment instead."""
        with self.client.stream("GET", f"/v1/answers/{answer_id}/events") as reply:
            for name, data in _events(reply):
                if name == "plan" and len(data["calls"]) > 1:
                    time.sleep(MOMENT_S)
                    return
                if name == "delta":
                    return

    def _finished(self, answer_id: str) -> Json:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            answer: Json = self.client.get(f"/v1/answers/{answer_id}").json()
            if answer["status"] not in {"queued", "running"}:
                return answer
            time.sleep(0.05)
        raise AssertionError(f"{answer_id} is still {answer['status']}")


def _outcome(asking: Asking, reply: httpx.Response) -> Outcome:
    if reply.is_success:
        return Outcome(asking, None, str(reply.json()["id"]))
    answer = reply.json().get("answer")
    return Outcome(asking, None, str(answer["id"])) if answer else _refused(asking, reply)


def _refused(asking: Asking, reply: httpx.Response) -> Outcome:
    assert reply.status_code < 500, reply.text
    return Outcome(asking, str(reply.json()["code"]), None)


def _events(reply: httpx.Response) -> Iterator[tuple[str, Json]]:
    name = ""
    for line in reply.iter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


@dataclass(slots=True)
class Watcher:
    """Looks at the budgets all the while, over REST and in the database.

    Attributes:
        looks: how often it looked.
        fullest: the largest share of a limit that was spent and reserved.
        passed: what was found above its limit.
    """

    url: str
    database: Path
    looks: Counter[str] = field(default_factory=Counter)
    fullest: float = 0.0
    passed: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=look) for look in (self._over_rest, self._in_database)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _over_rest(self) -> None:
        with httpx.Client(base_url=self.url, timeout=WAIT_S, trust_env=False) as client:
            while not self._ended.wait(0.1):
                for budget in client.get("/v1/budgets").json()["data"]:
                    amounts = (Decimal(budget[f"{name}_usd"]) for name in ("spent", "reserved", "limit"))
                    self._look("rest", budget["scope"], *(micros_up(amount) for amount in amounts))

    def _in_database(self) -> None:
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        query = "SELECT scope, spent_micros, reserved_micros, cap_micros FROM budgets"
        while not self._ended.wait(0.01):
            for scope, spent, reserved, cap in connection.execute(query).fetchall():
                self._look("database", scope, spent, reserved, cap)
        connection.close()

    def _look(self, where: str, scope: str, spent: int, reserved: int, cap: int) -> None:
        self.looks[where] += 1
        self.fullest = max(self.fullest, (spent + reserved) / cap)
        if spent + reserved > cap:
            self.passed.append(f"{scope} ({where}): {spent} and {reserved} of {cap}")
