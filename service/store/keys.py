"""Keys, as rows: found by the hash of their secret, and kept when they are revoked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, or_, select, update

from service.domain.keys import Key
from service.store.session import Transaction
from service.store.tables import keys

_SHOWN = [column for column in keys.c if column.name != "hash"]


def add(tx: Transaction, key: Key, *, digest: str) -> None:
    """Record a new key by the hash of its secret."""
    tx.execute(
        insert(keys).values(
            id=key.id,
            tenant=key.tenant,
            name=key.name,
            hash=digest,
            prefix=key.prefix,
            created_at=key.created_at,
            expires_at=key.expires_at,
        )
    )


def by_digest(tx: Transaction, digest: str, *, now: datetime) -> Key | None:
    """Return the key whose secret has that hash, unless it was revoked or has expired."""
    row = tx.execute(select(*_SHOWN).where(keys.c.hash == digest, *_holding(now))).one_or_none()
    return None if row is None else _key(row)


def get(tx: Transaction, tenant: str, key_id: str) -> Key | None:
    """Return one key of a tenant, revoked ones included."""
    row = tx.execute(select(*_SHOWN).where(keys.c.id == key_id, keys.c.tenant == tenant)).one_or_none()
    return None if row is None else _key(row)


def get_any(tx: Transaction, key_id: str) -> Key | None:
    """Return one key, whoever's it is: for whoever runs the installation."""
    row = tx.execute(select(*_SHOWN).where(keys.c.id == key_id)).one_or_none()
    return None if row is None else _key(row)


def page_through(tx: Transaction, tenant: str | None, *, after: str | None, limit: int | None) -> list[Key]:
    """Return a tenant's keys, or with None all there are, in the order in which they were made."""
    query = select(*_SHOWN).order_by(keys.c.id).limit(limit)
    if tenant is not None:
        query = query.where(keys.c.tenant == tenant)
    if after:
        query = query.where(keys.c.id > after)
    return [_key(row) for row in tx.execute(query)]


def names_of(tx: Transaction, tenant: str) -> dict[str, str]:
    """Return the names of a tenant's keys by their ids."""
    rows = tx.execute(select(keys.c.id, keys.c.name).where(keys.c.tenant == tenant))
    return {row.id: row.name for row in rows}


def any_left(tx: Transaction) -> bool:
    """Whether there is a key that was not revoked; one that expired is still there."""
    return tx.execute(select(keys.c.id).where(keys.c.revoked_at.is_(None)).limit(1)).first() is not None


def any_usable(tx: Transaction, *, now: datetime) -> bool:
    """Whether somebody can call with a key at that moment."""
    return tx.execute(select(keys.c.id).where(*_holding(now)).limit(1)).first() is not None


def usable_of(tx: Transaction, tenant: str, *, now: datetime) -> list[str]:
    """Return the ids of the keys that a tenant can call with, held until the transaction's end.

    Two that each revoke the other's key come one after the other so, and the second finds itself the last.
    """
    query = select(keys.c.id).where(keys.c.tenant == tenant, *_holding(now)).order_by(keys.c.id)
    return list(tx.execute(query.with_for_update()).scalars())


def revoke(tx: Transaction, key_id: str, at: datetime) -> bool:
    """End a key for good; False where it had ended already."""
    query = update(keys).where(keys.c.id == key_id, keys.c.revoked_at.is_(None)).values(revoked_at=at)
    return tx.execute(query).rowcount == 1


def touch(tx: Transaction, key_id: str, at: datetime, *, every: timedelta) -> bool:
    """Record that a key is in use, unless that was recorded within the time; False then."""
    stale = or_(keys.c.last_used_at.is_(None), keys.c.last_used_at <= at - every)
    return tx.execute(update(keys).where(keys.c.id == key_id, stale).values(last_used_at=at)).rowcount == 1


def _holding(now: datetime) -> list[ColumnElement[bool]]:
    return [keys.c.revoked_at.is_(None), or_(keys.c.expires_at.is_(None), keys.c.expires_at > now)]


def _key(row: Row[Any]) -> Key:
    return Key(**row._asdict())
