"""Ask a running answer to stop: the stream is closed, and what was surely consumed is settled."""

from __future__ import annotations

from service.domain.answers import Answer
from service.errors import Conflict, Fix, NotFound
from service.store import answers, batches
from service.store.session import Transaction
from service.usecases.context import Context


def cancel_answer(ctx: Context, tenant: str, answer_id: str) -> Answer:
    """Request the stop; whoever runs the answer sees it within a fraction of a second.

    Raises:
        NotFound: there is no such answer.
        Conflict: it has ended already, or is one of several questions of a batch.
    """
    with ctx.db.write() as tx:
        answer = answers.get(tx, tenant, answer_id)
        if answer is None:
            raise NotFound(f"There is no answer {answer_id}.")
        if answer.status.final:
            raise Conflict(f"The answer has ended already: {answer.status.value}.")
        if answer.batch_id is not None:
            _cancel_batch_of(tx, answer)
        answers.request_cancel(tx, answer_id)
    return answer


def _cancel_batch_of(tx: Transaction, answer: Answer) -> None:
    """Stop the batch that holds no other question: a line can't be stopped by itself."""
    batch_id = answer.batch_id or ""
    if sum(batches.answered(tx, batch_id).values()) > 1:
        raise Conflict(
            f"The question is one of several in {batch_id}, and can't be stopped alone: cancel the batch.",
            fixes=(Fix("cancel_batch", "Cancel the batch.", (("batch_id", batch_id),)),),
        )
    batches.request_cancel(tx, batch_id)
