"""Keys: what lets a program call for a tenant, and the states it goes through."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MARK = "una_"
"""What every secret begins with, so that people and scanners recognise one."""

SHOWN_CHARS = len(MARK) + 6
MAX_NAME = 200
_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,38}")


class KeyStatus(StrEnum):
    """active → expired; both → revoked, which is for good."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret, which nobody keeps.

    Attributes:
        prefix: the secret's first characters, to recognise it by.
        last_used_at: to the minute.
    """

    id: str
    tenant: str
    name: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def status(self, now: datetime) -> KeyStatus:
        """What it is at that moment."""
        if self.revoked_at is not None:
            return KeyStatus.REVOKED
        is_over = self.expires_at is not None and self.expires_at <= now
        return KeyStatus.EXPIRED if is_over else KeyStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a tenant by one of its keys; the local user, while there are no keys, by none."""

    tenant: str
    key_id: str | None = None


def digest(secret: str) -> str:
    """Return what is stored of a secret: its SHA-256, in hex.

    A secret is 256 random bits, so there is nothing to guess that a slow or salted hash would protect, and
    a hash without salt can be looked up by an index.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def shown(secret: str) -> str:
    """Return what of a secret may be shown and stored; some 220 of its bits stay unknown."""
    return secret[:SHOWN_CHARS]


def is_tenant(name: str) -> bool:
    """Whether a tenant can be called so."""
    return _TENANT.fullmatch(name) is not None
