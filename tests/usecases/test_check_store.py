"""What an installation keeps is looked at as it is, broken or whole, and left so."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from service.domain.keys import Key
from service.store import keys
from service.store.blobs import Blobs
from service.store.session import Database
from service.usecases import check_store
from service.usecases.check_store import check_database, check_files, check_folder, check_index, check_keys
from tests.store import rows

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, which the tests copy."""
    path = tmp_path_factory.mktemp("template") / "unabridged.db"
    db = Database(f"sqlite:///{path}")
    db.migrate()
    db.close()
    return path


@pytest.fixture
def data(template: Path, tmp_path: Path) -> Path:
    """A data folder with a database and nothing in it."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(template, folder)
    return folder


@pytest.fixture
def db(data: Path) -> Iterator[Database]:
    finding, found = check_database(url(data))
    assert (finding.state, found is None) == ("ok", False)
    assert found is not None
    yield found
    found.close()


def url(data: Path) -> str:
    return f"sqlite:///{data / 'unabridged.db'}"


def test_a_folder_is_tried_and_left_as_it_was(data: Path) -> None:
    before = sorted(data.iterdir())
    assert check_folder(data).state == "ok"
    assert sorted(data.iterdir()) == before


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    found = check_folder(tmp_path / "a" / "b")
    assert (found.state, "made at the first use" in found.detail) == ("ok", True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for data in (tmp_path / "file", tmp_path / "file" / "data"):
        found = check_folder(data)
        assert (found.state, "is a file" in found.detail) == ("fail", True)
        assert "UNABRIDGED_DATA" in found.do


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_an_unreadable_folder_is_said(data: Path) -> None:
    data.chmod(0o500)
    try:
        assert check_folder(data).state == "fail"
        assert check_folder(data / "below").state == "fail"
    finally:
        data.chmod(0o700)


def test_a_folder_that_takes_no_file_is_said(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds for any user, root included: the system refuses the write itself."""
    monkeypatch.setattr(os, "fsync", refused)
    found = check_folder(data)
    assert (found.state, "takes no file: No space left" in found.detail) == ("fail", True)


def refused(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_room_is_told_by_what_is_left(data: Path) -> None:
    free = shutil.disk_usage(data).free
    states = [
        check_store.check_space(data / "not" / "there", least=least, few=few).state
        for least, few in ((0, 0), (0, free * 2), (free * 2, free * 2))
    ]
    assert states == ["ok", "warn", "fail"]


def test_no_database_is_made_by_looking(tmp_path: Path) -> None:
    found, db = check_database(url(tmp_path))
    assert (found.state, db) == ("ok", None)
    assert list(tmp_path.iterdir()) == []


def test_an_old_schema_names_the_way_on(data: Path, db: Database) -> None:
    stamp(db, "0003")
    found, none = check_database(url(data))
    assert (found.state, none) == ("fail", None)
    assert "at 0003" in found.detail
    assert "unabridged migrate" in found.detail


def test_a_newer_schema_is_not_migrated(data: Path, db: Database) -> None:
    stamp(db, "9999")
    found, _ = check_database(url(data))
    assert found.state == "fail"
    assert "A newer version wrote it: update unabridged." in found.detail


def stamp(db: Database, revision: str) -> None:
    with db.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


@pytest.mark.parametrize("wrong", ["sqlite:////no/such/folder/is/here.db", "harbour", "postgres://u:p@h/x"])
def test_a_database_out_of_reach_is_said(wrong: str) -> None:
    found, db = check_database(wrong)
    assert db is None
    assert (found.state, "u:p" in found.detail) == ("ok" if wrong.startswith("sqlite") else "fail", False)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "unabridged.db").write_bytes(b"This is a letter to the harbour master." * 100)
    found, db = check_database(url(tmp_path))
    assert (found.state, db) == ("fail", None)
    assert "damaged, or is none" in found.detail


MADE = text("INSERT INTO corpora VALUES (:id, 't', 'n', 1, '2026-01-01')")


