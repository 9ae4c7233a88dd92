"""The one place that puts the worlds together, for the server, the worker and the command line alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files

from ingest import recognition
from ingest.sandbox import LANGUAGES
from service.domain.catalog import Catalog
from service.errors import Invalid
from service.provider import Provider
from service.provider.offline import OfflineProvider
from service.provider.profiles import named
from service.settings import Settings
from service.store.blobs import Blobs
from service.store.search import PageIndex
from service.store.session import Database
from service.usecases.context import Context, Queue, Terms
from service.usecases.feed import Feed


def open_context(
    settings: Settings, *, queue: Callable[[Database], Queue], migrate: bool | None = None
) -> Context:
    """Open the store and put a context together.

    Args:
        settings: the installation's.
        queue: makes the queue on the opened database.
        migrate: bring the schema up to date; None does so on a fresh store only.

    Raises:
        SchemaOutdated: the schema is not this version's, and was not to be migrated.
        Invalid: scans are to be read in a language that is not installed.
    """
    languages = ocr_languages(settings)
    db = open_database(settings, migrate=migrate)
    return Context(
        db=db,
        blobs=Blobs(settings.blob_url),
        catalog=make_catalog(settings),
        provider=make_provider(settings),
        queue=queue(db),
        feed=Feed(),
        now=lambda: datetime.now(UTC),
        index=PageIndex(settings.data / "search"),
        terms=Terms(
            model=settings.model,
            guard_band=settings.guard_band,
            max_upload_bytes=settings.max_upload_bytes,
            plan_seconds=settings.plan_seconds,
            languages=languages,
            account=account_of(settings),
            batch_poll_seconds=settings.batch_poll_seconds,
        ),
    )


def ocr_languages(settings: Settings) -> tuple[str, ...]:
    """Return the languages to recognise on scans; with `auto`, English where it is installed.

    Raises:
        Invalid: one that was asked for is not installed.
    """
    if settings.ocr == "off":
        return ()
    if settings.ocr == "auto":
        return () if recognition.missing(LANGUAGES) else LANGUAGES
    languages = tuple(settings.ocr.split("+"))
    lacking = recognition.missing(languages)
    if lacking:
        raise Invalid(
            f"UNABRIDGED_OCR: {', '.join(lacking)} can't be recognised here, for want of tesserocr or that "
            f"language's data (Debian: tesseract-ocr-{lacking[0].replace('_', '-')}). Install it, or choose "
            "auto or off."
        )
    return languages


def open_database(settings: Settings, *, migrate: bool | None = None) -> Database:
    """Open the database, in the schema of this version.

    Raises:
        SchemaOutdated, StoreUnavailable: see `open_context`.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    db = Database(settings.database_url)
    if migrate or (migrate is None and db.is_empty()):
        db.migrate()
    db.check_schema()
    return db


def make_catalog(settings: Settings) -> Catalog:
    """Read the packaged catalog, and the user's models over it."""
    packaged = (files("service.domain") / "catalog.toml").read_text(encoding="utf-8")
    catalog = Catalog.parse(packaged)
    if settings.models_file is None:
        return catalog
    return catalog.with_models(settings.models_file.read_text(encoding="utf-8"))


def account_of(settings: Settings) -> str:
    """Return what tells the provider's account from another; empty without a key."""
    if settings.provider_key is None:
        return ""
    said = f"{settings.provider_url or ''}\n{settings.provider_key.get_secret_value()}"
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def make_provider(settings: Settings) -> Provider:
    """Return the engine that answers: a provider over HTTP, or the offline one."""
    if settings.provider is None or settings.provider == "offline":
        return OfflineProvider()
    from service.provider.client import HttpProvider  # noqa: PLC0415 - it loads a client and its certificates

    key = settings.provider_key.get_secret_value() if settings.provider_key else None
    return HttpProvider(named(settings.provider, base_url=settings.provider_url), key)
