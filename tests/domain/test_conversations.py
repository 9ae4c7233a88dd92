"""The history of a conversation: its count is that of its texts, and it grows without changing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import count_tokens
from service.domain import packing, planner, prompts, tasks
from service.domain.answers import AnswerStatus
from service.domain.conversations import NOTHING_SAID, History, Past, asked, history_of, title_of
from service.domain.planner import MARGIN_TOKENS
from service.domain.prompt_counts import PromptCounts
from service.domain.questions import Question
from service.domain.ranked import room
from tests.domain.test_planner import COUNTS, GUARD, TERMS, THRESHOLD, member, split_of

HOSTILE = [
    "</task>",
    "<question>",
    "<|endoftext|>",
    "/usr",
    "\n\n",
    " ",
    "1. ",
    "[D1 p.1]",
    "語",
    "\u0301",
    "<",
]
said = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=12), max_size=8).map("".join)
statuses = st.sampled_from([*[AnswerStatus.DONE] * 4, AnswerStatus.FAILED, AnswerStatus.IN_DOUBT])


@st.composite
def pasts(draw: st.DrawFn) -> list[Past]:
    turns = draw(st.lists(st.tuples(said, said, said, statuses, st.booleans()), max_size=6))
    return [past(n, *turn) for n, turn in enumerate(turns, 1)]


def past(
    number: int,
    question: str,
    text: str,
    marker: str = "[D1 p.1]",
    status: AnswerStatus = AnswerStatus.DONE,
    own: bool = False,  # noqa: FBT001, FBT002 - drawn
) -> Past:
    request = Question(text=question, model="gpt-5.5", system_prompt="Be brief." if own else None).as_dict()
    return Past(
        answer_id=f"ans_{number:03}",
        status=status,
        question=question,
        request=request,
        text=text,
        refusal=None,
        citations=({"marker": marker},),
        actual_usd=None,
        created_at=datetime(2026, 11, 22, tzinfo=UTC),
    )


def history(drawn: list[Past], listed: int = 0) -> History:
    through = f"ans_{listed:03}" if listed else None
    return history_of(drawn, listed_through=through, count=count_tokens)


def counted(found: History) -> int:
    """By the encoder, with the published overhead."""
    share = {"user": 4, "assistant": 6}
    return sum(count_tokens(one.text) + share[one.role] for one in found.messages(str))


@given(drawn=pasts(), listed=st.integers(0, 7))
@settings(max_examples=150)
def test_what_is_counted_is_what_is_sent(drawn: list[Past], listed: int) -> None:
    found = history(drawn, listed)
    assert found.tokens == counted(found)
    assert found.chain().total == found.tokens
    for message in found.messages(str):
        held = message.text.removeprefix(prompts.EARLIER_TURNS[:6])
        assert "<|" not in held
    for keep in range(len(found.turns) + 1):
        kept = found.keeping(keep)
        assert kept.tokens == counted(kept)
        assert len(kept.messages(str)) == 2 * keep + (keep < len(found.turns))


@given(drawn=pasts(), more=pasts())
def test_a_history_that_grows_begins_as_before(drawn: list[Past], more: list[Past]) -> None:
    later = [replace(one, answer_id=f"ans_1{one.answer_id[-2:]}") for one in more]
    before, after = history(drawn), history([*drawn, *later])
    assert after.messages(str)[: len(before.messages(str))] == before.messages(str)
    assert before.chain().shared(after.chain()) == len(before.messages(str))
    assert (before.identity == after.identity) is (len(before.turns) == len(after.turns))


def test_a_turn_is_sent_as_it_was_asked() -> None:
    one = past(1, "Who <page>?", "Him.")
    question = Question.from_dict(one.request)
    (asking, answer) = history([one]).messages(str)
    assert asking.text == tasks.task_of(question, "answer") == asked(question, "answer", count_tokens).text
    assert (asking.role, answer.role, answer.text) == ("user", "assistant", "Him.")


def test_answers_are_defused() -> None:
    found = history([past(1, "Q?", "</task> and <document id='D9'> and <|endoftext|>")])
    assert found.messages(str)[1].text == "\u2039/task> and \u2039document id='D9'> and \u2039|endoftext|>"


def test_a_list_names_questions_and_pages() -> None:
    turns = [past(1, "Who\n\nwas </task> it?", "Him.", "[D1\np.1]"), past(2, "Where?", "There.")]
    cited = ({"marker": "[D2 p.3]"}, {"marker": "[D2 p.3]"}, {"marker": "[D4 p.1]"})
    turns[1] = replace(turns[1], citations=cited)
    (listed,) = history(turns, 2).messages(str)
    assert listed.text.splitlines()[2:] == [
        "1. Who was \u2039/task> it? [D1 p.1]",
        "2. Where? [D2 p.3] [D4 p.1]",
        "</task>",
    ]


def test_only_answers_are_turns() -> None:
    left = [AnswerStatus.FAILED, AnswerStatus.CANCELLED, AnswerStatus.IN_DOUBT, AnswerStatus.RUNNING]
    drawn = [past(n, "Q?", "Text.", status=status) for n, status in enumerate(left, 1)]
    found = history([*drawn, past(9, "Q?", " \n")])
    assert (found.turns, found.tokens, found.messages(str), found.identity) == ((), 0, (), "")
    assert NOTHING_SAID.chain() == found.chain()


def test_titles() -> None:
    assert title_of(" Who \n was it? ") == "Who was it?"
    assert len(title_of("x" * 300)) == 100


# In plans.


BEHIND = replace(TERMS, counts=replace(COUNTS, history=7_000), history="said")


def test_a_history_counts_in_every_call() -> None:
    members = [member(1, 10_000)]
    alone, behind = planner.plan_whole(members, TERMS), planner.plan_whole(members, BEHIND)
    assert behind.input_tokens - alone.input_tokens == 7_000
    assert behind.calls[0].prefix_tokens - alone.calls[0].prefix_tokens == 7_000
    assert behind.calls[0].prefix_sha256 != alone.calls[0].prefix_sha256
    assert room(32_000, TERMS) - room(32_000, BEHIND) == 7_000


def test_a_split_leaves_room_for_it() -> None:
    largest = THRESHOLD - packing.CALL_OVERHEAD - COUNTS.instructions - COUNTS.part_task - MARGIN_TOKENS
    papers = [(member(n, 90_000 - 20), [90_000]) for n in range(1, 7)]
    assert planner.split_capacity(TERMS) == largest
    assert planner.split_capacity(BEHIND) == largest - 7_000
    alone, behind = split_of(papers, TERMS), split_of(papers, BEHIND)
    assert (len(alone.calls), len(behind.calls)) == (3, 4)
    assert max(call.input_tokens for call in behind.calls) <= THRESHOLD
    assert behind.calls[-1].input_tokens - alone.calls[-1].input_tokens == 7_000 + 2_016


def test_a_split_keeps_its_parts_while_the_history_grows() -> None:
    papers = [(member(n, size), [size]) for n, size in enumerate((200_000, 66_000, 150_000, 118_500), 1)]
    roomy = [
        replace(TERMS, counts=replace(COUNTS, history=tokens), history_room=8_192)
        for tokens in (0, 1, 4_000, 8_192)
    ]
    plans = [split_of(papers, terms) for terms in roomy]
    parts = [[call.slices for call in plan.calls] for plan in plans]
    assert all(one == parts[0] for one in parts)
    bare = [split_of(papers, replace(one, history_room=0)) for one in roomy]
    assert [call.slices for call in bare[0].calls] != [call.slices for call in bare[-1].calls]
    assert planner.split_capacity(roomy[-1]) == planner.split_capacity(replace(TERMS, history_room=8_192))


def test_a_history_that_leaves_no_room_says_so() -> None:
    terms = replace(TERMS, counts=replace(COUNTS, history=THRESHOLD))
    plan = planner.plan_split([member(1, 400_000)], terms, page_tokens={})
    assert plan.infeasible_because is not None
    assert "conversation" in plan.infeasible_because


def test_a_price_of_counts_knows_the_history() -> None:
    assert PromptCounts(1, 2, 3, 4, 5).history == 0
    members = [member(1, 10_000)]
    plan = planner.plan_whole(members, BEHIND)
    assert planner.price_whole(planner.whole_input(members, BEHIND.counts), BEHIND) == plan.estimate
    assert planner.status_of(plan.largest_call, THRESHOLD, GUARD) == "below"
