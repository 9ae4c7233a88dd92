"""Limits of tokens per minute: read from headers, applied to the input alone, per band."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain import rates
from service.domain.rates import RateLimits


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ("2000000", 2_000_000),
        (" 500 ", 500),
        ("0", None),
        ("-1", None),
        ("1e6", None),
        ("many", None),
        ("", None),
    ],
)
def test_the_header_is_a_whole_number(value: str, limit: int | None) -> None:
    assert rates.told({"limit-tokens": value, "limit-requests": "7"}) == limit


def test_no_header_tells_nothing() -> None:
    assert rates.told({"remaining-tokens": "5"}) is None


@given(tokens=st.integers(0, 2_000_000), limit=st.integers(1, 2_000_000))
def test_only_what_surely_never_passes_is_too_large(tokens: int, limit: int) -> None:
    short = RateLimits(short=limit)
    assert short.passed_by(tokens, "short") == (tokens > limit)
    assert not short.passed_by(tokens, "long")
    assert RateLimits(long=limit).passed_by(tokens, "long") == (tokens > limit)
