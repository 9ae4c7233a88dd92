"""A conversation: what was asked and answered before, as it is sent again behind the documents.

A turn is sent as the message that asked it, byte for byte, and the answer behind it. So a turn's prompt
begins with the whole prompt of the turn before, and a provider's prefix cache reaches up to there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from service.domain import caching, packing, prompts, shown_images, tasks
from service.domain.answers import AnswerStatus
from service.domain.caching import Block, Chain
from service.domain.manner import Images
from service.domain.prompts import Message, Part
from service.domain.questions import Question
from service.domain.shown_images import ShownImage

TITLE_CHARS = 100
"""Of the first question, which names a conversation that was given no name."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Questions to one corpus, each asked with those before it.

    Attributes:
        title: None until the first question, where it was given none.
        listed_through: the last answer of the turns that are not sent whole any more, since somebody asked
            for that; None where all are.
        used_at: when the last question was accepted.
    """

    id: str
    tenant: str
    corpus_id: str
    title: str | None
    created_at: datetime
    used_at: datetime
    listed_through: str | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """An answer of a conversation, without what was read for it.

    Attributes:
        request: the question's parameters as accepted.
    """

    answer_id: str
    status: AnswerStatus
    question: str
    request: dict[str, Any]
    text: str
    refusal: str | None
    citations: tuple[dict[str, Any], ...]
    actual_usd: Decimal | None
    created_at: datetime

    @property
    def said(self) -> str:
        """What was answered, a refusal in words included."""
        return self.text if self.text.strip() else self.refusal or ""

    @property
    def not_sent_because(self) -> str | None:
        """Why it is no turn to be sent: only what was surely answered is."""
        if self.status is not AnswerStatus.DONE:
            return self.status.value
        return None if self.said.strip() else "empty"


@dataclass(frozen=True, slots=True)
class Spoken:
    """One message of the history; its tokens are of the text, with the chat format's share."""

    role: Literal["user", "assistant"]
    text: str
    tokens: int
    images: tuple[ShownImage, ...] = ()

    @property
    def block(self) -> Block:
        """As a cache sees it; of pictures the least."""
        identity = self.text + shown_images.identity_of(self.images)
        return Block(self.role, identity, self.tokens + shown_images.images_of(self.images).tokens_min)


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its answer.

    Attributes:
        line: what is left of it in the list of a compacted conversation.
        line_tokens: lines are blocks, so their counts add up.
    """

    answer_id: str
    asked: Spoken
    answered: Spoken
    line: str
    line_tokens: int

    @property
    def tokens(self) -> int:
        """Of the texts of both messages."""
        return self.asked.tokens + self.answered.tokens


@dataclass(frozen=True, slots=True)
class History:
    """What is sent of a conversation, in order.

    Attributes:
        listed: so many of the first turns are sent as a list of questions and pages.
        frame_tokens: around that list, with the chat format's share.
    """

    turns: tuple[Turn, ...] = ()
    listed: int = 0
    frame_tokens: int = 0

    @property
    def spoken(self) -> tuple[Spoken, ...]:
        """The messages."""
        whole = [one for turn in self.turns[self.listed :] for one in (turn.asked, turn.answered)]
        if not self.listed:
            return tuple(whole)
        short = self.turns[: self.listed]
        text = prompts.EARLIER_TURNS.format(turns="".join(turn.line for turn in short))
        tokens = self.frame_tokens + sum(turn.line_tokens for turn in short)
        return (Spoken("user", text, tokens), *whole)

    @property
    def tokens(self) -> int:
        """Of its texts: exact, with the chat format's share."""
        return sum(one.tokens for one in self.spoken)

    @property
    def images(self) -> Images:
        """The pictures that are sent again, with the questions that showed them."""
        return shown_images.images_of(image for one in self.spoken for image in one.images)

    @property
    def most_tokens(self) -> int:
        """Of texts and pictures."""
        return self.tokens + self.images.tokens_max

    def messages(self, part_of: Callable[[ShownImage], Part]) -> tuple[Message, ...]:
        """Return them as a prompt holds them, between the documents and the task.

        Args:
            part_of: makes a picture one that can be sent.
        """
        return tuple(
            Message(role=one.role, parts=(one.text, *map(part_of, one.images))) for one in self.spoken
        )

    @property
    def identity(self) -> str:
        """Of every byte; empty where nothing was said."""
        if not self.turns:
            return ""
        digest = hashlib.sha256()
        for one in self.spoken:
            told = f"{one.role}\x00{one.text}\x00{shown_images.identity_of(one.images)}"
            digest.update(told.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def chain(self, *more: Spoken) -> Chain:
        """Return the running hash behind each message, with those that follow."""
        return caching.chain_of(one.block for one in (*self.spoken, *more))

    def keeping(self, last: int) -> History:
        """Return the same with only so many turns sent whole."""
        return replace(self, listed=max(len(self.turns) - last, 0))


NOTHING_SAID = History()


def history_of(past: Sequence[Past], *, listed_through: str | None, count: Callable[[str], int]) -> History:
    """Return what is sent of these answers.

    Args:
        past: in order; those that are no turns are passed over.
        listed_through: turns up to that answer are listed.
        count: exact tokens of a text.
    """
    sent = [one for one in past if one.not_sent_because is None]
    turns = tuple(_turn(number, one, count) for number, one in enumerate(sent, 1))
    listed = sum(listed_through is not None and turn.answer_id <= listed_through for turn in turns)
    frame = count(prompts.EARLIER_TURNS.format(turns="")) + packing.OVERHEAD.per_message
    return History(turns, listed, frame)


def asked(question: Question, kind: Literal["answer", "part"], count: Callable[[str], int]) -> Spoken:
    """Return a question's own message."""
    text = tasks.task_of(question, kind)
    return Spoken("user", text, count(text) + packing.OVERHEAD.per_message, question.images)


def title_of(text: str) -> str:
    """Return what a conversation is called by its first question."""
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARS else f"{line[: TITLE_CHARS - 1]}…"


def _turn(number: int, one: Past, count: Callable[[str], int]) -> Turn:
    said = packing.defuse(one.said)
    line = packing.defuse(" ".join([f"{number}.", *one.question.split(), *_marks(one)])) + "\n"
    return Turn(
        answer_id=one.answer_id,
        asked=asked(Question.from_dict(one.request), "answer", count),
        answered=Spoken("assistant", said, count(said) + packing.OVERHEAD.per_assistant_message),
        line=line,
        line_tokens=count(line),
    )


def _marks(one: Past) -> list[str]:
    """The pages that an answer cited, each once."""
    return list(dict.fromkeys(" ".join(str(citation["marker"]).split()) for citation in one.citations))
