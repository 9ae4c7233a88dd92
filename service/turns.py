"""How many documents are read at once: a few, and more while some of them take long."""

from __future__ import annotations

import threading
import time
from typing import Final

SLOW_SECONDS: Final = 5.0
"""Nearly all documents are read in less."""
SLOW_FOR_EACH: Final = 1
"""Slow readings beside each quick one; what each of them may take is bounded by its own limits."""


class Turns:
    """Admits threads to a `with` block, in their order: no more than `quick` that came lately.

    A reading that has taken `slow_seconds` makes room for the next one, so that a file which holds its reader
    up to the last limit does not hold up those behind it.
    """

    def __init__(self, quick: int, *, slow_seconds: float = SLOW_SECONDS) -> None:
        self._quick = quick
        self._at_most = quick * (1 + SLOW_FOR_EACH)
        self._slow_seconds = slow_seconds
        self._changed = threading.Condition()
        self._begun: dict[int, float] = {}  # by thread

    def __enter__(self) -> None:
        """Wait for one's turn."""
        with self._changed:
            while (seconds := self._seconds_to_wait()) != 0:
                self._changed.wait(seconds)
            self._begun[threading.get_ident()] = time.monotonic()

    def __exit__(self, *_: object) -> None:
        """Let the next one in."""
        with self._changed:
            del self._begun[threading.get_ident()]
            self._changed.notify()

    def _seconds_to_wait(self) -> float:
        """Return 0 where there is room, else when there could be without anyone's leaving."""
        if len(self._begun) >= self._at_most:
            return self._slow_seconds
        now = time.monotonic()
        left = [since + self._slow_seconds - now for since in self._begun.values()]
        young = sorted(seconds for seconds in left if seconds > 0)
        return young[0] if len(young) >= self._quick else 0
