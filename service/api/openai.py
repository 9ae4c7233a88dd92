"""The face for OpenAI's clients: a chat completion is an answer over a corpus, in their words."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response

from service.api import events, openai_errors, openai_replies, problems
from service.api.access import caller
from service.api.answers import request_of, with_pictures
from service.api.openai_errors import Unfit, UnknownModel
from service.api.openai_files import document_id_of
from service.api.openai_replies import Face
from service.api.openai_requests import ChatRequest, split_model
from service.api.wiring import TakeOn, context, take_on
from service.domain.answers import Answer, AnswerStatus, Ended
from service.domain.documents import Failure
from service.domain.keys import Caller
from service.errors import Conflict, NotFound
from service.provider import Provider
from service.usecases import arrange_corpus, preview_question
from service.usecases.ask_question import Request, ask_question
from service.usecases.check_parameters import SAMPLING
from service.usecases.context import Context
from service.usecases.follow_answer import follow_together, wait_for_end
from service.usecases.gather_corpus import gather_corpus
from service.usecases.look_up_answer import look_up_ended
from service.usecases.running import Begin

router = APIRouter(prefix="/v1/chat", tags=["openai"])

Ctx = Annotated[Context, Depends(context)]
Who = Annotated[Caller, Depends(caller)]
Take = Annotated[TakeOn, Depends(take_on)]

NO_MODEL = "offline"
_SHOWN = 10


class Cancelled(Conflict):
    """The answer was stopped on request before it ended."""

    code = "cancelled"
    title = "The answer was stopped"


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked: a corpus, and of it these documents, or all where there are none."""

    corpus_id: str
    document_ids: tuple[str, ...] = ()


