"""Plans, as rows: what was offered, until when, and what it depends on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select

from service.domain.kept import KeptObject
from service.store import told
from service.store.folding import folded, unfolded
from service.store.session import Transaction
from service.store.spelled import Spelled
from service.store.tables import answers, plan_images, plans

FOLDED_FROM = 8_192
"""Characters of JSON; a shorter plan that is written anyhow, for its answer, is kept as it is."""


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """An offered plan.

    Attributes:
        request: the question and parameters it was made for (JSON-ready).
        plan: as it was shown (JSON-ready).
        fingerprint: of everything that the price depends on; a different one now means `plan_changed`.
    """

    id: str
    tenant: str
    corpus_id: str
    request: dict[str, Any]
    plan: dict[str, Any]
    fingerprint: str
    created_at: datetime
    expires_at: datetime


def add(tx: Transaction, offered: list[StoredPlan]) -> None:
    """Record offered plans, and which stored pictures their questions show."""
    if offered:
        _ADD.on_each(tx, [_row(plan) for plan in offered])
    shown = [
        {"plan_id": plan.id, "sha256": sha256}
        for plan in offered
        for sha256 in {image["sha256"] for image in plan.request.get("images", ()) if image["sha256"]}
    ]
    if shown:
        tx.execute(insert(plan_images), shown)


_ADD = Spelled(lambda: insert(plans).inline())
_COLUMNS = tuple(plans.c.keys())


def _row(plan: StoredPlan) -> dict[str, Any]:
    row = {name: getattr(plan, name) for name in _COLUMNS}
    if isinstance(plan.plan, KeptObject) and len(told.text(plan.plan)) < FOLDED_FROM:
        return row
    return row | {"plan": folded(plan.plan)}


def get(tx: Transaction, tenant: str, plan_id: str) -> StoredPlan | None:
    """Return one plan of a tenant."""
    row = tx.execute(select(plans).where(plans.c.id == plan_id, plans.c.tenant == tenant)).one_or_none()
    return None if row is None else StoredPlan(**row._asdict() | {"plan": unfolded(row.plan)})


def forget_expired(tx: Transaction, before: datetime) -> int:
    """Drop plans whose time was over before that and that no answer was made from; return how many."""
    answered = select(answers.c.plan_id)
    return tx.execute(delete(plans).where(plans.c.expires_at < before, plans.c.id.not_in(answered))).rowcount
