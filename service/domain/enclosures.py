"""Files inside documents: the order they come in, and what would be nowhere without the file around it.

A file may lie in several documents, and a hostile archive in itself: nothing here assumes a tree.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

MAX_DEPTH = 4
"""Levels below an upload that are read: a mail in an archive in a mail, and one more."""


@dataclass(frozen=True, slots=True)
class Link:
    """A document that lies in another.

    Attributes:
        filename, sha256, uploaded: of the document inside.
    """

    parent_id: str
    document_id: str
    filename: str = ""
    sha256: str = ""
    uploaded: bool = False


def in_order(top: str, links: Sequence[Link]) -> list[Link]:
    """Return what lies in `top`, at any depth, each document once and right after what it came in.

    Args:
        top: a document's id.
        links: those of one parent in their order; others may be among them.
    """
    inside = _by_parent(links)
    found: dict[str, Link] = {}
    waiting = list(reversed(inside.get(top, ())))
    while waiting:
        link = waiting.pop()
        if link.document_id != top and link.document_id not in found:
            found[link.document_id] = link
            waiting.extend(reversed(inside.get(link.document_id, ())))
    return list(found.values())


def only_inside(top: str, links: Sequence[Link], *, among: Collection[str] | None = None) -> list[Link]:
    """Return what lies in `top` and came neither by itself nor in a document that stays.

    Args:
        top: the document that goes.
        links: all links to documents inside `top`, from wherever.
        among: only what lies in these documents counts as staying; None counts all.
    """
    inside = {link.document_id: link for link in in_order(top, links)}
    stays = [link.document_id for link in inside.values() if link.uploaded]
    stays += [
        link.document_id
        for link in links
        if link.parent_id != top
        and link.parent_id not in inside
        and link.document_id in inside
        and (among is None or link.parent_id in among)
    ]
    below = _by_parent(links)
    while stays:
        document_id = stays.pop()
        if inside.pop(document_id, None) is not None:
            stays.extend(link.document_id for link in below.get(document_id, ()))
    return list(inside.values())


def _by_parent(links: Sequence[Link]) -> dict[str, list[Link]]:
    inside: dict[str, list[Link]] = {}
    for link in links:
        inside.setdefault(link.parent_id, []).append(link)
    return inside
