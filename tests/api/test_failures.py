"""The provider fails: what was not billed is released, what may have been stays held, nothing is repeated."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from ingest import count_tokens
from service.domain import pricing
from tests.support import upstream as acts
from tests.support.server import Json, Server
from tests.support.shapes import ANSWER, PROBLEM, fits
from tests.support.upstream import Act, Upstream

SOON = {"retry-after-ms": "5"}


def check_released(server: Server, answer: Json) -> None:
    """Nothing is held and nothing was paid."""
    assert (answer["cost"]["actual_usd"], answer["usage"]) == (None, None)
    for lines in server.entries(answer["id"]).values():
        assert [line.kind for line in lines] == ["reserve", "release"]
        assert sum(line.micros for line in lines) == 0


def test_rate_limit_passes(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(acts.status(429, "rate_limit_exceeded", SOON))
    response = server.ask(corpus, question="When?")
    assert (response.status_code, response.json()["status"]) == (201, "done")
    assert (len(upstream.requests), len(upstream.invoice)) == (2, 1)
    assert Decimal(response.json()["cost"]["actual_usd"]) == upstream.invoice[0].usd


@pytest.mark.parametrize(
    ("act", "status", "code", "requests"),
    [
        (acts.status(401, "invalid_api_key"), 502, "provider_error", 1),
        (acts.status(403), 502, "provider_error", 1),
        (acts.status(500, headers=SOON), 502, "provider_error", 3),
        (acts.status(503, headers=SOON), 502, "provider_error", 3),
        (acts.status(429, "rate_limit_exceeded", SOON), 429, "rate_limited", 3),
        (acts.status(429, "insufficient_quota"), 502, "provider_error", 1),
        (
            acts.status(
                429,
                message="Request too large for gpt-5.5 on tokens per min (TPM): "
                "Limit 400000, Requested 500000.",
            ),
            422,
            "request_exceeds_provider_rate",
            1,
        ),
        (acts.status(400, "context_length_exceeded"), 422, "over_window", 1),
    ],
)
def test_refusals_cost_nothing(
    server: Server, corpus: str, upstream: Upstream, act: Act, status: int, code: str, requests: int
) -> None:
    server.limit(f"corpus:{corpus}", 10_000_000)
    upstream.script.extend([act] * 3)
    response = server.ask(corpus, question="When?")
    upstream.script.clear()
    assert (response.status_code, response.json()["code"]) == (status, code)
    fits(response.json(), PROBLEM)
    assert response.headers["content-type"] == "application/problem+json"
    assert (len(upstream.requests), upstream.invoice) == (requests, [])
    answer = server.client.get(f"/v1/answers/{response.json()['answer']['id']}").json()
    fits(answer, ANSWER)
    assert (answer["status"], answer["error"]["code"]) == ("failed", code)
    check_released(server, answer)
    budget = server.budget(f"corpus:{corpus}")
    assert (budget.reserved_micros, budget.spent_micros) == (0, 0)
    assert upstream.key not in response.text


def test_failure_in_a_stream(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(acts.status(401, "invalid_api_key"))
    asked = server.ask(corpus, question="When?", wait=False).json()
    *_, last = server.events(asked["id"])
    assert last.name == "error"
    fits(last.data["problem"], PROBLEM)
    problem = last.data["problem"]
    assert last.data == {**problem, "problem": problem, "answer": last.data["answer"]}
    assert (last.data["problem"]["code"], last.data["problem"]["status"]) == ("provider_error", 502)
    assert server.finished(asked["id"])["status"] == "failed"


@pytest.mark.parametrize(
    ("act", "partial"),
    [
        (acts.cut_after(6), True),
        (acts.cut_after(0), False),
        (acts.end_after(6), True),
        (acts.error_in_stream(6), True),
        (acts.malformed(), False),
        (acts.wrong_content_type(), False),
    ],
)
def test_broken_replies_are_in_doubt(
    server: Server, corpus: str, upstream: Upstream, act: Act, *, partial: bool
) -> None:
    server.limit(f"corpus:{corpus}", 10_000_000)
    upstream.script.append(act)
    response = server.ask(corpus, question="When?")
    problem = response.json()
    fits(problem, PROBLEM)
    assert (response.status_code, problem["status"], problem["code"]) == (502, 502, "in_doubt")
    answer = problem["answer"]
    fits(answer, ANSWER)
    assert (answer["status"], answer["error"]["code"]) == ("in_doubt", "in_doubt")
    assert bool(answer["text"]) is partial
    (call,) = server.calls(answer["id"])
    assert (call.state, call.text) == ("in_doubt", answer["text"])
    assert server.held(answer["id"]) == {call.id: True}
    assert answer["cost"]["actual_usd"] is None
    assert server.budget(f"corpus:{corpus}").reserved_micros == call.reserved_micros > 0
    assert len(upstream.requests) == 1
    events = server.events(answer["id"])
    assert events[-1].name == "error"
    assert events[-1].data["problem"] == {name: problem[name] for name in problem if name != "answer"}
    assert "".join(event.data["text"] for event in events if event.name == "delta") == answer["text"]


def test_split_with_one_broken_part(server: Server, upstream: Upstream, large: list[str]) -> None:
    corpus = server.corpus(*large)
    upstream.script.extend([acts.well(), acts.cut_after(3)])
    answer = server.ask(corpus, question="Winter?", strategy="split").json()["answer"]
    assert answer["status"] == "in_doubt"
    states = [call.state.value for call in server.calls(answer["id"])]
    assert sorted(states) == ["done", "failed", "in_doubt"]
    assert states[-1] == "failed", "the merge was never sent"
    assert len(upstream.requests) == 2
    held = server.held(answer["id"])
    assert [held[call.id] for call in server.calls(answer["id"])] == [state == "in_doubt" for state in states]
    done = next(call for call in server.calls(answer["id"]) if call.state.value == "done")
    assert Decimal(answer["cost"]["actual_usd"]) == done.actual_usd


def test_refusal_is_an_answer(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(acts.refusal("I would rather not."))
    answer = server.ask(corpus, question="When?").json()
    assert (answer["status"], answer["text"], answer["refusal"]) == ("done", "", "I would rather not.")
    assert Decimal(answer["cost"]["actual_usd"]) == upstream.invoice[0].usd


def test_reasoning_that_used_everything(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(acts.empty_length())
    answer = server.ask(corpus, question="When?", max_completion_tokens=500).json()
    assert (answer["status"], answer["text"], answer["finish_reason"]) == ("done", "", "length")
    assert answer["usage"]["reasoning_tokens"] == answer["usage"]["completion_tokens"] == 500
    assert (
        Decimal(answer["cost"]["actual_usd"]) == upstream.invoice[0].usd <= Decimal(answer["cost"]["max_usd"])
    )


def test_without_usage_own_counts_price_it(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(acts.no_usage())
    answer = server.ask(corpus, question="When?", reasoning_effort="none").json()
    written = count_tokens(answer["text"])
    assert answer["usage"]["completion_tokens"] == written
    assert answer["usage"]["prompt_tokens"] == upstream.invoice[0].prompt_tokens
    assert Decimal(answer["cost"]["actual_usd"]) == upstream.invoice[0].usd
    ((*_, settled),) = server.entries(answer["id"]).values()
    assert settled.micros == pricing.to_micros_up(upstream.invoice[0].usd)


def test_reasoning_that_is_not_told_is_booked_all_the_same(
    server: Server, corpus: str, upstream: Upstream
) -> None:
    upstream.script.append(acts.no_usage())
    answer = server.ask(corpus, question="When?", reasoning_effort="xhigh").json()
    written = count_tokens(answer["text"])
    assert answer["usage"]["estimated"]
    assert answer["usage"]["completion_tokens"] == written + answer["usage"]["reasoning_tokens"]
    cost = answer["cost"]
    assert upstream.invoice[0].usd <= Decimal(cost["actual_usd"]) <= Decimal(cost["max_usd"])


def test_reasoning_that_is_not_told_never_passes_what_is_reserved(
    server: Server, corpus: str, upstream: Upstream
) -> None:
    upstream.script.append(acts.no_usage())
    answer = server.ask(corpus, question="When?", reasoning_effort="high", max_completion_tokens=600).json()
    assert answer["usage"]["completion_tokens"] == 600


def test_how_long_to_wait_is_told(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(acts.status(429, "rate_limit_exceeded", {"Retry-After": "3600"}))
    response = server.ask(corpus, question="When?")
    assert (response.status_code, response.headers["retry-after"]) == (429, "3600")
    assert response.json()["fixes"] == [{"do": "wait", "seconds": 3600.0}]
    answer = server.client.get(f"/v1/answers/{response.json()['answer']['id']}").json()
    assert answer["error"]["fixes"] == response.json()["fixes"]


def test_who_is_in_doubt_is_told_how_to_resolve_it(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(acts.cut_after(3))
    problem = server.ask(corpus, question="When?").json()
    assert (problem["code"], [fix["do"] for fix in problem["fixes"]]) == ("in_doubt", ["resolve"])
    assert problem["fixes"][0]["answer_id"] == problem["answer"]["id"]
    (event,) = [one for one in server.events(problem["answer"]["id"]) if one.name == "error"]
    assert event.data["fixes"] == problem["fixes"]
    listed = server.client.get("/v1/answers", params={"corpus_id": corpus}).json()["data"]
    assert [one["cost"]["held_usd"] for one in listed] == [problem["answer"]["cost"]["held_usd"]]


def test_what_failed_for_nothing_is_asked_anew_under_its_key(
    server: Server, corpus: str, upstream: Upstream
) -> None:
    upstream.script.append(acts.status(429, "rate_limit_exceeded", {"Retry-After": "3600"}))
    headers = {"Idempotency-Key": f"anew-{corpus}"}
    failed = server.ask(corpus, question="When?", headers=headers)
    assert failed.status_code == 429
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(server.ask, corpus, question="When?", headers=headers) for _ in range(6)]
    answers = [one.result().json() for one in asked]
    assert {answer["status"] for answer in answers} == {"done"}
    assert len({answer["id"] for answer in answers}) == 1
    assert len(upstream.invoice) == 1
    first = server.client.get(f"/v1/answers/{failed.json()['answer']['id']}").json()
    assert (first["status"], first["id"] != answers[0]["id"]) == ("failed", True)
    other = server.ask(corpus, question="Where?", headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "invalid_request")


def test_what_was_paid_in_part_keeps_its_key(server: Server, large: list[str], upstream: Upstream) -> None:
    corpus = server.corpus(*large)
    limit = acts.status(429, "rate_limit_exceeded", {"Retry-After": "3600"})
    upstream.script.extend([acts.well(), limit, limit, limit])
    headers = {"Idempotency-Key": f"part-{corpus}"}
    failed = server.ask(corpus, question="Which vessel?", strategy="split", headers=headers).json()
    upstream.script.clear()
    assert (failed["code"], Decimal(failed["answer"]["cost"]["actual_usd"]) > 0) == ("rate_limited", True)
    sent = len(upstream.requests)
    again = server.ask(corpus, question="Which vessel?", strategy="split", headers=headers).json()
    assert (again["answer"]["id"], len(upstream.requests)) == (failed["answer"]["id"], sent)


@pytest.mark.parametrize("act", [acts.status(401, "invalid_api_key"), acts.cut_after(3)])
def test_what_does_not_pass_keeps_its_key(server: Server, corpus: str, upstream: Upstream, act: Act) -> None:
    upstream.script.append(act)
    headers = {"Idempotency-Key": f"kept-{corpus}"}
    first, again = (server.ask(corpus, question="When?", headers=headers).json() for _ in range(2))
    assert (again["answer"]["id"], len(upstream.requests)) == (first["answer"]["id"], 1)
