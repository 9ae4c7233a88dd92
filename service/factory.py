"""The one place that puts the worlds together, for the server, the worker and the command line alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files

from service.domain.catalog import Catalog
from service.provider import Provider
from service.provider.client import HttpProvider
from service.provider.offline import OfflineProvider
from service.provider.profiles import named
from service.settings import Settings
from service.store.blobs import Blobs
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
    """
    db = open_database(settings, migrate=migrate)
    return Context(
        db=db,
        blobs=Blobs(settings.blob_url),
        catalog=make_catalog(settings),
        provider=make_provider(settings),
        queue=queue(db),
        feed=Feed(),
        now=lambda: datetime.now(UTC),
        terms=Terms(
            model=settings.model,
            guard_band=settings.guard_band,
            max_upload_bytes=settings.max_upload_bytes,
            plan_seconds=settings.plan_seconds,
        ),
    )


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


def make_provider(settings: Settings) -> Provider:
    """Return the engine that answers: a provider over HTTP, or the offline one."""
    if settings.provider is None or settings.provider == "offline":
        return OfflineProvider()
    key = settings.provider_key.get_secret_value() if settings.provider_key else None
    return HttpProvider(named(settings.provider, base_url=settings.provider_url), key)
