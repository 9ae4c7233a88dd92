"""What a running answer says, for those who listen in the same process; others read it from the store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from service.store.answers import Event

TERMINAL = frozenset({"done", "error"})
"""Events after which nothing follows."""


class Channel:
    """One answer's events, in order; written by its runner, read by any number of followers on any loop."""

    def __init__(self, *, after: int) -> None:
        self._after = after
        self._events: list[Event] = []
        self._saved = 0
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self.cancelled = asyncio.Event()

    def publish(self, name: str, data: dict[str, Any]) -> None:
        """Append an event and wake the followers."""
        with self._lock:
            self._events.append(Event(self._after + len(self._events) + 1, name, data))
            woken = list(self._waiting.items())
        for bell, loop in woken:
            loop.call_soon_threadsafe(bell.set)

    def after(self, number: int) -> list[Event]:
        """Return the events behind that number which this channel has seen."""
        with self._lock:
            return self._events[max(0, number - self._after) :]

    def unsaved(self) -> list[Event]:
        """Return the events that are not known to be saved."""
        with self._lock:
            return self._events[self._saved :]

    def saved(self, events: Sequence[Event]) -> None:
        """Note that these, the oldest unsaved ones, are in the store."""
        with self._lock:
            self._saved += len(events)

    def to_follow(self, said: Sequence[tuple[str, dict[str, Any]]]) -> list[Event]:
        """Return as events what will be published next, to be saved before anyone sees it."""
        with self._lock:
            first = self._after + len(self._events) + 1
        return [Event(first + n, name, data) for n, (name, data) in enumerate(said)]

    async def wait(self, number: int, *, seconds: float) -> None:
        """Wait until something follows that number, or the time is over."""
        bell = asyncio.Event()
        with self._lock:
            if self._after + len(self._events) > number:
                return
            self._waiting[bell] = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(bell.wait(), seconds)
        except TimeoutError:
            return
        finally:
            with self._lock:
                del self._waiting[bell]


class Feed:
    """The channels of the answers that run in this process."""

    def __init__(self) -> None:
        self._channels: dict[str, Channel] = {}
        self._lock = threading.Lock()

    def open(self, answer_id: str, *, after: int) -> Channel | None:
        """Open an answer's channel; None where it runs here already."""
        with self._lock:
            if answer_id in self._channels:
                return None
            return self._channels.setdefault(answer_id, Channel(after=after))

    def close(self, answer_id: str) -> None:
        """Forget a channel whose events are all saved."""
        with self._lock:
            self._channels.pop(answer_id, None)

    def get(self, answer_id: str) -> Channel | None:
        """Return the channel of an answer that runs here."""
        return self._channels.get(answer_id)
