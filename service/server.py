"""The HTTP service as a process, apart from the commands that need none of its libraries."""

from __future__ import annotations

import uvicorn

from service import factory, jobs
from service.api.access import is_loopback
from service.app import create_app, listen
from service.errors import Fix, NotAllowed
from service.settings import Settings


def require_loopback(host: str) -> None:
    """Raise NotAllowed unless only this machine can reach that address."""
    if not is_loopback(host):
        raise NotAllowed(
            f"Without keys the service only listens on this machine, not on {host}.",
            fixes=(Fix("use_host", "Use --host 127.0.0.1."),),
        )


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
    factory.ocr_languages(settings)  # a language that is not there is said before anything is opened
    settings.check_data()
    settings.check_models_file()
    factory.open_database(settings).close()  # what is wrong with the store is said before the server starts
    listening = listen(host, port)
    app = create_app(settings, work=work)
    config = uvicorn.Config(app, log_level="info", timeout_graceful_shutdown=jobs.SHUTDOWN_SECONDS)
    uvicorn.Server(config).run(sockets=[listening])
