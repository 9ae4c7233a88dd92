"""An answer in doubt is decided by the user: booked or freed once, and the books add up either way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests.support import upstream as acts
from tests.support.server import Json, Server
from tests.support.shapes import ANSWER, fits
from tests.support.upstream import Upstream


@pytest.fixture
def doubtful(server: Server, corpus: str, upstream: Upstream) -> Json:
    """An answer whose one call broke off, under a budget of its corpus."""
    server.limit(f"corpus:{corpus}", 10_000_000)
    upstream.script.append(acts.cut_after(3))
    answer: Json = server.ask(corpus, question="When?").json()["answer"]
    assert answer["status"] == "in_doubt"
    return answer


def resolve(server: Server, answer_id: str, **body: Any) -> Any:  # noqa: ANN401 - httpx's
    return server.client.post(f"/v1/answers/{answer_id}/resolve", json=body)


def test_not_billed_frees_what_was_held(server: Server, doubtful: Json) -> None:
    response = resolve(server, doubtful["id"], billed=False)
    assert response.status_code == 200, response.text
    answer = response.json()
    fits(answer, ANSWER)
    assert (answer["status"], answer["error"]["code"]) == ("failed", "in_doubt")
    assert "not billed" in answer["error"]["detail"]
    assert (answer["text"], answer["cost"]["actual_usd"]) == (doubtful["text"], None)
    ((reserve, release),) = server.entries(answer["id"]).values()
    assert (reserve.kind, release.kind, reserve.micros + release.micros) == ("reserve", "release", 0)
    budget = server.budget(f"corpus:{answer['corpus_id']}")
    assert (budget.reserved_micros, budget.spent_micros) == (0, 0)
    assert [call.state.value for call in server.calls(answer["id"])] == ["failed"]
    assert server.client.get(f"/v1/answers/{answer['id']}").json() == answer


def test_billed_by_its_usage(server: Server, doubtful: Json, upstream: Upstream) -> None:
    (line,) = upstream.invoice
    usage = {"prompt_tokens": line.prompt_tokens, "completion_tokens": line.completion_tokens}
    answer = resolve(server, doubtful["id"], billed=True, usage=usage).json()
    assert (answer["status"], answer["usage"]["prompt_tokens"]) == ("failed", line.prompt_tokens)
    assert Decimal(answer["cost"]["actual_usd"]) == line.usd
    ((*_, settled),) = server.entries(answer["id"]).values()
    assert (settled.kind, settled.actual_usd) == ("settle", line.usd)
    budget = server.budget(f"corpus:{answer['corpus_id']}")
    assert (budget.reserved_micros, budget.spent_micros) == (0, settled.micros)


def test_billed_without_usage_takes_the_ceiling(server: Server, doubtful: Json) -> None:
    answer = resolve(server, doubtful["id"], billed=True).json()
    assert answer["cost"]["actual_usd"] is None, "it is not known"
    (call,) = server.calls(answer["id"])
    ((*_, settled),) = server.entries(answer["id"]).values()
    assert (settled.micros, settled.actual_usd) == (call.reserved_micros, None)
    assert server.budget(f"corpus:{answer['corpus_id']}").spent_micros == call.reserved_micros
    paid = server.client.get("/v1/ledger", params={"group_by": "answer"}).json()["data"]
    (mine,) = [group for group in paid if group["key"] == answer["id"]]
    assert (mine["spent_usd"], Decimal(mine["booked_usd"])) == ("0.00", Decimal(mine["reserved_usd"]))


@pytest.mark.parametrize("first", [True, False], ids=["billed", "not billed"])
def test_of_many_verdicts_one_counts(server: Server, doubtful: Json, *, first: bool) -> None:
    verdicts = [first, not first] * 8
    with ThreadPoolExecutor(16) as crowd:
        answers = list(crowd.map(lambda billed: resolve(server, doubtful["id"], billed=billed), verdicts))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 15
    (lines,) = server.entries(doubtful["id"]).values()
    assert [line.kind for line in lines] in (["reserve", "release"], ["reserve", "release", "settle"])
    assert server.budget(f"corpus:{doubtful['corpus_id']}").reserved_micros == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"billed": True, "usage": {"prompt_tokens": 5}},
        {"billed": False, "usage": {"prompt_tokens": 5, "completion_tokens": 1}},
        {"billed": True, "usage": {"prompt_tokens": 5, "completion_tokens": 1, "cached_tokens": 6}},
        {"billed": True, "usage": {"prompt_tokens": 5, "completion_tokens": 1, "reasoning_tokens": 2}},
        {"billed": True, "usage": {"prompt_tokens": -5, "completion_tokens": 1}},
        {"billed": True, "service_tier": "scale"},
    ],
)
def test_what_is_no_verdict_changes_nothing(server: Server, doubtful: Json, body: Json) -> None:
    assert resolve(server, doubtful["id"], **body).status_code == 422
    assert server.client.get(f"/v1/answers/{doubtful['id']}").json()["status"] == "in_doubt"


def test_only_what_is_in_doubt_is_resolved(server: Server, corpus: str, upstream: Upstream) -> None:
    answer = server.ask(corpus, question="When?").json()
    assert resolve(server, answer["id"], billed=False).status_code == 409
    assert resolve(server, "ans_none", billed=False).status_code == 404
    assert server.client.get(f"/v1/answers/{answer['id']}").json() == answer
    assert len(upstream.requests) == 1


def test_parts_in_doubt_are_resolved_together(server: Server, upstream: Upstream, large: list[str]) -> None:
    corpus = server.corpus(*large)
    upstream.script.extend([acts.cut_after(3), acts.cut_after(3)])
    answer = server.ask(corpus, question="Winter?", strategy="split").json()["answer"]
    doubtful = [call for call in server.calls(answer["id"]) if call.state.value == "in_doubt"]
    assert len(doubtful) == 2
    usage = {"prompt_tokens": 5, "completion_tokens": 1}
    assert resolve(server, answer["id"], billed=True, usage=usage).status_code == 422
    assert resolve(server, answer["id"], billed=True).status_code == 200
    booked = [sum(line.micros for line in lines) for lines in server.entries(answer["id"]).values()]
    assert sum(booked) == sum(call.reserved_micros for call in doubtful)
    assert not any(server.held(answer["id"]).values())
