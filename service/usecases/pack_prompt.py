"""Turn a planned call into the request that carries it out: the texts are read here, and only here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ingest import count_tokens
from ingest.rendering import View
from service.domain import packing, prompts
from service.domain.documents import Document, PageText
from service.domain.manner import Manner
from service.domain.planner import PlannedCall
from service.domain.prompts import ImagePart, Message, Part
from service.domain.questions import Question
from service.domain.slices import Slice
from service.domain.tasks import task_of
from service.errors import PlanChanged
from service.provider import ChatRequest
from service.store import documents, texts
from service.store.session import Transaction
from service.usecases.forecast_cache import cache_key
from service.usecases.render_pictures import render_pictures
from service.usecases.running import Run
from service.usecases.take_images import part_of

T = TypeVar("T")


def pack_prompt(
    run: Run, planned: PlannedCall, findings: Sequence[str], *, tx: Transaction | None = None
) -> ChatRequest:
    """Return the request.

    Args:
        run: whose question it is.
        planned: the call.
        findings: of the parts, in order, where the call merges them; of a repair, its task.
        tx: the caller's, where one is open.

    Raises:
        NoImage: a page can't be drawn that is sent as a picture.
        PlanChanged: a document or a picture was removed after the question was accepted, or findings came out
            longer than was reserved for merging them.
    """
    question = run.question
    return ChatRequest(
        model=run.answer.model,
        messages=_messages(run, planned, findings, tx),
        max_completion_tokens=planned.reserved_output_tokens,
        reasoning_effort=_effort(question, planned),
        verbosity=question.verbosity,
        temperature=question.temperature,
        top_p=question.top_p,
        presence_penalty=question.presence_penalty,
        frequency_penalty=question.frequency_penalty,
        seed=question.seed,
        stop=question.stop if planned.kind in {"answer", "merge"} else (),
        response_format=question.response_format if planned.kind in {"answer", "merge"} else None,
        service_tier=run.answer.plan["service_tier"],
        prompt_cache_key=cache_key(run.answer.tenant, planned),
    )


def _effort(question: Question, planned: PlannedCall) -> str | None:
    """As asked; to copy quotes no model has to think long, and little is reserved for it."""
    long = planned.kind == "repair" and question.reasoning_effort in {"medium", "high", "xhigh"}
    return "low" if long else question.reasoning_effort


def _messages(
    run: Run, planned: PlannedCall, findings: Sequence[str], tx: Transaction | None
) -> tuple[Message, ...]:
    task = findings[0] if planned.kind == "repair" else task_of(run.question, planned.kind)
    to_part = partial(part_of, run.ctx)
    messages = partial(
        packing.messages,
        task=task,
        history=run.history.messages(to_part),
        shown=[to_part(one) for one in run.question.images] if planned.kind != "repair" else (),
    )
    if planned.kind == "merge":
        blocks = [packing.findings_block(n, text) for n, text in enumerate(findings, 1)]
        _check_length(planned, "".join(blocks), task, history=run.history.tokens)
        return messages(instructions=prompts.MERGING, parts=list(packing.parts_of(blocks)))
    parts = list(packing.parts_of(_blocks(run, planned, tx)))
    return messages(instructions=prompts.ANSWERING, parts=parts)


def _check_length(planned: PlannedCall, findings: str, task: str, *, history: int) -> None:
    """Hold the ceiling: defusing hostile findings can make them longer than the output they came as."""
    around = packing.CALL_OVERHEAD + planned.correction_tokens + planned.prefix_tokens + history
    around += count_tokens(task) + planned.shown.tokens_max
    if around + count_tokens(findings) > planned.input_tokens:
        raise PlanChanged("The findings are longer than was reserved for merging them. Ask again.")


def _blocks(run: Run, planned: PlannedCall, tx: Transaction | None) -> list[Part]:
    """Return the material; what is drawn is drawn while no transaction is open here."""
    blocks: list[Part] = []
    for piece, read in _read(run, planned, tx):
        blocks.append(packing.open_document(piece.ordinal, piece.filename))
        if isinstance(read, _Pages):
            blocks.extend(_measured(run, piece, read))
        else:
            blocks.extend(packing.block(number, text) for number, text in read)
        blocks.append(packing.CLOSE)
    return blocks


def _measured(run: Run, piece: Slice, read: _Pages) -> Iterator[Part]:
    """Yield what is packed of pages of which something is left out or sent as a picture."""
    packed = [page for page in read.pages if piece.manner.packs(page)]
    pictures = _pictures(run, read.document, piece.manner, packed)
    for page in packed:
        yield packing.block(page.number, piece.manner.text(page))
        if page.number in pictures:
            yield ImagePart(pictures[page.number], piece.manner.detail)


@dataclass(frozen=True, slots=True)
class _Pages:
    """Pages with all that is known of them."""

    document: Document
    pages: Sequence[PageText]


def _read(
    run: Run, planned: PlannedCall, tx: Transaction | None
) -> list[tuple[Slice, _Pages | Sequence[tuple[int, str]]]]:
    """Return what is read of each document: of pages that are packed as they stand, the texts alone."""
    with nullcontext(tx) if tx is not None else run.ctx.db.read() as reading:
        return [
            (piece, _texts(reading, piece) if piece.manner.is_plain else _pages(reading, piece))
            for piece in planned.slices
        ]


def _texts(tx: Transaction, piece: Slice) -> Sequence[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for first, last in piece.runs:
        found.extend(texts.of_pages(tx, piece.document_id, first=first, last=last))
    return _all_there(piece, found)


def _pages(tx: Transaction, piece: Slice) -> _Pages:
    document = documents.get_any(tx, piece.document_id)
    found = [
        page
        for first, last in piece.runs
        for page in documents.page_texts_of(tx, piece.document_id, first=first, last=last)
    ]
    if document is None:
        raise _removed(piece)
    return _Pages(document, _all_there(piece, found))


def _all_there(piece: Slice, found: list[T]) -> list[T]:
    if len(found) != sum(last - first + 1 for first, last in piece.runs):
        raise _removed(piece)
    return found


def _removed(piece: Slice) -> PlanChanged:
    return PlanChanged(f"{piece.filename} was removed after the question was accepted.")


def _pictures(run: Run, document: Document, manner: Manner, pages: Sequence[PageText]) -> dict[int, str]:
    """Return the pages that are sent as pictures, drawn at the sizes that were priced."""
    sizes = {page.number: fitted for page in pages if (fitted := manner.picture(page)) is not None}
    views = [View(number, fitted.width, fitted.height) for number, fitted in sizes.items()]
    return dict(zip(sizes, render_pictures(run.ctx, document, views), strict=True)) if views else {}
