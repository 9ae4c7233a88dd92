"""The database: engines, transactions, and whether its schema is the one this version works on."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from service.errors import Invalid, SchemaOutdated, StoreUnavailable
from service.store import told
from service.store.flushing import Flushes

try:
    import pysqlite3
except ImportError:  # no wheel for this platform: the system's SQLite serves
    pysqlite3 = None

Transaction = Connection
"""What a use case holds while it owns a transaction; nothing but `store/` looks inside."""

_BUSY_MS = 30_000
_LOG_PAGES = 4000
"""Of the log, at which a commit puts it into the database, 16 MB; SQLite's own 1,000 are soon full. Many
commits change the same pages, and each is written and flushed once for all of them."""

_SWITCH_AGAIN_S = 0.01
_SCRIPTS = (
    Path(__file__).parent / "migrations",  # installed from a wheel
    Path(__file__).parents[2] / "alembic",  # in a checkout
)


def _sqlite_module() -> ModuleType:
    """Return the newer of the two SQLites: DBOS needs 3.42 on new Pythons, Debian 12 has 3.40."""
    if pysqlite3 is not None and pysqlite3.sqlite_version_info > sqlite3.sqlite_version_info:
        return pysqlite3  # type: ignore[no-any-return]
    return sqlite3


def make_engine(url: str, *, for_jobs: bool = False) -> Engine:
    """Return an engine on SQLite (WAL, durable commits, foreign keys) or PostgreSQL.

    Args:
        url: SQLAlchemy's form.
        for_jobs: the job system begins its transactions itself.

    Raises:
        Invalid: there is no such database, or its driver is not installed.
    """
    try:
        make_url(url).get_dialect()
        if make_url(url).get_backend_name() != "sqlite":
            return create_engine(url, pool_pre_ping=True, json_serializer=told.text)
    except ModuleNotFoundError as error:
        raise Invalid(
            f"UNABRIDGED_DATABASE_URL: its driver is not installed: pip install {error.name}."
        ) from error
    except ArgumentError as error:  # an unknown kind of database too; the URL may hold a password
        raise Invalid(
            "UNABRIDGED_DATABASE_URL: say sqlite:////folder/store.db or postgresql+psycopg://user@host/name."
        ) from error
    engine = create_engine(
        url,
        module=_sqlite_module(),
        pool_size=20,
        max_overflow=40,
        pool_use_lifo=True,  # the one that was used last has its pages at hand
        json_serializer=told.text,
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
        connection.isolation_level = "IMMEDIATE" if for_jobs else None
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        _into_wal(connection)
        # Without the jobs, who commits waits for a flush himself, one for many: see `Database.write`.
        connection.execute(f"PRAGMA synchronous={'FULL' if for_jobs else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys=ON")
        if not for_jobs:
            connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")

    return engine


def _into_wal(connection: Any) -> None:  # noqa: ANN401 - the driver's own
    """Switch the database to WAL, once for its life, as soon as nobody else holds it.

    Two that switch at once would wait for each other: SQLite refuses one without heeding its busy_timeout.
    """
    deadline = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except _sqlite_module().OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_SWITCH_AGAIN_S)
        else:
            return


def _begin(connection: Connection, how: str) -> None:
    """Begin a transaction on SQLite, whose driver is told not to; other databases' drivers do themselves.

    A writing one takes the write lock at its start: a late upgrade would fail under load. (A listener for
    SQLAlchemy's own beginnings would have every statement look for listeners.)
    """
    if connection.dialect.name != "sqlite":
        return
    driver: Any = connection.connection.driver_connection
    try:
        driver.execute(how)
    except _sqlite_module().OperationalError as error:
        raise OperationalError(how, None, error) from error
    except _sqlite_module().DatabaseError as error:  # a damaged file
        raise DatabaseError(how, None, error) from error


def is_made(url: str) -> bool:
    """Whether there is a database; of a server's nobody knows before it is asked. A new file is not made.

    Raises:
        Invalid: that is no URL of one.
    """
    try:
        parts = make_url(url)
    except ArgumentError:
        make_engine(url)  # says what is wrong
        raise
    return parts.get_backend_name() != "sqlite" or Path(parts.database or "").is_file()


@dataclass(slots=True)
class Written:
    """Whether anything was written that is still to be flushed."""

    anything: bool = False


class _Here(threading.local):
    """What one thread is doing: what it writes that it flushes later."""

    later: Written | None = None


class Database:
    """Transactions on one database.

    `read` and `write` are the only ways in; both commit at the end of the block, and roll back on an
    exception.

    Attributes:
        writers: so many can write at once.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = make_engine(url)
        self._turn: AbstractContextManager[object] = nullcontext()
        self._flushes: Flushes | None = None
        self._here = _Here()
        self.writers = 8
        if self._engine.dialect.name == "sqlite":
            self.writers = 1
            self._turn = threading.Lock()
            self._flushes = Flushes(Path(f"{self._engine.url.database}-wal"))

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a consistent snapshot."""
        with _unavailable_is_said(), self._engine.begin() as connection:
            _begin(connection, "BEGIN")
            yield connection

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open a transaction that may write; what it wrote is on the disk when the block has ended.

        SQLite has one writer at a time and lets others look again and again whether it is done: those of
        this process wait here instead, and are woken. It would also flush its log for each commit while
        nobody else can write; here the next one writes meanwhile, and one flush serves all that wait for it.
        """
        with _unavailable_is_said(), self._turn, self._engine.begin() as connection:
            _begin(connection, "BEGIN IMMEDIATE")
            yield connection
        if self._here.later is None:
            self.flush()
        else:
            self._here.later.anything = True

    @contextmanager
    def flushed_once(self) -> Iterator[None]:
        """Have all that this thread writes in the block on the disk when the block has ended, not before.

        A power cut within it may undo what was committed, though never out of order.
        """
        if self._here.later is not None:
            yield
            return
        written = Written()
        try:
            with self.flushed_later() as written:
                yield
        finally:
            if written.anything:
                self.flush()

    @contextmanager
    def flushed_later(self) -> Iterator[Written]:
        """Have nothing flushed that this thread writes in the block; who opens it has to call `flush`."""
        self._here.later = written = Written()
        try:
            yield written
        finally:
            self._here.later = None

    def flush(self) -> None:
        """Return once all that was committed before is on the disk.

        Raises:
            StoreUnavailable: the disk did not take it.
        """
        if self._flushes is None:
            return
        try:
            self._flushes.wait()
        except OSError as error:
            raise StoreUnavailable(f"The disk does not take what is written: {error.strerror}.") from error

    def migrate(self) -> None:
        """Bring the schema to this version's; safe to run again.

        Raises:
            SchemaOutdated: a newer version wrote it.
        """
        from alembic import command  # noqa: PLC0415 - heavy, and a store is seldom migrated
        from alembic.config import Config  # noqa: PLC0415 - the same

        config = Config()
        config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
        with _unavailable_is_said(), _rows_kept(self._engine) as connection:
            current, head = _revision(connection), _head()
            if _is_newer(current, head):
                raise _outdated(current, head)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check_schema(self) -> None:
        """Raise SchemaOutdated unless the schema is exactly this version's."""
        with self.read() as connection:
            current, head = _revision(connection), _head()
        if current != head:
            raise _outdated(current, head)

    def damage(self) -> str | None:
        """Return what is wrong with the file of an SQLite database; None where nothing is found."""
        if self._engine.dialect.name != "sqlite":
            return None
        with self.read() as tx:
            found = str(tx.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
        return None if found == "ok" else " ".join(found.split())[:200]

    def is_empty(self) -> bool:
        """Whether no migration ever ran here."""
        with self.read() as connection:
            return not _revision(connection)

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()


def _scripts() -> Path:
    """Return the folder of the migrations."""
    return next(path for path in _SCRIPTS if (path / "env.py").is_file())


def _head() -> str:
    """Return the newest revision: the migrations' files are named by their numbers, in their order."""
    return max(path.name.partition("_")[0] for path in (_scripts() / "versions").glob("[0-9]*_*.py"))


def _revision(connection: Connection) -> str:
    """Return the revision that alembic recorded, without loading it; nothing where no migration ever ran."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.scalar(text("SELECT version_num FROM alembic_version")) or "")


def _is_newer(current: str, head: str) -> bool:
    """Whether a revision is one that this version does not know yet: they are numbered."""
    return current.isdigit() and current > head


def _outdated(current: str, head: str) -> SchemaOutdated:
    do = "Run `unabridged migrate` (and keep a copy of the data folder first)."
    if _is_newer(current, head):
        do = "A newer version wrote it: update unabridged."
    said = f"The store's schema is at {current or 'nothing'}, this version works on {head}."
    return SchemaOutdated(f"{said} {do}")


@contextmanager
def _rows_kept(engine: Engine) -> Iterator[Connection]:
    """Open a transaction in which SQLite may build a table anew without deleting what refers to it.

    On SQLite a table is altered by dropping it, and with foreign keys on that deletes dependent rows. The
    switch has no effect inside a transaction (sqlite.org/pragma.html#pragma_foreign_keys).
    """
    if engine.dialect.name != "sqlite":
        with engine.begin() as connection:
            yield connection
        return
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                _begin(connection, "BEGIN IMMEDIATE")
                yield connection
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


_PATH = re.compile(r"""(?<![\w.])[/~]\w|[A-Za-z]:[\\/]|\\\\""")


def _without_paths(error: BaseException | None) -> str:
    """Return the first line of what a driver says; where it names a socket or a file, its kind alone."""
    said = str(error).partition("\n")[0]
    return type(error).__name__ if _PATH.search(said) else said


@contextmanager
def _unavailable_is_said() -> Iterator[None]:
    """Say in the product's words that the database cannot be used (disk full, locked, unreachable)."""
    try:
        yield
    except OperationalError as error:
        said = _without_paths(error.orig)
        raise StoreUnavailable(f"The database can't be used just now: {said}") from error
    except DatabaseError as error:
        if type(error) is not DatabaseError:  # those below it tell of statements, not of the database
            raise
        raise StoreUnavailable(
            f"The database is damaged, or is none: {error.orig}. Put back a copy of it."
        ) from error
