"""Everything that is looked at to say whether an installation can work, put together from its settings."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from service import factory
from service.api.access import is_loopback
from service.domain.catalog import Catalog
from service.domain.findings import Finding
from service.errors import UnabridgedError
from service.provider.profiles import Profile, named
from service.settings import Settings
from service.usecases import check_packages, check_provider, check_reading, check_store


def examine(settings: Settings, *, host: str, port: int) -> Iterator[Finding]:
    """Yield what each check finds, as soon as it does. No check changes or pays for anything.

    Args:
        settings: the installation's.
        host: where it would listen.
        port: the same; 0 takes a free one.
    """
    yield check_packages.check_python()
    yield check_packages.check_packages()
    yield from _store(settings, host)
    yield check_reading.check_reader()
    yield check_reading.check_tokenizer()
    yield _tried("ocr", lambda: check_reading.check_ocr(settings.ocr, factory.ocr_languages(settings)))
    yield from _provider(settings)
    yield check_port(host, port)


def _store(settings: Settings, host: str) -> Iterator[Finding]:
    folder = check_store.check_folder(settings.data)
    yield folder
    yield check_store.check_space(settings.data)
    finding, db = check_store.check_database(settings.database_url)
    yield finding
    try:
        if db is not None:
            yield check_store.check_files(db, settings.blob_url)
            yield check_store.check_index(db, settings.data / "search")
        if finding.state == "ok":
            now, exposed = datetime.now(UTC), not is_loopback(host)
            yield check_store.check_keys(db, now=now, exposed=exposed, host=host)
    finally:
        if db is not None:
            db.close()


def _provider(settings: Settings) -> Iterator[Finding]:
    today = datetime.now(UTC).date()

    def catalog() -> Catalog:
        settings.check_models_file()
        return factory.make_catalog(settings)

    yield _tried("prices", lambda: check_provider.check_catalog(catalog(), today))
    yield _tried("model", lambda: check_provider.check_model(catalog(), settings.model, today))
    key = settings.provider_key.get_secret_value() if settings.provider_key else None
    yield _tried("provider", lambda: check_provider.check_provider(_profile(settings), key, settings.model))


def _profile(settings: Settings) -> Profile | None:
    if settings.provider is None or settings.provider == "offline":
        return None
    return named(settings.provider, base_url=settings.provider_url)


def check_port(host: str, port: int) -> Finding:
    """Say whether a service could listen there."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except (OSError, UnicodeError, OverflowError) as error:
        number = error.errno if isinstance(error, OSError) else None
        if number == errno.EADDRINUSE:
            said = f"Port {port} of {host} is taken, by a service that runs already or by another program."
            return Finding("port", "warn", said, "To serve beside it, choose another with --port.")
        why = os.strerror(number) if number is not None and number > 0 else "there is no such address"
        return Finding(
            "port", "fail", f"Nothing can listen on port {port} of {host}: {why}.", "Choose others."
        )
    return Finding("port", "ok", f"Port {port} of {host} is free." if port else f"{host} has free ports.")


def _tried(check: str, look: Callable[[], Finding]) -> Finding:
    """Return what a check finds; a setting that keeps it from looking is what it finds then."""
    try:
        return look()
    except UnabridgedError as error:
        return Finding(check, "fail", error.detail)
