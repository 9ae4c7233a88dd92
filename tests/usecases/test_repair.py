"""A repair is asked once, only where quotes fail, within its ceiling; no crash repeats or loses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from service.domain import pricing, prompts
from service.domain.answers import Answer, AnswerStatus, Call
from service.domain.questions import Question
from service.domain.statements import WITHDRAWN
from service.settings import Settings
from service.store import answers
from service.usecases import arrange_corpus, keep_conversation
from service.usecases.ask_question import Request, ask_question
from service.usecases.cancel_answer import cancel_answer
from service.usecases.context import LOCAL, Context
from service.usecases.describe_answer import describe_answer
from tests.support.billing import text_of
from tests.support.counted import counted, prose
from tests.support.server import stored
from tests.support.upstream import Act, Upstream, cut_after, no_usage, status, well
from tests.usecases.test_run_answer import (
    Killed,
    after,
    after_events,
    books,
    done_calls,
    process,
    run,
    states,
)

GOOD = '"This is page 1 of 2." [D1 p.1]'
BAD = '"This is page 1 of 3." [D1 p.1]'
INVENTED = '"Whales sing in winter." [D1 p.2]'


def is_repair(body: dict[str, Any]) -> bool:
    return str(text_of(body["messages"][-1])).startswith(prompts.REPAIRING)


def says(answer: str, repair: str) -> Callable[[dict[str, Any]], str]:
    """A model that answers so, and repairs so."""
    return lambda body: repair if is_repair(body) else answer


def asked(ctx: Context, **more: Any) -> Answer:  # noqa: ANN401 - parameters of a question
    corpus = arrange_corpus.create(
        ctx, LOCAL, name="Tests", document_ids=[stored(ctx, pages=2, tokens=2_000)]
    )
    question = Question(
        **{"text": "What?", "model": "gpt-5.5", "strategies": ("whole",), "repair": True, **more}
    )
    return ask_question(ctx, LOCAL, corpus.id, Request(question=question))


def turn(ctx: Context, before: Answer | None = None, **more: Any) -> Answer:  # noqa: ANN401 - parameters
    """Ask in the conversation of an answer before, or in a new one, and wait for its end."""
    corpus = more.pop("corpus", None) or (before.corpus_id if before else None)
    if corpus is None:
        ids = [counted(ctx, "two.txt", [f"This is page {n} of 2. {prose(n, 900)}" for n in (1, 2)])]
        corpus = arrange_corpus.create(ctx, LOCAL, name="Tests", document_ids=ids).id
    name = before.conversation_id if before else keep_conversation.begin(ctx, LOCAL, corpus)["id"]
    values = {"model": "gpt-5.5", "strategies": ("whole",), "conversation_id": name, **more}
    answer = ask_question(ctx, LOCAL, corpus, Request(question=Question(**values)))
    run(ctx, answer)
    return answer


def ended(settings: Settings, **more: Any) -> tuple[Answer, list[Call], dict[str, int]]:  # noqa: ANN401
    with process(settings) as ctx:
        answer = asked(ctx, **more)
        run(ctx, answer)
        return *after(ctx, answer), books(ctx)


def verdicts(answer: Answer) -> list[str]:
    return [citation["verdict"] for citation in answer.citations]


def test_failed_quotes_are_replaced(settings: Settings, upstream: Upstream) -> None:
    upstream.answer = says(f"So {BAD}, and {GOOD}; but {INVENTED}.", f"1. {GOOD}\n2. WITHDRAWN")
    answer, calls, sums = ended(settings)
    assert answer.text == f"So {GOOD}, and {GOOD}; but {WITHDRAWN}."
    assert verdicts(answer) == ["exact", "exact"]
    assert [(one["index"], one["repaired"]) for one in answer.citations] == [(0, True), (1, False)]
    told = describe_answer(answer)
    assert told["citation_precision"] == answer.citation_precision == 1.0
    assert told["repair"] == {
        "status": "done",
        "because": None,
        "asked": 2,
        "corrected": 1,
        "withdrawn": 1,
        "citation_precision_before": 0.333333,
        "citation_precision": 1.0,
    }
    first, second = told["corrections"]
    assert first == {
        "index": 0,
        "marker": "[D1 p.1]",
        "was": "This is page 1 of 3.",
        "was_verdict": "altered",
        "now": "This is page 1 of 2.",
        "now_marker": "[D1 p.1]",
        "verdict": "exact",
        "withdrawn": False,
        "applied": True,
    }
    assert (second["was_verdict"], second["now"], second["withdrawn"]) == ("missing", None, True)
    assert states(calls) == ["done", "done"]
    assert all(sums[call.id] <= call.reserved_micros for call in calls)
    assert answer.actual_usd == sum((line.usd for line in upstream.invoice), Decimal(0))


def test_the_repair_reads_the_same_prefix_and_shows_what_failed(
    settings: Settings, upstream: Upstream
) -> None:
    upstream.answer = says(f"So {BAD}, and {GOOD}.", f"1. {GOOD}")
    answer, calls, _ = ended(settings, reasoning_effort="high", response_format={"type": "json_object"})
    first, second = (request.body for request in upstream.requests)
    assert first["messages"][:-1] == second["messages"][:-1]
    assert first["prompt_cache_key"] == second["prompt_cache_key"]
    shown = text_of(second["messages"][-1])
    assert "page 1 of 3" in shown
    assert "(page 1 says: This is page 1 of 2.)" in shown
    assert f"and {GOOD}" not in shown
    assert "response_format" not in second
    assert (first["reasoning_effort"], second["reasoning_effort"]) == ("high", "low")
    assert second["max_completion_tokens"] == answer.plan["calls"][1]["reserved_output_tokens"] == 4_000
    assert (calls[1].usage or pytest.fail("no usage")).prompt_tokens <= answer.plan["calls"][1][
        "max_input_tokens"
    ]


@pytest.mark.parametrize("text", [f"It is {GOOD}.", "No quotes at all.", '"This is page 1 of 2." [D1 p.2]'])
def test_none_is_made_where_none_is_needed(settings: Settings, upstream: Upstream, text: str) -> None:
    upstream.answer = says(text, "1. WITHDRAWN")
    answer, calls, sums = ended(settings)
    assert (answer.text, states(calls), len(upstream.requests)) == (text, ["done", "failed"], 1)
    assert sums[calls[1].id] == 0
    assert (answer.repair or {})["status"] == "not_needed"
    predicted = describe_answer(answer)["estimate"]["predicted_prompt_tokens"]
    assert predicted == answer.plan["calls"][0]["expected_input_tokens"]


def test_none_is_planned_unless_asked_for(settings: Settings, upstream: Upstream) -> None:
    upstream.answer = says(f"So {BAD}.", f"1. {GOOD}")
    answer, calls, _ = ended(settings, repair=False)
    assert (verdicts(answer), answer.citation_precision, states(calls)) == (["altered"], 0.0, ["done"])
    assert (answer.repair, answer.plan["repair"]) == (None, None)


@pytest.mark.parametrize(
    "reply",
    ["", "I cannot.", f"1. {INVENTED}", '1. "no mark"', f"2. {GOOD}", '1. "a ” b “ c" [D1 p.1]'],
)
def test_what_is_not_clean_and_true_changes_nothing(
    settings: Settings, upstream: Upstream, reply: str
) -> None:
    text = f"So {BAD}."
    upstream.answer = says(text, reply)
    answer, calls, _ = ended(settings)
    assert (answer.text, verdicts(answer), states(calls)) == (text, ["altered"], ["done", "done"])
    repair = answer.repair or {}
    assert (repair["status"], repair["asked"], repair["corrected"]) == ("done", 1, 0)
    assert [one["applied"] for one in repair["corrections"]] == [False]


def test_quotes_in_json_are_replaced_in_it(settings: Settings, upstream: Upstream) -> None:
    said = {
        "year": 9,
        "proof": [{"quote": "This is page 1 of 3.", "source": "[D1 p.1]"}],
        "note": f"so {GOOD}",
    }
    upstream.answer = says(json.dumps(said), f"1. {GOOD}")
    answer, _, _ = ended(settings, response_format={"type": "json_object"})
    assert answer.output == {
        **said,
        "proof": [{"quote": "This is page 1 of 2.", "source": "[D1 p.1]"}],
    }
    assert json.loads(answer.text) == answer.output
    assert [(one["path"], one["verdict"]) for one in answer.citations] == [
        ("$.proof[0].source", "exact"),
        ("$.note", "exact"),
    ]


@pytest.mark.parametrize("act", [status(400, "invalid_request_error")])
def test_a_refused_repair_leaves_the_answer(settings: Settings, upstream: Upstream, act: Act) -> None:
    upstream.answer = says(f"So {BAD}.", f"1. {GOOD}")
    upstream.script.extend([well(), act])
    answer, calls, sums = ended(settings)
    assert (answer.status, verdicts(answer)) == (AnswerStatus.DONE, ["altered"])
    assert states(calls) == ["done", "failed"]
    assert sums[calls[1].id] == 0
    assert (answer.repair or {})["status"] == "failed"
    assert (answer.repair or {})["because"]


def test_a_repair_in_doubt_is_said_and_its_money_held(settings: Settings, upstream: Upstream) -> None:
    text = f"So {BAD}."
    upstream.answer = says(text, f"1. {GOOD}")
    upstream.script.extend([well(), cut_after(3)])
    answer, calls, sums = ended(settings)
    assert (answer.status, answer.text, verdicts(answer)) == (AnswerStatus.IN_DOUBT, text, ["altered"])
    assert states(calls) == ["done", "in_doubt"]
    assert sums[calls[1].id] == calls[1].reserved_micros


def events(ctx: Context, answer: Answer) -> list[str]:
    return [event.name for event in after_events(ctx, answer) if event.name not in {"delta", "resumed"}]


@pytest.mark.parametrize("paid", [1, 2])
def test_a_death_repeats_no_call_and_no_event(settings: Settings, upstream: Upstream, paid: int) -> None:
    upstream.answer = says(f"So {BAD}, {GOOD}.", f"1. {GOOD}")
    with process(settings) as ctx:
        answer = asked(ctx)
    with process(settings, dies=lambda ctx: done_calls(ctx) == paid) as ctx, pytest.raises(Killed):
        run(ctx, answer)
    assert len(upstream.requests) == paid
    for _ in range(2):
        with process(settings) as ctx:
            run(ctx, answer)
            found, calls = after(ctx, answer)
            told, sums = events(ctx, answer), books(ctx)
    assert (found.status, verdicts(found), len(upstream.requests)) == (AnswerStatus.DONE, ["exact"] * 2, 2)
    assert told == ["plan", "citation", "citation", "citation", "repair", "usage", "done"]
    assert sums == {call.id: pricing.to_micros_up(call.actual_usd or Decimal(0)) for call in calls}


def test_sent_and_never_heard_of_is_in_doubt(settings: Settings, upstream: Upstream) -> None:
    text = f"So {BAD}."
    upstream.answer = says(text, f"1. {GOOD}")
    with process(settings) as ctx:
        answer = asked(ctx)
    with process(settings, dies=lambda ctx: done_calls(ctx) == 1) as ctx, pytest.raises(Killed):
        run(ctx, answer)
    with process(settings) as ctx:
        with ctx.db.write() as tx:
            assert answers.take_for_sending(tx, f"{answer.id}.1", ctx.now())
        run(ctx, answer)
        found, calls = after(ctx, answer)
        sums = books(ctx)
    assert (found.status, states(calls)) == (AnswerStatus.IN_DOUBT, ["done", "in_doubt"])
    assert (found.text, verdicts(found), found.citation_precision) == (text, ["altered"], 0.0)
    assert sums[calls[1].id] == calls[1].reserved_micros
    assert len(upstream.requests) == 1


def test_split_says_that_it_has_none(settings: Settings, upstream: Upstream) -> None:
    del upstream
    with process(settings) as ctx:
        ids = [stored(ctx, pages=n, tokens=140_000 // n) for n in (1, 2, 3)]
        corpus = arrange_corpus.create(ctx, LOCAL, name="Tests", document_ids=ids)
        question = Question(text="What?", model="gpt-5.5", strategies=("split",), repair=True)
        answer = ask_question(ctx, LOCAL, corpus.id, Request(question=question))
        cancel_answer(ctx, LOCAL, answer.id)
    told = answer.plan["repair"]
    assert (told["planned"], told["max_usd"]) == (False, None)
    assert "split" in told["because"]
    assert {call["kind"] for call in answer.plan["calls"]} == {"part", "merge"}


# In a conversation.


def test_a_repair_stands_behind_the_history_of_its_answer(settings: Settings, upstream: Upstream) -> None:
    upstream.answer = says(f"So {BAD}, and {GOOD}. " + "It goes on at length. " * 300, f"1. {GOOD}")
    upstream.script.extend([well(), well(), no_usage()])
    with process(settings) as ctx:
        first = turn(ctx, text="Which page is it?")
        second = turn(ctx, first, text="And how many are there?", repair=True)
        third = turn(ctx, first, text="And in all?")
        found, calls = after(ctx, second)
        last = describe_answer(after(ctx, third)[0])
    before, answered, repaired, then = (request.body["messages"] for request in upstream.requests)
    assert repaired[:-1] == answered[:-1]
    assert [one["role"] for one in repaired] == ["system", "user", "user", "assistant", "user"]
    assert (repaired[2], is_repair(upstream.requests[2].body)) == (before[-1], True)
    told = found.plan["calls"][1]
    assert (told["kind"], found.plan["repair"]["planned"]) == ("repair", True)
    assert told["prefix_sha256"] == found.plan["calls"][0]["prefix_sha256"]
    assert found.plan["cache"]["expected_cached_tokens"] > 0, (
        "priced as one that is warm, and still with a repair"
    )
    usage = calls[1].usage or pytest.fail("no usage")
    assert usage.estimated
    assert usage.prompt_tokens == upstream.invoice[2].prompt_tokens <= told["max_input_tokens"]
    assert verdicts(found) == ["exact", "exact"]
    assert [text_of(one) for one in then[-2:-1]] == [found.text], "the next turn goes on from what is true"
    assert (last["status"], last["estimate"]["difference"]) == ("done", 0)
    assert abs(last["cache"]["difference"]) <= 128


def test_a_repair_quotes_what_an_earlier_turn_read(settings: Settings, upstream: Upstream) -> None:
    with process(settings) as ctx:
        ids = [
            counted(ctx, f"{n}.txt", [f"The brewery of {n} burnt down in 190{n}.", prose(n, 60)])
            for n in (1, 2)
        ]
        corpus = arrange_corpus.create(ctx, LOCAL, name="Tests", document_ids=ids).id
        first = turn(ctx, text="The first?", document_ids=(ids[0],), strategies=("selected",), corpus=corpus)
        wrong, right = "The brewery of 1 burnt down in 1911.", "The brewery of 1 burnt down in 1901."
        upstream.answer = says(f'So "{wrong}" [D1 p.1].', f'1. "{right}" [D1 p.1]')
        second = turn(
            ctx,
            first,
            text="The second?",
            document_ids=(ids[1],),
            repair=True,
            strategies=("selected",),
            corpus=corpus,
        )
        found, _ = after(ctx, second)
    assert (found.text, verdicts(found)) == (f'So "{right}" [D1 p.1].', ["exact"])
