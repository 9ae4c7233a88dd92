"""Batches, the provider's files under them, and which call stands on which line, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, exists, func, insert, select, update

from service.domain.answers import Answer, AnswerStatus, CallState
from service.domain.batches import UNDER_WAY, Batch, BatchFile, BatchStatus, FileState
from service.domain.documents import Failure
from service.store.answers import answer_of
from service.store.session import Transaction
from service.store.tables import answers, batch_files, batch_lines, batches, calls


@dataclass(frozen=True, slots=True)
class Asked:
    """What is told of one answer of a batch."""

    id: str
    status: AnswerStatus
    question: str
    plan_id: str
    reserved_micros: int
    actual_usd: Decimal | None


def add(tx: Transaction, batch: Batch, *, request_sha256: str, idempotency_key: str | None) -> None:
    """Record an accepted batch."""
    tx.execute(
        insert(batches).values(
            id=batch.id,
            tenant=batch.tenant,
            corpus_id=batch.corpus_id,
            engine=batch.engine,
            model=batch.model,
            status=batch.status.value,
            cancel_requested=batch.cancel_requested,
            expected_usd=batch.expected_usd,
            idempotency_key=idempotency_key,
            request_sha256=request_sha256,
            created_at=batch.created_at,
            expires_at=batch.expires_at,
        )
    )


def get(tx: Transaction, tenant: str, batch_id: str) -> Batch | None:
    """Return one batch of a tenant."""
    query = select(batches).where(batches.c.id == batch_id, batches.c.tenant == tenant)
    row = tx.execute(query).one_or_none()
    return None if row is None else _batch(row)


def get_any(tx: Transaction, batch_id: str) -> Batch | None:
    """Return one batch, whoever's it is: for the jobs."""
    row = tx.execute(select(batches).where(batches.c.id == batch_id)).one_or_none()
    return None if row is None else _batch(row)


def get_by_key(tx: Transaction, tenant: str, idempotency_key: str) -> tuple[Batch, str] | None:
    """Return the batch that a key already stands for, and the hash of the request that made it."""
    query = select(batches).where(batches.c.tenant == tenant, batches.c.idempotency_key == idempotency_key)
    row = tx.execute(query).one_or_none()
    return None if row is None else (_batch(row), row.request_sha256)


def page_through(
    tx: Transaction, tenant: str, *, corpus_id: str | None, after: str | None, limit: int
) -> list[Batch]:
    """Return batches in the order in which they were put in."""
    query = select(batches).where(batches.c.tenant == tenant).order_by(batches.c.id).limit(limit)
    if corpus_id:
        query = query.where(batches.c.corpus_id == corpus_id)
    if after:
        query = query.where(batches.c.id > after)
    return [_batch(row) for row in tx.execute(query)]


def unfinished(tx: Transaction) -> list[str]:
    """Return the ids of batches that something still has to happen to."""
    query = select(batches.c.id).where(batches.c.status.in_([one.value for one in UNDER_WAY]))
    return list(tx.execute(query).scalars())


def move(tx: Transaction, batch_id: str, status: BatchStatus, *, error: Failure | None) -> None:
    """Write how far a batch is, and what keeps it there."""
    told = asdict(error) if error else None
    tx.execute(update(batches).where(batches.c.id == batch_id).values(status=status.value, error=told))


def conclude(tx: Transaction, batch_id: str, at: datetime) -> None:
    """Write that nothing more happens to a batch."""
    tx.execute(update(batches).where(batches.c.id == batch_id).values(finished_at=at))


def request_cancel(tx: Transaction, batch_id: str) -> None:
    """Ask whoever minds the batch to stop it."""
    tx.execute(update(batches).where(batches.c.id == batch_id).values(cancel_requested=True))


def cancel_requested(tx: Transaction, batch_id: str) -> bool:
    """Whether somebody asked to stop."""
    return bool(tx.execute(select(batches.c.cancel_requested).where(batches.c.id == batch_id)).scalar_one())


def expire_at(tx: Transaction, batch_id: str, at: datetime) -> None:
    """Write by when the provider will have ended, where that is later than was known."""
    tx.execute(
        update(batches).where(batches.c.id == batch_id, batches.c.expires_at < at).values(expires_at=at)
    )


def fewer_lines(tx: Transaction, batch_id: str, most: int) -> None:
    """Write how many lines a file may hold from now on."""
    tx.execute(update(batches).where(batches.c.id == batch_id).values(most_lines=most))


def answers_of(tx: Transaction, batch_id: str) -> list[Answer]:
    """Return the answers that wait for a batch, in the order of their questions."""
    query = select(answers).where(answers.c.batch_id == batch_id).order_by(answers.c.batch_number)
    return [answer_of(row) for row in tx.execute(query)]


def asked(tx: Transaction, batch_id: str) -> list[Asked]:
    """Return what is told of a batch's answers, in the order of their questions."""
    columns = [answers.c[name] for name in Asked.__dataclass_fields__]
    query = select(*columns).where(answers.c.batch_id == batch_id).order_by(answers.c.batch_number)
    return [Asked(**{**row._asdict(), "status": AnswerStatus(row.status)}) for row in tx.execute(query)]


def waiting(tx: Transaction, batch_id: str) -> list[str]:
    """Return the ids of the answers that have not ended, in the order of their questions."""
    return _waiting(tx, batch_id)


