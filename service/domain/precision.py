"""One figure for how far an answer's quotes can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TRUE = frozenset({"exact", "close"})
"""Verdicts of quotes that stand where they are said to."""


def precision(citations: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the share of citations that are exact or close, 0 to 1; None without citations."""
    if not citations:
        return None
    return round(sum(one["verdict"] in TRUE for one in citations) / len(citations), 6)
