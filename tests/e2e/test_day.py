"""A hundred questions with fifty at once: to the last digit what the provider bills, and no budget passed."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

from tests.support.books import closed
from tests.support.day import Day, Shelf, Watcher, drawn
from tests.support.process import ServiceProcess
from tests.support.simulated import Simulated

SEED = 2
QUESTIONS = 100
SHELVES = (
    Shelf("notes", (900, 900, 900), 55),
    Shelf("handbook", (9_000, 9_000, 9_000), 37, "2.00"),
    Shelf("archive", (100_000, 100_000, 100_000), 8),
)
FATES = {
    "well": 66,
    "busy once": 4,
    "broken once": 4,
    "broken": 2,
    "no quota": 2,
    "error in the stream": 4,
    "cut": 8,
    "no usage": 5,
    "cancelled": 5,
}
"""Much more goes wrong than on a usual day."""


def test_every_digit_of_the_invoice_is_in_the_books(tmp_path: Path) -> None:
    askings = drawn(SEED, QUESTIONS, SHELVES, fates=FATES)
    fates = {asking.number: asking.fate for asking in askings}
    model = Simulated(SEED, fates)
    with (
        model.upstream(keeps_bodies=False) as upstream,
        ServiceProcess(tmp_path, provider_url=upstream.url, provider_key=upstream.key) as server,
    ):
        database = tmp_path / "unabridged.db"
        day = Day(server.url, database, askings, seed=SEED)
        day.build(SHELVES, tenant_usd="14")
        with Watcher(server.url, database) as watcher:
            day.run()
        books = closed(database, upstream.invoice, day.client, day.caps)
        day.close()
    assert books.mistakes == []
    assert watcher.passed == []
    assert upstream.violations == []
    assert books.invoiced["exact"] == books.booked["exact"] > 0
    assert sum(books.booked.values(), Decimal(0)) == books.ledger_usd == books.answers_usd
    assert len(day.outcomes) == QUESTIONS
    assert watcher.looks["database"] > 50
    assert watcher.fullest > 0.8, "the budgets were large enough for everything: they show nothing"
    refused = Counter(outcome.code for outcome in day.outcomes)
    assert refused["budget_exceeded"] > 0
    assert refused[None] > QUESTIONS / 3
    assert {"exact", "estimated", "in doubt"} <= books.lines.keys()
