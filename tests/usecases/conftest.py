"""Fixtures of the use cases' tests: a provider, and a folder whose store several contexts share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.settings import Settings
from tests.support.server import settings_in
from tests.support.upstream import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A provider on loopback; whatever reaches it must be within the contract."""
    with Upstream() as server:
        yield server
        assert server.violations == []


@pytest.fixture
def settings(tmp_path: Path, upstream: Upstream) -> Settings:
    """An installation of its own."""
    return settings_in(tmp_path, upstream)