def with_ready_calls(tx: Transaction, batch_id: str) -> list[str]:
    """Return those of the answers that have not ended and have calls that were not sent."""
    return _waiting(tx, batch_id, _has_call(CallState.READY))


def at_rest(tx: Transaction, batch_id: str) -> list[str]:
    """Return those of the answers that have not ended and wait for no call that was sent."""
    return _waiting(tx, batch_id, ~_has_call(CallState.SENT))


def _has_call(state: CallState) -> ColumnElement[bool]:
    return exists().where(calls.c.answer_id == answers.c.id, calls.c.state == state.value)


def _waiting(tx: Transaction, batch_id: str, *which: ColumnElement[bool]) -> list[str]:
    query = select(answers.c.id).where(
        answers.c.batch_id == batch_id,
        answers.c.status.in_([AnswerStatus.QUEUED.value, AnswerStatus.RUNNING.value]),
        *which,
    )
    return list(tx.execute(query.order_by(answers.c.batch_number)).scalars())


def answered(tx: Transaction, batch_id: str) -> dict[str, int]:
    """Return how many of a batch's answers are in each state."""
    query = select(answers.c.status, func.count()).where(answers.c.batch_id == batch_id)
    return {row[0]: int(row[1]) for row in tx.execute(query.group_by(answers.c.status))}


def add_file(tx: Transaction, file: BatchFile, call_ids: Sequence[str]) -> None:
    """Record a file that is ready to be sent, and its lines in their order."""
    values = asdict(file)
    values["state"] = file.state.value
    tx.execute(insert(batch_files).values(**values))
    lines = [{"file_id": file.id, "number": n, "call_id": one} for n, one in enumerate(call_ids, 1)]
    tx.execute(insert(batch_lines), lines)


def files_of(tx: Transaction, batch_id: str) -> list[BatchFile]:
    """Return a batch's files in the order in which they were made."""
    query = select(batch_files).where(batch_files.c.batch_id == batch_id).order_by(batch_files.c.id)
    return [_file(row) for row in tx.execute(query)]


def lines_of(tx: Transaction, file_id: str) -> list[str]:
    """Return the ids of a file's calls, in the order of its lines."""
    query = select(batch_lines.c.call_id).where(batch_lines.c.file_id == file_id)
    return list(tx.execute(query.order_by(batch_lines.c.number)).scalars())


def uploaded(tx: Transaction, file_id: str, input_id: str) -> None:
    """Write the name under which the provider has the file."""
    tx.execute(update(batch_files).where(batch_files.c.id == file_id).values(input_id=input_id))


def take_for_sending(tx: Transaction, file_id: str, at: datetime) -> bool:
    """Move a file and all its calls from ready to sent. False: nothing changed, so it must not be sent."""
    taken = tx.execute(
        update(batch_files)
        .where(batch_files.c.id == file_id, batch_files.c.state == FileState.READY.value)
        .values(state=FileState.SENT.value, sent_at=at)
    )
    if taken.rowcount != 1:
        return False
    tx.execute(
        update(calls)
        .where(calls.c.id.in_(_calls_in(file_id)), calls.c.state == CallState.READY.value)
        .values(state=CallState.SENT.value, sent_at=at, attempts=calls.c.attempts + 1)
    )
    return True


def take_back(tx: Transaction, file_id: str) -> None:
    """Forget a file that surely was not processed: its calls are ready again, those that ended stay ended."""
    tx.execute(
        update(calls)
        .where(calls.c.id.in_(_calls_in(file_id)), calls.c.state == CallState.SENT.value)
        .values(state=CallState.READY.value, sent_at=None)
    )
    tx.execute(delete(batch_lines).where(batch_lines.c.file_id == file_id))
    tx.execute(delete(batch_files).where(batch_files.c.id == file_id))


def opened(tx: Transaction, file: BatchFile) -> None:
    """Write what the provider calls the batch, and how far it says it is."""
    tx.execute(
        update(batch_files)
        .where(batch_files.c.id == file.id)
        .values(
            state=file.state.value,
            provider_id=file.provider_id,
            provider_status=file.provider_status,
            done=file.done,
            failed=file.failed,
            expires_at=file.expires_at,
            error=asdict(file.error) if file.error else None,
            output_sha256=file.output_sha256,
            errors_sha256=file.errors_sha256,
        )
    )


def close_file(tx: Transaction, file_id: str, state: FileState, *, unknown: int = 0) -> None:
    """Write the end of a file."""
    tx.execute(
        update(batch_files).where(batch_files.c.id == file_id).values(state=state.value, unknown=unknown)
    )


def _calls_in(file_id: str) -> Any:  # noqa: ANN401 - a query of one column
    return select(batch_lines.c.call_id).where(batch_lines.c.file_id == file_id)


def _batch(row: Row[Any]) -> Batch:
    return Batch(
        id=row.id,
        tenant=row.tenant,
        corpus_id=row.corpus_id,
        engine=row.engine,
        model=row.model,
        status=BatchStatus(row.status),
        created_at=row.created_at,
        expires_at=row.expires_at,
        cancel_requested=bool(row.cancel_requested),
        most_lines=row.most_lines,
        error=Failure(**row.error) if row.error else None,
        finished_at=row.finished_at,
        expected_usd=row.expected_usd,
    )


def _file(row: Row[Any]) -> BatchFile:
    values = row._asdict()
    error = Failure(**row.error) if row.error else None
    return BatchFile(**{**values, "state": FileState(row.state), "error": error})
