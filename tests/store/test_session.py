"""Transactions: snapshots, a queue of writers, and no start on another version's schema."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, literal, select, text
from sqlalchemy.exc import IntegrityError

from service.errors import Invalid, SchemaOutdated, StoreUnavailable
from service.store import documents, session
from service.store.flushing import Flushes
from service.store.session import Database, _without_paths, make_engine
from tests.store import rivals, rows

ALEMBIC = Path(__file__).resolve().parents[2] / "alembic"


def test_a_write_is_kept_and_a_failed_one_is_not(db: Database) -> None:
    with db.write() as tx:
        documents.add(tx, rows.document(1))

    def broken() -> None:
        with db.write() as tx:
            documents.add(tx, rows.document(2))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    with db.read() as tx:
        assert [d.id for d in documents.page_through(tx, rows.TENANT, after=None, limit=9)] == ["doc_0001"]


def test_a_read_sees_one_snapshot_while_others_write(db: Database) -> None:
    with db.read() as tx:
        assert documents.get_any(tx, "doc_0001") is None
        with db.write() as other:
            documents.add(other, rows.document(1))
        assert documents.get_any(tx, "doc_0001") is None
    with db.read() as tx:
        assert documents.get_any(tx, "doc_0001") is not None


def test_readers_do_not_wait_for_a_writer(db: Database) -> None:
    with db.write() as tx:
        documents.add(tx, rows.document(1))
        with db.read() as other:
            assert documents.get_any(other, "doc_0001") is None


def test_writers_queue(db: Database) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with db.write() as tx:
            order.append("second")
            documents.add(tx, rows.document(2))

    with ThreadPoolExecutor(1) as pool:
        with db.write() as tx:
            later = pool.submit(second)
            waiting.wait(timeout=10)
            documents.add(tx, rows.document(1))
            order.append("first")
        later.result(timeout=30)
    assert order == ["first", "second"]


def test_what_was_read_in_a_write_is_still_true_when_it_is_written(db: Database) -> None:
    with db.write() as tx:
        documents.add(tx, rows.document(1))
    rivals.compete(db.url, rivals.read_then_write, processes=2, threads=8)
    with db.read() as tx:
        known = documents.get_any(tx, "doc_0001")
        assert known is not None
        assert known.progress.done == 16 * rivals.EACH
        assert len(documents.page_counts(tx, "doc_0001")) == 16 * rivals.EACH


def test_sqlite_is_durable_and_keeps_references(db: Database) -> None:
    with db.read() as tx:
        pragmas = {
            name: tx.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 30_000}
    with pytest.raises(IntegrityError), db.write() as tx:
        rows.join(tx, rows.add_corpus(tx).id, "doc_none")


def test_the_job_systems_engine_begins_for_itself(db: Database) -> None:
    engine = make_engine(db.url, for_jobs=True)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE elsewhere (id INTEGER)"))
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM elsewhere")).scalar_one() == 0
    engine.dispose()


def test_a_store_out_of_reach_is_said_in_our_words(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'store.db'}")
    for use in (db.check_schema, db.is_empty, db.migrate):
        with pytest.raises(StoreUnavailable, match="can't be used just now"):
            use()
    with pytest.raises(StoreUnavailable), db.read():
        pass
    db.close()


def test_an_empty_store_is_refused_with_the_way_out(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'store.db'}")
    assert db.is_empty()
    with pytest.raises(SchemaOutdated, match=r"is at nothing.*Run `unabridged migrate`"):
        db.check_schema()
    db.migrate()
    assert not db.is_empty()
    db.check_schema()
    db.migrate()
    db.check_schema()
    db.close()


def test_an_older_and_a_newer_store_are_refused(db: Database) -> None:
    db.check_schema()
    for revision, do in (("0000", "Run `unabridged migrate`"), ("9999", "update unabridged")):
        with db.write() as tx:
            tx.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
        with pytest.raises(SchemaOutdated, match=rf"is at {revision}.*{do}"):
            db.check_schema()
    with pytest.raises(SchemaOutdated, match="update unabridged"):
        db.migrate()


def test_a_fresh_store_that_another_writes_to_is_waited_for(tmp_path: Path) -> None:
    """SQLite itself does not wait here, whatever its busy_timeout says."""
    path = tmp_path / "store.db"
    driver = session._sqlite_module()  # noqa: SLF001 - two builds of SQLite in one process see no locks
    other = driver.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    db = Database(f"sqlite:///{path}")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(db.is_empty)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.5)
        other.execute("COMMIT")
        assert waiting.result(timeout=20)
    other.close()
    db.close()


def test_two_processes_may_migrate_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    databases = [Database(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Database.migrate, databases))
    for database in databases:
        database.check_schema()
        database.close()


HEAD = ScriptDirectory(str(ALEMBIC)).get_current_head()
REBUILD = f"""
from alembic import op
import sqlalchemy as sa
revision, down_revision, branch_labels, depends_on = "9001", "{HEAD}", None, None

def upgrade():
    with op.batch_alter_table("documents", recreate="always") as batch:
        batch.add_column(sa.Column("shelf", sa.String(10)))
