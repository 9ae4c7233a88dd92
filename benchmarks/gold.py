"""Questions with the pages that hold their answers, and whether what was read holds them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PageOf = tuple[str, int]
"""A file, named from the folder of the samples, and the physical page of it, 1-based."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and where its answer stands.

    Attributes:
        kind: what sort of question it is, one of those that evidence/README.md lists.
        alternatives: sets of pages, each of which holds the whole answer.
    """

    id: str
    text: str
    kind: str
    alternatives: tuple[frozenset[PageOf], ...]

    @property
    def folder(self) -> str:
        """The folder of the samples in which all of its evidence lies."""
        first, *more = {file.split("/")[0] for pages in self.alternatives for file, _ in pages}
        assert not more, f"{self.id} needs files of several folders"
        return first


def read_questions(folder: Path) -> list[Asked]:
    """Return the questions of all files in a folder; evidence/README.md says how they are written."""
    return [_asked(one) for path in sorted(folder.glob("*.json")) for one in json.loads(path.read_bytes())]


def _asked(one: dict[str, Any]) -> Asked:
    gold = one["gold"]
    sets = gold["any_of"] if isinstance(gold, dict) else [gold]
    alternatives = tuple(frozenset(_pages(places)) for places in sets)
    return Asked(one["id"], one["question"], one["kind"], alternatives)


def _pages(places: list[dict[str, Any]]) -> Iterable[PageOf]:
    return ((place["file"], page) for place in places for page in place["pages"])


def holds(pages: Collection[PageOf], question: Asked) -> bool:
    """Say whether every page of one of the alternatives is there."""
    return any(wanted <= set(pages) for wanted in question.alternatives)
