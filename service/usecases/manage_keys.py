"""Keys: made, listed, revoked and recognised.

A tenant does so with its keys, for itself; whoever runs the installation does so for all.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.domain.keys import MARK, MAX_NAME, Caller, Key, digest, is_tenant, shown
from service.errors import Conflict, Fix, Invalid, KeyNeeded, NotAllowed, NotFound, StoreUnavailable
from service.store import keys, ledger
from service.store.session import Transaction
from service.usecases.context import LOCAL, Context, new_id
from service.usecases.manage_budgets import Limit, described, set_budget_in

SECRET_BYTES = 32
USE_IS_RECORDED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key is to be.

    Attributes:
        tenant: whose data it is for; None is the one who makes it.
        limit: what may be spent with it.
        expires_at: from then on it does not hold.
    """

    name: str
    tenant: str | None = None
    limit: Limit | None = None
    expires_at: datetime | None = None


def add_key(ctx: Context, new: NewKey) -> dict[str, Any]:
    """Make a key for any tenant, as whoever runs the installation may; `local` where none is named.

    Returns:
        The key as it is listed, and its `secret`, which is told here and never again.

    Raises:
        Invalid: the name, tenant, limit or time does not fit; or the first key is not for `local`, whose
            data nobody could reach over REST then.
    """
    with ctx.db.write() as tx:
        return _add_in(tx, ctx, new, tenant=new.tenant or LOCAL)


def add_own_key(ctx: Context, caller: Caller, new: NewKey) -> dict[str, Any]:
    """Make another key for the caller's tenant; returns and raises as `add_key`.

    Raises:
        NotAllowed: the key would be another tenant's.
        KeyNeeded: the caller has none, and meanwhile there are keys.
    """
    if new.tenant not in {None, caller.tenant}:
        raise NotAllowed("Keys of other tenants are made with `unabridged keys add` where the service runs.")
    with ctx.db.write() as tx:
        if caller.key_id is None and keys.any_left(tx):
            raise KeyNeeded("There are keys now: send one as Authorization: Bearer.")
        return _add_in(tx, ctx, new, tenant=caller.tenant)


