"""Questions asked together, cheaper tiers, and the reason of the recommended plan over REST."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.api.conftest import prose
from tests.support.billing import text_of
from tests.support.server import Json, Server
from tests.support.shapes import ANSWER, PLAN, PROBLEM, fits, maybe, money, one_of
from tests.support.upstream import Upstream

QUESTIONS = ["When did the harbour open?", "When was it closed again?"]
TEXT = "1. When did the harbour open?\n2. When was it closed again?"
ALTERNATIVE = {
    "service_tier": one_of("flex", "batch"),
    "cost": maybe(dict.fromkeys(("min_usd", "expected_usd", "max_usd", "cold_usd", "warm_usd"), money)),
    "feasible": bool,
    "saves_usd": maybe(money),
    "costs_more_usd": maybe(money),
    "note": str,
}


def offered(server: Server, corpus: str, **body: Any) -> Json:  # noqa: ANN401 - any JSON value
    response = server.client.post(f"/v1/corpora/{corpus}/plans", json=body)
    assert response.status_code == 201, response.text
    reply: Json = response.json()
    return reply


# Together.


def test_a_list_is_priced_in_one_call(server: Server, corpus: str) -> None:
    plan = server.plans(corpus, questions=QUESTIONS)["whole"]
    each = [server.plans(corpus, question=question)["whole"] for question in QUESTIONS]
    fits(plan, PLAN)
    assert (plan["questions"], each[0]["questions"]) == (2, 1)
    assert len(plan["calls"]) == 1
    singly = Decimal(each[0]["cost"]["cold_usd"]) + Decimal(each[1]["cost"]["warm_usd"])
    assert Decimal(plan["cost"]["one_by_one_usd"]) == singly
    assert each[0]["cost"]["one_by_one_usd"] is None
    assert plan["calls"][0]["prefix_sha256"] == each[0]["calls"][0]["prefix_sha256"]


def test_a_list_is_answered_as_it_was_counted(server: Server, corpus: str, upstream: Upstream) -> None:
    plan = server.plans(corpus, questions=QUESTIONS)["whole"]
    answer = server.ask(corpus, plan_id=plan["id"]).json()
    fits(answer, ANSWER)
    assert (answer["status"], answer["question"], answer["questions"]) == ("done", TEXT, QUESTIONS)
    assert [line[:3] for line in answer["text"].splitlines()] == ["1. ", "2. "]
    assert {citation["verdict"] for citation in answer["citations"]} == {"exact"}
    assert answer["usage"]["prompt_tokens"] == plan["input_tokens"]
    (sent,) = upstream.requests
    task = text_of(sent.body["messages"][-1])
    assert task.endswith(
        '<question n="1">\nWhen did the harbour open?\n</question>\n'
        '<question n="2">\nWhen was it closed again?\n</question>\n'
    )


def test_a_list_is_asked_without_a_plan_too(server: Server, corpus: str, upstream: Upstream) -> None:
    answer = server.ask(corpus, questions=QUESTIONS, system_prompt="Be brief.").json()
    assert (answer["status"], answer["questions"]) == ("done", QUESTIONS)
    assert server.client.get(f"/v1/answers/{answer['id']}").json()["question"] == TEXT
    single = server.ask(corpus, question=QUESTIONS[0]).json()
    assert single["questions"] == []
    assert len(upstream.requests) == 2


def test_a_list_is_split_and_merged(server: Server, large: list[str], upstream: Upstream) -> None:
    corpus = server.corpus(*large)
    plan = server.plans(corpus, questions=QUESTIONS)["split"]
    answer = server.ask(corpus, plan_id=plan["id"]).json()
    assert answer["status"] == "done", answer
    tasks = [text_of(sent.body["messages"][-1]) for sent in upstream.requests]
    assert len(tasks) == len(plan["calls"]) == 3
    assert all(task.count("<question n=") == 2 for task in tasks)
    counted = [call["input_tokens"] for call in plan["calls"] if call["kind"] == "part"]
    billed = [line.prompt_tokens for line in upstream.invoice]
    assert sorted(counted) == sorted(billed)[1:], "the merge is the smallest"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "Say what to ask"),
        ({"question": " "}, "Say what to ask"),
        ({"question": "Who?", "questions": ["Who?"]}, "either `question`, or the list `questions`"),
        ({"questions": []}, "1 to 100 questions; these are 0"),
        ({"questions": ["?"] * 101}, "1 to 100 questions; these are 101"),
        ({"questions": ["Who?", " "]}, "Question 2 of `questions` is empty"),
        ({"questions": ["x" * 150_000] * 2}, "characters together"),
    ],
)
@pytest.mark.parametrize("path", ["plans", "answers"])
def test_what_can_not_be_asked_together(
    server: Server, corpus: str, path: str, body: Json, said: str
) -> None:
    response = server.client.post(f"/v1/corpora/{corpus}/{path}", json=body)
    assert response.status_code == 422
    fits(response.json(), PROBLEM)
    assert said in response.json()["detail"]


def test_a_plan_has_said_its_questions(server: Server, corpus: str) -> None:
    plan = server.plans(corpus, questions=QUESTIONS)["whole"]
    response = server.ask(corpus, plan_id=plan["id"], questions=QUESTIONS)
    assert response.status_code == 422


def test_an_answer_that_may_be_cut_is_warned_of(server: Server, corpus: str) -> None:
    plan = server.plans(corpus, questions=QUESTIONS * 4, max_completion_tokens=16_000)["whole"]
    (warning,) = (one for one in plan["warnings"] if one["code"] == "answer_may_be_cut")
    assert "8 answers usually take 19,200 tokens of output" in warning["detail"]
    more, fewer = warning["fixes"]
    assert (more["max_completion_tokens"], fewer["questions"]) == (19_200, 6)
    roomy = server.plans(corpus, questions=QUESTIONS * 4, max_completion_tokens=19_200)["whole"]
    assert roomy["warnings"] == []
    half = server.plans(corpus, questions=QUESTIONS * 2, max_completion_tokens=19_200)["whole"]
    assert (
        Decimal(roomy["cost"]["cold_usd"]) - Decimal(half["cost"]["cold_usd"]) > Decimal(9_600 * 30) / 10**6
    )


# Tiers.


@pytest.mark.parametrize("strategy", ["whole", "split"])
def test_cheaper_tiers_are_priced_beside_each_plan(server: Server, large: list[str], strategy: str) -> None:
    corpus = server.corpus(*large)
    plan = server.plans(corpus, question="Which?", expected_questions=25)[strategy]
    fits(plan["alternatives"], [ALTERNATIVE])
    assert [one["service_tier"] for one in plan["alternatives"]] == ["flex", "batch"]
    for one in plan["alternatives"]:
        asked = server.plans(
            corpus, question="Which?", service_tier=one["service_tier"], expected_questions=25
        )
        cost = {name: value for name, value in asked[strategy]["cost"].items() if name in one["cost"]}
        assert one["cost"] == cost
        assert 25 in [each["n"] for each in one["cost"]["for_questions"]]
        saved = Decimal(plan["cost"]["expected_usd"]) - Decimal(one["cost"]["expected_usd"])
        assert Decimal(one["saves_usd"]) == max(saved, 0)
        assert Decimal(one["costs_more_usd"]) == max(-saved, 0)
        assert saved > 0 or one["service_tier"] == "batch", "what is cached now saves more than waiting a day"
    flex, batch = (one["note"] for one in plan["alternatives"])
    assert "not charged" in flex
    assert "24 hours" in batch


def test_a_plans_own_tier_is_no_alternative(server: Server, corpus: str) -> None:
    plan = server.plans(corpus, question="When?", service_tier="flex")["whole"]
    (batch,) = plan["alternatives"]
    assert (batch["service_tier"], batch["saves_usd"]) == ("batch", "0.00")


def test_where_no_price_is_known_the_reason_is(server: Server, corpus: str, large: list[str]) -> None:
    split = server.plans(corpus, question="When?")["split"]
    assert [(one["cost"], one["note"]) for one in split["alternatives"]] == [
        (None, "The plan is not feasible.")
    ] * 2
    whole = server.plans(server.corpus(*large), question="Which?", service_tier="priority")["whole"]
    assert [one["saves_usd"] for one in whole["alternatives"]] == [None, None]
    assert all(one["cost"] for one in whole["alternatives"])


# Why.


def test_the_recommended_plan_has_a_reason(server: Server, corpus: str, large: list[str]) -> None:
    small = offered(server, corpus, question="When?")
    assert small["recommended_because"].startswith("Reads the only page in one call: $0.0")
    both = offered(server, server.corpus(*large), question="Which?")
    _, split, *_parts = both["data"]
    assert both["recommended"] == split["id"]
    pages = split["coverage"]["pages_in"]
    assert both["recommended_because"].startswith(
        f"Reads all {pages:,} pages in 2 calls at or below the threshold"
    )
    assert "instead of $" in both["recommended_because"]
    assert "in one call above the threshold" in both["recommended_because"]
    one = offered(server, corpus, question="When?", strategies=["split"])
    assert (one["recommended"], one["recommended_because"]) == (None, None)


def test_each_infeasible_plan_has_a_reason_and_a_way_out(server: Server, corpus: str) -> None:
    long = server.add("one_page.txt", prose(7, 16_000))
    cases = [
        offered(server, corpus, question="When?"),
        offered(server, server.corpus(long["id"]), question="When?", model="gpt-5.4-mini"),
    ]
    infeasible = [plan for case in cases for plan in case["data"] if not plan["feasible"]]
    assert {plan["strategy"] for plan in infeasible} == {"whole", "split", "ranked"}
    for plan in infeasible:
        assert plan["infeasible_because"]
        fixes = [
            fix for one in plan["warnings"] if one["code"] == plan["infeasible_code"] for fix in one["fixes"]
        ]
        assert fixes, plan
