"""What use cases work with: the worlds and the rules, put together once by the wiring."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ingest import Limits
from service.domain.catalog import Catalog
from service.provider import Provider
from service.store.blobs import Blobs
from service.store.search import PageIndex
from service.store.session import Database, Transaction
from service.store.write_queue import WriteQueue
from service.usecases.feed import Feed
from service.usecases.indexing import Indexer
from service.usecases.save_streams import Saver

LOCAL = "local"
"""The one tenant of an installation without keys."""


class Queue(Protocol):
    """Where work is left that must happen, whoever does it and when."""

    def extract(self, tx: Transaction, document_id: str) -> None:
        """Have a document read; part of the caller's transaction."""
        ...

    def wake(self) -> None:
        """Say that a transaction which left work was committed; what is not said is only seen later."""
        ...

    def close(self) -> None:
        """Free connections."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """The installation's own terms.

    Attributes:
        model: asked where a request names none.
        guard_band: what counts as `near` below the threshold, as `planner.guard_tokens` takes it.
        plan_seconds: how long a plan's price is binding.
        concurrent_calls: at most so many calls of one answer at once.
        languages: recognised on scanned pages and images; none of them are read without any.
        account: tells one provider's account from another, and nothing of its key.
        batch_poll_seconds: between the first looks at a batch; later ones are further apart.
    """

    model: str = "gpt-5.5"
    guard_band: float = 0.05
    max_upload_bytes: int = 4 << 30
    plan_seconds: int = 3600
    concurrent_calls: int = 4
    languages: tuple[str, ...] = ()
    account: str = ""
    batch_poll_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a use case may touch."""

    db: Database
    blobs: Blobs
    catalog: Catalog
    provider: Provider
    queue: Queue
    feed: Feed
    now: Callable[[], datetime]
    index: PageIndex
    indexer: Indexer = field(default_factory=Indexer)
    saver: Saver = field(default_factory=Saver)
    writes: WriteQueue = field(default_factory=WriteQueue)
    terms: Terms = field(default_factory=Terms)
    limits: Limits = field(default_factory=Limits)

    def close(self) -> None:
        """Give all connections back."""
        self.indexer.close()
        self.queue.close()
        self.db.close()


def new_id(prefix: str) -> str:
    """Return a fresh id; ids of one prefix sort by the millisecond they were made in."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"
