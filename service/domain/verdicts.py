"""What a citation's verdict means, in a sentence for who has not read about verdicts."""

from __future__ import annotations

from typing import Any

_MEANINGS = {
    "exact": "stands in the source word for word",
    "close": "stands in the source, with differences that do not change its meaning",
    "elsewhere": "stands in the source, but not where the answer says",
    "altered": "ALTERED: the source says something else",
    "missing": "NOT FOUND in anything that was read",
}


def meaning(citation: dict[str, Any]) -> str:
    """Return what a citation's verdict means.

    Args:
        citation: as the REST contract has it.
    """
    verdict = str(citation["verdict"])
    if verdict == "missing" and citation.get("source_gone"):
        return "NOT CONFIRMED: it was not found, or its document was deleted before it could be checked"
    if verdict == "missing" and not str(citation["quote"]).strip():
        return "NOT CHECKED: the answer quotes no words here"
    return _MEANINGS.get(verdict, verdict)
