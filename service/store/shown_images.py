"""Pictures that questions show, as rows: which are stored, and since when nobody asked with them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from service.store.session import Transaction
from service.store.tables import plan_images, shown_images


def touch(tx: Transaction, sha256s: Collection[str], at: datetime) -> set[str]:
    """Note that pictures are used now, and return those that are stored: they stay for now."""
    known = set(tx.execute(select(shown_images.c.sha256).where(shown_images.c.sha256.in_(sha256s))).scalars())
    if known:
        tx.execute(update(shown_images).where(shown_images.c.sha256.in_(known)).values(used_at=at))
    return known


def add(tx: Transaction, sha256: str, at: datetime) -> None:
    """Record a picture that was stored."""
    tx.execute(insert(shown_images).values(sha256=sha256, used_at=at))


def is_kept(tx: Transaction, sha256: str) -> bool:
    """Whether a picture is stored under that hash."""
    return (
        tx.execute(select(shown_images.c.sha256).where(shown_images.c.sha256 == sha256)).first() is not None
    )


def forget_unused(tx: Transaction, before: datetime) -> list[str]:
    """Forget pictures that no plan shows and that were last used before that; return their hashes."""
    shown = select(plan_images.c.sha256)
    unused = (shown_images.c.used_at < before) & shown_images.c.sha256.not_in(shown)
    gone = list(tx.execute(select(shown_images.c.sha256).where(unused)).scalars())
    if gone:
        tx.execute(delete(shown_images).where(shown_images.c.sha256.in_(gone)))
    return gone
