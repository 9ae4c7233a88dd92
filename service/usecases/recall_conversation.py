"""Recall a conversation for its next question: what is sent again, what is not, and where that leads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ingest import count_tokens
from service.domain import packing, planner, pricing
from service.domain.answers import Answer
from service.domain.conversations import NOTHING_SAID, Conversation, History, Past, history_of
from service.domain.planner import Plan, Terms
from service.domain.questions import Question
from service.errors import Fix, NotFound
from service.store import conversations
from service.store.session import Transaction

ROOM_STEP = 8_192
"""A split leaves room for the history in whole steps: with every token's growth other documents could come
together, and nothing of them would be cached."""

TOO_LONG = frozenset({"over_threshold", "over_window", "conversation_will_cross"})
"""Warnings that a shorter history may answer."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """A conversation as its next question finds it.

    Attributes:
        past: all its answers, those that are not sent too.
    """

    conversation: Conversation
    past: tuple[Past, ...]
    history: History

    @property
    def out(self) -> list[dict[str, Any]]:
        """What is not sent of it, in order, each with the reason (JSON-ready)."""
        listed = {
            turn.answer_id: turn.tokens - turn.line_tokens
            for turn in self.history.turns[: self.history.listed]
        }
        told: list[dict[str, Any]] = []
        for one in self.past:
            reason = one.not_sent_because or ("compacted" if one.answer_id in listed else None)
            if reason:
                told.append(
                    {"answer_id": one.answer_id, "tokens": listed.get(one.answer_id), "reason": reason}
                )
        return told

    def described(self) -> dict[str, Any]:
        """Return what a plan tells of it (JSON-ready), enough to send the same again."""
        history = self.history
        return {
            "id": self.conversation.id,
            "history_tokens": history.tokens,
            "history_images": {
                "pages": history.images.pages,
                "tokens_min": history.images.tokens_min,
                "tokens_max": history.images.tokens_max,
            },
            "turns": [
                {
                    "answer_id": turn.answer_id,
                    "sent_as": "line" if place < history.listed else "whole",
                    "tokens": turn.line_tokens if place < history.listed else turn.tokens,
                }
                for place, turn in enumerate(history.turns)
            ],
        }


def recall(tx: Transaction, tenant: str, corpus_id: str, question: Question) -> Recalled | None:
    """Return the conversation that a question belongs to; None where it stands alone.

    Raises:
        NotFound: there is no such conversation about this corpus.
    """
    if question.conversation_id is None:
        return None
    found = conversations.get(tx, tenant, question.conversation_id)
    if found is None or found.corpus_id != corpus_id:
        raise NotFound(f"There is no conversation {question.conversation_id} about this corpus.")
    return recalled(tx, found)


def recalled(tx: Transaction, conversation: Conversation) -> Recalled:
    """Return a conversation with what is sent of it."""
    past = conversations.past_of(tx, conversation.tenant, conversation.id)
    history = history_of(past, listed_through=conversation.listed_through, count=count_tokens)
    return Recalled(conversation, tuple(past), history)


def history_for(tx: Transaction, answer: Answer) -> History:
    """Return what an accepted question is sent behind: just what its plan counted."""
    told = answer.plan.get("conversation") or {"turns": []}
    if not told["turns"]:
        return NOTHING_SAID
    past = conversations.past_named(tx, [turn["answer_id"] for turn in told["turns"]])
    listed = [turn["answer_id"] for turn in told["turns"] if turn["sent_as"] == "line"]
    return history_of(past, listed_through=listed[-1] if listed else None, count=count_tokens)


def with_history(terms: Terms, found: Recalled | None) -> Terms:
    """Return the terms of plans behind that history."""
    if found is None:
        return terms
    tokens = found.history.tokens
    counts = replace(terms.counts, history=tokens, history_images=found.history.images)
    steps = max(math.ceil(tokens / ROOM_STEP), 1)
    return replace(terms, counts=counts, history=found.history.identity, history_room=steps * ROOM_STEP)


def will_cross(plan: Plan, terms: Terms, found: Recalled | None) -> tuple[str, int] | None:
    """Return what is said of a turn behind which the next crosses the threshold, and by how much.

    A split and a ranked plan leave room for the history, so only what reads all documents grows with it.
    """
    at = terms.model.threshold_tokens
    if found is None or at is None or not plan.feasible or plan.strategy not in {"whole", "selected"}:
        return None
    (call,) = plan.calls
    answer = terms.expected_output_tokens + packing.OVERHEAD.per_assistant_message
    question = terms.counts.task + terms.counts.images.tokens_max + packing.OVERHEAD.per_message
    then = call.input_tokens + answer + question
    if not call.input_tokens <= at < then:
        return None
    said = (
        f"This turn stays below the threshold of {at:,}, the next one will not: with a usual answer and "
        f"another question like this it is {then:,} input tokens, every one of them at the long-context "
        "rate, and so is every turn after it."
    )
    return said, then - at


def ways_out(found: Recalled | None, tokens: int, terms: Terms, *, limit: int) -> tuple[Fix, ...]:
    """Return the ways to bring a call below a limit by sending less of its conversation, where enough.

    Args:
        found: the conversation, if there is one.
        tokens: input of the call.
        terms: that it is priced on; what is saved is of a cold call.
        limit: that it passes.
    """
    if found is None or not found.history.turns or tokens <= limit:
        return ()
    name = ("conversation_id", found.conversation.id)
    now = found.history.most_tokens
    fixes: list[Fix] = []
    keep = _most_that_can_stay(found.history, tokens - limit)
    if keep is not None:
        saved = _saved(now - found.history.keeping(keep).most_tokens, tokens, terms)
        said = "Compact the conversation" + (f": keep its last {keep} whole." if keep else ".")
        fixes.append(Fix("compact", said, (name, ("keep_last", keep), *saved)))
    if now >= tokens - limit:
        said = "Begin a new conversation: leave conversation_id out, or name a new one."
        fixes.append(Fix("new_conversation", said, _saved(now, tokens, terms)))
    return tuple(fixes)


def _saved(fewer: int, tokens: int, terms: Terms) -> tuple[tuple[str, Any], ...]:
    before, after = (planner.price_whole(size, terms) for size in (tokens, tokens - fewer))
    usd = pricing.usd(before.cold_usd - after.cold_usd) if before and after else None
    return ("saves_tokens", fewer), ("saves_usd", usd)


def _most_that_can_stay(history: History, over: int) -> int | None:
    """How many last turns can be sent whole where the others save enough; None where none do."""
    whole = len(history.turns) - history.listed
    kept = (keep for keep in range(whole - 1, -1, -1))
    now = history.most_tokens
    return next((keep for keep in kept if now - history.keeping(keep).most_tokens >= over), None)


def with_ways_out(warnings: Sequence[dict[str, Any]], more: Sequence[Fix]) -> list[dict[str, Any]]:
    """Return warnings of too many tokens with what a shorter history does about them."""
    fixes = [fix.as_dict() for fix in more]
    return [{**one, "fixes": [*one["fixes"], *fixes]} if one["code"] in TOO_LONG else one for one in warnings]
