"""The receipt of a plan in full: every page that it reads, as it is packed."""

from __future__ import annotations

from typing import Any

from service.domain.documents import PageCount
from service.domain.manner import Manner
from service.domain.slices import Slice
from service.store import documents
from service.store.session import Transaction
from service.usecases.context import Context
from service.usecases.describe_plan import calls_of


def show_receipt(ctx: Context, plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every page that a plan reads, in packed order, with its tokens and its call; no repair's.

    What of a page its header and footer would count is told where they are left out. Of a document that was
    deleted since, one line tells which of its pages were read.
    """
    calls = calls_of(plan)
    with ctx.db.read() as tx:
        return [
            line
            for number, call in enumerate(calls)
            if call.kind != "repair"
            for piece in call.slices
            for line in _lines(tx, number, piece)
        ]


def _lines(tx: Transaction, call: int, piece: Slice) -> list[dict[str, Any]]:
    counted = documents.page_counts(tx, piece.document_id)
    if not counted:
        return [_gone(call, piece)]
    return [
        {
            "call": call,
            "document_id": piece.document_id,
            "page": page.number,
            "tokens": piece.manner.tokens(page),
            "repeated_tokens_out": page.repeated_tokens if piece.manner.trims(page) else 0,
            "image_tokens": _image_tokens(piece.manner, page),
        }
        for page in counted
        if piece.reads(page.number) and piece.manner.packs(page)
    ]


def _gone(call: int, piece: Slice) -> dict[str, Any]:
    """Return what the plan itself still says of a document that is gone."""
    runs = piece.chosen.runs if piece.chosen else ((piece.first, piece.last),)
    return {
        "call": call,
        "document_id": piece.document_id,
        "page": None,
        "page_runs": [list(run) for run in runs],
        "tokens": piece.tokens,
        "source_gone": True,
    }


def _image_tokens(manner: Manner, page: PageCount) -> dict[str, int] | None:
    images = manner.images_of([page], source="")
    return {"min": images.tokens_min, "max": images.tokens_max} if images.pages else None
