"""The commands that run a service, and that bring its store up to date."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from service import console, opening


def serve(
    host: Annotated[
        str, typer.Option(help="Elsewhere than on loopback it takes a key: `unabridged keys`.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8000,
    *,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Leave reading to `unabridged worker`.")
    ] = False,
) -> None:
    """Run the HTTP service; its reference is at /docs.

    Example: unabridged serve --port 8080
    """
    from service import server  # noqa: PLC0415 - its libraries would slow every other command

    server.run(opening.settings(), host=host, port=port, work=not no_worker)


def worker() -> None:
    """Read documents for a service that runs with --no-worker, until stopped.

    Example: unabridged worker
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with opening.working(opening.settings(), serving=True) as (_ctx, working):
        console.errors().print(f"working as {working.seat}; stop with Ctrl-C")
        stop.wait()


def migrate() -> None:
    """Bring the store's schema to this version's, once after an update.

    Example: unabridged migrate
    """
    from service import jobs  # noqa: PLC0415 - see `opening.working`

    ctx = opening.context(opening.settings(), migrate=True)
    jobs.migrate(ctx.db)
    console.errors().print("The store is up to date.")
