"""Whether a reply names the model that was asked: under its name, an alias, or a dated snapshot of it."""

from __future__ import annotations

import re
from collections.abc import Collection

_DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")
"""How vendors write a snapshot's day behind a model's name: `-2026-03-05`, `-20260305`, `-0305`."""


def is_other(asked: Collection[str], replied: str | None) -> bool:
    """Whether a reply names a model that was not asked; one that names none is taken for the asked one.

    Case, a maker's name before a slash and the tag `:latest` make no difference. Two different days do.

    Args:
        asked: every name of the model that was asked.
        replied: as the reply names its model.
    """
    if not replied:
        return False
    given = _plain(replied)
    return not any(_same(_plain(name), given) for name in asked)


def undated(name: str) -> str:
    """Return a model's name without the day of a snapshot."""
    return _DATED.sub("", name)


def _same(asked: str, given: str) -> bool:
    if asked == given:
        return True
    both_dated = undated(asked) != asked and undated(given) != given
    return not both_dated and undated(asked) == undated(given)


def _plain(name: str) -> str:
    return name.strip().casefold().rpartition("/")[2].removesuffix(":latest")
