"""Batches over REST: many questions within a day, at half the price."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import Field

from service.api import events
from service.api.access import caller, tenant
from service.api.described import EVENTS
from service.api.paging import AfterBatch, Size
from service.api.schemas import Amount, Asked, Listing
from service.api.wiring import StartBatch, context, start_batch
from service.domain.batches import MAX_QUESTIONS
from service.domain.keys import Caller
from service.domain.questions import MAX_QUESTION_CHARS, cited
from service.errors import Invalid
from service.usecases.ask_question import Request
from service.usecases.context import Context
from service.usecases.describe_batch import describe_batch, follow_batch, list_batches
from service.usecases.mind_batch import cancel_batch
from service.usecases.put_in_batch import Order, put_in_batch

router = APIRouter(prefix="/v1", tags=["batches"])

Ctx = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]
Who = Annotated[Caller, Depends(caller)]
Start = Annotated[StartBatch, Depends(start_batch)]
OneQuestion = Annotated[str, Field(max_length=MAX_QUESTION_CHARS)]


class BatchRequest(Asked):
    """What is put together: questions that share their parameters, or plans that were offered."""

    questions: list[OneQuestion] | None = Field(
        default=None, max_length=MAX_QUESTIONS, description="Each an answer of its own."
    )
    plan_ids: list[str] = Field(default=[], max_length=MAX_QUESTIONS)
    max_cost_usd: Amount | None = Field(default=None, description="For all of them together.")

    def requests(self, model: str, key_id: str | None) -> tuple[Request, ...]:
        """Return each question or plan by itself.

        Raises:
            Invalid: neither is named, or both, or parameters beside plans.
        """
        said = [one for one in (self.question, *(self.questions or ())) if one is not None]
        if bool(said) == bool(self.plan_ids):
            raise Invalid("Say what to put in: either `questions`, or the `plan_ids` of plans.")
        if self.plan_ids:
            self.check_beside_plan()
        if self.service_tier not in {None, "batch"}:
            raise Invalid("A batch has a tier of its own: leave service_tier out, or say batch.")
        if self.plan_ids:
            return tuple(
                Request(
                    plan_id=one,
                    key_id=key_id,
                    allow_long_context=self.allow_long_context,
                    citations=self.citations_beside_plan,
                )
                for one in self.plan_ids
            )
        return tuple(self._request(one, model, key_id) for one in said)

    def _request(self, question: str, model: str, key_id: str | None) -> Request:
        alone = self.model_copy(
            update={"question": question, "questions": None, "service_tier": "batch"}
            | ({"strategies": [self.strategy]} if self.strategy else {})
        )
        return Request(
            question=cited(alone.as_question(model), citations=self.citations),
            key_id=key_id,
            allow_long_context=self.allow_long_context,
        )


@router.post("/corpora/{corpus_id}/batches", status_code=202)
async def put_in(
    ctx: Ctx,
    who: Who,
    start: Start,
    corpus_id: str,
    body: BatchRequest,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> JSONResponse:
    """Put questions into a batch: each is an answer of its own, within 24 hours."""
    requests = body.requests(ctx.terms.model, who.key_id)
    order = Order(requests, body.max_cost_usd, idempotency_key or None)
    batch = await put_in_batch(ctx, who.tenant, corpus_id, order)
    await start(batch.id)
    described = await asyncio.to_thread(describe_batch, ctx, who.tenant, batch.id)
    return JSONResponse(described, status_code=202)


@router.get("/batches")
def list_all(
    ctx: Ctx,
    owner: Tenant,
    corpus_id: str | None = None,
    after: AfterBatch = None,
    limit: Size = 100,
) -> Listing[dict[str, Any]]:
    """List batches, oldest first."""
    found = list_batches(ctx, owner, corpus_id=corpus_id, after=after, limit=limit + 1)
    shown, more = found[:limit], len(found) > limit
    return Listing(data=shown, has_more=more, next=shown[-1]["id"] if more else None)


@router.get("/batches/{batch_id}")
def get_batch(ctx: Ctx, owner: Tenant, batch_id: str) -> dict[str, Any]:
    """Return a batch."""
    return describe_batch(ctx, owner, batch_id)


@router.get("/batches/{batch_id}/events", response_class=StreamingResponse, responses=EVENTS)
async def follow(ctx: Ctx, owner: Tenant, batch_id: str) -> StreamingResponse:
    """Follow a batch: an event whenever it has changed, and `done` at its end."""
    await asyncio.to_thread(describe_batch, ctx, owner, batch_id)
    return events.stream(_sent(ctx, owner, batch_id))


@router.post("/batches/{batch_id}/cancel", status_code=202)
def cancel(ctx: Ctx, owner: Tenant, batch_id: str) -> dict[str, Any]:
    """Stop a batch: what is answered by then is kept and paid, the rest is not."""
    cancel_batch(ctx, owner, batch_id)
    return describe_batch(ctx, owner, batch_id)


async def _sent(ctx: Context, owner: str, batch_id: str) -> AsyncGenerator[bytes]:
    number = 0
    async for told in follow_batch(ctx, owner, batch_id):
        if told is None:
            yield events.BEAT
            continue
        number += 1
        name = "done" if told["finished_at"] else "batch"
        yield events.event(name, told, number=number)
