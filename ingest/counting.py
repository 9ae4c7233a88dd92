"""Counts made in a process of their own: the vocabulary takes 80 MB, and whoever serves need not hold it too.

That process is a fork of the zygote, which has the vocabulary in any case. Where it can't be asked, the count
is made here: that costs the memory, and gives the same number.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from ingest import counter, tokens
from ingest.child import Child
from ingest.errors import ReaderCrashed
from ingest.sandbox import home

ATTEMPTS: Final = 2
"""A process that died is replaced; a text that ends the second one too is counted here."""

KEPT: Final = 256
KEPT_CHARS: Final = 1_000
"""How many counts are remembered, of texts up to this length: an answer's instructions are counted again and
again, and each look into the other process costs as much as 30 counts."""

_ANSWER_SECONDS: Final = 20.0
"""Much longer than any piece of text takes; who asks waits, and so do all others."""

_log = logging.getLogger(__name__)


@contextmanager
def counting_apart() -> Iterator[None]:
    """Have `count_tokens` ask a process that reading processes come from, until the block ends."""
    clerk = _Clerk()
    home.warm()
    tokens.way.apart = clerk.count
    try:
        yield
    finally:
        tokens.way.apart = None
        clerk.close()


class _Clerk:
    """The process that counts, for any number of threads: started at the first count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._owner = os.getpid()
        self._remembered = lru_cache(KEPT)(self._counted)

    def count(self, text: str) -> int:
        """Return the count, made there or, where that fails, here."""
        return self._remembered(text) if len(text) <= KEPT_CHARS else self._counted(text)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._drop()

    def _counted(self, text: str) -> int:
        if os.getpid() == self._owner:  # in a fork, the other would get what this one asked for
            for _ in range(ATTEMPTS):
                try:
                    return self._asked(text)
                except (OSError, ReaderCrashed) as fault:
                    _log.warning("The process that counts tokens does not answer: %s", fault)
        return tokens.count_here(text)

    def _asked(self, text: str) -> int:
        with self._lock:
            whole = False
            try:
                if self._child is None:
                    self._child = home.hire_counter()
                    self._child.answer.settimeout(_ANSWER_SECONDS)
                count = counter.ask(self._child.answer, text)
                whole = True
            finally:
                if not whole:  # what still came of it would be taken for the next one's answer
                    self._drop()
            return count

    def _drop(self) -> None:
        if self._child is not None:
            self._child.close()
        self._child = None
