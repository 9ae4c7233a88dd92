"""Save what running answers say while they say it: all of them in one transaction, a few times a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from service.errors import StoreUnavailable
from service.store import answers
from service.store.session import Database
from service.usecases.feed import Channel

SAVE_SECONDS = 0.25
"""How often the streams are saved while they come; a crash loses no more of the shown text than this."""


class Saver:
    """Saves the channels that are in its keeping, and sees which answers somebody asked to stop.

    One for a process. A save costs the same for one answer as for hundreds, but for their rows.
    """

    def __init__(self) -> None:
        self._rounds: dict[tuple[asyncio.AbstractEventLoop, Database], _Round] = {}

    @asynccontextmanager
    async def keeping(self, db: Database, answer_id: str, channel: Channel) -> AsyncIterator[None]:
        """Save a channel until the block ends; after that nothing of it is under way any more."""
        key = (asyncio.get_running_loop(), db)
        round_ = self._rounds.get(key)
        if round_ is None:
            round_ = self._rounds[key] = _Round(db)
        round_.channels[answer_id] = channel
        try:
            yield
        finally:
            del round_.channels[answer_id]
            if not round_.channels:
                self._rounds.pop(key, None)
            await round_.leave()


class _Round:
    """The channels that are saved together: those that run on one loop and are kept in one database."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._saving: asyncio.Future[set[str]] | None = None
        self._going = asyncio.create_task(self._go())
        self.channels: dict[str, Channel] = {}

    async def leave(self) -> None:
        """Wait until what is being saved is saved; end with the last channel.

        Raises:
            Exception: whatever ended the saving.
        """
        if self._saving is not None:
            await asyncio.wait({self._saving})
        if not self.channels:
            self._going.cancel()
        if self._going.done() and not self._going.cancelled():
            self._going.result()

    async def _go(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            with suppress(StoreUnavailable):  # what is not saved now is saved with what follows
                self._saving = asyncio.ensure_future(asyncio.to_thread(_save, self._db, dict(self.channels)))
                for answer_id in await asyncio.shield(self._saving):
                    if answer_id in self.channels:
                        self.channels[answer_id].cancelled.set()


def _save(db: Database, channels: Mapping[str, Channel]) -> set[str]:
    """Return the answers that somebody asked to stop."""
    unsaved = ((answer_id, channel.unsaved()) for answer_id, channel in channels.items())
    fresh = {answer_id: events for answer_id, events in unsaved if events}
    if not fresh:
        with db.read() as tx:
            return answers.cancels_requested(tx, list(channels))
    with db.write() as tx:
        answers.add_all_events(tx, fresh)
        stop = answers.cancels_requested(tx, list(channels))
    for answer_id, events in fresh.items():
        channels[answer_id].saved(events)
    return stop
