"""Conversations as one question: nothing that was said is lost, and the last word is the user's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.dialogue import EARLIER, Speaker, Turn, fold
from service.errors import Invalid

SPEAKERS: tuple[Speaker, ...] = ("system", "user", "assistant")
TEXTS = st.text(alphabet=st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=8)
TURNS = st.lists(st.builds(Turn, st.sampled_from(SPEAKERS), TEXTS), max_size=6)


def test_a_question_alone_is_itself() -> None:
    assert fold([Turn("user", "When?")]).question == "When?"
    assert fold([Turn("user", "When?")]).instructions is None


def test_instructions_alone_stand_as_they_are() -> None:
    turns = [Turn("system", "Be brief."), Turn("user", "When?"), Turn("system", "Be kind.")]
    assert fold(turns).instructions == "Be brief.\n\nBe kind."


def test_names_tell_speakers_apart() -> None:
    turns = [Turn("user", "When?", "Ann"), Turn("assistant", "In 1871."), Turn("user", "Why?")]
    assert fold(turns).instructions == f"{EARLIER}\n\nUser (Ann):\nWhen?\n\nAssistant:\nIn 1871."


@given(TURNS, TEXTS)
def test_every_turn_is_told_once_and_in_order(turns: list[Turn], question: str) -> None:
    folded = fold([*turns, Turn("user", question)])
    said = [turn.text for turn in turns if turn.speaker == "system"]
    earlier = [turn for turn in turns if turn.speaker != "system"]
    said += [EARLIER] if earlier else []
    said += [f"{turn.speaker.title()}:\n{turn.text}" for turn in earlier]
    assert (folded.question, folded.instructions) == (question, "\n\n".join(said) or None)


@pytest.mark.parametrize(
    "turns",
    [
        [],
        [Turn("system", "Be brief.")],
        [Turn("user", "When?"), Turn("assistant", "In 1871.")],
        [Turn("user", " \n")],
    ],
    ids=["nothing", "instructions", "an answer", "blank"],
)
def test_what_asks_nothing_is_refused(turns: list[Turn]) -> None:
    with pytest.raises(Invalid, match="last message"):
        fold(turns)
