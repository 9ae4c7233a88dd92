"""An answer's very pages are asked again: the bytes before the question are the same, whatever came since."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from service.domain.answers import Answer, AnswerStatus
from service.domain.questions import Question
from service.errors import Invalid, OverMaxCost, OverThreshold, OverWindow, PlanChanged
from service.settings import Settings
from service.usecases import arrange_corpus
from service.usecases.ask_question import Request, ask_question, get_answer
from service.usecases.context import LOCAL, Context
from service.usecases.index_pages import make_searchable
from service.usecases.keep_conversation import begin
from service.usecases.remove_document import remove_document
from service.usecases.replay_answer import plan_replay, replay_answer
from service.usecases.run_answer import run_answer
from tests.support.counted import counted, prose
from tests.support.upstream import Upstream
from tests.usecases.test_run_answer import asked, process, run

STEP = 128


@pytest.fixture
def ctx(settings: Settings) -> Iterator[Context]:
    with process(settings) as context:
        yield context


def corpus_of(ctx: Context, *words: int) -> tuple[str, list[str]]:
    """A corpus of documents of so many words, three pages each, and their ids."""
    ids = [
        counted(ctx, f"volume {n}.txt", [prose(10 * n + page, size // 3) for page in range(3)])
        for n, size in enumerate(words, 1)
    ]
    return arrange_corpus.create(ctx, LOCAL, name="Tests", document_ids=ids).id, ids


def ask(ctx: Context, corpus: str, text: str = "What came?", **more: Any) -> Answer:  # noqa: ANN401 - any field
    question = Question(text=text, model="gpt-5.5", **{"strategies": ("whole",), **more})
    make_searchable(ctx, LOCAL, corpus, question, patient=True)
    return ended(ctx, ask_question(ctx, LOCAL, corpus, Request(question=question)))


def ended(ctx: Context, answer: Answer) -> Answer:
    asyncio.run(run_answer(ctx, answer.id))
    return get_answer(ctx, LOCAL, answer.id)


def replayed(ctx: Context, answer: Answer, **changes: Any) -> Answer:  # noqa: ANN401 - any field
    return ended(ctx, replay_answer(ctx, LOCAL, answer.id, changes, Request()))


def material(upstream: Upstream, request: int = -1) -> list[Any]:
    """What a request sent before its question."""
    messages: list[Any] = upstream.requests[request].body["messages"]
    return messages[:-1]


def prefixes(answer: Answer) -> list[str]:
    return [call["prefix_sha256"] for call in answer.plan["calls"]]


def grow(ctx: Context, corpus: str) -> str:
    new = counted(ctx, "new.txt", [prose(99, 800)])
    arrange_corpus.append(ctx, LOCAL, corpus, new)
    return new


def test_the_same_bytes_go_out_though_the_corpus_grew(ctx: Context, upstream: Upstream) -> None:
    corpus, ids = corpus_of(ctx, 900, 600)
    first = ask(ctx, corpus)
    new = grow(ctx, corpus)
    second = replayed(ctx, first)
    assert (second.status, second.replay_of, second.question) == (AnswerStatus.DONE, first.id, first.question)
    assert prefixes(second) == prefixes(first)
    assert upstream.requests[0].body["messages"] == upstream.requests[1].body["messages"]
    assert upstream.invoice[1].cached_tokens >= upstream.invoice[0].prompt_tokens - 2 * STEP
    assert second.cache is not None
    assert second.cache["code"] == "hit", "the forecast knew it"
    assert second.plan["coverage"]["documents_in"] == ids
    assert [(one["document_id"], one["reason"]) for one in second.plan["coverage"]["documents_out"]] == [
        (new, "joined_later")
    ]
    assert replayed(ctx, second, question="And then?").replay_of == second.id


@pytest.mark.parametrize(
    "changes",
    [
        {"question": "Which pilot, and when?"},
        {"questions": ["One?", "Two?"]},
        {"model": "gpt-5.5-2026-04-23"},
        {"reasoning_effort": "high", "verbosity": "low", "max_completion_tokens": 900},
        {"system_prompt": "Answer in one word."},
        {"reasoning_effort": "none", "temperature": 0.5},
        {"repair": True},
    ],
    ids=["question", "questions", "model", "effort", "instructions", "temperature", "repair"],
)
def test_what_stands_behind_the_documents_can_be_another(
    ctx: Context, upstream: Upstream, changes: dict[str, Any]
) -> None:
    corpus, _ = corpus_of(ctx, 900)
    first = ask(ctx, corpus, system_prompt="Answer at length.")
    second = replayed(ctx, first, **changes)
    assert second.status is AnswerStatus.DONE, second.error
    assert material(upstream, 0) == material(upstream, 1)
    assert prefixes(second)[0] == prefixes(first)[0]
    said = upstream.requests[1].body
    assert said["model"] == second.model
    for name in ("reasoning_effort", "verbosity", "temperature", "max_completion_tokens"):
        if name in changes:
            assert said[name] == changes[name]
    wanted = changes.get("system_prompt", "Answer at length.")
    assert wanted in str(said["messages"][-1])


def test_a_ranked_pack_keeps_its_pages(ctx: Context, upstream: Upstream) -> None:
    corpus, _ = corpus_of(ctx, 1_500, 1_500, 1_500)
    arrange_corpus.append(
        ctx, LOCAL, corpus, counted(ctx, "log.txt", [prose(7, 300), "The zeppelin landed at Lakehurst."])
    )
    first = ask(ctx, corpus, "When did the zeppelin land?", strategies=("ranked",), budget_tokens=2_000)
    assert first.plan["budget_tokens"] == 2_000
    grown = counted(ctx, "zeppelin.txt", ["A zeppelin, a zeppelin, the zeppelin did land."])
    arrange_corpus.append(ctx, LOCAL, corpus, grown)
    second = replayed(ctx, first, question="Who saw the zeppelin?")
    assert (second.status, second.plan["strategy"]) == (AnswerStatus.DONE, "ranked")
    assert prefixes(second) == prefixes(first)
    assert material(upstream, 0) == material(upstream, 1)
    runs = [[part["page_runs"] for part in one.plan["calls"][0]["documents"]] for one in (first, second)]
    assert runs[0] == runs[1]
    was, now = (one.plan["coverage"] for one in (first, second))
    assert now["pages_in"] == was["pages_in"]
    assert {one["document_id"]: one["reason"] for one in now["documents_out"]} == {
        **{one["document_id"]: one["reason"] for one in was["documents_out"]},
        grown: "joined_later",
    }


def test_a_longer_question_may_pass_the_budget_and_says_so(ctx: Context) -> None:
    corpus, _ = corpus_of(ctx, 1_500, 1_500, 1_500)
    first = ask(ctx, corpus, "Which harbour ledger?", strategies=("ranked",), budget_tokens=2_000)
    plan = plan_replay(ctx, LOCAL, first.id, {"question": "Which harbour? " * 400})
    assert (plan["budget_tokens"], plan["feasible"]) == (None, True)
    assert plan["input_tokens"] > 2_000


def test_a_split_keeps_its_parts(ctx: Context, upstream: Upstream) -> None:
    first = asked(ctx, documents=3, tokens=140_000, strategy="split")
    run(ctx, first)
    second = replayed(ctx, first, question="What else?")
    assert (second.status, len(upstream.requests)) == (AnswerStatus.DONE, 8)
    assert prefixes(second) == prefixes(first)
    assert [material(upstream, n) for n in range(3)] == [material(upstream, n) for n in range(4, 7)]


def test_waste_and_the_order_stay_as_they_were(ctx: Context, upstream: Upstream) -> None:
    same = [prose(1, 200)]
    ids = [counted(ctx, f"{n}.txt", same if n != 1 else [prose(2, 300)]) for n in range(3)]
    corpus = arrange_corpus.create(ctx, LOCAL, name="Tests", document_ids=ids).id
    first = ask(ctx, corpus, leave_out=("duplicates",))
    second = replayed(ctx, first, question="And?")
    assert material(upstream, 0) == material(upstream, 1)
    assert second.plan["coverage"]["documents_out"] == first.plan["coverage"]["documents_out"] != []


def test_a_turn_is_replayed_behind_its_history_and_is_no_turn(ctx: Context, upstream: Upstream) -> None:
    corpus, _ = corpus_of(ctx, 900)
    talk = begin(ctx, LOCAL, corpus)["id"]
    for text in ("What came?", "And then?"):
        second = ask(ctx, corpus, text, conversation_id=talk)
    ask(ctx, corpus, "And at last?", conversation_id=talk)
    again = replayed(ctx, second)
    assert (again.status, again.conversation_id) == (AnswerStatus.DONE, None)
    assert upstream.requests[3].body["messages"] == upstream.requests[1].body["messages"]
    assert len(upstream.requests[1].body["messages"]) == 5
    assert prefixes(again) == prefixes(second)
    assert again.plan["conversation"] == second.plan["conversation"]
    after = ask(ctx, corpus, "Is that all?", conversation_id=talk)
    assert again.id not in [turn["answer_id"] for turn in after.plan["conversation"]["turns"]]
    twice = replayed(ctx, again, question="And then, in short?")
    assert material(upstream) == material(upstream, 1)
    assert twice.cache is not None
    assert twice.cache["code"] == "hit"


@pytest.mark.parametrize("how", ["removed", "taken out"])
def test_a_document_that_is_gone_is_named(ctx: Context, upstream: Upstream, how: str) -> None:
    corpus, ids = corpus_of(ctx, 300, 300)
    first = ask(ctx, corpus)
    plan = plan_replay(ctx, LOCAL, first.id, {})
    if how == "removed":
        remove_document(ctx, LOCAL, ids[1])
    else:
        arrange_corpus.take_out(ctx, LOCAL, corpus, ids[1])
    with pytest.raises(PlanChanged, match=r"volume 2\.txt was removed or taken out"):
        plan_replay(ctx, LOCAL, first.id, {})
    with pytest.raises(PlanChanged, match=r"volume 2\.txt"):
        ask_question(ctx, LOCAL, corpus, Request(plan_id=plan["id"]))
    assert len(upstream.requests) == 1


def test_a_plan_of_a_replay_binds_as_any(ctx: Context, upstream: Upstream) -> None:
    corpus, _ = corpus_of(ctx, 900)
    first = ask(ctx, corpus)
    plan = plan_replay(ctx, LOCAL, first.id, {"question": "And then?"})
    assert (plan["replay_of"], plan["strategy"]) == (first.id, "whole")
    grow(ctx, corpus)
    accepted = ask_question(ctx, LOCAL, corpus, Request(plan_id=plan["id"]))
    assert accepted.plan["cost"]["max_usd"] == plan["cost"]["max_usd"]
    done = ended(ctx, accepted)
    assert (done.replay_of, done.actual_usd) == (first.id, upstream.invoice[1].usd)


def test_a_key_pays_once(ctx: Context, upstream: Upstream) -> None:
    corpus, _ = corpus_of(ctx, 300)
    first = ask(ctx, corpus)
    request = Request(idempotency_key="once")
    one = replay_answer(ctx, LOCAL, first.id, {"question": "And?"}, request)
    assert replay_answer(ctx, LOCAL, first.id, {"question": "And?"}, request).id == one.id
    with pytest.raises(Invalid, match="Idempotency-Key"):
        replay_answer(ctx, LOCAL, first.id, {"question": "But?"}, request)
    assert len(upstream.requests) == 1


def test_money_is_held_to_limits(ctx: Context) -> None:
    corpus, _ = corpus_of(ctx, 300)
    first = ask(ctx, corpus)
    with pytest.raises(OverMaxCost):
        replay_answer(ctx, LOCAL, first.id, {}, Request(max_cost_usd=Decimal("0.01")))


@pytest.mark.parametrize(
    "changes", [{"question": " "}, {"document_ids": ()}, {"question": "a", "questions": ["b"]}]
)
def test_what_can_not_be_another_is_refused(ctx: Context, changes: dict[str, Any]) -> None:
    corpus, _ = corpus_of(ctx, 300)
    first = ask(ctx, corpus)
    with pytest.raises(Invalid):
        plan_replay(ctx, LOCAL, first.id, changes)


def test_a_threshold_that_was_not_passed_before_has_to_be_accepted(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, _ = corpus_of(ctx, 300)
    first = ask(ctx, corpus)
    at = first.plan["calls"][0]["input_tokens"] + 5
    model = replace(ctx.catalog.model("gpt-5.5"), threshold_tokens=at)
    monkeypatch.setattr(type(ctx.catalog), "model", lambda _self, _name: model)
    longer = {"question": "What came, and when, and who was there to see it, and where did they go?"}
    with pytest.raises(OverThreshold):
        replay_answer(ctx, LOCAL, first.id, longer, Request())
    accepted = replay_answer(ctx, LOCAL, first.id, longer, Request(allow_long_context=True))
    assert accepted.plan["calls"][0]["price_band"] == "long"
    small = replace(model, max_input_tokens=at)
    monkeypatch.setattr(type(ctx.catalog), "model", lambda _self, _name: small)
    assert not plan_replay(ctx, LOCAL, first.id, longer)["feasible"]
    with pytest.raises(OverWindow):
        replay_answer(ctx, LOCAL, first.id, longer, Request(allow_long_context=True))
