"""Answers over REST, whole or as a stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import JSONResponse, Response, StreamingResponse

from service.api import events, problems
from service.api.access import caller, manager, tenant
from service.api.described import EVENTS
from service.api.paging import AfterAnswer, Size
from service.api.schemas import AnswerRequest, Listing, Parameters, Resolution
from service.api.wiring import StartBatch, TakeOn, context, start_batch, take_on
from service.domain.answers import Answer, AnswerStatus
from service.domain.documents import Failure
from service.domain.keys import Caller
from service.domain.questions import Question, cited
from service.domain.usage import Usage
from service.errors import Invalid
from service.store.answers import TERMINAL, Event
from service.usecases import ask_question
from service.usecases.ask_question import Request
from service.usecases.bill_verdict import Verdict
from service.usecases.cancel_answer import cancel_answer
from service.usecases.context import Context
from service.usecases.describe_answer import describe_answer
from service.usecases.export_answer import Exported, describe_export, export_answer, file_name
from service.usecases.follow_answer import follow_together, wait_for_answer
from service.usecases.put_in_batch import Order, answers_of_batch, is_for_batch, put_in_batch
from service.usecases.resolve_answer import resolve_answer
from service.usecases.running import Begin
from service.usecases.take_images import showing
from service.usecases.write_markdown import write_markdown

MOST_DIGITS = 9
"""Of an event's number: no answer has a billion events."""

router = APIRouter(prefix="/v1", tags=["answers"])

Ctx = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]
Manager = Annotated[Caller, Depends(manager)]
Who = Annotated[Caller, Depends(caller)]
Take = Annotated[TakeOn, Depends(take_on)]
Start = Annotated[StartBatch, Depends(start_batch)]