"""


def test_a_migration_that_rebuilds_a_table_deletes_nothing_that_refers_to_it(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.write() as tx:
        rows.add_ready(tx, 1, count=3)
        rows.join(tx, rows.add_corpus(tx).id, "doc_0001")
    scripts = tmp_path / "alembic"
    shutil.copytree(ALEMBIC, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "9001_rebuild.py").write_text(REBUILD)
    monkeypatch.setattr(session, "_SCRIPTS", (scripts,))
    db.migrate()
    db.check_schema()
    with db.read() as tx:
        assert tx.execute(text("SELECT shelf FROM documents")).scalars().all() == [None]
        assert len(documents.page_counts(tx, "doc_0001")) == 3
        assert tx.execute(text("SELECT count(*) FROM members")).scalar_one() == 1
    with db.write() as tx:  # and references hold again afterwards
        documents.remove(tx, "doc_0001")
        assert documents.page_counts(tx, "doc_0001") == []


def test_a_migration_that_fails_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = tmp_path / "alembic"
    shutil.copytree(ALEMBIC, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "9001_breaks.py").write_text(
        REBUILD + "    raise RuntimeError('the power went')\n"
    )
    db = Database(f"sqlite:///{tmp_path / 'store.db'}")
    with monkeypatch.context() as patch:
        patch.setattr(session, "_SCRIPTS", (scripts,))
        with pytest.raises(RuntimeError, match="the power went"):
            db.migrate()
    assert db.is_empty()
    db.migrate()
    db.check_schema()
    db.close()


def test_half_a_character_in_json_is_kept(db: Database) -> None:
    """UTF-8 can't hold a lone surrogate; a reply may, and must not be lost for it."""
    engine = make_engine(db.url)
    value = {"usual": "Größe", "half": "\ud800", "numbers": [1, 2.5, None, True]}
    with engine.begin() as connection:
        for one in (value, value["usual"]):
            assert connection.execute(select(literal(one, JSON))).scalar_one() == one
    engine.dispose()


@pytest.mark.parametrize("url", ["harbour", "postgres://user:secret@host/name", "sqlite+nothing:///x"])
def test_what_is_no_database_is_said(url: str) -> None:
    with pytest.raises(Invalid, match="UNABRIDGED_DATABASE_URL: say") as refused:
        Database(url)
    assert "secret" not in str(refused.value)


def test_a_driver_that_is_not_installed_is_named() -> None:
    with pytest.raises(Invalid, match="pip install MySQLdb"):
        Database("mysql://host/name")


def test_a_server_out_of_reach_is_said_without_its_socket(tmp_path: Path) -> None:
    db = Database(f"postgresql+psycopg://user:secret@/name?host={tmp_path}")
    with pytest.raises(StoreUnavailable, match="can't be used just now") as refused:
        db.is_empty()
    db.close()
    assert str(tmp_path) not in refused.value.detail
    assert "secret" not in refused.value.detail


def test_a_file_that_is_damaged_meanwhile_is_out_of_reach_for_writers_too(tmp_path: Path) -> None:
    """A paid reply waits for the store; an error of the driver's own would drop it."""
    path = tmp_path / "unabridged.db"
    db = Database(f"sqlite:///{path}")
    db.migrate()
    with db.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM documents")).scalar_one() == 0
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE another (id INTEGER)")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.write(b"x" * 4096)
    for way in (db.write, db.read):
        with pytest.raises(StoreUnavailable), way() as tx:
            tx.execute(text("SELECT 1 FROM documents"))
    db.close()


def test_what_one_thread_writes_in_a_block_is_flushed_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(Flushes, "wait", lambda _self: flushed.append(threading.get_ident()))

    def write() -> None:
        with db.write() as tx:
            tx.execute(text("CREATE TABLE IF NOT EXISTS kept (word TEXT)"))

    with db.flushed_once():
        write()
        with db.flushed_once():
            write()
        with ThreadPoolExecutor(1) as other:
            other.submit(write).result()
        assert flushed.count(threading.get_ident()) == 0
        assert len(flushed) == 1  # the other thread waits for its own
    assert flushed.count(threading.get_ident()) == 1
    write()
    assert flushed.count(threading.get_ident()) == 2


def test_a_block_that_fails_flushes_what_it_wrote_and_one_that_wrote_nothing_does_not(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(Flushes, "wait", lambda _self: flushed.append("flushed"))
    with pytest.raises(LookupError), db.flushed_once():
        raise LookupError
    assert flushed == []

    def written_and_failed() -> None:
        with db.write() as tx:
            tx.execute(text("CREATE TABLE kept (word TEXT)"))
        raise LookupError

    with pytest.raises(LookupError), db.flushed_once():
        written_and_failed()
    assert flushed == ["flushed"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("disk I/O error", True),
        ("database or disk is full", True),
        ('connection to server on socket "/run/pg/.s.PGSQL.5432" failed', False),
        ("unable to open /home/someone/store.db", False),
        ("unable to open C:\\Users\\someone", False),
        ("no such file: ~someone/store.db", False),
    ],
)
def test_what_a_driver_says_is_shown_unless_it_names_a_path(said: str, *, shown: bool) -> None:
    assert (_without_paths(OSError(said)) == said) is shown
