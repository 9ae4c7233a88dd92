"""Quotes over REST: their verdicts, how many are true, and the repair of those that are not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import httpx
import pytest

from service.domain import prompts
from tests.support.billing import text_of
from tests.support.server import Server, sent_events
from tests.support.shapes import ANSWER, CITATION, PLAN, fits
from tests.support.upstream import Upstream, no_usage, well

GOOD = '"The harbour opened in 1871." [D1 p.1]'
BAD = '"The harbour opened in 1872." [D1 p.1]'
CLOSED = '"It was closed again in 1912." [D1 p.1]'


@contextmanager
def saying(upstream: Upstream, answer: str, repair: str = "") -> Iterator[None]:
    """The model answers so, and repairs so."""
    usual = upstream.answer

    def said(body: dict[str, Any]) -> str:
        asked = text_of(body["messages"][-1])
        return repair if asked.startswith(prompts.REPAIRING) else answer

    upstream.answer = said
    try:
        yield
    finally:
        upstream.answer = usual


def plan_of(server: Server, corpus: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - parameters
    made = server.client.post(f"/v1/corpora/{corpus}/plans", json={"question": "When?", **parameters}).json()
    found: dict[str, Any] = next(plan for plan in made["data"] if plan["strategy"] == "whole")
    return found


def test_an_altered_quote_shows_what_differs(server: Server, corpus: str, upstream: Upstream) -> None:
    with saying(upstream, f"So {BAD}, and {GOOD}."):
        answer = server.ask(corpus, question="When?").json()
    fits(answer, ANSWER)
    altered, exact = answer["citations"]
    assert (altered["verdict"], exact["verdict"]) == ("altered", "exact")
    assert altered["found"]["text"] == "The harbour opened in 1871."
    assert [(edit["quote"], edit["source"]) for edit in altered["differences"]] == [("1872.", "1871.")]
    assert [one["index"] for one in answer["citations"]] == [0, 1]
    assert (answer["citation_precision"], answer["repair"], answer["corrections"]) == (0.5, None, [])
    listed = server.client.get("/v1/answers", params={"corpus_id": corpus}).json()["data"]
    assert [one["citation_precision"] for one in listed] == [0.5]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("citations", [True, False])
def test_no_figure_without_citations(
    server: Server,
    corpus: str,
    upstream: Upstream,
    citations: bool,  # noqa: FBT001 - a case
) -> None:
    with saying(upstream, "Nothing is known." if citations else f"So {BAD}."):
        answer = server.ask(corpus, question="When?", citations=citations).json()
    assert (answer["citations"], answer["citation_precision"]) == ([], None)


def test_quotes_in_json_have_paths(server: Server, corpus: str, upstream: Upstream) -> None:
    said = {"opened": {"quote": "The harbour opened in 1871.", "source": "D1 p.1"}, "why": f"See {CLOSED}"}
    with saying(upstream, json.dumps(said)):
        answer = server.ask(corpus, question="When?", response_format={"type": "json_object"}).json()
    fits(answer["citations"], [CITATION])
    assert answer["output"] == said
    assert [(one["path"], one["verdict"], one["quote"]) for one in answer["citations"]] == [
        ("$.opened.source", "exact", "The harbour opened in 1871."),
        ("$.why", "exact", "It was closed again in 1912."),
    ]
    assert answer["citation_precision"] == 1.0


def test_a_stream_tells_verdicts_then_the_repair(server: Server, corpus: str, upstream: Upstream) -> None:
    text = f"So {BAD}, and {CLOSED}."
    body = {"question": "When?", "stream": True, "repair": True}
    with (
        saying(upstream, text, f"1. {GOOD}"),
        server.client.stream("POST", f"/v1/corpora/{corpus}/answers", json=body) as response,
    ):
        events = list(sent_events(response))
    names = [event.name for event in events if event.name != "delta"]
    assert names == ["plan", "citation", "citation", "citation", "repair", "usage", "done"]
    last_delta = max(n for n, event in enumerate(events) if event.name == "delta")
    assert [event.name for event in events[1 : last_delta + 1]] == ["delta"] * last_delta
    assert "".join(event.data["text"] for event in events if event.name == "delta") == text
    told = [event.data for event in events if event.name == "citation"]
    assert [(one["index"], one["verdict"], one["repaired"]) for one in told] == [
        (0, "altered", False),
        (1, "exact", False),
        (0, "exact", True),
    ]
    repair, done = events[-3].data, events[-1].data
    assert (repair["status"], repair["citation_precision"]) == ("done", 1.0)
    assert done["text"] == f"So {GOOD}, and {CLOSED}."
    assert done["corrections"] == repair["corrections"]
    assert Decimal(done["cost"]["actual_usd"]) == sum(line.usd for line in upstream.invoice)
    assert Decimal(done["cost"]["actual_usd"]) <= Decimal(done["cost"]["max_usd"])


def test_the_price_of_a_repair_is_in_the_ceiling_alone(server: Server, corpus: str) -> None:
    plain, repaired = (plan_of(server, corpus, repair=repair) for repair in (False, True))
    for plan in (plain, repaired):
        fits(plan, PLAN)
    assert plain["repair"] is None
    assert [call["kind"] for call in repaired["calls"]] == ["answer", "repair"]
    assert repaired["repair"]["planned"] is True
    more = Decimal(repaired["repair"]["max_usd"])
    costs = [plain["cost"], repaired["cost"]]
    assert Decimal(costs[1].pop("max_usd")) - Decimal(costs[0].pop("max_usd")) == more > 0
    assert costs[0] == costs[1]
    for name in ("input_tokens", "threshold", "window", "coverage", "cache", "warnings"):
        assert plain[name] == repaired[name], name
    tiers = [[Decimal(one["cost"]["max_usd"]) for one in plan["alternatives"]] for plan in (plain, repaired)]
    assert all(low < high for low, high in zip(*tiers, strict=True))
    pages = server.client.get(f"/v1/plans/{repaired['id']}/pages").json()["data"]
    assert [(page["call"], page["page"]) for page in pages] == [(0, 1)]


def test_a_plan_holds_its_repair(server: Server, corpus: str, upstream: Upstream) -> None:
    plan = plan_of(server, corpus, repair=True)
    with saying(upstream, f"So {BAD}.", f"1. {GOOD}"):
        answer = server.ask(corpus, plan_id=plan["id"]).json()
    assert (answer["plan_id"], answer["repair"]["status"], answer["citation_precision"]) == (
        plan["id"],
        "done",
        1.0,
    )
    assert answer["cost"]["max_usd"] == plan["cost"]["max_usd"]
    second = upstream.requests[1].body
    assert upstream.invoice[1].prompt_tokens <= plan["calls"][1]["max_input_tokens"]
    assert second["max_completion_tokens"] == plan["calls"][1]["reserved_output_tokens"]
    assert answer["usage"]["prompt_tokens"] == sum(line.prompt_tokens for line in upstream.invoice)


def test_a_repair_without_usage_is_counted_by_what_was_sent(
    server: Server, corpus: str, upstream: Upstream
) -> None:
    upstream.script.extend([well(), no_usage()])
    with saying(upstream, f"So {BAD}.", f"1. {GOOD}"):
        answer = server.ask(corpus, question="When?", repair=True).json()
    assert answer["usage"]["estimated"] is True
    assert answer["usage"]["prompt_tokens"] == sum(line.prompt_tokens for line in upstream.invoice)


def test_a_repair_without_citations_is_refused(server: Server, corpus: str, upstream: Upstream) -> None:
    refused = server.ask(corpus, question="When?", repair=True, citations=False)
    assert (refused.status_code, upstream.requests) == (422, [])
    assert "citations" in refused.json()["detail"]


def test_many_failed_quotes_stay_within_the_ceiling(server: Server, corpus: str, upstream: Upstream) -> None:
    text = "\n".join(f'{n}. "Number {n} sails <page n={n}> away." [D1 p.1]' for n in range(400))
    with saying(upstream, text, "\n".join(f"{n}. WITHDRAWN" for n in range(1, 401))):
        answer = server.ask(corpus, question="When?", repair=True).json()
    planned = answer["plan_id"] and server.client.get(f"/v1/plans/{answer['plan_id']}").json()
    assert upstream.invoice[1].prompt_tokens <= planned["calls"][1]["max_input_tokens"]
    repair = answer["repair"]
    assert 0 < repair["asked"] == repair["withdrawn"] < 400
    assert len(answer["citations"]) == 400 - repair["withdrawn"]


def test_openai_clients_may_ask_for_it(server: Server, corpus: str, upstream: Upstream) -> None:
    body = {
        "model": f"gpt-5.5@{corpus}",
        "messages": [{"role": "user", "content": "When?"}],
        "repair": True,
    }
    with saying(upstream, f"So {BAD}.", f"1. {GOOD}"):
        reply = server.client.post("/v1/chat/completions", json=body).json()
    message = reply["choices"][0]["message"]
    assert message["content"] == f"So {GOOD}."
    (annotation,) = message["annotations"]
    assert annotation["unabridged"]["verdict"] == "exact"
    place = annotation["url_citation"]
    assert message["content"][place["start_index"] : place["end_index"]] == "[D1 p.1]"


def test_a_plan_is_asked_without_checking_quotes(server: Server, corpus: str, upstream: Upstream) -> None:
    """Whether quotes are checked may stand beside a plan; what it has said already may not."""
    plan = server.plans(corpus, question="When did it open?")["whole"]["id"]

    def asked(**said: Any) -> httpx.Response:  # noqa: ANN401 - parameters
        return server.ask(corpus, plan_id=plan, **said)

    said: dict[str, Any]
    for said, shown in (({"citations": False}, 0), ({"citations": True}, 1), ({}, 1)):
        answer = asked(**said).json()
        assert (answer["status"], len(answer["citations"])) == ("done", shown)
    repaired = server.plans(corpus, question="When did it open?", repair=True)["whole"]["id"]
    refused = server.ask(corpus, plan_id=repaired, citations=False)
    assert (refused.status_code, "repair" in refused.json()["detail"]) == (422, True)
    for said in ({"strategy": "whole"}, {"strategy": "split"}, {"reasoning_effort": "low"}):
        refused = asked(**said)
        assert (refused.status_code, next(iter(said)) in refused.json()["detail"]) == (422, True)
    assert len(upstream.requests) == 3


def test_the_same_key_with_and_without_checking_is_another_request(server: Server, corpus: str) -> None:
    plan = server.plans(corpus, question="When did it open?")["whole"]["id"]
    key = {"Idempotency-Key": "checked or not"}
    path = f"/v1/corpora/{corpus}/answers"
    first = server.client.post(path, json={"plan_id": plan, "citations": False}, headers=key)
    again = server.client.post(path, json={"plan_id": plan, "citations": False}, headers=key)
    assert first.json()["id"] == again.json()["id"]
    other = server.client.post(path, json={"plan_id": plan, "citations": True}, headers=key)
    assert (other.status_code, "used for another request" in other.json()["detail"]) == (422, True)
