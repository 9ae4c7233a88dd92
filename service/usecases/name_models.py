"""Say where a reply names another model than the one that was asked, and at whose price it is booked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.domain.answers import Answer, Call
from service.domain.catalog import Catalog, Model
from service.domain.replied_models import is_other, undated
from service.errors import NotFound

OTHER_MODEL = "other_model"


def named_model(catalog: Catalog, asked: Model, replied: str | None) -> Model | None:
    """Return the other model that a reply names; None where it is the asked one, or not in the catalog."""
    if replied is None or not is_other(asked.names, replied):
        return None
    for name in (replied, undated(replied)):
        try:
            return catalog.model(name)
        except NotFound:
            continue
    # Under another maker's name, or in other case, as `is_other` takes it.
    return next((model for model in catalog.models if not is_other(model.names, replied)), None)


def model_warnings(catalog: Catalog, answer: Answer, calls: Sequence[Call]) -> tuple[dict[str, Any], ...]:
    """Return a warning for each other model that replies of an answer name (JSON-ready)."""
    try:
        names = catalog.model(answer.model).names
    except NotFound:  # the user's own catalog has lost it since
        names = (answer.model,)
    others: dict[str, bool] = {}
    for call in calls:
        if call.replied_model is not None and is_other(names, call.replied_model):
            dearer = call.usage is not None and call.usage.priced_as is not None
            others[call.replied_model] = others.get(call.replied_model, False) or dearer
    return tuple(_warning(answer.model, name, dearer=dearer) for name, dearer in others.items())


def _warning(asked: str, named: str, *, dearer: bool) -> dict[str, Any]:
    booked = (
        f"booked at the higher price of {named}: correct it by the provider's invoice if that says less"
        if dearer
        else f"booked at the price of {asked}"
    )
    return {
        "code": OTHER_MODEL,
        "detail": f"{asked} was asked, and the reply says that {named} answered. It is {booked}.",
        "fixes": [],
        "asked_model": asked,
        "replied_model": named,
    }
