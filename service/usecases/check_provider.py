"""Look at who answers: the provider, its key, the model that is asked, and how old the prices are."""

from __future__ import annotations

from datetime import date, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from service.domain.catalog import Catalog
from service.domain.findings import Finding
from service.errors import NotFound
from service.provider.profiles import COMPATIBLE, Profile
from service.provider.reaching import Reached, reach

OLD = timedelta(days=90)
"""Prices change about so often."""

SECONDS = 5.0
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})


def check_catalog(catalog: Catalog, today: date) -> Finding:
    """Say how old the prices are."""
    said = f"Prices are of {catalog.as_of:%Y-%m-%d}"
    if today - catalog.as_of > OLD:
        do = "Update unabridged, or name today's prices in UNABRIDGED_MODELS_FILE."
        return Finding("prices", "warn", f"{said}, {(today - catalog.as_of).days} days ago.", do)
    return Finding("prices", "ok", f"{said}, for {len(catalog.models)} models.")


def check_model(catalog: Catalog, name: str, today: date) -> Finding:
    """Say whether the model that is asked by default is known and has a price."""
    try:
        model = catalog.model(name)
    except NotFound as error:
        do = "Set UNABRIDGED_MODEL to one of those that `unabridged models` shows."
        return Finding("model", "fail", error.detail, do)
    if not model.takes_chat:
        do = "Set UNABRIDGED_MODEL to another."
        return Finding("model", "fail", f"{model.id} takes no chat completions.", do)
    if model.rates("standard", "short", today) is None:
        do = "Name its price in UNABRIDGED_MODELS_FILE: where a budget has to be held, it can't be asked."
        return Finding("model", "warn", f"{model.id} has no published price.", do)
    return Finding("model", "ok", f"{model.id} is asked where nothing else is said.")


def check_provider(
    profile: Profile | None, key: str | None, model: str, *, seconds: float = SECONDS
) -> Finding:
    """Say whether the provider answers and takes the key, by asking for its list of models, which is free.

    Args:
        profile: None without one.
        key: None without one.
        model: the one that is asked by default.
        seconds: how long it may take to answer.
    """
    if profile is None:
        said = "None is set: the closest passages are shown, and nothing is spent."
        return Finding("provider", "warn", said, "To have questions answered, set OPENAI_API_KEY.")
    if key is None and profile.name != COMPATIBLE.name and _is_vendors(profile):
        return Finding("provider", "fail", f"{profile.name} takes a key, and none is set.", _KEY)
    return _told(profile, reach(profile, key, seconds=seconds), profile.model_ids.get(model, model))


_KEY = "Set UNABRIDGED_PROVIDER_KEY (or OPENAI_API_KEY) to a key that holds."
_URL = "Look at UNABRIDGED_PROVIDER_URL (or OPENAI_BASE_URL): https://host/v1"


def _told(profile: Profile, reached: Reached, model: str) -> Finding:
    place = f"{profile.name} ({urlsplit(profile.base_url).netloc})"
    if reached.status is None:
        do = f"Look at the network and at whether it runs. {_URL}"
        return Finding("provider", "fail", f"{place} can't be reached: {reached.because}.", do)
    if reached.status in _REFUSED:
        return Finding("provider", "fail", f"{place} refuses the key ({reached.status}).", _KEY)
    if reached.status in _ABSENT:
        said = f"{place} answers. It has no list of models, so the key could not be tried."
        return Finding("provider", "ok", said)
    if reached.status != HTTPStatus.OK:
        said = f"{place} answers {reached.status} just now."
        return Finding("provider", "warn", said, f"Try again later. {_URL}")
    return _listing(place, reached, model)


def _listing(place: str, reached: Reached, model: str) -> Finding:
    """Say what the list of models tells."""
    if reached.models is None:
        return Finding("provider", "warn", f"{place} answers, but with no list of models.", _URL)
    if model not in reached.models:
        do = "Ask another with UNABRIDGED_MODEL, if questions are refused."
        return Finding("provider", "warn", f"{place} answers with this key, but does not list {model}.", do)
    return Finding("provider", "ok", f"{place} answers with this key, and has {model}.")


def _is_vendors(profile: Profile) -> bool:
    """Whether the address is on the internet: a server of one's own may take calls without a key."""
    return urlsplit(profile.base_url).scheme == "https"
