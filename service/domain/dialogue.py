"""A conversation as one question: what was said before stands in front of it, inside the task.

Documents come first and stay byte for byte the same, so a conversation that grows keeps the cached prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from service.errors import Invalid

Speaker = Literal["system", "user", "assistant"]

EARLIER = "What was said before the question, for reference:"
"""Opens the earlier turns, behind the caller's own instructions."""

_NAMES: dict[Speaker, str] = {"user": "User", "assistant": "Assistant"}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation.

    Attributes:
        speaker: `system` gives instructions, wherever it stands.
        name: tells apart those who speak in the same role.
    """

    speaker: Speaker
    text: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Folded:
    """The last turn as the question, and as instructions what is to be known when it is answered."""

    question: str
    instructions: str | None


def fold(turns: Sequence[Turn]) -> Folded:
    """Return a conversation as a question and its instructions: those of the caller, then what was said.

    Raises:
        Invalid: the last turn, the instructions aside, is not the user's or says nothing.
    """
    said = [turn for turn in turns if turn.speaker != "system"]
    if not said or said[-1].speaker != "user":
        raise Invalid("The last message has to be the user's: it is the question.")
    if not said[-1].text.strip():
        raise Invalid("The user's last message says nothing: it is the question.")
    own = [turn.text for turn in turns if turn.speaker == "system" and turn.text.strip()]
    earlier = [f"{_name(turn)}:\n{turn.text}" for turn in said[:-1]]
    blocks = [*own, EARLIER, *earlier] if earlier else own
    return Folded(said[-1].text, "\n\n".join(blocks) or None)


def _name(turn: Turn) -> str:
    return f"{_NAMES[turn.speaker]} ({turn.name})" if turn.name else _NAMES[turn.speaker]
