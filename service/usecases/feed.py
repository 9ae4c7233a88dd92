"""What a running answer says, for those who listen in the same process; others read it from the store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from service.store.answers import Event


class Channel:
    """One answer's events, in order; written by its runner, read by any number of followers on any loop."""

    def __init__(self) -> None:
        self._after = 0
        self._events: list[Event] = []
        self._saved = 0
        self._closed = False
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self.cancelled = asyncio.Event()

    def number_from(self, after: int) -> None:
        """Number what comes from behind that on; where events have been told of, their numbers go on."""
        with self._lock:
            if not self._events:
                self._after = after
        self._ring()

    def publish(self, name: str, data: dict[str, Any]) -> None:
        """Append an event and wake the followers."""
        with self._lock:
            self._events.append(Event(self._after + len(self._events) + 1, name, data))
        self._ring()

    def close(self) -> None:
        """Wake the followers: nothing more comes from here."""
        self._closed = True
        self._ring()

    def after(self, number: int) -> list[Event]:
        """Return the events behind that number which this channel has seen."""
        with self._lock:
            return self._events[max(0, number - self._after) :]

    def unsaved(self) -> list[Event]:
        """Return the events that are not known to be saved."""
        with self._lock:
            return self._events[self._saved :]

    def saved(self, events: Sequence[Event]) -> None:
        """Note that the store has these, and with them all before."""
        if events:
            with self._lock:
                self._saved = max(self._saved, events[-1].number - self._after)

    def to_follow(self, said: Sequence[tuple[str, dict[str, Any]]]) -> list[Event]:
        """Return as events what will be published next, to be saved before anyone sees it."""
        with self._lock:
            first = self._after + len(self._events) + 1
        return [Event(first + n, name, data) for n, (name, data) in enumerate(said)]

    async def wait(self, number: int, *, seconds: float) -> None:
        """Wait until something follows that number, something happens, or the time is over."""
        bell = asyncio.Event()
        with self._lock:
            if self._closed or self._after + len(self._events) > number:
                return
            self._waiting[bell] = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(bell.wait(), seconds)
        except TimeoutError:
            return
        finally:
            with self._lock:
                del self._waiting[bell]

    def _ring(self) -> None:
        with self._lock:
            woken = list(self._waiting.items())
        for bell, loop in woken:
            loop.call_soon_threadsafe(bell.set)


class Feed:
    """The channels of the answers that run in this process."""

    def __init__(self) -> None:
        self._channels: dict[str, Channel] = {}
        self._paused: set[str] = set()
        self._lock = threading.Lock()

    def open(self, answer_id: str) -> Channel | None:
        """Open an answer's channel, the paused one where there is one; None where it runs here already."""
        with self._lock:
            if answer_id in self._paused:
                self._paused.remove(answer_id)
                return self._channels[answer_id]
            if answer_id in self._channels:
                return None
            return self._channels.setdefault(answer_id, Channel())

    def pause(self, answer_id: str) -> None:
        """Keep a channel, with what could not be saved, for the answer's next running in this process."""
        with self._lock:
            if answer_id in self._channels:
                self._paused.add(answer_id)

    def close(self, answer_id: str) -> None:
        """Forget a channel whose events are all saved."""
        with self._lock:
            channel = self._channels.pop(answer_id, None)
            self._paused.discard(answer_id)
        if channel is not None:
            channel.close()

    def get(self, answer_id: str) -> Channel | None:
        """Return the channel of an answer that runs here."""
        return self._channels.get(answer_id)
