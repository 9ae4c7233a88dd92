"""The documents of a plan, one by one: made once a document, and shared by every plan that reads it so.

What is returned here is shared, by previews to come too: nobody may change it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

from service.domain import pricing
from service.domain.corpora import Member
from service.domain.kept import Keepsake, once
from service.domain.manner import Images, Manner
from service.domain.planner import PlannedCall, Terms
from service.domain.slices import Slice
from service.usecases.recent import Recent

MOST_LISTS = 512
"""Of each kind that are kept; a list of thousands takes some KB beside what it lists."""


def ids(parts: Sequence[Slice] | Sequence[Member]) -> list[str]:
    """Return the ids of documents in order, each once."""
    return _IDS.of(tuple(parts))


def documents(slices: tuple[Slice, ...]) -> list[dict[str, Any]]:
    """Return the documents of a call."""
    return _DOCUMENTS.of(slices)


def per_document(calls: Sequence[PlannedCall], terms: Terms) -> list[dict[str, Any]]:
    """Return what each document costs uncached, at the least that its pictures may count."""
    found = [(call.slices, terms.model.rates(terms.tier, call.band, terms.on)) for call in calls]
    priced = [(slices, rates.input) for slices, rates in found if rates is not None and slices]
    if len(priced) == 1:
        return _SHARES.of(*priced[0])
    billed = [(part.document_id, part.least_tokens, rate) for slices, rate in priced for part in slices]
    if len({name for name, _, _ in billed}) == len(billed):
        return [share for slices, rate in priced for share in _SHARES.of(slices, rate)]
    return _named(billed)


def out(members: Iterable[Member], reason: str) -> list[dict[str, Any]]:
    """Return what is told of documents that are not read."""
    make = _out_for(reason)
    return [once(member, make) for member in members]


def left_out(member: Member, reason: str) -> dict[str, Any]:
    """The same of one, not shared."""
    return {"document_id": member.document_id, "pages": member.pages, "reason": reason}


@lru_cache(maxsize=4096)
def images_of(images: Images) -> dict[str, int]:
    """Return what is told of pictures."""
    return {"pages": images.pages, "tokens_min": images.tokens_min, "tokens_max": images.tokens_max}


def _ids(parts: tuple[Slice | Member, ...]) -> Keepsake[str]:
    return Keepsake(dict.fromkeys(part.document_id for part in parts))


def _documents(slices: tuple[Slice, ...]) -> Keepsake[dict[str, Any]]:
    return Keepsake(once(part, _document) for part in slices)


def _document(part: Slice) -> dict[str, Any]:
    return {
        "document_id": part.document_id,
        "ordinal": part.ordinal,
        "filename": part.filename,
        "first_page": part.first,
        "last_page": part.last,
        "page_runs": part.chosen and part.chosen.runs,
        "tokens": part.tokens,
        "identity": part.identity,
        "leave_out": _names(part.manner),
        "page_images": part.manner.images,
        "image_detail": part.manner.detail,
        "images": images_of(part.images),
    }


@lru_cache(maxsize=64)
def _names(manner: Manner) -> list[str]:
    return list(manner.left_out)


def _shares(slices: tuple[Slice, ...], rate: Decimal) -> Keepsake[dict[str, Any]]:
    return _named([(part.document_id, part.least_tokens, rate) for part in slices])


def _named(billed: Iterable[tuple[str, int, Decimal]]) -> Keepsake[dict[str, Any]]:
    shares = pricing.input_shares(billed)
    return Keepsake({"document_id": name, "usd": usd} for name, usd in shares.items())


@lru_cache(maxsize=64)
def _out_for(reason: str) -> Callable[[Member], dict[str, Any]]:
    return partial(left_out, reason=reason)


_IDS: Recent[Slice | Member, list[str]] = Recent(_ids, MOST_LISTS)
_DOCUMENTS: Recent[Slice, list[dict[str, Any]]] = Recent(_documents, MOST_LISTS)
_SHARES: Recent[Slice, list[dict[str, Any]]] = Recent(_shares, MOST_LISTS)
