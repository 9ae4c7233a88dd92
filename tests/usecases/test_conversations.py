"""Turns of a conversation: counted to the token, forecast to the step, and never silently shortened."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from service.domain import prompts
from service.domain.questions import Question
from service.errors import NotFound, OverThreshold, PlanChanged
from service.factory import open_context
from service.settings import Settings
from service.store import answers
from service.usecases import arrange_corpus, keep_conversation, preview_question
from service.usecases.ask_question import Request, ask_question, get_answer
from service.usecases.context import LOCAL, Context
from service.usecases.describe_answer import describe_answer
from service.usecases.export_answer import export_answer
from service.usecases.run_answer import run_answer
from service.usecases.write_markdown import write_markdown
from tests.support.batching import Unworked
from tests.support.billing import text_of
from tests.support.counted import counted, prose
from tests.support.server import stored
from tests.support.upstream import Act, Upstream, no_usage

Json = dict[str, Any]
QUESTIONS = (
    "Which pilot came in winter?",
    "And which <document> did </task> they sign?\n\nNames, please.",
    "What of the timber, then?",
    "Once more, with the tariff?",
)


@pytest.fixture
def ctx(settings: Settings) -> Iterator[Context]:
    context = open_context(settings, queue=Unworked)
    yield context
    context.db.close()


@pytest.fixture
def corpus(ctx: Context) -> str:
    ids = [counted(ctx, f"{n}.txt", [prose(n, 900)]) for n in (1, 2)]
    return arrange_corpus.create(ctx, LOCAL, name="Tests", document_ids=ids).id


def begin(ctx: Context, corpus: str) -> str:
    return str(keep_conversation.begin(ctx, LOCAL, corpus)["id"])


def question(text: str, conversation: str | None, **more: Any) -> Question:  # noqa: ANN401 - any field
    values = {"strategies": ("whole",), **more}
    return Question(text=text, model="gpt-5.5", conversation_id=conversation, **values)


def ask(ctx: Context, corpus: str, text: str, conversation: str | None, **more: Any) -> Json:  # noqa: ANN401 - any field
    asked = Request(question=question(text, conversation, **more))
    answer = ask_question(ctx, LOCAL, corpus, asked)
    asyncio.run(run_answer(ctx, answer.id))
    return describe_answer(get_answer(ctx, LOCAL, answer.id))


def plan(ctx: Context, corpus: str, text: str, conversation: str | None, **more: Any) -> Json:  # noqa: ANN401 - any field
    (offer,) = preview_question.preview_question(
        ctx, LOCAL, corpus, question(text, conversation, **more)
    ).offers
    return offer.description


def texts(sent: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - one received request
    return [(message["role"], text_of(message)) for message in sent.body["messages"]]


# Counts and prefixes.


def test_every_turn_is_counted_to_the_token(ctx: Context, corpus: str, upstream: Upstream) -> None:
    conversation = begin(ctx, corpus)
    turns = [ask(ctx, corpus, text, conversation) for text in QUESTIONS]
    for answer, billed in zip(turns, upstream.invoice, strict=True):
        assert (answer["status"], answer["conversation_id"]) == ("done", conversation)
        assert answer["estimate"]["difference"] == 0
        assert answer["usage"]["prompt_tokens"] == billed.prompt_tokens
        assert Decimal(answer["cost"]["actual_usd"]) == billed.usd <= Decimal(answer["cost"]["max_usd"])
    prompt = [texts(sent) for sent in upstream.requests]
    for earlier, later, answer in zip(prompt, prompt[1:], turns, strict=False):
        assert later[: len(earlier)] == earlier, "the whole prompt of the turn before, byte for byte"
        assert later[len(earlier) : -1] == [("assistant", answer["text"])]
    assert [role for role, _ in prompt[-1]] == ["system", "user", *["user", "assistant"] * 3, "user"]


def test_the_cache_is_forecast_up_to_the_last_question(ctx: Context, corpus: str, upstream: Upstream) -> None:
    conversation = begin(ctx, corpus)
    lengthy = "the harbour master wrote of it in the ledger " * 60
    usual, upstream.answer = upstream.answer, lambda _: lengthy
    turns = [ask(ctx, corpus, text, conversation) for text in QUESTIONS]
    upstream.answer = usual
    assert turns[0]["cache"]["code"] == "first_question"
    for before, answer in pairwise(turns):
        cache = answer["cache"]
        assert cache["code"] == "hit", cache
        assert abs(cache["difference"]) <= 128
        assert cache["expected_cached_tokens"] > before["usage"]["prompt_tokens"] - 256
    alone = ask(ctx, corpus, "What stands alone?", None)
    assert abs(alone["cache"]["difference"]) <= 128
    assert alone["usage"]["cached_tokens"] < turns[1]["usage"]["cached_tokens"]


def test_conversations_side_by_side_keep_their_own_prefixes(ctx: Context, corpus: str) -> None:
    long = "Tell, of all that is written there, what the captain held against the customs. " * 20
    one, other = begin(ctx, corpus), begin(ctx, corpus)
    for text in ("First?", "Second?"):
        mine, theirs = ask(ctx, corpus, f"Mine. {long}{text}", one), ask(ctx, corpus, f"{long}{text}", other)
    for answer in (mine, theirs):
        assert answer["cache"]["code"] == "hit"
        assert abs(answer["cache"]["difference"]) <= 128


def test_a_question_alone_is_packed_as_before(ctx: Context, corpus: str) -> None:
    alone, first = plan(ctx, corpus, "When?", None), plan(ctx, corpus, "When?", begin(ctx, corpus))
    assert (alone["conversation_id"], alone["conversation"]) == (None, None)
    assert alone["coverage"]["history_out"] == []
    assert first["calls"] == alone["calls"], "the first turn is the same prompt"
    assert first["conversation"]["history_tokens"] == 0


def test_instructions_and_lists_stay_with_their_turns(ctx: Context, corpus: str, upstream: Upstream) -> None:
    conversation = begin(ctx, corpus)
    ask(ctx, corpus, "When?", conversation, system_prompt="Speak like a clerk.")
    several = ("Who was it?", "Where was it?")
    answer = ask(ctx, corpus, "1. Who was it?\n2. Where was it?", conversation, questions=several)
    last = ask(ctx, corpus, "Why?", conversation)
    assert [one["estimate"]["difference"] for one in (answer, last)] == [0, 0]
    history = texts(upstream.requests[-1])[2:-1]
    assert "Speak like a clerk." in history[0][1]
    assert '<question n="2">\nWhere was it?' in history[2][1]
    assert "Speak like a clerk." not in texts(upstream.requests[-1])[-1][1]


def test_a_split_turn_reads_the_history_in_every_call(ctx: Context, upstream: Upstream) -> None:
    ids = [counted(ctx, f"large {n}.txt", [prose(n, 1_000)] * 120) for n in (1, 2, 3)]
    corpus = arrange_corpus.create(ctx, LOCAL, name="Large", document_ids=ids).id
    conversation = begin(ctx, corpus)
    split = {"strategies": ("split",)}
    first = ask(ctx, corpus, "Which pilot?", conversation, **split)
    second = ask(ctx, corpus, "And when?", conversation, **split)
    assert [first["status"], second["status"]] == ["done", "done"], second["error"]
    calls = get_answer(ctx, LOCAL, second["id"]).plan["calls"]
    sent = [texts(one) for one in upstream.requests[-len(calls) :]]
    assert all(("assistant", first["text"]) in one for one in sent)
    with ctx.db.read() as tx:
        made = answers.calls_of(tx, second["id"])
    parts = [(one, call) for one, call in zip(calls, made, strict=True) if one["kind"] == "part"]
    assert parts
    before = get_answer(ctx, LOCAL, first["id"]).plan["calls"]
    assert [one["document_ids"] for one in before] == [one["document_ids"] for one in calls]
    for planned, call in parts:
        assert call.usage is not None
        assert call.usage.prompt_tokens == planned["input_tokens"] <= 272_000
    assert second["cache"]["code"] == "hit"
    assert abs(second["cache"]["difference"]) <= 128 * len(parts)


def test_a_merge_without_usage_counts_its_history(ctx: Context, upstream: Upstream) -> None:
    ids = [counted(ctx, f"large {n}.txt", [prose(n, 1_000)] * 120) for n in (1, 2, 3)]
    corpus = arrange_corpus.create(ctx, LOCAL, name="Large", document_ids=ids).id
    conversation = begin(ctx, corpus)
    ask(ctx, corpus, "Which pilot?", conversation, strategies=("split",))
    upstream.script.extend([Act(), Act(), no_usage()])
    second = ask(ctx, corpus, "And when?", conversation, strategies=("split",))
    with ctx.db.read() as tx:
        merged = answers.calls_of(tx, second["id"])[-1]
    assert merged.usage is not None
    assert merged.usage.estimated
    assert merged.usage.prompt_tokens == upstream.invoice[-1].prompt_tokens


def test_a_ranked_turn_ranks_anew_within_its_budget(ctx: Context, upstream: Upstream) -> None:
    made_up = [prose(n, 300) for n in range(10)]
    lighthouse = counted(ctx, "port.txt", ["The lighthouse burnt down in 1903.", *made_up])
    brewery = counted(ctx, "town.txt", [*made_up, "The brewery opened in 1911."])
    corpus = arrange_corpus.create(ctx, LOCAL, name="R", document_ids=[lighthouse, brewery]).id
    conversation = begin(ctx, corpus)
    ranked = {"strategies": ("ranked",), "budget_tokens": 2_000}
    first = ask(ctx, corpus, "When was the lighthouse lost?", conversation, **ranked)
    usual, upstream.answer = upstream.answer, lambda _: '"The lighthouse burnt down in 1903." [D1 p.1]'
    second = ask(ctx, corpus, "And the brewery?", conversation, **ranked)
    upstream.answer = usual
    assert [one["status"] for one in (first, second)] == ["done", "done"], second["error"]
    read = [get_answer(ctx, LOCAL, one["id"]).plan["calls"][0] for one in (first, second)]
    assert [one["document_ids"] for one in read] == [[lighthouse], [brewery]]
    assert second["usage"]["prompt_tokens"] == read[1]["input_tokens"] <= 2_000
    assert [one["verdict"] for one in second["citations"]] == ["exact"], "quoted from what was said before"


# What is no turn.


@pytest.mark.parametrize(
    ("act", "status"),
    [(Act(status=400, error={"error": {"message": "No."}}), "failed"), (Act(cut_after=2), "in_doubt")],
)
def test_what_was_not_surely_answered_is_not_sent(
    ctx: Context, corpus: str, upstream: Upstream, act: Act, status: str
) -> None:
    conversation = begin(ctx, corpus)
    ask(ctx, corpus, "When?", conversation)
    upstream.script.append(act)
    broken = ask(ctx, corpus, "What breaks?", conversation)
    assert broken["status"] == status
    last = ask(ctx, corpus, "And then?", conversation)
    assert (last["status"], last["estimate"]["difference"]) == ("done", 0)
    sent = texts(upstream.requests[-1])
    assert [role for role, _ in sent] == ["system", "user", "user", "assistant", "user"]
    assert not any("What breaks?" in text for _, text in sent)
    assert last["coverage"]["history_out"] == [{"answer_id": broken["id"], "tokens": None, "reason": status}]
    written = write_markdown(export_answer(ctx, LOCAL, last["id"]))
    assert f"- An earlier turn of the conversation, `{broken['id']}`: {status.replace('_', ' ')}." in written
    turns = keep_conversation.get(ctx, LOCAL, conversation)["turns"]
    assert [turn["sent_as"] for turn in turns] == ["whole", None, "whole"]


def test_a_refusal_is_a_turn_and_an_empty_answer_is_none(
    ctx: Context, corpus: str, upstream: Upstream
) -> None:
    conversation = begin(ctx, corpus)
    upstream.script.extend([Act(text="", refusal="I can't help with that."), Act(text="")])
    ask(ctx, corpus, "Refused?", conversation)
    empty = ask(ctx, corpus, "Empty?", conversation)
    last = ask(ctx, corpus, "And then?", conversation)
    assert last["estimate"]["difference"] == 0
    assert ("assistant", "I can't help with that.") in texts(upstream.requests[-1])
    assert [(one["answer_id"], one["reason"]) for one in last["coverage"]["history_out"]] == [
        (empty["id"], "empty")
    ]


def test_a_plan_holds_until_the_conversation_goes_on(ctx: Context, corpus: str) -> None:
    conversation = begin(ctx, corpus)
    ask(ctx, corpus, "When?", conversation)
    offered = plan(ctx, corpus, "Who?", conversation)
    ask(ctx, corpus, "Where?", conversation)
    with pytest.raises(PlanChanged, match="the conversation changed"):
        ask_question(ctx, LOCAL, corpus, Request(plan_id=offered["id"]))
    again = plan(ctx, corpus, "Who?", conversation)
    answer = ask_question(ctx, LOCAL, corpus, Request(plan_id=again["id"]))
    assert answer.conversation_id == conversation
    assert again["input_tokens"] > offered["input_tokens"]


def test_what_was_accepted_is_sent_whatever_becomes_of_the_conversation(
    ctx: Context, corpus: str, upstream: Upstream
) -> None:
    conversation = begin(ctx, corpus)
    ask(ctx, corpus, "When?", conversation)
    accepted = ask_question(ctx, LOCAL, corpus, Request(question=question("Who?", conversation)))
    keep_conversation.compact(ctx, LOCAL, conversation, keep_last=0)
    keep_conversation.remove(ctx, LOCAL, conversation)
    asyncio.run(run_answer(ctx, accepted.id))
    answer = describe_answer(get_answer(ctx, LOCAL, accepted.id))
    assert (answer["status"], answer["estimate"]["difference"]) == ("done", 0)
    assert len(texts(upstream.requests[-1])) == 5
    with pytest.raises(NotFound):
        plan(ctx, corpus, "More?", conversation)


def test_a_conversation_is_about_one_corpus_of_one_tenant(ctx: Context, corpus: str) -> None:
    conversation = begin(ctx, corpus)
    other = arrange_corpus.create(ctx, LOCAL, name="Other", document_ids=[counted(ctx, "3.txt", ["a b"])])
    for where, who in ((other.id, LOCAL), (corpus, "acme")):
        with pytest.raises(NotFound):
            ask_question(ctx, who, where, Request(question=question("When?", conversation)))
    with pytest.raises(NotFound):
        keep_conversation.begin(ctx, "acme", corpus)


# Limits.


def test_the_turn_before_the_threshold_warns(ctx: Context) -> None:
    corpus = arrange_corpus.create(
        ctx, LOCAL, name="Near", document_ids=[stored(ctx, pages=10, tokens=26_950)]
    ).id
    conversation = begin(ctx, corpus)
    roomy, near = (
        plan(ctx, corpus, "Q?", conversation, reasoning_effort="none"),
        plan(ctx, corpus, "Q?", conversation),
    )
    assert roomy["input_tokens"] == near["input_tokens"] < 270_000
    codes = [[one["code"] for one in told["warnings"]] for told in (roomy, near)]
    assert "conversation_will_cross" not in codes[0]
    assert "conversation_will_cross" in codes[1]
    alone = plan(ctx, corpus, "Q?", None)
    assert "conversation_will_cross" not in [one["code"] for one in alone["warnings"]]


def test_the_turn_that_crosses_is_refused_with_the_ways_out(ctx: Context, upstream: Upstream) -> None:
    small = arrange_corpus.create(ctx, LOCAL, name="S", document_ids=[counted(ctx, "s.txt", [prose(5, 900)])])
    conversation = begin(ctx, small.id)
    upstream.script.extend([Act(text="the harbour " * 700) for _ in range(3)])
    for n in range(3):
        ask(ctx, small.id, f"Turn {n}?", conversation)
    history = keep_conversation.get(ctx, LOCAL, conversation)["history_tokens"]
    room = 272_000 - plan(ctx, small.id, "Q?", conversation)["input_tokens"]
    for over, keeps in ((-100, None), (100, 2), (history // 2, 1), (history - 900, 0), (history + 900, None)):
        big = stored(ctx, pages=1, tokens=room + over)
        arrange_corpus.append(ctx, LOCAL, small.id, big)
        offered = plan(ctx, small.id, "Q?", conversation)
        crosses = offered["input_tokens"] > 272_000
        (warning,) = (
            one
            for one in offered["warnings"]
            if one["code"] == ("over_threshold" if crosses else "conversation_will_cross")
        )
        by_name = {fix["do"]: fix for fix in warning["fixes"]}
        assert by_name.get("compact", {}).get("keep_last") == (keeps if crosses else 1), over
        if crosses:
            with pytest.raises(OverThreshold) as refused:
                ask_question(ctx, LOCAL, small.id, Request(question=question("Q?", conversation)))
            dos = [fix.do for fix in refused.value.fixes]
            assert ("compact" in dos, "new_conversation" in dos) == ("compact" in by_name, keeps is not None)
        if keeps is not None:
            told = keep_conversation.compact(ctx, LOCAL, conversation, keep_last=keeps)
            assert told["saves_tokens"] == by_name["compact"]["saves_tokens"] >= over
            assert plan(ctx, small.id, "Q?", conversation)["input_tokens"] <= 272_000
            keep_conversation.compact(ctx, LOCAL, conversation, keep_last=None)
        arrange_corpus.take_out(ctx, LOCAL, small.id, big)


# Compaction.


def test_compaction_is_told_counted_and_taken_back(ctx: Context, corpus: str, upstream: Upstream) -> None:
    conversation = begin(ctx, corpus)
    turns = [ask(ctx, corpus, text, conversation) for text in QUESTIONS]
    before = plan(ctx, corpus, "Q?", conversation)
    requests = len(upstream.requests)
    told = keep_conversation.compact(ctx, LOCAL, conversation, keep_last=1)
    assert len(upstream.requests) == requests, "no model is called"
    after = plan(ctx, corpus, "Q?", conversation)
    assert before["input_tokens"] - after["input_tokens"] == told["saves_tokens"] > 0
    out = after["coverage"]["history_out"]
    assert [(one["answer_id"], one["reason"]) for one in out] == [
        (turn["id"], "compacted") for turn in turns[:3]
    ]
    assert told["history_out"] == out
    assert [turn["sent_as"] for turn in told["turns"]] == ["line", "line", "line", "whole"]
    assert [turn["text"] for turn in told["turns"]] == [turn["text"] for turn in turns], "nothing is lost"

    answer = ask(ctx, corpus, "Q?", conversation)
    assert answer["estimate"]["difference"] == 0
    assert answer["coverage"]["history_out"] == out
    listed = texts(upstream.requests[-1])[2]
    lines = listed[1].splitlines()
    assert (listed[0], len(lines)) == ("user", 6)
    marks = [turn["citations"][0]["marker"] for turn in turns]
    assert lines[2] == f"1. {QUESTIONS[0]} {marks[0]}"
    assert "\u2039document>" in lines[3]
    assert lines[3].endswith(f"Names, please. {marks[1]}")
    assert [role for role, _ in texts(upstream.requests[-1])[3:]] == ["user", "assistant", "user"]

    again = plan(ctx, corpus, "Q2?", conversation)
    assert [one["answer_id"] for one in again["coverage"]["history_out"]] == [one["answer_id"] for one in out]
    keep_conversation.compact(ctx, LOCAL, conversation, keep_last=None)
    assert plan(ctx, corpus, "Q?", conversation)["coverage"]["history_out"] == []


def test_compaction_of_nothing_changes_nothing(ctx: Context, corpus: str) -> None:
    conversation = begin(ctx, corpus)
    for keep in (0, 1):
        assert keep_conversation.compact(ctx, LOCAL, conversation, keep_last=keep)["saves_tokens"] == 0
    ask(ctx, corpus, "When?", conversation)
    assert keep_conversation.compact(ctx, LOCAL, conversation, keep_last=1)["history_out"] == []
    with pytest.raises(NotFound):
        keep_conversation.compact(ctx, "acme", conversation, keep_last=1)


def test_the_list_is_a_prompt_text_of_its_own() -> None:
    assert prompts.EARLIER_TURNS.startswith("<task>\n")
    assert prompts.EARLIER_TURNS.endswith("{turns}</task>\n")


# Names.


def test_the_last_conversation_of_a_corpus_is_the_one_used_last(ctx: Context, corpus: str) -> None:
    first = keep_conversation.to_continue(ctx, LOCAL, corpus, question("Q?", "last")).conversation_id
    second = keep_conversation.to_continue(ctx, LOCAL, corpus, question("Q?", "new")).conversation_id
    assert first != second
    ask(ctx, corpus, f"Which {'very ' * 40}old pilot?", first)
    named = keep_conversation.to_continue(ctx, LOCAL, corpus, question("Q?", "last"))
    assert named == replace(question("Q?", None), conversation_id=first)
    title = keep_conversation.get(ctx, LOCAL, str(first))["title"]
    assert (len(title), title[:10], title[-1]) == (100, "Which very", "…")
    alone = question("Q?", None)
    assert keep_conversation.to_continue(ctx, LOCAL, corpus, alone) is alone
