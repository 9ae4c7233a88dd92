"""Fixtures of the provider's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.upstream import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A provider on loopback, fresh for each test."""
    with Upstream() as server:
        yield server
