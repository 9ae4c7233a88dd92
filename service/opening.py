"""What a command works on: the settings, the store, and the jobs, opened with every mistake said first."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service import factory, jobs
from service.domain.catalog import Catalog, Model
from service.errors import Fix, NotFound
from service.jobs import Worker
from service.settings import Settings, mistake
from service.usecases.context import Context


def settings(data: Path | None = None) -> Settings:
    """Return the installation's settings.

    Args:
        data: another folder than theirs.

    Raises:
        Invalid: one of them is none that it may be.
    """
    try:
        return Settings() if data is None else Settings(data=data)
    except (ValueError, OSError) as error:
        raise mistake(error) from error


def context(chosen: Settings, *, migrate: bool | None = None) -> Context:
    """Open the store.

    Raises:
        UnabridgedError: it can't be opened, or a setting can't be met.
    """
    factory.ocr_languages(chosen)  # a language that is not there is said before anything is opened
    chosen.check_data()
    chosen.check_models_file()
    return factory.open_context(chosen, queue=jobs.JobQueue, migrate=migrate)


@contextmanager
def working(
    chosen: Settings, *, extract: bool = True, serving: bool = False
) -> Iterator[tuple[Context, Worker]]:
    """Open the store and carry jobs out.

    Args:
        chosen: the installation's settings.
        extract: read documents too, whosever they are.
        serving: take up answers too. A command does not, and says itself what became of its work, so what the
            job system says of its own end is left out.
    """
    ctx = context(chosen)
    if not serving:  # a filter, for the job system sets its logger's level itself
        logging.getLogger("dbos").addFilter(lambda record: record.levelno >= logging.CRITICAL)
    try:
        with jobs.working(ctx, chosen, extract=extract, serving=serving) as worker:
            yield ctx, worker
    finally:
        ctx.close()


def model(catalog: Catalog, name: str) -> Model:
    """Return the model of that name.

    Raises:
        NotFound: there is none; the fixes name the nearest three.
    """
    try:
        return catalog.model(name)
    except NotFound as error:
        ids = {known.casefold(): model.id for model in catalog.models for known in model.names}
        near = difflib.get_close_matches(name.casefold(), ids, n=len(ids), cutoff=0.0)
        nearest = list(dict.fromkeys(ids[known] for known in near))[:3]
        fixes = [Fix("use_model", f"use model {known}", (("model", known),)) for known in nearest]
        every = Fix("list_models", "`unabridged models` shows them all.")
        raise NotFound(error.detail, fixes=(*fixes, every)) from error