def list_keys(
    ctx: Context, tenant: str | None, *, after: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """Return a tenant's keys, or with None all there are, oldest first; revoked ones too."""
    with ctx.db.read() as tx:
        return _described(tx, ctx, keys.page_through(tx, tenant, after=after, limit=limit))


def revoke_key(ctx: Context, key_id: str) -> bool:
    """End any key for good; its budget goes, and what was spent with it stays in the ledger.

    Returns:
        Whether a key is left. Without one the installation is for one local user again.

    Raises:
        NotFound: there is no such key.
    """
    with ctx.db.write() as tx:
        key = keys.get_any(tx, key_id)
        if key is None:
            raise NotFound(
                f"There is no key {key_id}.", fixes=(Fix("list_keys", "`unabridged keys` shows them."),)
            )
        _revoke_in(tx, ctx, key)
        return keys.any_left(tx)


def revoke_own_key(ctx: Context, caller: Caller, key_id: str) -> None:
    """End one of the tenant's keys for good; one that was revoked before stays so.

    Raises:
        NotFound: the tenant has no such key.
        Conflict: it is the last one that the tenant can call with.
    """
    with ctx.db.write() as tx:
        usable = keys.usable_of(tx, caller.tenant, now=ctx.now())
        key = keys.get(tx, caller.tenant, key_id)
        if key is None:
            raise NotFound(f"There is no key {key_id}.")
        if usable == [key.id]:
            raise Conflict(
                "This is the last key that holds, and nobody could call any more. Make another one first; "
                "`unabridged keys revoke` where the service runs ends this one all the same.",
                fixes=(Fix("add_key", "POST /v1/keys, then revoke this one with the new key."),),
            )
        _revoke_in(tx, ctx, key)


def require_manager(ctx: Context, caller: Caller) -> None:
    """Raise NotAllowed for a key that has a limit: it could lift it, or make a key without one."""
    if caller.key_id is None:
        return
    with ctx.db.read() as tx:
        is_limited = bool(ledger.budgets_of(tx, caller.tenant, [f"key:{caller.key_id}"]))
    if is_limited:
        raise NotAllowed(
            "A key with a budget of its own can't manage keys and budgets. Use one without, or "
            "`unabridged keys` and `unabridged budget` where the service runs."
        )


def are_keys_needed(ctx: Context) -> bool:
    """Whether there is a key that was not revoked. One that expired counts: time alone opens nothing."""
    with ctx.db.read() as tx:
        return keys.any_left(tx)


def recognise(ctx: Context, secret: str) -> Key | None:
    """Return the key of a secret; None of one that is unknown, revoked or expired, by the same steps."""
    now = ctx.now()
    with ctx.db.read() as tx:
        key = keys.by_digest(tx, digest(secret), now=now)
    if key is not None and (key.last_used_at is None or now - key.last_used_at >= USE_IS_RECORDED_EVERY):
        with suppress(StoreUnavailable), ctx.db.write() as tx:  # a call is not refused for want of that note
            keys.touch(tx, key.id, now, every=USE_IS_RECORDED_EVERY)
    return key


def _add_in(tx: Transaction, ctx: Context, new: NewKey, *, tenant: str) -> dict[str, Any]:
    secret = f"{MARK}{secrets.token_urlsafe(SECRET_BYTES)}"
    key = Key(
        id=new_id("key"),
        tenant=_tenant(tx, tenant),
        name=_name(new.name),
        prefix=shown(secret),
        created_at=ctx.now(),
        expires_at=_expiry(ctx, new.expires_at),
    )
    keys.add(tx, key, digest=digest(secret))
    if new.limit is not None:
        set_budget_in(tx, ctx, tenant, f"key:{key.id}", new.limit)
    (made,) = _described(tx, ctx, [key])
    return {**made, "secret": secret}


def _revoke_in(tx: Transaction, ctx: Context, key: Key) -> None:
    keys.revoke(tx, key.id, ctx.now())
    ledger.remove_budget(tx, key.tenant, f"key:{key.id}")


def _tenant(tx: Transaction, tenant: str) -> str:
    if not is_tenant(tenant):
        raise Invalid("A tenant's name is 1 to 39 lower-case letters, digits, - and _, the first no sign.")
    if tenant != LOCAL and not keys.any_left(tx):
        raise Invalid(f"The first key is for the tenant {LOCAL}, whose documents are there already.")
    return tenant


def _name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise Invalid(f"A key has a name of 1 to {MAX_NAME} characters that says who uses it.")
    return name


def _expiry(ctx: Context, at: datetime | None) -> datetime | None:
    if at is not None and (at.tzinfo is None or at <= ctx.now()):
        raise Invalid("expires_at is a time to come, with a zone, as in 2100-01-01T00:00:00Z.")
    return at


def _described(tx: Transaction, ctx: Context, found: Sequence[Key]) -> list[dict[str, Any]]:
    now = ctx.now()
    limits = {
        budget.scope: described(budget, now, {key.id: key.name for key in found})
        for tenant in sorted({key.tenant for key in found})
        for budget in ledger.budgets_of(tx, tenant)
    }
    return [_listed(key, now, limits.get(f"key:{key.id}")) for key in found]


def _listed(key: Key, now: datetime, budget: dict[str, Any] | None) -> dict[str, Any]:
    times = ("created_at", "last_used_at", "expires_at", "revoked_at")
    moments: dict[str, datetime | None] = {name: getattr(key, name) for name in times}
    return {
        "id": key.id,
        "name": key.name,
        "tenant": key.tenant,
        "prefix": key.prefix,
        "status": key.status(now).value,
        **{name: at.isoformat() if at else None for name, at in moments.items()},
        "budget": budget,
    }
