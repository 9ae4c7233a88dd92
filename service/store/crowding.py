"""Which calls were under way beside another with the same prefix: none of them finds the other's cached."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CompoundSelect, bindparam, or_, select, union_all

from service.domain.answers import CallState
from service.store.session import Transaction
from service.store.spelled import Spelled, at_most
from service.store.tables import answers, calls


def was_crowded(
    tx: Transaction,
    call_id: str,
    prefix_sha256: str,
    sent_at: datetime,
    *,
    tenant: str,
    engine: str,
    model: str,
) -> bool:
    """Whether another call of the tenant with that prefix had left before this one, and had not ended yet."""
    at = {"of_call": call_id, "of_prefix": prefix_sha256, "moment": sent_at}
    of = {"of_tenant": tenant, "of_engine": engine, "of_model": model}
    return bool(_BESIDE.raw(tx, at | of))


def _beside() -> CompoundSelect[Any]:
    """Two questions of the index: as one, all calls that ever had the prefix would be looked at."""
    moment = bindparam("moment", type_=calls.c.sent_at.type)
    beside = (
        select(calls.c.id)
        .join(answers, answers.c.id == calls.c.answer_id)
        .where(
            calls.c.prefix_sha256 == bindparam("of_prefix"),
            calls.c.id != bindparam("of_call"),
            calls.c.sent_at <= moment,
            or_(calls.c.state == CallState.SENT.value, calls.c.state == CallState.DONE.value),
            answers.c.tenant == bindparam("of_tenant"),
            answers.c.model == bindparam("of_model"),
            answers.c.engine == bindparam("of_engine"),
        )
    )
    under_way, ended_since = calls.c.finished_at.is_(None), calls.c.finished_at > moment
    return union_all(beside.where(under_way), beside.where(ended_since)).limit(at_most(1))


_BESIDE = Spelled(_beside)
