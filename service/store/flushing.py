"""One flush to the disk for all commits that wait for one: SQLite's log takes many as fast as one."""

from __future__ import annotations

import os
import threading
from pathlib import Path

_flush = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter


class Flushes:
    """Lets commits wait until the write-ahead log that holds them is on the disk.

    The log is written in order, so a flush that begins after a commit makes it last, and all before it. While
    one is under way, whoever commits waits for the next, which one of them then does for all.

    Args:
        log: the write-ahead log's file.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._news = threading.Condition()
        self._asked = 0
        self._done = 0
        self._under_way = False
        self._failure: OSError | None = None

    def wait(self) -> None:
        """Return once everything that was committed before is on the disk.

        Raises:
            OSError: the disk did not take it, now or before: what it holds since then nobody knows.
        """
        with self._news:
            self._asked += 1
            mine = self._asked
            while self._done < mine:
                if self._failure is not None:
                    raise self._failure
                if self._under_way:
                    self._news.wait()
                else:
                    self._flush_for_all()

    def _flush_for_all(self) -> None:
        """Flush once for all who have asked by now; called and left with the lock held."""
        upto, self._under_way = self._asked, True
        self._news.release()
        try:
            failure = self._failed()
        finally:
            self._news.acquire()
            self._under_way = False
            self._news.notify_all()
        if failure is None:
            self._done = max(self._done, upto)
        self._failure = failure

    def _failed(self) -> OSError | None:
        try:
            self._write()
        except OSError as error:
            return error
        return None

    def _write(self) -> None:
        try:
            handle = os.open(self._log, os.O_RDONLY)
        except FileNotFoundError:
            return  # it was put into the database, flushed, when its last connection closed
        try:
            _flush(handle)
        finally:
            os.close(handle)
