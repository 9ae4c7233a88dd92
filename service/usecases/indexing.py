"""Work that is done behind the scenes, one thing after another, once nobody has asked for it for a moment."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from service.errors import StoreUnavailable

QUIET_SECONDS = 1.0
"""Documents of one upload become ready one after another: they are indexed together."""

Work = Callable[[Callable[[], bool]], object]
"""Is handed what tells whether it is to stop."""

log = logging.getLogger(__name__)


class Indexer:
    """A thread that brings indexes up to date; it starts with the first thing to do."""

    def __init__(self) -> None:
        self._wanted: dict[str, Work] = {}
        self._lock = threading.Lock()
        self._asked = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def want(self, name: str, work: Work) -> None:
        """Have something done soon; asked for again under the same name before it begins, it is done once."""
        with self._lock:
            if self._over.is_set():
                return
            self._wanted[name] = work
            self._asked.set()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="indexer", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop at the next occasion, and wait for that."""
        with self._lock:
            self._over.set()
            self._asked.set()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            self._asked.wait()
            self._asked.clear()
            while not self._over.is_set() and self._asked.wait(QUIET_SECONDS):
                self._asked.clear()
            while not self._over.is_set() and (work := self._next()) is not None:
                try:
                    work(self._over.is_set)
                except (OSError, ValueError, StoreUnavailable) as error:  # the next question tries again
                    log.warning("an index could not be brought up to date: %s", error)

    def _next(self) -> Work | None:
        with self._lock:
            name = next(iter(self._wanted), None)
            return None if name is None else self._wanted.pop(name)