def test_a_damaged_database_is_found(data: Path, db: Database) -> None:
    """SQLite meets damaged pages only where it reads them: a whole look is the doctor's."""
    with db.write() as tx:
        for number in range(300):
            tx.execute(MADE, {"id": f"c{number}"})
    assert check_database(url(data))[0].state == "ok"
    with db.write() as tx:
        tx.exec_driver_sql("COMMIT")
        tx.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        tx.exec_driver_sql("BEGIN")
    db.close()
    path = data / "unabridged.db"
    whole = bytearray(path.read_bytes())
    at = whole.rindex(b"c150")
    whole[at - 400 : at + 400] = b"\xff" * 800
    path.write_bytes(whole)
    found, none = check_database(url(data))
    assert (found.state, none) == ("fail", None)
    assert "damaged" in found.detail or "malformed" in found.detail


def test_files_are_read_and_compared(data: Path, db: Database) -> None:
    files = data / "fi les"
    assert check_files(db, files.as_uri()).state == "ok"
    assert not files.exists(), "nothing is stored yet"
    stored = [store(db, files, n, f"Text {n}".encode()) for n in range(1, 4)]
    assert check_files(db, files.as_uri()).state == "ok"
    stored[0].write_bytes(b"Text 9")
    stored[1].unlink()
    found = check_files(db, files.as_uri())
    assert found.state == "fail"
    assert "report 1.pdf has other bytes than were uploaded" in found.detail
    assert "report 2.pdf is gone" in found.detail
    assert "report 3.pdf" not in found.detail
    assert check_files(db, "harbour").state == "fail"


def store(db: Database, files: Path, number: int, content: bytes) -> Path:
    """Store a document's file; return where it lies."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    blobs = Blobs(files.as_uri())
    received = asyncio.run(blobs.receive(chunks(), max_bytes=1000))
    with db.write() as tx:
        rows.add_ready(tx, number, count=1)
        stored = {"id": f"doc_{number:04}", "sha256": received.sha256, "bytes": received.bytes}
        tx.execute(text("UPDATE documents SET sha256 = :sha256, bytes = :bytes WHERE id = :id"), stored)
        blobs.keep(received)
    with blobs.as_path(received.sha256) as path:
        return path


def test_indexes_are_counted_and_never_needed(data: Path, db: Database) -> None:
    folder = data / "search"
    assert check_index(db, folder).detail == "Not needed yet."
    with db.write() as tx:
        rows.add_corpus(tx)
        rows.add_ready(tx, 1, count=2)
        rows.join(tx, "cor_0001", "doc_0001")
        tx.exec_driver_sql("UPDATE documents SET pages_tokens = 100000")
    found = check_index(db, folder)
    assert (found.state, found.detail[:28]) == ("ok", "0 of 1 large corpora are ind")
    assert not folder.exists()


@pytest.mark.parametrize(
    ("expires", "exposed", "state"),
    [
        (None, False, "ok"),
        (None, True, "ok"),
        (NOW - timedelta(days=1), False, "warn"),
        (NOW - timedelta(days=1), True, "fail"),
        ("no key", False, "ok"),
        ("no key", True, "fail"),
    ],
    ids=str,
)
def test_who_may_call(db: Database, expires: datetime | str | None, exposed: bool, state: str) -> None:  # noqa: FBT001 - a column of the table
    if not isinstance(expires, str):
        with db.write() as tx:
            keys.add(tx, key(expires), digest="0" * 64)
    found = check_keys(db, now=NOW, exposed=exposed, host="0.0.0.0")  # noqa: S104 - told, not bound
    assert found.state == state
    assert ("unabridged keys add" in found.do) is (state != "ok")


def key(expires_at: datetime | None) -> Key:
    made = NOW - timedelta(days=9)
    return Key(
        id="key_1", tenant="local", name="page", prefix="una_x", created_at=made, expires_at=expires_at
    )


def test_without_a_database_nobody_has_a_key() -> None:
    assert check_keys(None, now=NOW, exposed=True, host="10.0.0.1").state == "fail"
    assert check_keys(None, now=NOW, exposed=False, host="127.0.0.1").state == "ok"
