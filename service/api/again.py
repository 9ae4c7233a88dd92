"""Answers that are gone on with, and answers whose pages are asked again, over REST."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.responses import Response

from service.api.answers import Ctx, Take, Tenant, Who, replied
from service.api.schemas import Replay, ReplayChanges, Retry, Spending
from service.domain.keys import Caller
from service.usecases.ask_question import Request
from service.usecases.replay_answer import CHANGEABLE, plan_replay, replay_answer
from service.usecases.retry_answer import plan_retry, retry_answer

router = APIRouter(prefix="/v1/answers", tags=["answers"])

Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


@router.post("/{answer_id}/retry/plan", status_code=201)
def price_retry(ctx: Ctx, owner: Tenant, answer_id: str) -> dict[str, Any]:
    """Price what an answer still lacks: the calls that are `kept` cost nothing. It calls no model."""
    return plan_retry(ctx, owner, answer_id)


@router.post("/{answer_id}/retry", status_code=201, response_model=None)
async def retry(
    ctx: Ctx, who: Who, take: Take, answer_id: str, body: Retry | None = None, key: Key = None
) -> Response:
    """Go on with an answer that failed or was stopped, as a new one; again it is the same new one."""
    said = body or Retry()
    request = _request(said, who, key)
    answer = await take(partial(retry_answer, ctx, who.tenant, answer_id, request))
    return await replied(ctx, answer, stream=said.stream, wait=said.wait)


@router.post("/{answer_id}/replay/plan", status_code=201)
def price_replay(
    ctx: Ctx, owner: Tenant, answer_id: str, body: ReplayChanges | None = None
) -> dict[str, Any]:
    """Price a question over the very pages of an answer. It calls no model."""
    return plan_replay(ctx, owner, answer_id, _changes(body or ReplayChanges()))


@router.post("/{answer_id}/replay", status_code=201, response_model=None)
async def replay(
    ctx: Ctx, who: Who, take: Take, answer_id: str, body: Replay | None = None, key: Key = None
) -> Response:
    """Ask the very pages of an answer again: the same, another question, or another model."""
    said = body or Replay()
    request = _request(said, who, key, long=said.allow_long_context)
    changes = _changes(said)
    answer = await take(partial(replay_answer, ctx, who.tenant, answer_id, changes, request))
    return await replied(ctx, answer, stream=said.stream, wait=said.wait)


def _request(said: Spending, who: Caller, key: str | None, *, long: bool = False) -> Request:
    return Request(
        max_cost_usd=said.max_cost_usd,
        allow_long_context=long,
        idempotency_key=key or None,
        key_id=who.key_id,
    )


def _changes(said: ReplayChanges) -> dict[str, Any]:
    """Return what was said of the question; null leaves a parameter to the model."""
    return {name: getattr(said, name) for name in said.model_fields_set & CHANGEABLE}
