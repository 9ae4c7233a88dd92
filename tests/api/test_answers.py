"""Answers over REST: the contract's fields, streams and their resumption, waiting, stopping."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest

from ingest import count_tokens
from tests.api.conftest import prose
from tests.support.server import WAIT_S, SentEvent, Server, sent_events
from tests.support.shapes import ANSWER, CITATION, LISTING, PLAN, PROBLEM, fits
from tests.support.upstream import Upstream, slow, stall_after

LONG = "word and more " * 40


def until(check: Callable[[], object]) -> None:
    """Wait for something that is about to be so."""
    deadline = time.monotonic() + WAIT_S
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def stream(server: Server, corpus: str, question: str = "When?") -> list[SentEvent]:
    body = {"question": question, "stream": True}
    with server.client.stream("POST", f"/v1/corpora/{corpus}/answers", json=body) as response:
        assert response.status_code == 201
        assert response.headers["content-type"].startswith("text/event-stream")
        return list(sent_events(response))


def test_answer(server: Server, corpus: str, harbour: str, upstream: Upstream) -> None:
    response = server.ask(corpus, question="When did the harbour open?")
    assert response.status_code == 201
    answer = response.json()
    fits(answer, ANSWER)
    assert (answer["status"], answer["corpus_id"], answer["model"]) == ("done", corpus, "gpt-5.5")
    assert (answer["finish_reason"], answer["refusal"], answer["engine"]) == ("stop", None, "openai")
    (citation,) = answer["citations"]
    assert (citation["document_id"], citation["page"], citation["verdict"]) == (harbour, 1, "exact")
    page = server.client.get(f"/v1/documents/{harbour}/pages/1").json()["text"]
    found = citation["found"]
    assert page[found["start"] : found["end"]] == found["text"]
    (billed,) = upstream.invoice
    assert answer["usage"]["prompt_tokens"] == billed.prompt_tokens
    assert answer["usage"]["completion_tokens"] == billed.completion_tokens
    assert answer["usage"]["reasoning_tokens"] == billed.reasoning_tokens
    assert server.client.get(f"/v1/answers/{answer['id']}").json() == answer


def test_missing_quote_is_told(server: Server, corpus: str, upstream: Upstream) -> None:
    usual, upstream.answer = upstream.answer, lambda _: 'It says "the harbour was painted green" [D1 p.1].'
    try:
        answer = server.ask(corpus, question="What colour?").json()
    finally:
        upstream.answer = usual
    fits(answer["citations"], [CITATION])
    assert [citation["verdict"] for citation in answer["citations"]] == ["missing"]


def test_mark_that_names_no_document(server: Server, corpus: str, upstream: Upstream) -> None:
    usual, upstream.answer = upstream.answer, lambda _: 'It says "the harbour opened in 1871" [D7 p.3].'
    try:
        answer = server.ask(corpus, question="What else?").json()
    finally:
        upstream.answer = usual
    assert [citation["verdict"] for citation in answer["citations"]] == ["elsewhere"]
    assert server.client.get(f"/v1/answers/{answer['id']}").json() == answer


def test_output_is_parsed(server: Server, corpus: str, upstream: Upstream) -> None:
    form = {
        "type": "json_schema",
        "json_schema": {
            "name": "opening",
            "schema": {
                "type": "object",
                "properties": {"year": {"type": "integer"}, "why": {"type": "string"}},
            },
        },
    }
    answer = server.ask(corpus, question="When?", response_format=form).json()
    assert answer["output"] == json.loads(answer["text"])
    assert answer["output"]["year"] == 0
    assert upstream.requests[0].body["response_format"] == form
    assert server.client.get(f"/v1/answers/{answer['id']}").json()["output"] == answer["output"]


@pytest.mark.parametrize("said", ["no JSON", '{"cut": ', '{"n": NaN}', '{"half": "\\ud800"}', "[" * 5_000])
def test_output_that_is_none(server: Server, corpus: str, upstream: Upstream, said: str) -> None:
    usual, upstream.answer = upstream.answer, lambda _: said
    try:
        answer = server.ask(corpus, question="When?", response_format={"type": "json_object"})
    finally:
        upstream.answer = usual
    assert (answer.status_code, answer.json()["output"], answer.json()["text"]) == (201, None, said)


def test_parameters_reach_the_provider(server: Server, corpus: str, upstream: Upstream) -> None:
    asked: dict[str, Any] = {
        "reasoning_effort": "none",
        "verbosity": "low",
        "max_completion_tokens": 77,
        "temperature": 0.5,
    }
    server.ask(corpus, question="When?", system_prompt="Speak like a clerk.", **asked)
    body = upstream.requests[0].body
    assert {name: body[name] for name in asked} == asked
    last = body["messages"][-1]["content"]
    assert last.index("Speak like a clerk.") < last.index("When?")


def test_answers_are_listed(server: Server, corpus: str, upstream: Upstream) -> None:
    asked = [server.ask(corpus, question=f"When {n}?").json()["id"] for n in range(3)]
    assert len(upstream.requests) == 3
    listing = server.client.get("/v1/answers", params={"corpus_id": corpus, "limit": "2"}).json()
    fits(listing, {**LISTING, "data": [ANSWER]})
    assert [one["id"] for one in listing["data"]] == asked[:2]
    assert (listing["has_more"], listing["next"]) == (True, asked[1])
    rest = server.client.get("/v1/answers", params={"corpus_id": corpus, "after": asked[1]}).json()
    assert [one["id"] for one in rest["data"]] == asked[2:]
    query = {"corpus_id": corpus, "newest_first": "true", "limit": "2"}
    newest = server.client.get("/v1/answers", params=query).json()
    assert [one["id"] for one in newest["data"]] == [asked[2], asked[1]]
    earlier = server.client.get("/v1/answers", params={**query, "after": newest["next"]}).json()
    assert [one["id"] for one in earlier["data"]] == asked[:1]


def test_answer_outlives_its_source(server: Server, upstream: Upstream) -> None:
    document = server.add("source.txt", b"The source of this answer goes away.")["id"]
    answer = server.ask(server.corpus(document), question="What goes away?").json()
    server.client.delete(f"/v1/documents/{document}")
    kept = server.client.get(f"/v1/answers/{answer['id']}").json()
    assert [citation["source_gone"] for citation in answer["citations"]] == [False]
    assert kept["citations"] == [{**answer["citations"][0], "source_gone": True}]
    assert len(upstream.requests) == 1


def test_stream_tells_everything_in_order(server: Server, corpus: str, upstream: Upstream) -> None:
    events = stream(server, corpus)
    names = [event.name for event in events]
    deltas = names.count("delta")
    assert deltas > 1
    assert names == ["plan", *["delta"] * deltas, "citation", "usage", "done"]
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    fits(events[0].data, PLAN)
    fits(events[-3].data, CITATION)
    fits(events[-1].data, ANSWER)
    done = events[-1].data
    assert "".join(event.data["text"] for event in events if event.name == "delta") == done["text"]
    assert events[-2].data["prompt_tokens"] == upstream.invoice[0].prompt_tokens
    assert server.client.get(f"/v1/answers/{done['id']}").json() == done


def test_stream_resumes_behind_the_last_event(server: Server, corpus: str, upstream: Upstream) -> None:
    events = stream(server, corpus)
    answer_id = events[-1].data["id"]
    for after in (0, 1, 5, len(events) - 1):
        assert server.events(answer_id, after=after) == events[after:]
    assert server.events(answer_id) == events
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "²"])
def test_event_ids_that_are_none(server: Server, corpus: str, upstream: Upstream, last: str) -> None:
    answer_id = stream(server, corpus)[-1].data["id"]
    headers = httpx.Headers({"Last-Event-ID": last}, encoding="latin-1")
    with server.client.stream("GET", f"/v1/answers/{answer_id}/events", headers=headers) as response:
        assert next(sent_events(response)).name == "plan"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("behind", [1, 100, 999_000_000])
def test_stream_ends_whatever_the_client_claims_to_have(
    server: Server, corpus: str, upstream: Upstream, behind: int
) -> None:
    """A client that reconnects to an answer that has ended is let go, and knows the end."""
    events = stream(server, corpus)
    last = events[-1]
    assert last.id is not None
    assert server.events(last.data["id"], after=last.id) == []
    assert server.events(last.data["id"], after=last.id + behind) == [last]
    headers = {"Last-Event-ID": "9" * 30}
    with server.client.stream("GET", f"/v1/answers/{last.data['id']}/events", headers=headers) as response:
        assert list(sent_events(response)) == [last]
    assert len(upstream.requests) == 1


def test_cancelled_while_waited_for(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(stall_after(3))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.ask, corpus, question="When, or not?")
        until(lambda: len(upstream.invoice) == 1)
        listed = server.client.get("/v1/answers", params={"corpus_id": corpus}).json()["data"]
        server.client.post(f"/v1/answers/{listed[0]['id']}/cancel")
        response = waiting.result(WAIT_S)
    assert (response.status_code, response.json()["status"]) == (201, "cancelled")
    assert server.events(listed[0]["id"])[-1].name == "done"


def test_resumption_while_it_runs(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(slow(0.05, between_s=0.05))
    body = {"question": "When, slowly?", "stream": True}
    seen: list[SentEvent] = []
    with server.client.stream("POST", f"/v1/corpora/{corpus}/answers", json=body) as response:
        for event in sent_events(response):
            seen.append(event)
            if len(seen) == 4:
                break
    answer_id = server.client.get("/v1/answers", params={"corpus_id": corpus}).json()["data"][0]["id"]
    assert server.client.get(f"/v1/answers/{answer_id}").json()["status"] == "running"
    events = seen + server.events(answer_id, after=seen[-1].id)
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    done = events[-1].data
    assert "".join(event.data["text"] for event in events if event.name == "delta") == done["text"]


def test_client_that_leaves_does_not_stop_it(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(slow(0.1, between_s=0.03))
    body = {"question": "When, alone?", "stream": True}
    with server.client.stream("POST", f"/v1/corpora/{corpus}/answers", json=body) as response:
        assert next(sent_events(response)).name == "plan"
    answer_id = server.client.get("/v1/answers", params={"corpus_id": corpus}).json()["data"][0]["id"]
    answer = server.finished(answer_id)
    assert answer["status"] == "done"
    assert Decimal(answer["cost"]["actual_usd"]) == upstream.invoice[0].usd


def test_without_waiting(server: Server, corpus: str, upstream: Upstream) -> None:
    upstream.script.append(slow(0.3))
    response = server.ask(corpus, question="When, later?", wait=False)
    assert response.status_code == 202
    fits(response.json(), ANSWER)
    assert response.json()["status"] in {"queued", "running"}
    assert response.json()["text"] == ""
    answer = server.finished(response.json()["id"])
    fits(answer, ANSWER)
    assert (answer["status"], answer["plan_id"]) == ("done", response.json()["plan_id"])


def test_stop_in_the_middle(server: Server, corpus: str, upstream: Upstream) -> None:
    server.limit(f"corpus:{corpus}", 10_000_000)
    upstream.script.append(stall_after(5))
    asked = server.ask(corpus, question="When, for ever?", wait=False).json()
    until(lambda: len(upstream.invoice) == 1)
    time.sleep(0.1)
    stopped = server.client.post(f"/v1/answers/{asked['id']}/cancel")
    assert stopped.status_code == 202
    fits(stopped.json(), ANSWER)
    answer = server.finished(asked["id"])
    fits(answer, ANSWER)
    (call,) = server.calls(asked["id"])
    assert answer["status"] == "cancelled"
    assert answer["text"] == call.text != ""
    assert answer["usage"]["prompt_tokens"] == upstream.invoice[0].prompt_tokens
    written = count_tokens(answer["text"])
    assert answer["usage"]["estimated"]
    assert answer["usage"]["completion_tokens"] == written + answer["usage"]["reasoning_tokens"]
    assert answer["usage"]["reasoning_tokens"] >= upstream.invoice[0].reasoning_tokens
    completion = answer["usage"]["completion_tokens"]
    spent = Decimal(answer["usage"]["prompt_tokens"] * 5 + completion * 30) / 1_000_000
    assert Decimal(answer["cost"]["actual_usd"]) == spent
    assert not server.held(asked["id"])[call.id]
    assert server.budget(f"corpus:{corpus}").reserved_micros == 0
    assert server.events(asked["id"])[-1].name == "done"
    again = server.client.post(f"/v1/answers/{asked['id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    fits(again.json(), PROBLEM)
    until(lambda: upstream.disconnects > 0)


def test_stop_of_a_split_pays_for_what_was_sent(server: Server, upstream: Upstream, large: list[str]) -> None:
    corpus = server.corpus(*large)
    server.limit(f"corpus:{corpus}", 100_000_000)
    upstream.script.extend([stall_after(3)] * 2)
    asked = server.ask(corpus, question="Anchor?", strategy="split", wait=False).json()
    until(lambda: len(upstream.invoice) == 2)
    time.sleep(0.1)
    server.client.post(f"/v1/answers/{asked['id']}/cancel")
    answer = server.finished(asked["id"])
    assert answer["status"] == "cancelled"
    assert len(upstream.requests) == 2
    assert server.budget(f"corpus:{corpus}").reserved_micros == 0
    sent = sum(line.prompt_tokens for line in upstream.invoice)
    assert answer["usage"]["prompt_tokens"] == sent
    upstream.script.clear()


def test_answers_side_by_side(server: Server, upstream: Upstream) -> None:
    corpus = server.corpus(server.add("many.txt", prose(5, 50))["id"])
    upstream.script.extend([slow(0.2)] * 12)
    asked = [server.ask(corpus, question=f"Which {n}?", wait=False).json()["id"] for n in range(12)]
    answers = [server.finished(one) for one in asked]
    assert {answer["status"] for answer in answers} == {"done"}
    spent = sum((Decimal(answer["cost"]["actual_usd"]) for answer in answers), Decimal(0))
    assert spent == sum((line.usd for line in upstream.invoice), Decimal(0))


@pytest.mark.parametrize("strategy", ["whole", "split"])
def test_a_plan_that_lost_a_document_has_changed(
    server: Server, large: list[str], upstream: Upstream, strategy: str
) -> None:
    """Also where nothing of its kind could be carried out any more."""
    corpus = server.corpus(*large)
    plan = server.plans(corpus, question="Which vessel?")[strategy]
    for taken, words in ((large[:1], "the documents changed"), (large[1:], "is gone. The corpus holds no")):
        for one in taken:
            assert server.client.delete(f"/v1/corpora/{corpus}/documents/{one}").status_code == 204
        refused = server.ask(corpus, plan_id=plan["id"])
        assert (refused.status_code, refused.json()["code"]) == (409, "plan_changed")
        assert words in refused.json()["detail"]
        assert [fix["do"] for fix in refused.json()["fixes"]] == ["plan_again"]
    assert upstream.requests == []
