"""The books after many questions: the provider's invoice, the calls, the ledger, the answers and the budgets.

    books = closed(database, invoice, client)
    assert books.mistakes == []

Every line of the invoice belongs to one class: exact (the reply told its usage, and the service booked that
to the last digit), estimated (it told none, or the user stopped it), in doubt (it never came whole).
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

import httpx

from tests.support.billing import Billed

Json = dict[str, Any]
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Kept:
    """One call as the service keeps it."""

    id: str
    answer_id: str
    question: str
    corpus_id: str
    state: str
    request_id: str | None
    usage: Json | None
    actual_usd: Decimal | None
    reserved_micros: int

    @property
    def kind(self) -> str:
        """Exact, estimated, in doubt or free."""
        if self.state != "done":
            return {"in_doubt": "in doubt", "failed": "free"}.get(self.state, self.state)
        return "estimated" if self.usage is None or self.usage["estimated"] else "exact"


@dataclass(frozen=True, slots=True)
class Cap:
    """A budget's limit from behind a line of the ledger on."""

    behind: int
    scope: str
    micros: int


@dataclass(slots=True)
class Books:
    """What both sides say.

    Attributes:
        lines: of the invoice, by class.
        invoiced: USD, by class.
        booked: USD that the service knows of, by class.
        held_usd: reserved for calls in doubt.
        mistakes: whatever does not agree, in words.
    """

    lines: Counter[str] = field(default_factory=Counter)
    invoiced: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    booked: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    held_usd: Decimal = ZERO
    answers_usd: Decimal = ZERO
    ledger_usd: Decimal = ZERO
    mistakes: list[str] = field(default_factory=list)

    def check(self, what: str, one: object, other: object) -> None:
        """Note two things that should be equal and are not."""
        if one != other:
            self.mistakes.append(f"{what}: {one} is not {other}")


def closed(
    database: Path, invoice: Sequence[Billed], client: httpx.Client, caps: Iterable[Cap] = ()
) -> Books:
    """Compare everything with everything, once all answers have ended."""
    books = Books()
    calls = kept(database)
    _by_line(books, calls, invoice)
    lines = ledger_lines(client)
    _by_call(books, calls, lines)
    _by_sums(books, calls, client)
    _by_budget(books, lines, caps)
    return books


