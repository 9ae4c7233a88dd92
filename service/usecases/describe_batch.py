"""A batch in the words of the REST contract, and its news as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from service.domain.answers import AnswerStatus
from service.domain.batches import Batch, BatchFile
from service.domain.pricing import from_micros, known_usd, usd
from service.errors import NotFound
from service.store import batches
from service.store.batches import Asked
from service.store.session import Transaction
from service.usecases.context import Context

LOOK_SECONDS = 0.5
BEAT_SECONDS = 15.0


def describe_batch(ctx: Context, tenant: str, batch_id: str) -> dict[str, Any]:
    """Return a batch as JSON.

    Raises:
        NotFound: there is none.
    """
    with ctx.db.read() as tx:
        batch = batches.get(tx, tenant, batch_id)
        if batch is None:
            raise NotFound(f"There is no batch {batch_id}.")
        return _described(tx, batch)


def list_batches(
    ctx: Context, tenant: str, *, corpus_id: str | None = None, after: str | None = None, limit: int
) -> list[dict[str, Any]]:
    """Return batches, oldest first."""
    with ctx.db.read() as tx:
        found = batches.page_through(tx, tenant, corpus_id=corpus_id, after=after, limit=limit)
        return [_described(tx, batch) for batch in found]


async def follow_batch(ctx: Context, tenant: str, batch_id: str) -> AsyncIterator[dict[str, Any] | None]:
    """Yield a batch whenever it has changed, and last as it ended; None now and then while it is quiet.

    Raises:
        NotFound: there is no such batch.
    """
    told: dict[str, Any] | None = None
    told_at = time.monotonic()
    while True:
        now = await asyncio.to_thread(describe_batch, ctx, tenant, batch_id)
        if now != told:
            yield now
            told, told_at = now, time.monotonic()
        elif time.monotonic() - told_at >= BEAT_SECONDS:
            yield None
            told_at = time.monotonic()
        if now["finished_at"] is not None:
            return
        await asyncio.sleep(LOOK_SECONDS)


def _described(tx: Transaction, batch: Batch) -> dict[str, Any]:
    asked = batches.asked(tx, batch.id)
    files = batches.files_of(tx, batch.id)
    return {
        "id": batch.id,
        "status": batch.status.value,
        "corpus_id": batch.corpus_id,
        "model": batch.model,
        "engine": batch.engine,
        "counts": _counts(asked),
        "cost": _cost(batch, asked),
        "answers": [
            {"id": one.id, "status": one.status.value, "question": one.question, "plan_id": one.plan_id}
            for one in asked
        ],
        "files": [_file(file) for file in files],
        "cancel_requested": batch.cancel_requested,
        "error": None if batch.error is None else {"code": batch.error.code, "detail": batch.error.detail},
        "expires_at": batch.expires_at.isoformat(),
        "finished_at": batch.finished_at.isoformat() if batch.finished_at else None,
        "created_at": batch.created_at.isoformat(),
    }


def _counts(asked: list[Asked]) -> dict[str, int]:
    """Failed is what ended without an answer, in whichever way."""
    done = sum(one.status is AnswerStatus.DONE for one in asked)
    ended = sum(one.status.final for one in asked)
    return {"total": len(asked), "done": done, "failed": ended - done}


def _cost(batch: Batch, asked: list[Asked]) -> dict[str, str | None]:
    actual = [one.actual_usd for one in asked if one.actual_usd is not None]
    return {
        "reserved_usd": usd(from_micros(sum(one.reserved_micros for one in asked))),
        "expected_usd": known_usd(batch.expected_usd),
        "actual_usd": known_usd(sum(actual, Decimal(0)) if actual else None),
    }


def _file(file: BatchFile) -> dict[str, Any]:
    return {
        "state": file.state.value,
        "provider_batch_id": file.provider_id,
        "provider_status": file.provider_status,
        "lines": file.lines,
        "bytes": file.bytes,
        "done": file.done,
        "failed": file.failed,
        "unknown_lines": file.unknown,
    }