@router.post("/completions", response_model=None)
async def complete(
    http: HttpRequest,
    ctx: Ctx,
    who: Who,
    take: Take,
    body: ChatRequest,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Ask a corpus as OpenAI's clients ask a model: the official SDKs work unchanged."""
    owner = who.tenant
    answer = await take(partial(_accepted, ctx, who, body, idempotency_key))
    usage = body.stream_options is not None and body.stream_options.include_usage
    face = Face(str(http.base_url), include_usage=usage)
    headers = {"x-request-id": answer.id}
    if body.stream:
        streamed = events.stream(_chunks(ctx, owner, answer, face))
        streamed.headers.update(headers)
        return streamed
    return await _whole(ctx, owner, answer.id, face, headers)


def _accepted(
    ctx: Context, who: Caller, body: ChatRequest, idempotency_key: str | None, begin: Begin
) -> Answer:
    scope, request = _prepared(ctx, who.tenant, body, idempotency_key)
    return ask_question(ctx, who.tenant, scope.corpus_id, replace(request, key_id=who.key_id), begin)


async def _whole(
    ctx: Context, owner: str, answer_id: str, face: Face, headers: dict[str, str]
) -> JSONResponse:
    ended = await wait_for_end(ctx, owner, answer_id)
    found = await look_up_ended(ctx, owner, answer_id, ended)
    if trouble := _trouble(found.answer):
        return openai_errors.response(trouble, headers)
    return JSONResponse(openai_replies.completion(found, face), headers=headers)


async def _chunks(ctx: Context, owner: str, answer: Answer, face: Face) -> AsyncGenerator[bytes]:
    """Yield the stream, in one piece what is known at the same time; who goes away ends this alone."""
    opening = {"role": "assistant", "content": "", "refusal": None}
    yield openai_replies.data(openai_replies.chunk(answer, opening, face))
    written = openai_replies.text_chunks(answer, face)
    ended: Ended | None = None
    async with aclosing(follow_together(ctx, owner, answer.id, accepted=True)) as news:
        async for told in news:
            piece = b"".join([written(event.data["text"]) for event in told if event.name == "delta"])
            if piece or not told:
                yield piece or events.BEAT
            ended = told[-1].ended if told and not piece else None  # what is slow to take may be decided anew
    found = await look_up_ended(ctx, owner, answer.id, ended)
    if trouble := _trouble(found.answer):
        yield events.Last(openai_replies.data(openai_errors.envelope(trouble)))
        return
    last = [openai_replies.data(one) for one in openai_replies.last_chunks(found, face)]
    yield events.Last(b"".join([*last, openai_replies.DONE]))


def _trouble(answer: Answer) -> dict[str, Any] | None:
    """Return the problem that an answer has ended with; half an answer is never given for a whole one."""
    if answer.status is AnswerStatus.CANCELLED:
        problem = problems.problem_of(Cancelled("The answer was stopped on request."))
        return {**problem, "answer": {"id": answer.id}}
    if answer.status is AnswerStatus.DONE:
        return None
    failure = answer.error or Failure("internal_error", "The answer ended without a reason.")
    return problems.problem_named(failure, answer={"id": answer.id})


def _prepared(
    ctx: Context, owner: str, body: ChatRequest, idempotency_key: str | None
) -> tuple[Scope, Request]:
    model, behind = split_model(body.model)
    _check_model(ctx, model)
    _check_engine(ctx.provider, body)
    if body.plan_id is not None:
        _check_plan(ctx, owner, body, model)
    scope = _scope(ctx, owner, body, behind)
    asked = body.as_answer_request(model=model, document_ids=scope.document_ids)
    return scope, with_pictures(ctx, request_of(asked, idempotency_key, model=model), body)


def _check_model(ctx: Context, model: str) -> None:
    try:
        ctx.catalog.model(model)
    except NotFound as error:
        raise UnknownModel(error.detail) from error


def _check_engine(provider: Provider, body: ChatRequest) -> None:
    """Refuse what would be left out without a word."""
    if provider.name == NO_MODEL and body.response_format is not None:
        raise Unfit(
            "No model is configured, and passages can't be shown as JSON: leave response_format out, or set "
            "a provider.",
            param="response_format",
        )
    if provider.samples_while_reasoning or body.reasoning_effort == "none":
        return
    for name, usual in SAMPLING.items():
        if getattr(body, name) not in {None, usual}:
            raise Unfit(
                f"A model that reasons takes no {name}: leave it out, or say reasoning_effort none.",
                param=name,
            )


def _check_plan(ctx: Context, owner: str, body: ChatRequest, model: str) -> None:
    """Hold the request against the plan's own question: a plan's price is of that one alone."""
    planned = preview_question.get_plan(ctx, owner, str(body.plan_id)).request
    named = [name for name in body.named_by_plan if name != "model"]
    if named or body.file_ids_named:
        said = ", ".join(named or ["file_ids"])
        raise Unfit(f"The plan has said how it is asked: leave out {said}.", param=(named or ["file_ids"])[0])
    if body.pictures:
        raise Unfit("The plan has said what is shown: leave the pictures out.", param="messages")
    folded = body.folded()
    if (folded.question, folded.instructions) != (planned["text"], planned["system_prompt"]):
        raise Unfit("The plan was made for another question: ask that one, or plan again.", param="messages")
    if ctx.catalog.model(model).id != ctx.catalog.model(planned["model"]).id:
        raise Unfit(f"The plan was made for {planned['model']}: ask that model.", param="model")


def _scope(ctx: Context, owner: str, body: ChatRequest, behind: str | None) -> Scope:
    """Return what is asked.

    Raises:
        Unfit: no corpus is named, or two are.
        NotFound: a named file does not exist.
    """
    if body.corpus_id and behind and body.corpus_id != behind:
        raise Unfit("The model names one corpus and corpus_id another: name one.", param="corpus_id")
    named = body.corpus_id or behind
    if named is None and body.plan_id is not None:
        named = preview_question.get_plan(ctx, owner, body.plan_id).corpus_id
    files = tuple(dict.fromkeys(map(document_id_of, body.file_ids_named)))
    if named is not None:
        return Scope(named, files)
    if files and not body.document_ids:
        return Scope(gather_corpus(ctx, owner, files).id)
    raise Unfit(_how_to_name_one(ctx, owner), param="corpus_id")


def _how_to_name_one(ctx: Context, owner: str) -> str:
    known = arrange_corpus.list_corpora(ctx, owner, after=None, limit=_SHOWN + 1)
    names = [f"{corpus.id} ({corpus.name})" for corpus in known[:_SHOWN]]
    more = ["and more, listed at /v1/corpora"] if len(known) > _SHOWN else []
    there = f"There are: {', '.join([*names, *more])}." if names else "There is none yet."
    return (
        "Say which documents to ask: corpus_id in the body (extra_body in Python), a model named "
        f"gpt-5.5@cor_…, or file_ids. {there}"
    )
