"""Many clients at once, in several processes: what they do to one database file, and how often they won."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import TypeAlias

from service.store import answers, documents, ledger
from service.store.session import Database, Transaction
from tests.store import rows

Job: TypeAlias = Callable[[Database, int], int]
"""What one thread does; its number is unique over all processes. Returns how often it won."""


def compete(url: str, job: Job, *, processes: int, threads: int) -> list[int]:
    """Run the job in so many threads of so many processes, all released at once; return what each returned.

    Raises:
        AssertionError: a process failed.
    """
    context = multiprocessing.get_context("spawn")
    results: Queue[list[int]] = context.Queue()
    ready = context.Barrier(processes)
    started = [
        context.Process(target=_process, args=(url, job, number * threads, threads, ready, results))
        for number in range(processes)
    ]
    for process in started:
        process.start()
    won = [count for _ in started for count in results.get(timeout=90)]
    for process in started:
        process.join(timeout=30)
        assert process.exitcode == 0
    return won


def _process(url: str, job: Job, first: int, threads: int, ready: Barrier, results: Queue[list[int]]) -> None:
    db = Database(url)
    together = threading.Barrier(threads)

    def one(number: int) -> int:
        if together.wait(timeout=60) == 0:
            ready.wait(timeout=60)
        return job(db, first + number)

    try:
        with ThreadPoolExecutor(threads) as pool:
            results.put(list(pool.map(one, range(threads))))
    except BaseException:
        results.put([])
        raise
    finally:
        db.close()


# The jobs: plain functions, because another process imports them by name.

CALLS = 20
EACH = 6
PRICE = 700


def take_every_call(db: Database, _number: int) -> int:
    """Try to take every one of the calls for sending."""
    won = 0
    for part in range(CALLS):
        with db.write() as tx:
            won += answers.take_for_sending(tx, f"ans_0001.{part}", rows.NOW)
    return won


def reserve_often(db: Database, number: int) -> int:
    """Reserve again and again, as the use case does: call, room in every budget, reservation."""
    won = 0
    for attempt in range(EACH):
        won += reserve(db, f"{number:03}-{attempt}")
    return won


def reserve_and_end(db: Database, number: int) -> int:
    """Reserve, then settle above the half or release; twice each, as after a crash."""
    ended = 0
    for attempt in range(EACH):
        call = f"{number:03}-{attempt}"
        if not reserve(db, call):
            continue
        for _ in range(2):
            with db.write() as tx:
                if number % 2:
                    ended += ledger.settle(
                        tx, f"ans_{call}.0", actual_micros=PRICE // 2, actual_usd=None, at=rows.NOW
                    )
                else:
                    ended += ledger.release(tx, f"ans_{call}.0", at=rows.NOW)
    return ended


class _NoRoom(Exception):
    """Rolls the transaction back."""


def reserve(db: Database, name: str) -> bool:
    """Reserve PRICE for a fresh answer in every budget of the tenant."""
    try:
        with db.write() as tx:
            made = rows.add_answer(tx, id=f"ans_{name}")
            call = rows.add_call(tx, made, micros=PRICE)
            ledger.hold(
                tx,
                call_id=call.id,
                tenant=rows.TENANT,
                corpus_id="cor_0001",
                micros=PRICE,
                scopes=_with_room(tx),
                at=rows.NOW,
            )
    except _NoRoom:
        return False
    return True


def _with_room(tx: Transaction) -> list[str]:
    budgets = ledger.budgets_of(tx, rows.TENANT)
    if not all(ledger.take_room(tx, budget, PRICE) for budget in budgets):
        raise _NoRoom
    return [budget.scope for budget in budgets]


def read_then_write(db: Database, number: int) -> int:
    """Read, then write what was read plus one, in one transaction: no update may be lost."""
    for _ in range(EACH):
        with db.write() as tx:
            known = documents.get_any(tx, "doc_0001")
            assert known is not None
            documents.add_pages(tx, "doc_0001", rows.pages(known.progress.done + 1, known.progress.done + 1))
    return number
