"""Who commits waits for a flush that began after the commit, and one flush serves all that wait."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.errors import StoreUnavailable
from service.store import flushing
from service.store.flushing import Flushes
from service.store.session import Database


class Disk:
    """A disk that flushes one at a time, when it is let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.flushes = 0
        monkeypatch.setattr(flushing, "_flush", self.flush)

    def flush(self, _handle: int) -> None:
        self.flushes += 1
        self.begun.release()
        assert self.let.acquire(timeout=10)


def test_one_flush_serves_all_that_came_while_another_was_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log").touch()
    disk, flushes = Disk(monkeypatch), Flushes(tmp_path / "log")
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(flushes.wait)
        assert disk.begun.acquire(timeout=10)
        later = [pool.submit(flushes.wait) for _ in range(8)]
        while flushes._asked < 9:  # noqa: SLF001 - until all have asked
            pass
        disk.let.release()
        first.result(timeout=10)
        assert not any(one.done() for one in later)  # what they committed may have come after that flush
        disk.let.release()
        for one in later:
            one.result(timeout=10)
    assert disk.flushes == 2


def test_a_disk_that_failed_once_is_not_trusted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log").touch()
    flushes = Flushes(tmp_path / "log")

    def broken(_handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(flushing, "_flush", broken)
    with pytest.raises(OSError, match="Input/output"):
        flushes.wait()
    monkeypatch.setattr(flushing, "_flush", lambda _handle: None)
    with pytest.raises(OSError, match="Input/output"):
        flushes.wait()


def test_a_write_that_the_disk_does_not_take_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = Database(f"sqlite:///{tmp_path / 'a.db'}")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(flushing, "_flush", full)
    with pytest.raises(StoreUnavailable, match="No space left"), db.write() as tx:
        tx.exec_driver_sql("CREATE TABLE one (n INTEGER)")
    db.close()


def test_every_write_is_flushed_before_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(flushing, "_flush", seen.append)
    db = Database(f"sqlite:///{tmp_path / 'a.db'}")
    for number in range(3):
        with db.write() as tx:
            tx.exec_driver_sql(f"CREATE TABLE t{number} (n INTEGER)")
        assert len(seen) == number + 1
    with db.read() as tx:
        tx.exec_driver_sql("SELECT 1")
    assert len(seen) == 3
    db.close()
