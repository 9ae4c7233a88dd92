"""The texts of pages and nothing else of them, as fast as a prompt of a million tokens needs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, select

from service.store.session import Transaction
from service.store.spelled import Spelled
from service.store.tables import page_texts


def of_pages(tx: Transaction, document_id: str, *, first: int, last: int) -> Sequence[tuple[int, str]]:
    """Return number and text of these pages of a document, in order; fewer where there are fewer."""
    found = _OF_PAGES.raw(tx, {"of_document": document_id, "first": first, "last": last})
    return [(number, text) for number, text in found]


def _of_pages() -> Select[Any]:
    what = page_texts.c
    inside = what.number.between(bindparam("first"), bindparam("last"))
    of_one = select(what.number, what.text).where(what.document_id == bindparam("of_document"), inside)
    return of_one.order_by(what.number)


_OF_PAGES = Spelled(_of_pages)
