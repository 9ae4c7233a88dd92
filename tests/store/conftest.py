"""A migrated database in a file of its own, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.store.session import Database


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the others are copies of: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("template") / "store.db"
    db = Database(f"sqlite:///{path}")
    db.migrate()
    db.close()  # the last connection folds the WAL into the file
    return path


@pytest.fixture
def db(migrated: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "store.db"
    path.write_bytes(migrated.read_bytes())
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()
