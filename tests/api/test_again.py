"""Retries and replays over REST: priced first, asked once, told to whoever follows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests.api.test_money import problem_of
from tests.support import upstream as acts
from tests.support.server import Json, Server
from tests.support.shapes import ANSWER, PLAN, fits
from tests.support.upstream import Upstream

REFUSED = acts.status(400, "invalid_value")


def post(server: Server, answer_id: str, what: str, **body: Any) -> Any:  # noqa: ANN401 - a reply
    return server.client.post(f"/v1/answers/{answer_id}/{what}", json=body)


@pytest.fixture
def broken(server: Server, upstream: Upstream, large: list[str]) -> Json:
    """A split of which one part is done and one was refused, under a budget of its corpus."""
    corpus = server.corpus(*large)
    server.limit(f"corpus:{corpus}", 20_000_000)
    upstream.script.extend([acts.well(), REFUSED])
    answer: Json = server.ask(corpus, question="Winter?", strategy="split").json()["answer"]
    assert answer["status"] == "failed"
    upstream.script.clear()
    return answer


def test_a_retry_is_priced_asked_and_linked(server: Server, broken: Json, upstream: Upstream) -> None:
    plan = post(server, broken["id"], "retry/plan").json()
    fits(plan, PLAN)
    kept = [call for call in plan["calls"] if call["kept"]]
    assert (plan["retry_of"], len(kept)) == (broken["id"], 1)
    whole = server.client.get(f"/v1/plans/{broken['plan_id']}").json()
    assert Decimal(plan["cost"]["max_usd"]) < Decimal(whole["cost"]["max_usd"])
    assert plan["input_tokens"] == whole["input_tokens"] - kept[0]["input_tokens"]
    assert server.client.get(f"/v1/plans/{plan['id']}").json() == plan
    response = post(server, broken["id"], "retry", max_cost_usd=plan["cost"]["max_usd"])
    assert response.status_code == 201, response.text
    answer = response.json()
    fits(answer, ANSWER)
    assert (answer["status"], answer["retry_of"]) == ("done", broken["id"])
    assert answer["cost"]["max_usd"] == plan["cost"]["max_usd"]
    assert server.client.get(f"/v1/answers/{broken['id']}").json()["retried_as"] == answer["id"]
    paid = sum(Decimal(one["cost"]["actual_usd"]) for one in (broken, answer))
    assert paid == sum((line.usd for line in upstream.invoice), Decimal(0))
    entries = [*server.entries(broken["id"]).values(), *server.entries(answer["id"]).values()]
    settled = sum(
        line.actual_usd or Decimal(0) for lines in entries for line in lines if line.kind == "settle"
    )
    assert settled == paid
    budget = server.budget(f"corpus:{broken['corpus_id']}")
    assert (budget.reserved_micros, budget.spent_micros) == (
        0,
        sum(sum(one.micros for one in of) for of in entries),
    )
    report = server.client.get("/v1/ledger", params={"group_by": "answer"}).json()["data"]
    groups = {one["key"]: Decimal(one["spent_usd"]) for one in report}
    assert groups[broken["id"]] + groups[answer["id"]] == paid
    written = server.client.get(f"/v1/answers/{answer['id']}/export").text
    assert f"Goes on with: {broken['id'].replace('_', chr(92) + '_')}, which paid for 1 of its" in written
    export = server.client.get(f"/v1/answers/{answer['id']}/export", params={"format": "json"})
    assert len(export.json()["packed_pages"]) == len(
        server.client.get(f"/v1/plans/{broken['plan_id']}/pages").json()["data"]
    )


def test_of_many_retries_one_is_made(server: Server, broken: Json, upstream: Upstream) -> None:
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: post(server, broken["id"], "retry", wait=False).json(), range(8)))
    assert len({answer["id"] for answer in answers}) == 1
    assert server.finished(answers[0]["id"])["status"] == "done"
    parts = len(server.calls(broken["id"]))
    assert len(upstream.invoice) == parts


def test_a_retry_is_streamed(server: Server, broken: Json) -> None:
    with server.client.stream("POST", f"/v1/answers/{broken['id']}/retry", json={"stream": True}) as response:
        text = "".join(response.iter_text())
    names = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    assert (names[0], names[-1]) == ("plan", "done")
    assert '"state": "kept"' in text or '"state":"kept"' in text


def test_what_is_done_is_replayed_not_retried(server: Server, corpus: str) -> None:
    answer = server.ask(corpus, question="When did the harbour open?").json()
    for what in ("retry", "retry/plan"):
        problem = problem_of(post(server, answer["id"], what), 409, "conflict")
        assert problem["fixes"][0] == {"do": "replay", "detail": "Replay it.", "answer_id": answer["id"]}
    for what in ("retry", "retry/plan", "replay", "replay/plan"):
        problem_of(post(server, "ans_none", what), 404, "not_found")


def test_in_doubt_is_resolved_first(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(acts.cut_after(3))
    answer = server.ask(corpus, question="When?").json()["answer"]
    problem = problem_of(post(server, answer["id"], "retry"), 409, "conflict")
    assert problem["fixes"][0]["do"] == "resolve"
    post(server, answer["id"], "resolve", billed=False)
    assert post(server, answer["id"], "retry").json()["status"] == "done"


def test_a_replay_reads_the_same_and_says_so(server: Server, corpus: str, upstream: Upstream) -> None:
    first = server.ask(corpus, question="When did the harbour open?").json()
    new = server.add("later.txt", b"The lighthouse was built in 1890.\n", corpus_id=corpus)
    plan = post(server, first["id"], "replay/plan", question="When was it closed?").json()
    fits(plan, PLAN)
    assert (plan["replay_of"], plan["strategy"]) == (first["id"], first["strategy"])
    by_plan = server.ask(corpus, plan_id=plan["id"]).json()
    shorthand = post(server, first["id"], "replay", reasoning_effort="low").json()
    for answer in (by_plan, shorthand):
        fits(answer, ANSWER)
        assert answer["prefix_sha256"] == first["prefix_sha256"]
        assert (answer["status"], answer["replay_of"]) == ("done", first["id"])
        assert [one["document_id"] for one in answer["coverage"]["documents_out"]] == [new["id"]]
    assert (by_plan["question"], shorthand["question"]) == ("When was it closed?", first["question"])
    assert [request.body["messages"][:2] for request in upstream.requests] == [
        upstream.requests[0].body["messages"][:2]
    ] * 3
    assert upstream.requests[2].body["reasoning_effort"] == "low"


def test_a_replay_is_paid_once_under_a_key(server: Server, corpus: str, upstream: Upstream) -> None:
    first = server.ask(corpus, question="When?").json()
    path, headers = f"/v1/answers/{first['id']}/replay", {"Idempotency-Key": f"again-{corpus}"}
    with ThreadPoolExecutor(4) as crowd:
        told = list(crowd.map(lambda _: server.client.post(path, json={}, headers=headers).json(), range(4)))
    assert len({one["id"] for one in told}) == 1, told
    other = server.client.post(path, json={"question": "Where?"}, headers=headers)
    problem_of(other, 422, "invalid_request")
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("what", ["retry", "replay"])
def test_a_body_is_not_needed(server: Server, corpus: str, upstream: Upstream, what: str) -> None:
    if what == "retry":
        upstream.script.append(REFUSED)
    asked = server.ask(corpus, question="When?").json()
    answer = asked.get("answer") or asked
    assert server.client.post(f"/v1/answers/{answer['id']}/{what}").json()["status"] == "done"


def test_money_is_held_to_its_limits(server: Server, corpus: str, upstream: Upstream) -> None:
    first = server.ask(corpus, question="When?").json()
    problem = problem_of(post(server, first["id"], "replay", max_cost_usd="0.01"), 402, "over_max_cost")
    assert [fix["do"] for fix in problem["fixes"]] == ["raise_max_cost"]
    server.limit(f"corpus:{corpus}", 1)
    problem_of(post(server, first["id"], "replay"), 402, "budget_exceeded")
    assert len(upstream.requests) == 1


def test_who_follows_a_resolved_answer_is_told_the_end_of_it(
    server: Server, corpus: str, upstream: Upstream
) -> None:
    upstream.script.append(acts.cut_after(3))
    answer = server.ask(corpus, question="When?").json()["answer"]
    before = server.events(answer["id"])
    resolved = post(server, answer["id"], "resolve", billed=False).json()
    after = server.events(answer["id"])
    assert [event.name for event in after].count("error") == 1, "what was overtaken is told no more"
    assert after[-1].data["answer"] == resolved
    assert "not billed" in after[-1].data["problem"]["detail"]
    assert after[-1].id is not None
    assert before[-1].id is not None
    assert after[-1].id > before[-1].id
    (late,) = server.events(answer["id"], after=before[-1].id)
    assert late == after[-1]
    assert server.events(answer["id"], after=10**8)[-1] == after[-1]
    billed = server.ask(corpus, question="When did it open?").json()
    assert server.events(billed["id"])[-1].name == "done"


def test_a_ceiling_that_is_too_high_names_the_plans_that_fit(
    server: Server, large: list[str], upstream: Upstream
) -> None:
    corpus = server.corpus(*large)
    plans = server.client.post(f"/v1/corpora/{corpus}/plans", json={"question": "Record 1-7?"}).json()["data"]
    prices = sorted(Decimal(plan["cost"]["max_usd"]) for plan in plans if plan["feasible"])
    most = prices[1]
    for asked in ({"question": "Record 1-7?", "strategy": "whole", "allow_long_context": True}, whole(plans)):
        problem = problem_of(server.ask(corpus, **asked, max_cost_usd=str(most)), 402, "over_max_cost")
        fitting = [fix for fix in problem["fixes"] if fix["do"] == "use_plan"]
        assert len(fitting) == 2
        assert [Decimal(fix["max_usd"]) <= most for fix in fitting] == [True, True]
        shares = [fix["tokens_share"] for fix in fitting]
        assert shares == sorted(shares, reverse=True), "the one that reads the most comes first"
        for fix in fitting:
            plan = server.client.get(f"/v1/plans/{fix['plan_id']}").json()
            told = (plan["strategy"], plan["budget_tokens"], plan["cost"]["max_usd"])
            assert told == (fix["strategy"], fix["budget_tokens"], fix["max_usd"])
    answer = server.ask(corpus, plan_id=fitting[-1]["plan_id"], max_cost_usd=str(most)).json()
    assert answer["status"] == "done"
    assert len(upstream.requests) == 1
    problem = problem_of(server.ask(corpus, question="Why?", max_cost_usd="0.001"), 402, "over_max_cost")
    assert [fix["do"] for fix in problem["fixes"]] == ["raise_max_cost", "lower_max_completion_tokens"]


def whole(plans: list[Json]) -> Json:
    return {"plan_id": next(plan["id"] for plan in plans if plan["strategy"] == "whole")}


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("corpora/{}/answers", {"question": "a", "modle": "x"}, "`modle` is no field here; closest: `model`"),
        ("corpora/{}/answers", {"question": "a", "maxCostUsd": 1}, "closest: `max_cost_usd`"),
        ("corpora/{}/plans", {"question": "a", "zzz": 1}, "`zzz` is no field here; known: `budget_tokens`, "),
        (
            "answers/ans_1/resolve",
            {"billed": True, "usage": {"prompt_tokens": 1, "completion_tokens": 1, "cached_token": 1}},
            "`cached_token` is no field of `usage`; closest: `cached_tokens`",
        ),
        ("answers/ans_1/replay", {"document_ids": []}, "`document_ids` is no field here"),
        ("answers/ans_1/retry", {"max_cost": "1"}, "closest: `max_cost_usd`"),
        ("corpora/{}/answers", {"question": 5, "strem": True}, "`strem` is no field here; closest: `stream`"),
    ],
    ids=["typo", "other case", "nothing like it", "inside", "replay", "retry", "beside another mistake"],
)
def test_an_unknown_field_is_answered_with_the_closest(
    server: Server, corpus: str, path: str, body: Json, said: str
) -> None:
    problem = problem_of(server.client.post(f"/v1/{path.format(corpus)}", json=body), 422, "invalid_request")
    assert said in problem["detail"]
    if isinstance(body.get("question"), int):
        assert "question: Input should be a valid string" in problem["detail"]


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (acts.refusal(), "refused"),
        (acts.Act(text="Half of what", finish_reason="length"), "length"),
        (acts.empty_length(), "length"),
        (acts.Act(text="Half of what", finish_reason="content_filter"), "content_filter"),
        (acts.Act(text=" "), "empty"),
    ],
    ids=["refused", "cut", "empty and cut", "filtered", "empty"],
)
def test_a_part_that_is_not_whole_is_told_and_asked_again(
    server: Server, large: list[str], upstream: Upstream, act: acts.Act, reason: str
) -> None:
    """The answer is done, but what a part lost is no secret, and only that and the merge are paid again."""
    corpus = server.corpus(*large)
    upstream.script.append(act)
    asked = server.ask(corpus, question="Which vessel?", strategy="split", wait=False).json()
    answer = server.finished(asked["id"])
    fits(answer, ANSWER)
    (warning,) = [one for one in answer["warnings"] if one["code"] == "part_incomplete"]
    assert (answer["status"], warning["reason"]) == ("done", reason)
    assert "may be missing from the answer" in warning["detail"]
    assert set(warning["document_ids"]) <= set(large)
    states = [event.data["state"] for event in server.events(answer["id"]) if event.name == "progress"]
    assert states.count("incomplete") == 1
    assert "is not whole" in server.client.get(f"/v1/answers/{answer['id']}/export").text
    plan = post(server, answer["id"], "retry/plan").json()
    parts = [call for call in plan["calls"] if call["kind"] == "part"]
    assert [number for number, call in enumerate(parts, 1) if not call["kept"]] == [warning["part"]]
    sent = len(upstream.requests)
    again = post(server, answer["id"], "retry").json()
    assert (again["status"], again["retry_of"], len(upstream.requests)) == ("done", answer["id"], sent + 2)
    assert [one for one in again["warnings"] if one["code"] == "part_incomplete"] == []
    problem_of(post(server, again["id"], "retry/plan"), 409, "conflict")
    paid = sum((Decimal(one["cost"]["actual_usd"]) for one in (answer, again)), Decimal(0))
    assert paid == sum((line.usd for line in upstream.invoice), Decimal(0))
