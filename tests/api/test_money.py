"""What is promised is sent and billed: counts, prices, thresholds, limits, plans that bind."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from ingest import count_tokens
from service.domain import packing, pricing
from service.store import answers, rate_limits, tables
from service.usecases.context import LOCAL
from service.usecases.learn_terms import limited_as
from tests.api.conftest import prose
from tests.support.billing import text_of
from tests.support.server import Json, Server, stored
from tests.support.shapes import PROBLEM, fits
from tests.support.upstream import Upstream


def counted(body: dict[str, Any]) -> int:
    """Tokens of a request, message by message, by the encoder alone."""
    return packing.CALL_OVERHEAD + sum(count_tokens(text_of(message)) for message in body["messages"])


def sent_tokens(upstream: Upstream) -> list[int]:
    return [line.prompt_tokens for line in upstream.invoice]


def total(upstream: Upstream) -> Decimal:
    return sum((line.usd for line in upstream.invoice), Decimal(0))


def check_settled(server: Server, answer: Json, upstream: Upstream) -> None:
    """The books of both sides agree, to the last digit."""
    assert Decimal(answer["cost"]["actual_usd"]) == total(upstream)
    assert total(upstream) <= Decimal(answer["cost"]["max_usd"]) <= Decimal(answer["cost"]["reserved_usd"])
    calls = {call.id: call for call in server.calls(answer["id"])}
    assert sum((call.actual_usd or Decimal(0) for call in calls.values()), Decimal(0)) == total(upstream)
    lines = server.entries(answer["id"])
    assert lines.keys() == calls.keys()
    for call_id, of_call in lines.items():
        actual = calls[call_id].actual_usd
        assert actual is not None
        assert sum(line.micros for line in of_call) == pricing.to_micros_up(actual)
        assert [line.kind for line in of_call] == ["reserve", "release", "settle"]
        assert of_call[-1].actual_usd == actual


def problem_of(response: Any, status: int, code: str) -> Json:  # noqa: ANN401 - httpx's
    assert (response.status_code, response.json().get("code")) == (status, code), response.text
    fits(response.json(), PROBLEM)
    problem: Json = response.json()
    return problem


def test_plan_then_answer(server: Server, upstream: Upstream, large: list[str]) -> None:
    corpus = server.corpus(large[0], large[3])
    plan = server.plans(corpus, question="Which vessel came?", system_prompt="Be brief.")["whole"]
    response = server.ask(corpus, plan_id=plan["id"])
    assert response.status_code == 201
    answer = response.json()
    (received,) = upstream.requests
    assert plan["calls"][0]["input_tokens"] == plan["input_tokens"] == counted(received.body)
    assert sent_tokens(upstream) == [plan["input_tokens"]]
    assert received.body["max_completion_tokens"] == plan["reserved_output_tokens"]
    assert (answer["plan_id"], answer["coverage"]) == (plan["id"], plan["coverage"])
    check_settled(server, answer, upstream)


@pytest.mark.parametrize("tier", ["default", "flex", "priority"])
def test_tiers_cost_what_they_say(server: Server, upstream: Upstream, corpus: str, tier: str) -> None:
    answer = server.ask(corpus, question=f"When, at {tier}?", service_tier=tier).json()
    assert upstream.invoice[0].service_tier == tier
    check_settled(server, answer, upstream)


def test_second_question_is_warm(server: Server, upstream: Upstream) -> None:
    corpus = server.corpus(server.add("warm.txt", prose(77, 300))["id"])
    first = server.ask(corpus, question="Which pilot?", reasoning_effort="none").json()
    assert (first["usage"]["cached_tokens"], server.calls(first["id"])[0].state) == (0, "done")
    plan = server.plans(corpus, question="Which quay?", reasoning_effort="none")["whole"]
    assert plan["cache"]["warm_until"] is not None
    second = server.ask(corpus, plan_id=plan["id"]).json()
    cached, forecast = second["usage"]["cached_tokens"], plan["cache"]["expected_cached_tokens"]
    assert cached > 0
    assert 0 <= cached - forecast <= 128, (cached, forecast)
    assert Decimal(second["cost"]["actual_usd"]) < Decimal(first["cost"]["actual_usd"])
    assert Decimal(plan["cost"]["expected_usd"]) < Decimal(plan["cost"]["cold_usd"])
    upstream.invoice.pop(0)
    check_settled(server, second, upstream)


def test_long_context_has_to_be_accepted(server: Server, upstream: Upstream, large: list[str]) -> None:
    corpus = server.corpus(*large)
    response = server.ask(corpus, question="Which vessel?", strategy="whole")
    problem = problem_of(response, 409, "over_threshold")
    fixes = {fix["do"]: fix for fix in problem["fixes"]}
    assert {"allow_long_context", "use_strategy", "leave_out"} <= fixes.keys()
    left = [one for one in large if one != fixes["leave_out"]["document_id"]]
    long, short = (
        Decimal(server.plans(corpus, question="Which vessel?", **chosen)[name]["cost"]["cold_usd"])
        for name, chosen in (("whole", {}), ("selected", {"document_ids": left}))
    )
    assert Decimal(fixes["leave_out"]["saves_usd"]) == long - short > Decimal(1)
    assert upstream.requests == []
    response = server.ask(corpus, question="Which vessel?", strategy="whole", allow_long_context=True)
    assert response.status_code == 201
    answer = response.json()
    assert (answer["cost"]["band"], answer["strategy"]) == ("long", "whole")
    assert sent_tokens(upstream)[0] > 272_000
    check_settled(server, answer, upstream)


def test_chosen_plan_accepts_long_context(server: Server, upstream: Upstream, large: list[str]) -> None:
    corpus = server.corpus(*large)
    plan = server.plans(corpus, question="Which cargo?")["whole"]
    assert plan["threshold"]["status"] == "over"
    assert plan["threshold"]["tokens_over"] == plan["input_tokens"] - 272_000
    assert Decimal(plan["threshold"]["extra_usd"]) > Decimal("1.36")
    response = server.ask(corpus, plan_id=plan["id"])
    assert response.status_code == 201
    assert response.json()["cost"]["band"] == "long"
    assert sent_tokens(upstream) == [plan["input_tokens"]]


def test_split_stays_below_and_merges(server: Server, upstream: Upstream, large: list[str]) -> None:
    corpus = server.corpus(*large)
    plan = server.plans(corpus, question="Which timber?")["split"]
    response = server.ask(corpus, question="Which timber?", strategy="split")
    assert response.status_code == 201
    answer = response.json()
    assert (answer["strategy"], answer["cost"]["band"]) == ("split", "short")
    *parts, merge = upstream.requests
    assert max(sent_tokens(upstream)) <= 272_000
    assert len(parts) == len(plan["calls"]) - 1 >= 2
    findings = [call.text for call in server.calls(answer["id"])[:-1]]
    material = text_of(merge.body["messages"][1])
    assert all(text and text in material for text in findings)
    promised = sorted(call["input_tokens"] for call in plan["calls"][:-1])
    assert promised == sorted(sent_tokens(upstream)[:-1])
    assert sent_tokens(upstream)[-1] <= plan["calls"][-1]["max_input_tokens"]
    packed = "".join(text_of(message) for part in parts for message in part.body["messages"])
    assert [f'name="volume{n}.txt"' in packed for n in range(1, 6)] == [True] * 5
    check_settled(server, answer, upstream)


def test_recommended_is_the_cheapest(server: Server, large: list[str]) -> None:
    corpus = server.corpus(*large)
    offered = server.client.post(f"/v1/corpora/{corpus}/plans", json={"question": "Grain?"}).json()
    whole = [plan for plan in offered["data"] if plan["strategy"] != "ranked"]  # the others read a part
    plans = {plan["id"]: Decimal(plan["cost"]["expected_usd"]) for plan in whole}
    assert plans[offered["recommended"]] == min(plans.values())


def test_more_than_the_window(server: Server, upstream: Upstream) -> None:
    corpus = server.corpus(stored(server.context, pages=10, tokens=95_000))
    offered = server.client.post(f"/v1/corpora/{corpus}/plans", json={"question": "What?"}).json()
    whole, split, *_parts = offered["data"]
    assert (whole["feasible"], whole["calls"], split["feasible"]) == (False, [], True)
    assert whole["window"]["status"] == "over"
    assert offered["recommended"] == split["id"]
    meter = server.client.get(f"/v1/corpora/{corpus}/meter").json()
    assert meter["window"]["status"] == "over"
    refused = [
        server.ask(corpus, question="What?", strategy="whole"),
        server.ask(corpus, question="What?", strategy="whole", allow_long_context=True),
        server.ask(corpus, plan_id=whole["id"]),
    ]
    for response in refused:
        problem_of(response, 422, "over_window")
    assert refused[0].json()["fixes"]
    assert upstream.requests == []


def test_what_to_leave_out_for_the_window_is_named(server: Server, upstream: Upstream) -> None:
    large = stored(server.context, pages=9, tokens=95_000)
    small = stored(server.context, pages=2, tokens=50_000)
    corpus = server.corpus(large, small)
    refused = problem_of(server.ask(corpus, question="What?", strategy="whole"), 422, "over_window")
    split, out = refused["fixes"]
    assert (split["do"], split["strategy"]) == ("use_strategy", "split")
    assert (out["do"], out["document_ids"], out["saves_tokens"] >= 100_000) == ("leave_out", [small], True)
    fitting = {"question": "What?", "document_ids": [large]}
    assert server.plans(corpus, **fitting)["selected"]["feasible"] is True
    assert upstream.requests == []


def test_page_that_fits_no_call(server: Server) -> None:
    corpus = server.corpus(stored(server.context, pages=1, tokens=950_000))
    offered = server.client.post(f"/v1/corpora/{corpus}/plans", json={"question": "What?"}).json()
    assert offered["recommended"] is None
    problem_of(server.ask(corpus, question="What?"), 422, "over_window")


def test_reserved_output_takes_from_the_window(server: Server) -> None:
    corpus = server.corpus(stored(server.context, pages=10, tokens=92_150))
    assert server.plans(corpus, question="What?")["whole"]["feasible"] is True
    assert server.plans(corpus, question="What?", max_completion_tokens=128_000)["whole"]["feasible"] is True


def test_ceiling_above_max_cost(server: Server, upstream: Upstream, corpus: str) -> None:
    plan = server.plans(corpus, question="When?")["whole"]
    ceiling = Decimal(plan["cost"]["max_usd"])
    response = server.ask(corpus, question="When?", max_cost_usd=str(ceiling - Decimal("0.000001")))
    problem = problem_of(response, 402, "over_max_cost")
    assert problem["fixes"][0]["max_usd"] == plan["cost"]["max_usd"]
    problem_of(server.ask(corpus, plan_id=plan["id"], max_cost_usd="0"), 402, "over_max_cost")
    assert upstream.requests == []
    assert server.ask(corpus, question="When?", max_cost_usd=str(ceiling)).status_code == 201


def test_budget_holds_the_ceiling_or_nothing(server: Server, upstream: Upstream, corpus: str) -> None:
    scope = f"corpus:{corpus}"
    ceiling = server.plans(corpus, question="When?")["whole"]["cost"]["max_usd"]
    micros = pricing.to_micros_up(Decimal(ceiling))
    server.limit(scope, micros - 1)
    problem_of(server.ask(corpus, question="When?"), 402, "budget_exceeded")
    assert (server.budget(scope).reserved_micros, server.budget(scope).spent_micros) == (0, 0)
    listed = server.client.get("/v1/answers", params={"corpus_id": corpus}).json()
    assert listed["data"] == []
    assert upstream.requests == []
    server.limit(scope, micros)
    answer = server.ask(corpus, question="When?").json()
    check_settled(server, answer, upstream)
    assert server.budget(scope).reserved_micros == 0
    assert server.budget(scope).spent_micros == pricing.to_micros_up(total(upstream))


def test_the_way_below_the_threshold_is_the_least_and_its_saving_is_right(
    server: Server, large: list[str]
) -> None:
    corpus = server.corpus(*large)

    def suggested(**more: Any) -> tuple[Json, Json]:  # noqa: ANN401 - any JSON value
        plan = server.plans(corpus, question="Tariff?", strategies=["whole"], **more)["whole"]
        (warning,) = [one for one in plan["warnings"] if one["code"] == "over_threshold"]
        (fix,) = [one for one in warning["fixes"] if one["do"] == "leave_out"]
        return plan, fix

    whole, fix = suggested()
    rest = [one for one in large if one not in fix["document_ids"]]
    then = server.plans(corpus, question="Tariff?", document_ids=rest)["selected"]
    assert then["threshold"]["status"] != "over"
    assert fix["saves_tokens"] == whole["input_tokens"] - then["input_tokens"]
    saved = Decimal(whole["cost"]["cold_usd"]) - Decimal(then["cost"]["cold_usd"])
    assert Decimal(fix["saves_usd"]) == saved
    tokens = {one: server.read(one)["tokens"] for one in large}
    enough = [n for n in tokens.values() if n >= whole["threshold"]["tokens_over"]]
    assert fix["saves_tokens"] <= min(enough, default=10**9)
    dear = dict.fromkeys(fix["document_ids"], 1)
    _, other = suggested(priorities=dear)
    assert not set(other["document_ids"]) & set(dear)


def test_budget_that_holds_some_calls_of_a_split(
    server: Server, upstream: Upstream, large: list[str]
) -> None:
    corpus = server.corpus(*large)
    plan = server.plans(corpus, question="Tariff?")["split"]
    server.limit(f"corpus:{corpus}", pricing.to_micros_up(Decimal(plan["cost"]["max_usd"])) - 10)
    problem_of(server.ask(corpus, plan_id=plan["id"]), 402, "budget_exceeded")
    assert server.budget(f"corpus:{corpus}").reserved_micros == 0
    assert upstream.requests == []


def test_no_budget_is_held_by_a_question_of_unknown_price(
    server: Server, upstream: Upstream, large: list[str]
) -> None:
    corpus = server.corpus(*large)
    unpriced: Json = {"question": "Which?", "service_tier": "priority", "strategy": "whole"}
    problem = problem_of(server.ask(corpus, **unpriced), 409, "over_threshold")
    assert "whose price is unknown" in problem["detail"]
    server.limit(f"corpus:{corpus}", 10**9)
    for repair in (False, True):
        refused = server.ask(corpus, **unpriced, repair=repair, allow_long_context=True)
        problem = problem_of(refused, 402, "budget_exceeded")
        assert [fix["do"] for fix in problem["fixes"]] == ["use_model", "name_prices", "remove_budget"]
    assert server.budget(f"corpus:{corpus}").reserved_micros == 0
    assert upstream.requests == []
    assert server.client.delete(f"/v1/budgets/corpus:{corpus}").status_code == 204
    accepted = server.ask(corpus, **unpriced, allow_long_context=True, wait=False)
    assert accepted.status_code == 202, "no budget is to be held"
    server.finished(accepted.json()["id"])


def test_plan_does_not_outlive_its_documents(server: Server, upstream: Upstream, harbour: str) -> None:
    other = server.add("moving.txt", b"This one comes and goes.")["id"]
    corpus = server.corpus(harbour)
    before = server.plans(corpus, question="When?")["whole"]
    server.client.put(f"/v1/corpora/{corpus}/documents/{other}")
    problem = problem_of(server.ask(corpus, plan_id=before["id"]), 409, "plan_changed")
    assert problem["fixes"][0]["do"] == "plan_again"
    both = server.plans(corpus, question="When?", document_ids=[other])["selected"]
    server.client.delete(f"/v1/corpora/{corpus}/documents/{other}")
    problem_of(server.ask(corpus, plan_id=both["id"]), 409, "plan_changed")
    assert server.ask(corpus, plan_id=before["id"]).status_code == 201, "as it was again"
    server.client.delete(f"/v1/corpora/{corpus}/documents/{harbour}")
    problem_of(server.ask(corpus, plan_id=before["id"]), 409, "plan_changed")
    assert len(upstream.requests) == 1


def test_plan_expires(server: Server, upstream: Upstream, corpus: str) -> None:
    plan = server.plans(corpus, question="When?")["whole"]
    lasts = datetime.fromisoformat(plan["expires_at"]) - datetime.fromisoformat(plan["created_at"])
    assert lasts == timedelta(hours=1)
    with server.later(lasts):
        problem = problem_of(server.ask(corpus, plan_id=plan["id"]), 410, "plan_expired")
    assert problem["fixes"][0]["do"] == "plan_again"
    with server.later(lasts - timedelta(seconds=30)):
        assert server.ask(corpus, plan_id=plan["id"]).status_code == 201
    assert len(upstream.requests) == 1


def test_unread_documents_are_not_asked(server: Server, upstream: Upstream, harbour: str) -> None:
    broken = server.add("ask.pdf", b"%PDF-1.7\nbroken for asking")["id"]
    corpus = server.corpus(harbour, broken)
    problem = problem_of(server.ask(corpus, question="When?"), 409, "document_failed")
    assert (problem["fixes"][0]["do"], problem["fixes"][0]["document_id"]) == ("leave_out", broken)
    assert server.ask(corpus, question="When?", document_ids=[harbour]).status_code == 201
    unread = server.upload("slow.txt", b"word " * 300_001).json()["data"][0]["id"]
    waiting = server.ask(server.corpus(unread), question="When?")
    assert problem_of(waiting, 409, "document_not_ready")["fixes"][0]["do"] == "wait"
    assert len(upstream.requests) == 1
    server.read(unread)


def test_same_key_pays_once(server: Server, upstream: Upstream, corpus: str) -> None:
    headers = {"Idempotency-Key": f"key-{corpus}"}
    first = server.ask(corpus, question="When?", headers=headers)
    again = server.ask(corpus, question="When?", headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert len(upstream.requests) == 1
    problem_of(server.ask(corpus, question="Where?", headers=headers), 422, "invalid_request")
    assert server.ask(corpus, question="When?").json()["id"] != first.json()["id"]


def test_a_key_of_an_earlier_version_still_pays_once(server: Server, upstream: Upstream, corpus: str) -> None:
    headers = {"Idempotency-Key": f"old-{corpus}"}
    first = server.ask(corpus, question="When?", headers=headers).json()
    with server.context.db.write() as tx:
        known = answers.get(tx, LOCAL, first["id"])
        assert known is not None
        later = {"budget_tokens", "conversation_id", "repair", "images"}
        later |= {"presence_penalty", "frequency_penalty", "seed", "stop"}
        asked = {name: value for name, value in known.request.items() if name not in later}
        said = {"corpus": corpus, "plan": None, "question": asked, "long": False, "max": "None"}
        old = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        tx.execute(update(tables.answers).values(request_sha256=old).where(tables.answers.c.id == known.id))
    assert server.ask(corpus, question="When?", headers=headers).json()["id"] == first["id"]
    problem_of(
        server.ask(corpus, question="When?", budget_tokens=2_000, headers=headers), 422, "invalid_request"
    )
    assert len(upstream.requests) == 1


def test_empty_key_is_none(server: Server, upstream: Upstream, corpus: str) -> None:
    answers = [server.ask(corpus, question="When?", headers={"Idempotency-Key": ""}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len(upstream.requests) == 2
    problem_of(
        server.ask(corpus, question="q", headers={"Idempotency-Key": "k" * 201}), 422, "invalid_request"
    )


def test_a_limit_that_was_told_is_forgotten_on_request(
    server: Server, upstream: Upstream, large: list[str]
) -> None:
    now = server.context.now()
    with server.context.db.write() as tx:
        rate_limits.remember(
            tx, 50_000, band="short", engine=limited_as(server.context, "standard"), model="gpt-5.5", at=now
        )
    corpus = server.corpus(large[0])
    refused = problem_of(
        server.ask(corpus, question="When?", strategy="whole"), 422, "request_exceeds_provider_rate"
    )
    (raised,) = [fix for fix in refused["fixes"] if fix["do"] == "raise_provider_limit"]
    assert "DELETE /v1/models/gpt-5.5/limits" in raised["detail"]
    assert server.client.delete("/v1/models/gpt-5.5/limits").status_code == 204
    assert server.client.delete("/v1/models/gpt-none/limits").status_code == 404
    assert server.ask(corpus, question="When?", strategy="whole").status_code == 201
    assert len(upstream.requests) == 1