def kept(database: Path) -> list[Kept]:
    """Return all calls."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT c.id, c.answer_id, a.question, a.corpus_id, c.state, c.reply, c.usage, c.actual_usd, "
            "c.reserved_micros FROM calls c JOIN answers a ON a.id = c.answer_id ORDER BY c.id"
        ).fetchall()
    connection.close()
    return [_kept(*row) for row in rows]


def _kept(*row: Any) -> Kept:  # noqa: ANN401 - as the database has it
    call_id, answer_id, question, corpus_id, state, reply, usage, actual, reserved = row
    return Kept(
        id=call_id,
        answer_id=answer_id,
        question=question,
        corpus_id=corpus_id,
        state=state,
        request_id=(json.loads(reply or "null") or {}).get("request_id"),
        usage=json.loads(usage or "null"),
        actual_usd=None if actual is None else Decimal(actual),
        reserved_micros=reserved,
    )


def ledger_lines(client: httpx.Client) -> list[Json]:
    """Return the whole ledger over REST."""
    found: list[Json] = []
    after: str | None = "0"
    while after is not None:
        page = client.get("/v1/ledger", params={"after": after, "limit": 1000}).json()
        found += page["data"]
        after = page["next"]
    return found


def micros_up(amount: Decimal) -> int:
    """Whole micro-dollars, rounded up."""
    return int((amount * 1_000_000).to_integral_value(rounding=ROUND_CEILING))


def _by_line(books: Books, calls: Sequence[Kept], invoice: Sequence[Billed]) -> None:
    """Give every line of the invoice its call."""
    named = {call.request_id: call for call in calls if call.request_id}
    nameless: defaultdict[str, list[Kept]] = defaultdict(list)
    for call in calls:
        if call.request_id is None and call.kind in {"estimated", "in doubt"}:
            nameless[call.question].append(call)
    for line in invoice:
        found = named.pop(line.request_id, None)
        if found is None and nameless[line.asked]:
            found = nameless[line.asked].pop()
        if found is None:
            books.mistakes.append(f"nobody knows of {line.request_id} ({line.usd}) for {line.asked!r}")
            continue
        books.lines[found.kind] += 1
        books.invoiced[found.kind] += line.usd
        if found.kind == "exact":
            books.check(f"bill of {found.id}", found.actual_usd, line.usd)
            books.check(f"usage of {found.id}", _counts(found.usage), _counts_of(line))
        else:
            top = Decimal(found.reserved_micros) / 1_000_000
            if line.usd > top:
                books.mistakes.append(f"{line.request_id} was billed {line.usd}, above {top} held")
    missing = [call.id for call in named.values() if call.kind in {"exact", "estimated"}]
    books.check("calls that were never billed", missing, [])


def _by_call(books: Books, calls: Sequence[Kept], lines: Sequence[Json]) -> None:
    """Compare each call with its lines of the ledger."""
    written: defaultdict[str, list[Json]] = defaultdict(list)
    for line in lines:
        written[line["call_id"]].append(line)
    ends = {"free": ["reserve", "release"], "in doubt": ["reserve"]}
    for call in calls:
        mine = written.pop(call.id, [])
        wanted = ends.get(call.kind, ["reserve", "release", "settle"])
        books.check(f"ledger of {call.id} ({call.kind})", [line["kind"] for line in mine], wanted)
        left = sum((Decimal(line["usd"]) for line in mine), ZERO)
        if call.actual_usd is not None:
            books.booked[call.kind] += call.actual_usd
            books.check(f"books of {call.id}", left, Decimal(micros_up(call.actual_usd)) / 1_000_000)
            books.check(f"settlement of {call.id}", Decimal(mine[-1]["actual_usd"]), call.actual_usd)
        elif call.kind == "free":
            books.check(f"what is left of {call.id}", left, ZERO)
    books.check("calls of the ledger alone", sorted(written), [])


def _by_sums(books: Books, calls: Sequence[Kept], client: httpx.Client) -> None:
    """Compare the sums that the service shows: by answer, in all, of budgets."""
    sums = client.get("/v1/ledger", params={"group_by": "corpus"}).json()
    known = sum(books.booked.values(), ZERO)
    in_doubt = sum(call.reserved_micros for call in calls if call.kind == "in doubt")
    books.held_usd = Decimal(in_doubt) / 1_000_000
    books.ledger_usd = Decimal(sums["total"]["spent_usd"])
    books.answers_usd = sum((_actual(answer) for answer in _answers(client)), ZERO)
    books.check("sum of the ledger", books.ledger_usd, known)
    books.check("sum of the answers", books.answers_usd, known)
    books.check("what is held", Decimal(sums["held_usd"]), books.held_usd)
    groups = {group["key"]: Decimal(group["booked_usd"]) for group in sums["data"]}
    for budget in client.get("/v1/budgets").json()["data"]:
        corpus = budget["scope"].partition(":")[2]
        mine = [call for call in calls if corpus in {"", call.corpus_id}]
        held = sum(call.reserved_micros for call in mine if call.kind == "in doubt")
        spent = groups.get(corpus, ZERO) if corpus else sum(groups.values(), ZERO)
        books.check(f"held in {budget['scope']}", Decimal(budget["reserved_usd"]) * 1_000_000, held)
        books.check(f"spent of {budget['scope']}", Decimal(budget["spent_usd"]), spent)


def _by_budget(books: Books, lines: Sequence[Json], caps: Iterable[Cap]) -> None:
    """Go through the ledger line by line, and see that no limit was passed behind any of them."""
    taken: Counter[str] = Counter()
    limits: dict[str, int] = {}
    coming = sorted(caps, key=lambda cap: cap.behind, reverse=True)
    for line in lines:
        while coming and coming[-1].behind < int(line["id"]):
            cap = coming.pop()
            limits[cap.scope] = cap.micros
        for scope in ("tenant", f"corpus:{line['corpus_id']}"):
            taken[scope] += int(Decimal(line["usd"]) * 1_000_000)
            if line["kind"] == "reserve" and taken[scope] > limits.get(scope, taken[scope]):
                over = f"{taken[scope]} of {limits[scope]} micro-dollars"
                books.mistakes.append(f"{scope} was passed by line {line['id']}: {over}")


def _answers(client: httpx.Client) -> list[Json]:
    found: list[Json] = []
    after: Json = {}
    while True:
        page = client.get("/v1/answers", params={"limit": 500, **after}).json()
        found += page["data"]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}


def _actual(answer: Json) -> Decimal:
    return Decimal(answer["cost"]["actual_usd"] or 0)


def _counts(usage: Json | None) -> tuple[int, ...]:
    names = ("prompt_tokens", "cached_tokens", "completion_tokens")
    return tuple((usage or {})[name] for name in names)


def _counts_of(line: Billed) -> tuple[int, ...]:
    return line.prompt_tokens, line.cached_tokens, line.completion_tokens
