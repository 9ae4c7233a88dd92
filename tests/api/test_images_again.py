"""A question that shows pictures, asked again: the same pictures stand behind the same pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from service.usecases.take_images import KEEP_UNUSED, forget_images
from tests.api.conftest import prose
from tests.api.test_again import REFUSED, post
from tests.api.test_money import check_settled, problem_of
from tests.api.test_question_images import QUESTION, REMOTE, shown_in
from tests.support import upstream as acts
from tests.support.pictures import data_uri
from tests.support.server import Json, Server
from tests.support.shapes import ANSWER, PLAN, fits
from tests.support.upstream import Upstream

PICTURES = (data_uri(1_700, 900), REMOTE, data_uri(33, 31, shade=7))


@pytest.fixture
def shown(server: Server, corpus: str, upstream: Upstream) -> Json:
    """An answer to a question with pictures, the first thing that was sent."""
    assert upstream.requests == []
    asked = server.ask(corpus, question=QUESTION, image_urls=list(PICTURES), image_detail="high")
    assert asked.status_code == 201, asked.text
    answer: Json = asked.json()
    return answer


@pytest.mark.parametrize(
    "changes", [{}, {"question": "And who painted it?"}, {"questions": ["Who painted it?", "When?"]}]
)
def test_a_replay_shows_the_same_pictures(
    server: Server, shown: Json, upstream: Upstream, changes: Json
) -> None:
    first = upstream.requests[0].body["messages"]
    upstream.invoice.clear()
    plan = post(server, shown["id"], "replay/plan", **changes).json()
    fits(plan, PLAN)
    assert plan["question_images"] == shown["question_images"]
    answer = post(server, shown["id"], "replay", **changes, max_cost_usd=plan["cost"]["max_usd"]).json()
    fits(answer, ANSWER)
    assert (answer["status"], answer["prefix_sha256"]) == ("done", shown["prefix_sha256"])
    assert answer["question_images"] == shown["question_images"]
    again = upstream.requests[1].body["messages"]
    assert again[:-1] == first[:-1]
    assert shown_in(again[-1]) == shown_in(first[-1])
    assert [one["detail"] for one in shown_in(again[-1])] == ["high"] * 3
    assert (again[-1] == first[-1]) is (not changes)
    assert answer["cost"]["max_usd"] == plan["cost"]["max_usd"]
    check_settled(server, answer, upstream)


def test_a_replay_by_its_plan_outlives_the_time_of_unused_pictures(
    server: Server, shown: Json, upstream: Upstream
) -> None:
    plan = post(server, shown["id"], "replay/plan", question="And who painted it?").json()
    with server.later(KEEP_UNUSED + timedelta(hours=1)):
        forget_images(server.context)
    answer = server.ask(shown["corpus_id"], plan_id=plan["id"]).json()
    assert answer["status"] == "done"
    assert len(shown_in(upstream.requests[1].body["messages"][-1])) == 3


def test_no_other_picture_can_be_shown_in_a_replay(server: Server, shown: Json, upstream: Upstream) -> None:
    problem_of(post(server, shown["id"], "replay", image_urls=[REMOTE]), 422, "invalid_request")
    assert len(upstream.requests) == 1


def test_a_model_that_takes_no_pictures_refuses_the_replay(
    server: Server, shown: Json, upstream: Upstream
) -> None:
    usual = server.context
    blind = usual.catalog.with_models(
        'version = "t"\n[[model]]\nid = "blind"\naliases = []\ncontext_window = 100000\n'
        "max_output_tokens = 1000\nvision = false\n"
    )
    server.app.state.context = replace(usual, catalog=blind)
    try:
        for what in ("replay", "replay/plan"):
            told = post(server, shown["id"], what, model="blind", max_completion_tokens=500)
            problem = problem_of(told, 422, "unsupported_parameter")
            assert "takes no pictures" in problem["detail"]
    finally:
        server.app.state.context = usual
    assert len(upstream.requests) == 1


def test_a_replay_in_a_batch_expects_nothing_of_the_cache(server: Server, upstream: Upstream) -> None:
    corpus = server.corpus(server.add("long.txt", prose(77, 300))["id"])
    first = server.ask(corpus, question=QUESTION).json()
    warm, batch = (
        post(server, first["id"], "replay/plan", service_tier=tier).json() for tier in ("standard", "batch")
    )
    assert warm["calls"][0]["expected_cached_tokens"] > 0
    assert batch["calls"][0]["expected_cached_tokens"] == 0
    assert Decimal(batch["cost"]["expected_usd"]) == Decimal(batch["cost"]["cold_usd"])
    (told,) = [one for one in warm["alternatives"] if one["service_tier"] == "batch"]
    assert told["cost"]["expected_usd"] == batch["cost"]["expected_usd"]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("failing", [0, 1, 2], ids=["first part", "second part", "merge"])
def test_a_retry_shows_them_where_they_are_missing(
    server: Server, large: list[str], upstream: Upstream, failing: int
) -> None:
    corpus = server.corpus(*large)
    upstream.script.extend(REFUSED if part == failing else acts.well() for part in range(3))
    body: Json = {"question": QUESTION, "image_urls": list(PICTURES), "strategy": "split"}
    broken = server.ask(corpus, **body).json()["answer"]
    assert broken["status"] == "failed"
    upstream.script.clear()
    before = len(upstream.requests)
    plan = post(server, broken["id"], "retry/plan").json()
    fits(plan, PLAN)
    answer = post(server, broken["id"], "retry", max_cost_usd=plan["cost"]["max_usd"]).json()
    fits(answer, ANSWER)
    assert (answer["status"], answer["question_images"]) == ("done", broken["question_images"])
    sent = [shown_in(request.body["messages"][-1]) for request in upstream.requests]
    assert all(one == sent[0] for one in sent)
    assert len(sent[0]) == 3
    assert len(sent) - before == sum(not call["kept"] for call in plan["calls"])
    paid = sum(Decimal(one["cost"]["actual_usd"] or 0) for one in (broken, answer))
    assert paid == sum((line.usd for line in upstream.invoice), Decimal(0))
    assert not any(server.held(answer["id"]).values())
