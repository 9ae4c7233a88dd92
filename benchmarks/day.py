"""A day of questions against a provider that bills: python benchmarks/day.py [QUESTIONS [SEED]].

A simulated provider on loopback counts, caches in steps of 128 tokens, re-rates whole requests above the
threshold and bills by tier; `unabridged serve` runs as a process of its own, and up to fifty users ask it at
once. At the end every line of the invoice is held against the calls, the ledger, the answers and the budgets.
Exits with 1 where anything does not agree, or where a budget was passed at any moment.

How long replies are is drawn from tests/support/lengths.py, which no guess of the product was fitted to. One
of twenty requests finds the cache lost. The tenant's budget is one of the day: don't begin just before
midnight UTC.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.books import Books, closed, kept
from tests.support.day import Day, Shelf, Watcher, drawn
from tests.support.process import ServiceProcess
from tests.support.simulated import Simulated

SHELVES = (
    Shelf("notes", (1_500,) * 6, 40),
    Shelf("handbook", (15_000,) * 6, 26, "12"),
    Shelf("nearly", (66_000,) * 4, 16, "45"),
    Shelf("archive", (60_000,) * 7, 14, "60"),
    Shelf("library", (75_000,) * 9, 4),
)
"""From a few pages to two and a half times the threshold; `nearly` ends some thousand tokens below it."""

TENANT_USD = "120"


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer of which all is known.

    Attributes:
        forecast, cached: tokens from the cache, as expected and as billed.
    """

    expected: Decimal
    actual: Decimal
    forecast: int
    cached: int


def judged(database: Path) -> list[Judged]:
    """Return the answers that ended well and whose calls all told their usage."""
    inexact = {call.answer_id for call in kept(database) if call.kind != "exact"}
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT id, plan, usage, actual_usd FROM answers WHERE status = 'done' ORDER BY id"
        ).fetchall()
    connection.close()
    found = []
    for answer_id, plan, usage, actual in rows:
        if answer_id in inexact:
            continue
        said = json.loads(plan)
        expected, forecast = said["cost"]["expected_usd"], said["cache"]["expected_cached_tokens"]
        found.append(Judged(Decimal(expected), Decimal(actual), forecast, json.loads(usage)["cached_tokens"]))
    return found


def show_errors(answers: Sequence[Judged]) -> None:
    """Print how far expected_usd was from what was billed."""
    print(
        "\nexpected_usd against the bill        answers   sum: expected  billed   mean error     mean |error|"
    )
    kinds = {
        "all": answers,
        "forecast cold, was cold": [a for a in answers if not a.forecast and not a.cached],
        "forecast cold, was warm": [a for a in answers if not a.forecast and a.cached],
        "forecast warm, was warm": [a for a in answers if a.forecast and a.cached],
        "forecast warm, was cold": [a for a in answers if a.forecast and not a.cached],
    }
    for name, those in kinds.items():
        if not those:
            print(f"  {name:34}        0")
            continue
        errors = [one.expected - one.actual for one in those]
        shares = [float(error / one.actual) for error, one in zip(errors, those, strict=True)]
        dollars, absolute = statistics.mean(errors), statistics.mean(map(abs, errors))
        print(
            f"  {name:34} {len(those):8}  {sum(a.expected for a in those):13.2f} "
            f"{sum(a.actual for a in those):8.2f}  {dollars:+.4f} {statistics.mean(shares):+7.1%}  "
            f"{absolute:.4f} {statistics.mean(map(abs, shares)):6.1%}"
        )
    forecast, cached = sum(one.forecast for one in answers), sum(one.cached for one in answers)
    print(f"  tokens from the cache: {forecast:,} forecast, {cached:,} billed as cached")


def show_books(books: Books) -> None:
    """Print both sides."""
    invoiced = sum(books.invoiced.values(), Decimal(0))
    booked = sum(books.booked.values(), Decimal(0))
    print(f"\ninvoice ${invoiced}: {sum(books.lines.values())} calls")
    for kind in ("exact", "estimated", "in doubt"):
        print(
            f"  {kind:10} {books.lines[kind]:5} calls   invoiced ${books.invoiced[kind]:<14} "
            f"booked ${books.booked[kind]}"
        )
    print(f"  held for calls in doubt ${books.held_usd}")
    print(f"booked ${booked}, ledger ${books.ledger_usd}, sum of the answers ${books.answers_usd}")
    print(f"do not agree: {len(books.mistakes)}")
    for mistake in books.mistakes[:20]:
        print(f"  {mistake}")


def show_outcomes(day: Day, watcher: Watcher, statuses: Counter[str]) -> None:
    """Print what became of the questions, and how full the budgets were."""
    refused = Counter(outcome.code for outcome in day.outcomes if outcome.code)
    print(f"\n{len(day.outcomes)} questions: {dict(statuses)}; refused: {dict(refused.most_common())}")
    print(f"changes: {dict(day.changes)}")
    looks = ", ".join(f"{number:,} over {where}" for where, number in watcher.looks.items())
    print(f"budgets: {looks} looks; fullest {watcher.fullest:.2%}; passed {len(watcher.passed)} times")


def main(questions: int, seed: int) -> int:
    """Run the day and print the figures; return the exit code."""
    logging.getLogger("uvicorn.error").addFilter(lambda _: False)  # connections that break on purpose
    askings = drawn(seed, questions, SHELVES)
    model = Simulated(seed, {asking.number: asking.fate for asking in askings})
    with (
        tempfile.TemporaryDirectory() as folder,
        model.upstream(keeps_bodies=False) as upstream,
        ServiceProcess(Path(folder), provider_url=upstream.url, provider_key=upstream.key) as server,
    ):
        database = Path(folder) / "unabridged.db"
        day = Day(server.url, database, askings, seed=seed)
        day.build(SHELVES, tenant_usd=TENANT_USD, period="day")
        began = time.monotonic()
        with Watcher(server.url, database) as watcher:
            day.run()
        print(f"{questions} questions, seed {seed}: {time.monotonic() - began:.0f} seconds")
        books = closed(database, upstream.invoice, day.client, day.caps)
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            statuses = Counter(status for (status,) in connection.execute("SELECT status FROM answers"))
        connection.close()
        show_outcomes(day, watcher, statuses)
        show_books(books)
        show_errors(judged(database))
        day.close()
    if upstream.violations:
        print(f"against the provider's contract: {upstream.violations[:5]}")
    return 1 if books.mistakes or watcher.passed or upstream.violations else 0


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(*(arguments + [1_000, 1][len(arguments) :])))
