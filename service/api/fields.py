"""Say of a field that a request may not hold which ones it may, the closest first."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from fastapi.routing import APIRoute
from pydantic import BaseModel

UNKNOWN = "extra_forbidden"
"""Pydantic's type of that error."""

NO_JSON = "json_invalid"
"""FastAPI's, of a body that can't be parsed; its place is a number of characters."""

_CLOSEST = 3
_ALIKE = 0.6
"""Of difflib's ratio: less is another word."""

_LONGEST = 80


def said(error: Mapping[str, Any], route: object) -> str:
    """Return a validation error in words, with the place where it is.

    Args:
        error: as Pydantic tells it.
        route: that the request came to, which knows what its body may hold.
    """
    steps: Sequence[object] = error["loc"][1:]
    if error["type"] == NO_JSON:
        return f"The body is no JSON: {error['ctx']['error']} at character {error['loc'][-1]}"
    if error["type"] != UNKNOWN or not steps:
        return f"{_place(steps) or 'body'}: {error['msg']}"
    named = str(steps[-1])
    known = sorted(fields_at(route.body_field, steps[:-1])) if isinstance(route, APIRoute) else []
    where = _place(steps[:-1])
    return f"`{named[:_LONGEST]}` is no field{f' of `{where}`' if where else ' here'}{_instead(named, known)}"


def fields_at(body: Any, steps: Sequence[object]) -> set[str]:  # noqa: ANN401 - FastAPI's own kind of field
    """Return the names that a route's body may hold at a place in it."""
    models = _models([body.field_info.annotation]) if body is not None else []
    for step in steps:
        if isinstance(step, str):
            inner = [model.model_fields[step].annotation for model in models if step in model.model_fields]
            models = _models(inner)
    return {name for model in models for name in model.model_fields}


def _models(annotations: Iterable[Any]) -> list[type[BaseModel]]:
    """The models in annotations: alone, in a union, in a list."""
    found: list[type[BaseModel]] = []
    for one in annotations:
        if isinstance(one, type) and issubclass(one, BaseModel):
            found.append(one)
        else:
            found.extend(_models(get_args(one)))
    return found


def _instead(named: str, known: Sequence[str]) -> str:
    folded = {name.replace("_", ""): name for name in known}
    near = difflib.get_close_matches(
        named.casefold().replace("_", "").replace("-", ""), folded, n=_CLOSEST, cutoff=_ALIKE
    )
    if near:
        return f"; closest: {', '.join(f'`{folded[name]}`' for name in near)}"
    return f"; known: {', '.join(f'`{name}`' for name in known)}" if known else ""


def _place(steps: Sequence[object]) -> str:
    return ".".join(str(step) for step in steps)
