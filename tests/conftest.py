"""What holds for every test: properties are judged by what they find, never by how fast they find it.

And how several workers share them (`-n auto`): files with services, commands and browsers come first, so that
none of them is left alone at the end, and there is one worker more than processors, for they often wait.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "shared", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=False
)
settings.load_profile("shared")

TESTS = Path(__file__).parent
LONG_FIRST = ("e2e", "cli", "web", "usecases", "api", "ingest")
"""By what a file of them takes; those that are not named come last."""


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    return (yield) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.path))


def _place(path: Path) -> int:
    folder = path.relative_to(TESTS).parts[0]
    return LONG_FIRST.index(folder) if folder in LONG_FIRST else len(LONG_FIRST)
