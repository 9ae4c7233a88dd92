"""Conversations over REST: begun, asked in, compacted and forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.billing import text_of
from tests.support.server import Json, Server
from tests.support.shapes import ANSWER, CONVERSATION, LISTING, PLAN, PROBLEM, fits
from tests.support.upstream import Upstream


def begin(server: Server, corpus: str, **body: Any) -> Json:  # noqa: ANN401 - any JSON value
    response = server.client.post("/v1/conversations", json={"corpus_id": corpus, **body})
    assert response.status_code == 201, response.text
    made: Json = response.json()
    fits(made, CONVERSATION)
    return made


def looked_up(server: Server, conversation: str) -> Json:
    found: Json = server.client.get(f"/v1/conversations/{conversation}").json()
    fits(found, CONVERSATION)
    return found


def test_a_conversation_is_asked_turn_by_turn(server: Server, corpus: str, upstream: Upstream) -> None:
    made = begin(server, corpus)
    assert (made["title"], made["turns"], made["history_tokens"]) == (None, [], 0)
    first = server.ask(corpus, question="When did it open?", conversation_id=made["id"]).json()
    fits(first, ANSWER)
    plan = server.plans(corpus, question="And when did it close?", conversation_id=made["id"])["whole"]
    fits(plan, PLAN)
    assert (plan["conversation_id"], plan["conversation"]["turns"][0]["answer_id"]) == (
        made["id"],
        first["id"],
    )
    second = server.ask(corpus, plan_id=plan["id"]).json()
    assert [one["conversation_id"] for one in (first, second)] == [made["id"]] * 2
    assert second["usage"]["prompt_tokens"] == plan["input_tokens"]
    told = looked_up(server, made["id"])
    assert told["title"] == "When did it open?"
    assert [(turn["answer_id"], turn["text"]) for turn in told["turns"]] == [
        (one["id"], one["text"]) for one in (first, second)
    ]
    assert told["turns"][0]["citations"][0]["verdict"] == "exact"
    assert plan["conversation"]["history_tokens"] < told["history_tokens"]
    assert [message["role"] for message in upstream.requests[-1].body["messages"]] == [
        "system",
        "user",
        "user",
        "assistant",
        "user",
    ]


def test_a_turn_streams_what_it_is_a_turn_of(server: Server, corpus: str, upstream: Upstream) -> None:
    conversation = begin(server, corpus)["id"]
    body = {"question": "When?", "conversation_id": conversation, "wait": False}
    asked = server.client.post(f"/v1/corpora/{corpus}/answers", json=body)
    assert (asked.status_code, asked.json()["conversation_id"]) == (202, conversation)
    events = server.events(asked.json()["id"])
    assert events[0].data["conversation_id"] == conversation
    assert events[-1].data["conversation_id"] == conversation
    assert len(upstream.requests) == 1


def test_compaction_is_asked_for_and_taken_back(server: Server, corpus: str, upstream: Upstream) -> None:
    conversation = begin(server, corpus)["id"]
    for n in range(3):
        server.ask(corpus, question=f"When, {n}?", conversation_id=conversation)
    path = f"/v1/conversations/{conversation}"
    told = server.client.post(f"{path}/compact").json()
    fits(told, {**CONVERSATION, "saves_tokens": int})
    assert [turn["sent_as"] for turn in told["turns"]] == ["line", "line", "whole"]
    assert told == {**looked_up(server, conversation), "saves_tokens": told["saves_tokens"]}
    assert len(server.client.post(f"{path}/compact", json={"keep_last": 0}).json()["history_out"]) == 3
    server.ask(corpus, question="And now?", conversation_id=conversation)
    sent = [text_of(message) for message in upstream.requests[-1].body["messages"]]
    assert "\n3. When, 2? [D1 p.1]\n</task>\n" in sent[2]
    assert len(sent) == 4
    whole = server.client.post(f"{path}/expand").json()
    assert (whole["history_out"], whole["saves_tokens"] < 0) == ([], True)
    server.client.post(f"{path}/compact", json={"keep_last": 2})
    assert server.client.post(f"{path}/compact", json={"keep_last": None}).json()["history_out"] == []
    assert len(upstream.requests) == 4


def test_conversations_are_listed_named_and_forgotten(server: Server, corpus: str) -> None:
    made = [begin(server, corpus, name=f"Talk {n}")["id"] for n in range(3)]
    page = server.client.get("/v1/conversations", params={"corpus_id": corpus, "limit": 2}).json()
    fits(page, LISTING)
    assert ([one["id"] for one in page["data"]], page["next"]) == (made[:2], made[1])
    after = server.client.get("/v1/conversations", params={"corpus_id": corpus, "after": made[1]}).json()
    assert [one["title"] for one in after["data"]] == ["Talk 2"]
    assert set(made) <= {
        one["id"] for one in server.client.get("/v1/conversations", params={"limit": 1000}).json()["data"]
    }
    renamed = server.client.patch(f"/v1/conversations/{made[0]}", json={"name": " Another \n name "}).json()
    assert renamed["title"] == "Another name"
    answer = server.ask(corpus, question="When?", conversation_id=made[0]).json()
    assert looked_up(server, made[0])["title"] == "Another name"
    assert server.client.delete(f"/v1/conversations/{made[0]}").status_code == 204
    assert server.client.get(f"/v1/conversations/{made[0]}").status_code == 404
    assert server.client.get(f"/v1/answers/{answer['id']}").json()["text"] == answer["text"]
    server.client.delete(f"/v1/corpora/{corpus}")
    assert server.client.get(f"/v1/conversations/{made[1]}").status_code == 404


def test_an_offered_turn_goes_with_its_conversation(server: Server, corpus: str) -> None:
    conversation = begin(server, corpus)["id"]
    plan = server.plans(corpus, question="When?", conversation_id=conversation)["whole"]
    server.client.delete(f"/v1/conversations/{conversation}")
    refused = server.ask(corpus, plan_id=plan["id"])
    assert (refused.status_code, refused.json()["code"]) == (409, "plan_changed")


@pytest.mark.parametrize("path", ["plans", "answers"])
def test_a_conversation_about_something_else_is_none(
    server: Server, corpus: str, harbour: str, path: str
) -> None:
    conversation = begin(server, server.corpus(harbour))["id"]
    for named in (conversation, "cnv_nothing"):
        body = {"question": "When?", "conversation_id": named}
        response = server.client.post(f"/v1/corpora/{corpus}/{path}", json=body)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
        fits(response.json(), PROBLEM)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("", {}, 422),
        ("", {"corpus_id": "cor_nothing"}, 404),
        ("", {"corpus_id": "@", "name": " "}, 422),
        ("", {"corpus_id": "@", "name": "n" * 201}, 422),
        ("", {"corpus_id": "@", "turns": []}, 422),
        ("/*/compact", {"keep_last": -1}, 422),
        ("/*/compact", {"keep": 1}, 422),
        ("/cnv_nothing/compact", {}, 404),
        ("/cnv_nothing/expand", {}, 404),
    ],
    ids=str,
)
def test_what_does_not_fit(server: Server, corpus: str, path: str, body: Json, status: int) -> None:
    known = begin(server, corpus)["id"]
    body = {name: corpus if value == "@" else value for name, value in body.items()}
    response = server.client.post(f"/v1/conversations{path.replace('*', known)}", json=body)
    assert response.status_code == status, response.text
    fits(response.json(), PROBLEM)


def test_openais_clients_ask_in_it_too(server: Server, corpus: str, upstream: Upstream) -> None:
    conversation = begin(server, corpus)["id"]
    for text in ("When?", "And then?"):
        body = {
            "model": "gpt-5.5",
            "corpus_id": corpus,
            "conversation_id": conversation,
            "messages": [{"role": "user", "content": text}],
        }
        assert server.client.post("/v1/chat/completions", json=body).status_code == 200
    assert len(looked_up(server, conversation)["turns"]) == 2
    assert len(upstream.requests[-1].body["messages"]) == 5
