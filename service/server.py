"""The HTTP service as a process, apart from the commands that need none of its libraries."""

from __future__ import annotations

import gc
import logging
import socket
from datetime import UTC, datetime

import uvicorn

from service import allocator, factory, jobs
from service.api.access import is_loopback
from service.app import create_app, listen
from service.errors import Fix, NotAllowed
from service.settings import Settings
from service.store import keys

KEPT_ALIVE_S = 75
"""So long an idle connection stays open: longer than clients keep theirs for the next request, by which who
closes is the client, and no request meets a connection that is closing. httpx keeps for 5 seconds, which is
uvicorn's own, fetch in Node for 4, load balancers for 60; 75 is nginx's."""

YOUNG_OBJECTS = 10_000
"""So many more than before, and Python looks for garbage that refers to itself: at its own 700, hundreds of
answers under way were looked through again and again, for a twelfth of all their processor time."""


def require_key(settings: Settings, host: str) -> None:
    """Raise NotAllowed unless somebody has a key, or only this machine can reach that address."""
    db = factory.open_database(settings)  # what is wrong with the store is said before the server starts
    try:
        if is_loopback(host):
            return
        with db.read() as tx:
            if keys.any_usable(tx, now=datetime.now(UTC)):
                return
    finally:
        db.close()
    raise NotAllowed(
        f"Without keys the service only listens on this machine, not on {host}.",
        fixes=(
            Fix("add_key", "Make a key first: unabridged keys add NAME"),
            Fix("use_host", "Use --host 127.0.0.1."),
        ),
    )


def address_of(listening: socket.socket) -> str:
    """Return what a browser on this machine opens."""
    host, port = listening.getsockname()[:2]
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound here
    return f"http://[{here}]:{port}/" if ":" in here else f"http://{here}:{port}/"


def run(settings: Settings, *, host: str, port: int, work: bool) -> None:
    """Serve until stopped.

    Args:
        settings: the installation's.
        host: where to listen.
        port: 0 takes a free one.
        work: read documents in this process too.

    Raises:
        UnabridgedError: it can't be started; nothing was taken up.
    """
    allocator.bound_arenas()
    factory.ocr_languages(settings)  # a language that is not there is said before anything is opened
    settings.check_data()
    settings.check_models_file()
    require_key(settings, host)
    listening = listen(host, port)
    app = create_app(settings, work=work, exposed=not is_loopback(host))
    config = uvicorn.Config(
        app,
        log_level="info",
        timeout_keep_alive=KEPT_ALIVE_S,
        timeout_graceful_shutdown=jobs.SHUTDOWN_SECONDS,
    )
    # The configuration above has set up that logger; of a socket that it is given, uvicorn tells no address.
    logging.getLogger("uvicorn.error").info("Unabridged is at %s (Ctrl-C stops it)", address_of(listening))
    gc.freeze()  # the libraries stay: looking through them for garbage took a tenth of every preview
    gc.set_threshold(YOUNG_OBJECTS)
    uvicorn.Server(config).run(sockets=[listening])