@router.post("/corpora/{corpus_id}/answers", status_code=201, response_model=None)
async def ask(
    ctx: Ctx,
    who: Who,
    take: Take,
    start: Start,
    corpus_id: str,
    body: AnswerRequest,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Ask: by a plan that was offered, or by a question, which takes the recommended plan."""
    request = replace(request_of(body, idempotency_key, model=ctx.terms.model), key_id=who.key_id)
    answer = await take(partial(_accepted, ctx, who.tenant, corpus_id, request, body))
    if answer is None:
        return await _put_in(ctx, who.tenant, start, corpus_id, request, stream=body.stream)
    return await replied(ctx, answer, stream=body.stream, wait=body.wait)


def _accepted(
    ctx: Context, owner: str, corpus_id: str, request: Request, body: AnswerRequest, begin: Begin
) -> Answer | None:
    """Return the accepted answer; None where it is for a batch."""
    if is_for_batch(ctx, owner, request):
        return None
    return ask_question.ask_question(ctx, owner, corpus_id, with_pictures(ctx, request, body), begin)


async def _put_in(
    ctx: Context, owner: str, start: StartBatch, corpus_id: str, request: Request, *, stream: bool
) -> JSONResponse:
    """Put one question into a batch of its own, which nobody waits for."""
    if stream:
        raise Invalid("A batch takes up to a day and is not streamed: leave `stream` out.")
    batch = await put_in_batch(ctx, owner, corpus_id, Order((request,)))
    await start(batch.id)
    (answer,) = await asyncio.to_thread(answers_of_batch, ctx, owner, batch.id)
    return JSONResponse(describe_answer(answer), status_code=202)


@router.get("/answers")
def list_answers(
    ctx: Ctx,
    owner: Tenant,
    corpus_id: str | None = None,
    after: AfterAnswer = None,
    limit: Size = 100,
    newest_first: bool = False,  # noqa: FBT001, FBT002 - a parameter of the address
) -> Listing[dict[str, Any]]:
    """List answers, oldest first unless it is said otherwise."""
    found = ask_question.list_answers(
        ctx, owner, corpus_id=corpus_id, after=after, limit=limit + 1, newest_first=newest_first
    )
    shown = [describe_answer(answer) for answer in found[:limit]]
    more = len(found) > limit
    return Listing(data=shown, has_more=more, next=shown[-1]["id"] if more else None)


@router.get("/answers/{answer_id}")
def get_answer(ctx: Ctx, owner: Tenant, answer_id: str) -> dict[str, Any]:
    """Return an answer."""
    return describe_answer(ask_question.get_answer(ctx, owner, answer_id))


@router.get(
    "/answers/{answer_id}/export",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {}, "application/json": {}}, "description": "A file"}},
)
def export(
    ctx: Ctx,
    owner: Tenant,
    answer_id: str,
    form: Annotated[Literal["md", "json"], Query(alias="format")] = "md",
) -> Response:
    """Return an answer as a file: Markdown for people, or JSON with all that it takes to check it."""
    exported = export_answer(ctx, owner, answer_id)
    if form == "md":
        body, media_type = write_markdown(exported), "text/markdown; charset=utf-8"
    else:
        body, media_type = json.dumps(describe_export(exported), ensure_ascii=False), "application/json"
    headers = {"Content-Disposition": _attachment(exported, form), "X-Content-Type-Options": "nosniff"}
    return Response(body.encode(errors="replace"), media_type=media_type, headers=headers)


@router.get("/answers/{answer_id}/events", response_class=StreamingResponse, responses=EVENTS)
async def follow(
    ctx: Ctx, owner: Tenant, answer_id: str, last_event_id: Annotated[str | None, Header()] = None
) -> StreamingResponse:
    """Follow an answer from its start, or from behind `Last-Event-ID`."""
    await asyncio.to_thread(ask_question.get_answer, ctx, owner, answer_id)
    return events.stream(_sent(ctx, owner, answer_id, after=_number(last_event_id or "")))


@router.post("/answers/{answer_id}/cancel", status_code=202)
def cancel(ctx: Ctx, owner: Tenant, answer_id: str) -> dict[str, Any]:
    """Stop a running answer; what was surely consumed is settled."""
    return describe_answer(cancel_answer(ctx, owner, answer_id))


@router.post("/answers/{answer_id}/resolve")
def resolve(ctx: Ctx, who: Manager, answer_id: str, body: Resolution) -> dict[str, Any]:
    """Say whether an answer in doubt was billed, or what one was that is booked at most."""
    usage = None if body.usage is None else Usage(**body.usage.model_dump())
    verdict = Verdict(body.billed, usage, body.service_tier, body.amount_usd, body.call)
    return describe_answer(resolve_answer(ctx, who.tenant, answer_id, verdict))


async def replied(ctx: Context, answer: Answer, *, stream: bool, wait: bool) -> Response:
    """Return an accepted answer as it was asked for: as a stream, at once, or once it has ended."""
    if stream:
        return events.stream(_sent(ctx, answer.tenant, answer.id, after=0, accepted=True), status=201)
    if not wait:
        return JSONResponse(describe_answer(answer), status_code=202)
    return _finished(await wait_for_answer(ctx, answer.tenant, answer.id))


def _attachment(exported: Exported, form: str) -> str:
    """Return the header that names the file, for old clients in ASCII too (RFC 6266)."""
    name = quote(file_name(exported, form), safe="")
    return f"attachment; filename=\"{exported.answer.id}.{form}\"; filename*=UTF-8''{name}"


def _finished(answer: Answer) -> JSONResponse:
    """Return an answer that has ended; one that failed or is in doubt is that problem, and holds the answer.

    The same rule as the stream's `error`; one that was cancelled is what was asked for.
    """
    described = describe_answer(answer)
    if answer.status in {AnswerStatus.FAILED, AnswerStatus.IN_DOUBT} and answer.error:
        return problems.response(problems.problem_named(answer.error, answer=described))
    return JSONResponse(described, status_code=201)


def _number(last_event_id: str) -> int:
    """Return an event's number; 0, the start, for what cannot be one."""
    digits = last_event_id if last_event_id.isascii() and last_event_id.isdigit() else "0"
    return int(digits[:MOST_DIGITS])


def request_of(body: AnswerRequest, idempotency_key: str | None, *, model: str) -> Request:
    """Return what is asked in the use case's words.

    Raises:
        Invalid: neither a question nor a plan is named, or both, or parameters beside a plan.
    """
    if (body.plan_id is None) == (body.question is None and body.questions is None):
        raise Invalid("Say what to ask: either `question` or `questions`, or the `plan_id` of a plan.")
    if body.plan_id is not None:
        body.check_beside_plan()
    return Request(
        question=_question(body, model) if body.plan_id is None else None,
        plan_id=body.plan_id,
        allow_long_context=body.allow_long_context,
        max_cost_usd=body.max_cost_usd,
        citations=body.citations_beside_plan if body.plan_id is not None else None,
        idempotency_key=idempotency_key or None,
    )


def with_pictures(ctx: Context, request: Request, body: Parameters) -> Request:
    """Return what is asked with the pictures that it shows, which are stored. Blocks."""
    if request.question is None:
        return request
    return replace(request, question=showing(ctx, request.question, body.pictures))


def _question(body: AnswerRequest, model: str) -> Question:
    question = cited(body.as_question(model), citations=body.citations)
    return replace(question, strategies=(body.strategy,)) if body.strategy else question


async def _sent(
    ctx: Context, owner: str, answer_id: str, *, after: int, accepted: bool = False
) -> AsyncGenerator[bytes]:
    """Yield what is known at the same time in one piece."""
    async with aclosing(follow_together(ctx, owner, answer_id, after=after, accepted=accepted)) as news:
        async for told in news:
            piece = b"".join([events.event(one.name, _said(one), number=one.number) for one in told])
            yield events.Last(piece) if told and told[-1].name in TERMINAL else piece or events.BEAT


def _said(event: Event) -> dict[str, Any]:
    """Return an event's data; a failure is a problem here too."""
    if event.name != "error":
        return event.data
    problem = problems.problem_named(Failure(**event.data["problem"]))
    return {**problem, **event.data, "problem": problem}
