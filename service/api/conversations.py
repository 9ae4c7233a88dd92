"""Conversations over REST: documents first, then what was said before, then the question."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from service.api.access import tenant
from service.api.paging import AfterConversation, Size
from service.api.schemas import Body, Listing
from service.api.wiring import context
from service.usecases import keep_conversation
from service.usecases.context import Context

router = APIRouter(prefix="/v1", tags=["conversations"])

Ctx = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]


class NewConversation(Body):
    """What begins a conversation."""

    corpus_id: str
    name: str | None = Field(default=None, description="Without one the first question becomes its title.")


class ConversationName(Body):
    """A conversation's new title."""

    name: str


class Compaction(Body):
    """How much of a conversation stays whole."""

    keep_last: int | None = Field(
        default=1, ge=0, le=1_000_000, description="Turns sent whole; null sends all of them whole again."
    )


@router.post("/conversations", status_code=201)
def begin(ctx: Ctx, owner: Tenant, body: NewConversation) -> dict[str, Any]:
    """Begin a conversation about a corpus."""
    return keep_conversation.begin(ctx, owner, body.corpus_id, title=body.name)


@router.get("/conversations")
def list_conversations(
    ctx: Ctx,
    owner: Tenant,
    corpus_id: str | None = None,
    after: AfterConversation = None,
    limit: Size = 100,
) -> Listing[dict[str, Any]]:
    """List conversations, oldest first."""
    found = keep_conversation.list_conversations(
        ctx, owner, corpus_id=corpus_id, after=after, limit=limit + 1
    )
    shown, more = found[:limit], len(found) > limit
    return Listing(data=shown, has_more=more, next=shown[-1]["id"] if more else None)


@router.get("/conversations/{conversation_id}")
def get_conversation(ctx: Ctx, owner: Tenant, conversation_id: str) -> dict[str, Any]:
    """Return a conversation with its turns, and how each is sent with the next question."""
    return keep_conversation.get(ctx, owner, conversation_id)


@router.patch("/conversations/{conversation_id}")
def rename(ctx: Ctx, owner: Tenant, conversation_id: str, body: ConversationName) -> dict[str, Any]:
    """Give a conversation another title."""
    return keep_conversation.rename(ctx, owner, conversation_id, body.name)


@router.delete("/conversations/{conversation_id}", status_code=204)
def delete(ctx: Ctx, owner: Tenant, conversation_id: str) -> Response:
    """Forget a conversation; its answers stay."""
    keep_conversation.remove(ctx, owner, conversation_id)
    return Response(status_code=204)


@router.post("/conversations/{conversation_id}/compact")
def compact(ctx: Ctx, owner: Tenant, conversation_id: str, body: Compaction | None = None) -> dict[str, Any]:
    """Send older turns as a list of their questions and cited pages; calls no model."""
    keep = (body or Compaction()).keep_last
    return keep_conversation.compact(ctx, owner, conversation_id, keep_last=keep)


@router.post("/conversations/{conversation_id}/expand")
def expand(ctx: Ctx, owner: Tenant, conversation_id: str) -> dict[str, Any]:
    """Send every turn whole again."""
    return keep_conversation.compact(ctx, owner, conversation_id, keep_last=None)
