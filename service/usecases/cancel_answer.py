"""Ask a running answer to stop: the stream is closed, and what was surely consumed is settled."""

from __future__ import annotations

from service.domain.answers import Answer
from service.errors import Conflict, NotFound
from service.store import answers
from service.usecases.context import Context


def cancel_answer(ctx: Context, tenant: str, answer_id: str) -> Answer:
    """Request the stop; whoever runs the answer sees it within a fraction of a second.

    Raises:
        NotFound: there is no such answer.
        Conflict: it has ended already.
    """
    with ctx.db.write() as tx:
        answer = answers.get(tx, tenant, answer_id)
        if answer is None:
            raise NotFound(f"There is no answer {answer_id}.")
        if answer.status.final:
            raise Conflict(f"The answer has ended already: {answer.status.value}.")
        answers.request_cancel(tx, answer_id)
    return answer
