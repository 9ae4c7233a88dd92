"""What is booked at most is said to be so, apart from what is exact, and put right by the invoice."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from service.domain import pricing
from tests.api.test_answers import until
from tests.support import upstream as acts
from tests.support.server import Json, Server
from tests.support.shapes import ANSWER, fits
from tests.support.upstream import Upstream


@pytest.fixture
def counted(server: Server, corpus: str, upstream: Upstream) -> Json:
    """An answer whose reply told no usage, under a budget of its corpus."""
    server.limit(f"corpus:{corpus}", 10_000_000)
    upstream.script.append(acts.no_usage())
    answer: Json = server.ask(corpus, question="When?").json()
    return answer


def resolve(server: Server, answer_id: str, **body: Any) -> Any:  # noqa: ANN401 - httpx's
    return server.client.post(f"/v1/answers/{answer_id}/resolve", json=body)


def sums(server: Server, corpus: str) -> Json:
    groups = server.client.get("/v1/ledger", params={"group_by": "corpus"}).json()["data"]
    (mine,) = [group for group in groups if group["key"] == corpus]
    return dict(mine)


def lines_of(server: Server, answer_id: str) -> list[Json]:
    lines = server.client.get("/v1/ledger", params={"limit": 1000}).json()["data"]
    return [line for line in lines if line["answer_id"] == answer_id]


def micros(amount: str) -> int:
    return pricing.to_micros_up(Decimal(amount))


def booked(lines: Sequence[Json]) -> Decimal:
    return sum((Decimal(line["usd"]) for line in lines), Decimal(0))


def test_what_is_at_most_is_said_to_be(
    server: Server, corpus: str, counted: Json, upstream: Upstream
) -> None:
    fits(counted, ANSWER)
    exact = server.ask(corpus, question="Where?").json()
    assert (counted["cost"]["actual_is"], exact["cost"]["actual_is"]) == ("at_most", "exact")
    assert Decimal(counted["cost"]["actual_usd"]) >= upstream.invoice[0].usd
    report = sums(server, corpus)
    assert micros(report["at_most_usd"]) == micros(counted["cost"]["actual_usd"])
    assert micros(report["exact_usd"]) == micros(exact["cost"]["actual_usd"])
    assert Decimal(report["exact_usd"]) + Decimal(report["at_most_usd"]) == Decimal(report["booked_usd"])
    assert (report["at_most_calls"], report["calls"]) == (1, 2)
    assert [line["at_most"] for line in lines_of(server, counted["id"])] == [False, False, True]
    assert not any(line["at_most"] for line in lines_of(server, exact["id"]))
    exported = server.client.get(f"/v1/answers/{counted['id']}/export").text
    assert "Price: at most \\$" in exported


@pytest.mark.parametrize("by", ["usage", "amount"])
def test_the_invoice_puts_it_right(
    server: Server, corpus: str, counted: Json, upstream: Upstream, by: str
) -> None:
    (line,) = upstream.invoice
    usage = {"prompt_tokens": line.prompt_tokens, "completion_tokens": line.completion_tokens}
    figures: Json = {"usage": usage} if by == "usage" else {"amount_usd": str(line.usd)}
    response = resolve(server, counted["id"], billed=True, **figures)
    assert response.status_code == 200, response.text
    answer = response.json()
    fits(answer, ANSWER)
    assert (answer["status"], answer["text"], answer["error"]) == ("done", counted["text"], None)
    assert (Decimal(answer["cost"]["actual_usd"]), answer["cost"]["actual_is"]) == (line.usd, "exact")
    assert answer["usage"]["estimated"] is (by == "amount")
    assert server.client.get(f"/v1/answers/{counted['id']}").json() == answer
    events = server.events(counted["id"])
    assert [event.name for event in events].count("done") == 1, "what was overtaken is told no more"
    assert events[-1].data == answer
    lines = lines_of(server, counted["id"])
    assert [one["kind"] for one in lines] == ["reserve", "release", "settle", "correct"]
    assert Decimal(lines[-1]["usd"]) < 0
    assert micros(str(booked(lines))) == pricing.to_micros_up(line.usd)
    assert server.budget(f"corpus:{corpus}").spent_micros == pricing.to_micros_up(line.usd)
    report = sums(server, corpus)
    assert (Decimal(report["spent_usd"]), report["at_most_usd"], report["at_most_calls"]) == (
        line.usd,
        "0.00",
        0,
    )
    assert (report["calls"], micros(report["exact_usd"])) == (1, pricing.to_micros_up(line.usd))
    server.limit(f"corpus:{corpus}", 20_000_000)
    assert server.budget(f"corpus:{corpus}").spent_micros == pricing.to_micros_up(line.usd)


def test_a_correction_can_be_corrected(server: Server, corpus: str, counted: Json) -> None:
    assert resolve(server, counted["id"], billed=True, amount_usd="0.02").status_code == 200
    assert resolve(server, counted["id"], billed=False).json()["cost"]["actual_usd"] == "0.00"
    answer = resolve(server, counted["id"], billed=True, amount_usd="3").json()
    assert (answer["cost"]["actual_usd"], answer["cost"]["actual_is"]) == ("3.00", "exact")
    assert booked(lines_of(server, counted["id"])) == Decimal(3)
    assert server.budget(f"corpus:{corpus}").spent_micros == 3_000_000
    assert sums(server, corpus)["booked_usd"] == "3.00"


@pytest.mark.parametrize(
    "body",
    [
        {"billed": True},
        {"billed": False, "amount_usd": "1"},
        {"billed": True, "amount_usd": "-1"},
        {"billed": True, "amount_usd": "1", "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
        {"billed": True, "amount_usd": "1", "call": 7},
    ],
)
def test_what_does_not_say_what_was_billed_changes_nothing(server: Server, counted: Json, body: Json) -> None:
    assert resolve(server, counted["id"], **body).status_code == 422
    assert server.client.get(f"/v1/answers/{counted['id']}").json() == counted
    assert len(lines_of(server, counted["id"])) == 3


def test_what_told_its_usage_is_not_corrected(server: Server, corpus: str) -> None:
    answer = server.ask(corpus, question="When?").json()
    response = resolve(server, answer["id"], billed=True, amount_usd="0.01")
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert server.client.get(f"/v1/answers/{answer['id']}").json() == answer


def test_in_doubt_and_at_its_ceiling_it_is_put_right_later(
    server: Server, corpus: str, upstream: Upstream
) -> None:
    upstream.script.append(acts.cut_after(3))
    doubtful = server.ask(corpus, question="When?").json()["answer"]
    assert resolve(server, doubtful["id"], billed=True).json()["cost"]["actual_is"] is None
    report = sums(server, corpus)
    assert (report["exact_usd"], report["at_most_usd"]) == ("0.00", report["booked_usd"])
    answer = resolve(server, doubtful["id"], billed=True, amount_usd="0.25").json()
    assert (answer["status"], answer["cost"]["actual_usd"]) == ("failed", "0.25")
    assert answer["error"]["detail"].endswith("booked at what was charged.")
    assert server.client.get(f"/v1/answers/{doubtful['id']}").json() == answer
    assert sums(server, corpus)["booked_usd"] == sums(server, corpus)["spent_usd"] == "0.25"
    assert resolve(server, doubtful["id"], billed=False).status_code == 409
    again = resolve(server, doubtful["id"], billed=True, amount_usd="0.2").json()
    assert (again["cost"]["actual_usd"], sums(server, corpus)["booked_usd"]) == ("0.20", "0.20")


def test_of_several_calls_it_is_said_which(server: Server, upstream: Upstream, large: list[str]) -> None:
    corpus = server.corpus(*large)
    upstream.script.extend([acts.no_usage()] * 2)
    answer = server.ask(corpus, question="Winter?", strategy="split").json()
    parts = [call.part for call in server.calls(answer["id"]) if call.usage and call.usage.estimated]
    assert len(parts) == 2
    unsaid = resolve(server, answer["id"], billed=True, amount_usd="0.25")
    assert (unsaid.status_code, f"{parts[0]}, {parts[1]}" in unsaid.json()["detail"]) == (422, True)
    first = resolve(server, answer["id"], billed=True, amount_usd="0.25", call=parts[0]).json()
    assert first["cost"]["actual_is"] == "at_most", "the other one still is"
    both = resolve(server, answer["id"], billed=True, amount_usd="0.25", call=parts[1]).json()
    assert both["cost"]["actual_is"] == "exact"
    exact = [call.actual_usd for call in server.calls(answer["id"]) if call.part not in parts]
    assert Decimal(both["cost"]["actual_usd"]) == Decimal("0.50") + sum(one or Decimal(0) for one in exact)


def test_what_is_under_way_is_not_corrected(server: Server, upstream: Upstream, large: list[str]) -> None:
    corpus = server.corpus(*large)
    upstream.script.extend([acts.no_usage(), acts.no_usage(), acts.slow(30)])
    asked = server.ask(corpus, question="Winter, so far?", strategy="split", wait=False).json()
    until(lambda: sum(call.usage is not None for call in server.calls(asked["id"])) == 2)
    response = resolve(server, asked["id"], billed=True, amount_usd="0.25", call=0)
    server.client.post(f"/v1/answers/{asked['id']}/cancel")
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    answer = server.finished(asked["id"])
    assert (answer["status"], answer["cost"]["actual_is"]) == ("cancelled", "at_most")
    assert [event.name for event in server.events(asked["id"])].count("done") == 1
    assert "correct" not in [line["kind"] for line in lines_of(server, asked["id"])]


@pytest.mark.parametrize("billed", [{"billed": True, "amount_usd": "0.25"}, {"billed": False}])
def test_what_is_in_doubt_is_not_taken_for_another_call(
    server: Server, upstream: Upstream, large: list[str], billed: Json
) -> None:
    corpus = server.corpus(*large)
    upstream.script.extend([acts.no_usage(), acts.cut_after(3)])
    answer = server.ask(corpus, question="Winter?", strategy="split").json()["answer"]
    states = {call.part: call.state.value for call in server.calls(answer["id"])}
    (at_most,) = [part for part, state in states.items() if state == "done"]
    (doubtful,) = [part for part, state in states.items() if state == "in_doubt"]
    refused = resolve(server, answer["id"], call=at_most, **billed)
    assert (refused.status_code, str(doubtful) in refused.json()["detail"]) == (422, True)
    assert server.client.get(f"/v1/answers/{answer['id']}").json() == answer
    assert resolve(server, answer["id"], call=doubtful, **billed).json()["status"] == "failed"
    corrected = resolve(server, answer["id"], billed=True, amount_usd="0.5", call=at_most).json()
    assert Decimal(corrected["cost"]["actual_usd"]) == Decimal(billed.get("amount_usd", 0)) + Decimal("0.5")


def test_stopped_before_a_word_is_at_most_too(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(acts.slow(30))
    asked = server.ask(corpus, question="When, in the end?", wait=False).json()
    until(lambda: len(upstream.requests) == 1)
    server.client.post(f"/v1/answers/{asked['id']}/cancel")
    answer = server.finished(asked["id"])
    assert (answer["status"], answer["text"], answer["cost"]["actual_is"]) == ("cancelled", "", "at_most")
    assert answer["usage"]["reasoning_tokens"] > 0, "nobody knows how far it had thought"
