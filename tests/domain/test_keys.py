"""Keys as values: what is kept of a secret, and when a key holds."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.keys import MARK, SHOWN_CHARS, Key, KeyStatus, digest, is_tenant, shown

MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants bounds without


@given(st.text())
def test_a_digest_is_the_sha256_and_takes_whatever_is_sent(secret: str) -> None:
    assert digest(secret) == hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def test_little_of_a_secret_is_shown() -> None:
    secret = MARK + "abcdefghijklmnopqrstuvwxyz0123456789-_ABCDE"
    assert shown(secret) == "una_abcdef"
    assert len(secret) - SHOWN_CHARS == 37, "222 random bits are left"


@given(MOMENTS, st.none() | MOMENTS, st.none() | MOMENTS)
def test_a_key_holds_until_it_expires_and_never_after_it_was_revoked(
    now: datetime, expires: datetime | None, revoked: datetime | None
) -> None:
    key = Key("key_1", "local", "tests", "una_abcdef", now, expires_at=expires, revoked_at=revoked)
    is_over = expires is not None and expires <= now
    expected = KeyStatus.REVOKED if revoked else KeyStatus.EXPIRED if is_over else KeyStatus.ACTIVE
    assert key.status(now) is expected
    if expires is not None and revoked is None:
        assert key.status(expires) is KeyStatus.EXPIRED
        assert key.status(expires - timedelta(microseconds=1)) is KeyStatus.ACTIVE


@pytest.mark.parametrize("name", ["local", "a", "acme-2", "team_1", "9", "a" * 39])
def test_names_of_tenants(name: str) -> None:
    assert is_tenant(name)


@pytest.mark.parametrize(
    "name", ["", "Acme", "-a", "_a", "a b", "a" * 40, "a\n", "ä", "../a", "a:b"], ids=ascii
)
def test_what_is_no_name_of_a_tenant(name: str) -> None:
    assert not is_tenant(name)
