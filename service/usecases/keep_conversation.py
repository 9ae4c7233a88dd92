"""Conversations: begin, look up, name and forget them, and have older turns sent as a list alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from service.domain.conversations import Conversation, Past
from service.domain.pricing import usd
from service.domain.questions import Question
from service.errors import Invalid, NotFound
from service.store import answers, conversations, corpora
from service.store.session import Transaction
from service.usecases.context import Context, new_id
from service.usecases.recall_conversation import Recalled, recalled

MAX_TITLE = 200
LAST, NEW = "last", "new"
_CITED = ("marker", "document_id", "filename", "page", "verdict")


def begin(ctx: Context, tenant: str, corpus_id: str, *, title: str | None = None) -> dict[str, Any]:
    """Begin a conversation about a corpus; without a title the first question becomes it.

    Raises:
        NotFound: there is no such corpus.
        Invalid: the title is empty or too long.
    """
    now = ctx.now()
    made = Conversation(
        id=new_id("cnv"),
        tenant=tenant,
        corpus_id=corpus_id,
        title=None if title is None else _checked(title),
        created_at=now,
        used_at=now,
    )
    with ctx.db.write() as tx:
        if corpora.get(tx, tenant, corpus_id) is None:
            raise NotFound(f"There is no corpus {corpus_id}.")
        conversations.add(tx, made)
        return _described(recalled(tx, made))


def get(ctx: Context, tenant: str, conversation_id: str) -> dict[str, Any]:
    """Return a conversation with its turns, and what is sent of each.

    Raises:
        NotFound: there is none.
    """
    with ctx.db.read() as tx:
        return _described(recalled(tx, _conversation(tx, tenant, conversation_id)))


def list_conversations(
    ctx: Context, tenant: str, *, corpus_id: str | None, after: str | None, limit: int
) -> list[dict[str, Any]]:
    """Return conversations without their turns, oldest first."""
    with ctx.db.read() as tx:
        found = conversations.page_through(tx, tenant, corpus_id=corpus_id, after=after, limit=limit)
        return [_named(one) for one in found]


def rename(ctx: Context, tenant: str, conversation_id: str, title: str) -> dict[str, Any]:
    """Give a conversation another title."""
    with ctx.db.write() as tx:
        _conversation(tx, tenant, conversation_id)
        conversations.rename(tx, conversation_id, _checked(title))
        return _described(recalled(tx, _conversation(tx, tenant, conversation_id)))


def remove(ctx: Context, tenant: str, conversation_id: str) -> None:
    """Forget a conversation; its answers stay."""
    with ctx.db.write() as tx:
        _conversation(tx, tenant, conversation_id)
        conversations.remove(tx, conversation_id)


def compact(ctx: Context, tenant: str, conversation_id: str, *, keep_last: int | None) -> dict[str, Any]:
    """Have all turns but the last ones sent as a list of their questions and the pages they cited.

    It calls no model, removes nothing, and can be taken back. Turns that come later are sent whole again.

    Args:
        ctx: what it works in.
        tenant: whose it is.
        conversation_id: the conversation.
        keep_last: how many turns stay whole; None sends every turn whole again.
    """
    with ctx.db.write() as tx:
        found = recalled(tx, _conversation(tx, tenant, conversation_id))
        turns = found.history.turns
        listed = 0 if keep_last is None else max(len(turns) - keep_last, 0)
        conversations.list_through(tx, conversation_id, turns[listed - 1].answer_id if listed else None)
        now = recalled(tx, _conversation(tx, tenant, conversation_id))
    return {**_described(now), "saves_tokens": found.history.most_tokens - now.history.most_tokens}


def to_continue(
    ctx: Context, tenant: str, corpus_id: str, question: Question, *, idempotency_key: str | None = None
) -> Question:
    """Return the question in the conversation that it names: by its id, or as `last` or `new`.

    Where a corpus has none yet, its last one is begun. With a key that stands for an answer already, it is
    the conversation of that one: the same request again has to be the same.
    """
    if question.conversation_id not in {LAST, NEW}:
        return question
    with ctx.db.read() as tx:
        known = answers.get_by_key(tx, tenant, idempotency_key) if idempotency_key else None
        if known is not None:
            return replace(question, conversation_id=known[0].conversation_id)
        wants_last = question.conversation_id == LAST
        found = conversations.latest(tx, tenant, corpus_id) if wants_last else None
    named = found.id if found else str(begin(ctx, tenant, corpus_id)["id"])
    return replace(question, conversation_id=named)


def _conversation(tx: Transaction, tenant: str, conversation_id: str) -> Conversation:
    found = conversations.get(tx, tenant, conversation_id)
    if found is None:
        raise NotFound(f"There is no conversation {conversation_id}.")
    return found


def _checked(title: str) -> str:
    title = " ".join(title.split())
    if not title or len(title) > MAX_TITLE:
        raise Invalid(f"A conversation's name has 1 to {MAX_TITLE} characters.")
    return title


def _named(one: Conversation) -> dict[str, Any]:
    return {
        "id": one.id,
        "corpus_id": one.corpus_id,
        "title": one.title,
        "created_at": one.created_at.isoformat(),
        "used_at": one.used_at.isoformat(),
    }


def _described(found: Recalled) -> dict[str, Any]:
    told = found.described()
    return {
        **_named(found.conversation),
        "turns": _turns(found.past, {turn["answer_id"]: turn for turn in told["turns"]}),
        "history_tokens": told["history_tokens"],
        "history_out": found.out,
    }


def _turns(past: Sequence[Past], sent: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Every turn, with what of it the next question is sent behind."""
    nothing: dict[str, Any] = {}
    return [
        {
            "answer_id": one.answer_id,
            "status": one.status.value,
            "question": one.question,
            "text": one.said,
            "cost_usd": None if one.actual_usd is None else usd(one.actual_usd),
            "citations": [{name: cited.get(name) for name in _CITED} for cited in one.citations],
            "sent_as": sent.get(one.answer_id, nothing).get("sent_as"),
            "tokens": sent.get(one.answer_id, nothing).get("tokens"),
            "created_at": one.created_at.isoformat(),
        }
        for one in past
    ]
