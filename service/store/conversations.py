"""Conversations, as rows; their turns are answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from service.domain.answers import AnswerStatus
from service.domain.conversations import Conversation, Past
from service.store.session import Transaction
from service.store.tables import answers, conversations


def add(tx: Transaction, conversation: Conversation) -> None:
    """Record a new conversation."""
    what = conversations.c
    values = {column.name: getattr(conversation, column.name) for column in what}
    tx.execute(insert(conversations).values(values))


def get(tx: Transaction, tenant: str, conversation_id: str) -> Conversation | None:
    """Return one conversation of a tenant."""
    query = select(conversations).where(
        conversations.c.id == conversation_id, conversations.c.tenant == tenant
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _conversation(row)


def page_through(
    tx: Transaction, tenant: str, *, corpus_id: str | None, after: str | None, limit: int
) -> list[Conversation]:
    """Return conversations in the order in which they were begun."""
    query = select(conversations).where(conversations.c.tenant == tenant)
    if corpus_id:
        query = query.where(conversations.c.corpus_id == corpus_id)
    if after:
        query = query.where(conversations.c.id > after)
    return [_conversation(row) for row in tx.execute(query.order_by(conversations.c.id).limit(limit))]


def latest(tx: Transaction, tenant: str, corpus_id: str) -> Conversation | None:
    """Return the conversation of a corpus that was used last."""
    query = (
        select(conversations)
        .where(conversations.c.tenant == tenant, conversations.c.corpus_id == corpus_id)
        .order_by(conversations.c.used_at.desc(), conversations.c.id.desc())
        .limit(1)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _conversation(row)


def rename(tx: Transaction, conversation_id: str, title: str) -> None:
    """Give a conversation another title."""
    tx.execute(update(conversations).where(conversations.c.id == conversation_id).values(title=title))


def use(tx: Transaction, conversation_id: str, *, title: str, at: datetime) -> None:
    """Record that a question was accepted; the first names a conversation that has no title yet."""
    values = {"used_at": at, "title": func.coalesce(conversations.c.title, title)}
    tx.execute(update(conversations).where(conversations.c.id == conversation_id).values(values))


def list_through(tx: Transaction, conversation_id: str, answer_id: str | None) -> None:
    """Have turns up to that answer sent as a list; None has all of them sent whole."""
    tx.execute(
        update(conversations).where(conversations.c.id == conversation_id).values(listed_through=answer_id)
    )


def remove(tx: Transaction, conversation_id: str) -> None:
    """Forget a conversation; its answers stay."""
    tx.execute(delete(conversations).where(conversations.c.id == conversation_id))


def past_of(tx: Transaction, tenant: str, conversation_id: str) -> list[Past]:
    """Return the answers of a conversation, in the order in which they were asked."""
    query = _past().where(answers.c.tenant == tenant, answers.c.conversation_id == conversation_id)
    return [_as_past(row) for row in tx.execute(query.order_by(answers.c.id))]


def past_named(tx: Transaction, answer_ids: Sequence[str]) -> list[Past]:
    """Return these answers in the order in which they were asked, whoever's they are: for the jobs."""
    query = _past().where(answers.c.id.in_(answer_ids)).order_by(answers.c.id)
    return [_as_past(row) for row in tx.execute(query)]


def _past() -> Any:  # noqa: ANN401 - a select whose row type says nothing more
    what = answers.c
    return select(
        what.id,
        what.status,
        what.question,
        what.request,
        what.text,
        what.refusal,
        what.citations,
        what.actual_usd,
        what.created_at,
    )


def _as_past(row: Row[Any]) -> Past:
    return Past(
        answer_id=row.id,
        status=AnswerStatus(row.status),
        question=row.question,
        request=row.request,
        text=row.text,
        refusal=row.refusal,
        citations=tuple(row.citations),
        actual_usd=row.actual_usd,
        created_at=row.created_at,
    )


def _conversation(row: Row[Any]) -> Conversation:
    return Conversation(**row._asdict())
