"""What a running answer says, for those who listen in the same process; others read it from the store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any, Self

from service.domain.answers import Ended
from service.errors import StoreUnavailable
from service.store.answers import TERMINAL, Event


class Channel:
    """One answer's events, in order; written by its runner, read by any number of followers on any loop."""

    def __init__(self) -> None:
        self._after = 0
        self._numbered = False
        self._events: list[Event] = []
        self._saved = 0
        self._closed = False
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.Future[None], asyncio.AbstractEventLoop] = {}
        self.cancelled = asyncio.Event()

    def open(self, opening: Event) -> None:
        """Begin with a saved event; where others have been told of already, their numbers go on."""
        with self._lock:
            if not self._events:
                self._after = opening.number - 1
                self._events.append(opening)
            self._numbered = True
        self._ring()

    def publish(self, name: str, data: dict[str, Any]) -> None:
        """Append an event and wake the followers."""
        with self._lock:
            self._events.append(Event(self._after + len(self._events) + 1, name, data))
        self._ring()

    def end(self, last: Sequence[Event]) -> None:
        """Append what `to_follow` numbered, and wake the followers."""
        with self._lock:
            self._events.extend(last)
        self._ring()

    def close(self) -> None:
        """Wake the followers: nothing more comes from here."""
        self._closed = True
        self._ring()

    def after(self, number: int) -> list[Event]:
        """Return the events behind that number which this channel has seen."""
        with self._lock:
            return self._events[max(0, number - self._after) :]

    @property
    def is_closed(self) -> bool:
        """Whether nothing more comes from here."""
        return self._closed

    @property
    def has_end(self) -> bool:
        """Whether the event is here that ends the stream."""
        with self._lock:
            return bool(self._events) and self._events[-1].name in TERMINAL

    @property
    def is_open(self) -> bool:
        """Whether it is known what its events' numbers are."""
        return self._numbered

    def reaches(self, number: int) -> bool:
        """Whether this channel alone knows everything that follows that event, the store nothing more."""
        with self._lock:
            return self._numbered and number >= self._after

    def unsaved(self) -> list[Event]:
        """Return the events that are not known to be saved."""
        with self._lock:
            return self._events[self._saved :]

    def saved(self, events: Sequence[Event]) -> None:
        """Note that the store has these, and with them all before."""
        if events:
            with self._lock:
                self._saved = max(self._saved, events[-1].number - self._after)

    def to_follow(self, said: Sequence[tuple[str, dict[str, Any]]], ended: Ended | None) -> list[Event]:
        """Return as events what ends the stream, to be saved before anyone sees it."""
        with self._lock:
            first = self._after + len(self._events) + 1
        return [
            Event(first + n, name, data, ended if name in TERMINAL else None)
            for n, (name, data) in enumerate(said)
        ]

    async def wait(self, number: int, *, seconds: float) -> None:
        """Wait until something follows that number, something happens, or the time is over."""
        loop = asyncio.get_running_loop()
        bell: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._closed or self._after + len(self._events) > number:
                return
            self._waiting[bell] = loop
        late = loop.call_later(seconds, _wake, bell)
        try:
            await bell
        finally:
            late.cancel()
            with self._lock:
                del self._waiting[bell]

    def _ring(self) -> None:
        with self._lock:
            woken = list(self._waiting.items())
        here = _running_loop() if woken else None
        for bell, loop in woken:
            if loop is here:
                _wake(bell)
            else:
                loop.call_soon_threadsafe(_wake, bell)


def _wake(bell: asyncio.Future[None]) -> None:
    if not bell.done():
        bell.set_result(None)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread; None in a thread without one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class Leaving:
    """Closes a channel at the end of a block; where the store was out of reach, only pauses it.

    Attributes:
        stays: leave it open.
    """

    def __init__(self, feed: Feed, answer_id: str) -> None:
        self._feed = feed
        self._answer_id = answer_id
        self.stays = False

    def __enter__(self) -> Self:
        """Go on."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Leave the channel."""
        if kind is not None and issubclass(kind, StoreUnavailable):
            self._feed.pause(self._answer_id)
        elif not self.stays:
            self._feed.close(self._answer_id)


class Feed:
    """The channels of the answers that run in this process."""

    def __init__(self) -> None:
        self._channels: dict[str, Channel] = {}
        self._paused: set[str] = set()
        self._expecting: dict[str, dict[asyncio.Event, asyncio.AbstractEventLoop]] = {}
        self._lock = threading.Lock()

    def open(self, answer_id: str, channel: Channel | None = None) -> Channel | None:
        """Open an answer's channel, the paused one where there is one; None where it runs here already.

        That of a new answer may have been made before.
        """
        with self._lock:
            if answer_id in self._paused:
                self._paused.remove(answer_id)
                return self._channels[answer_id]
            if answer_id in self._channels:
                return None
            channel = self._channels[answer_id] = channel or Channel()
            expecting = self._expecting.pop(answer_id, {})
        for bell, loop in expecting.items():
            loop.call_soon_threadsafe(bell.set)
        return channel

    def pause(self, answer_id: str) -> None:
        """Keep a channel, with what could not be saved, for the answer's next running in this process."""
        with self._lock:
            if answer_id in self._channels:
                self._paused.add(answer_id)

    def leaving(self, answer_id: str) -> Leaving:
        """Leave a channel when the block ends: for good, or until the store is back."""
        return Leaving(self, answer_id)

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

    async def expect(self, answer_id: str, *, seconds: float) -> None:
        """Wait until an answer begins to run here, or the time is over."""
        bell = asyncio.Event()
        with self._lock:
            if answer_id in self._channels:
                return
            self._expecting.setdefault(answer_id, {})[bell] = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(bell.wait(), seconds)
        except TimeoutError:
            return
        finally:
            with self._lock:
                waiting = self._expecting.get(answer_id, {})
                waiting.pop(bell, None)
                if not waiting:
                    self._expecting.pop(answer_id, None)
