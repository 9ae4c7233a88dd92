"""Parameters reach the provider, or are refused by name before anything is held: none is lost silently."""

from __future__ import annotations

import pytest

from tests.api.test_money import problem_of
from tests.support.server import Json, Server
from tests.support.upstream import Upstream

SAMPLING = {"temperature": 0.5, "top_p": 0.5, "presence_penalty": 0.5, "frequency_penalty": -0.5}
SCHEMA = {
    "type": "object",
    "properties": {
        "reasoning_effort": {"enum": ["none", "low", "medium"]},
        "max_completion_tokens": {"type": "integer", "maximum": 90_000},
    },
}


@pytest.mark.parametrize("name", sorted(SAMPLING))
def test_a_model_that_reasons_takes_no_sampling(
    server: Server, upstream: Upstream, corpus: str, name: str
) -> None:
    said = {"question": "When?", name: SAMPLING[name]}
    for effort in ({}, {"reasoning_effort": "low"}):
        for what in ("plans", "answers"):
            response = server.client.post(f"/v1/corpora/{corpus}/{what}", json={**said, **effort})
            problem = problem_of(response, 422, "unsupported_parameter")
            assert f"takes no {name} while it reasons" in problem["detail"]
            assert "reasoning_effort none" in problem["detail"]
            assert [fix["parameter"] for fix in problem["fixes"]] == [name, "reasoning_effort"]
    assert upstream.requests == []


def test_a_plan_binds_them(server: Server, upstream: Upstream, corpus: str) -> None:
    said: Json = {**SAMPLING, "seed": -7, "stop": "END", "reasoning_effort": "none"}
    plan = server.plans(corpus, question="When?", **said)["whole"]
    assert server.ask(corpus, plan_id=plan["id"]).status_code == 201
    sent = upstream.requests[0].body
    assert {name: sent[name] for name in said} == {**said, "stop": ["END"]}
    told = server.client.get("/v1/answers").json()["data"][-1]
    exported = server.client.get(f"/v1/answers/{told['id']}/export?format=json").json()
    assert exported["request"]["presence_penalty"] == 0.5


def test_values_that_ask_for_nothing_are_taken(server: Server, upstream: Upstream, corpus: str) -> None:
    said: Json = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0, "stop": []}
    assert server.ask(corpus, question="When?", **said).status_code == 201
    assert not said.keys() & upstream.requests[0].body.keys()


@pytest.mark.parametrize(
    "said",
    [
        {"presence_penalty": 2.1},
        {"frequency_penalty": "much"},
        {"seed": 1.5},
        {"seed": 2**64},
        {"stop": ["a", "b", "c", "d", "e"]},
        {"stop": [""]},
        {"stop": 7},
        {"response_format": {"type": "json_schema"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": 5}}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a b!"}}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": 5}}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": "maybe"}}},
        {"image_urls": "https://a.example/b.png"},
        {"image_urls": [7]},
    ],
    ids=str,
)
def test_values_that_do_not_fit(server: Server, corpus: str, said: Json) -> None:
    response = server.client.post(f"/v1/corpora/{corpus}/plans", json={"question": "When?", **said})
    problem_of(response, 422, "invalid_request")


def test_stop_ends_the_answer_and_no_findings(server: Server, upstream: Upstream, large: list[str]) -> None:
    corpus = server.corpus(*large)
    assert server.ask(corpus, question="When?", strategy="split", stop=["END"]).status_code == 201
    stops = ["stop" in request.body for request in upstream.requests]
    assert sum(stops) == 1
    assert stops[-1]


def test_the_providers_own_words_are_held_first(server: Server, upstream: Upstream, corpus: str) -> None:
    parameters = server.context.provider.parameters
    upstream.descriptions["gpt-5.5"] = {"id": "gpt-5.5", "request_schema": SCHEMA}
    before = server.client.get("/v1/models/gpt-5.5").json()["provider"]
    assert (before["name"], before["parameters"]) == ("openai", None)
    try:
        parameters.told("gpt-5.5", wait=True)
        response = server.ask(corpus, question="When?", reasoning_effort="xhigh")
        problem = problem_of(response, 422, "unsupported_parameter")
        assert problem["detail"] == (
            'openai does not take "xhigh" as reasoning_effort for gpt-5.5; it takes "none", "low", "medium".'
        )
        assert problem["fixes"][0]["allowed"] == '"none", "low", "medium"'
        face = {"model": f"gpt-5.5@{corpus}", "messages": [{"role": "user", "content": "When?"}]}
        refused = server.client.post("/v1/chat/completions", json={**face, "max_completion_tokens": 99_999})
        error = refused.json()["error"]
        assert (error["param"], error["code"]) == ("max_completion_tokens", "unsupported_parameter")
        assert upstream.requests == []
        told = server.client.get("/v1/models/gpt-5.5").json()["provider"]
        assert told["description"] == "described"
        assert told["parameters"]["max_completion_tokens"] == "integer, at most 90000"
        assert server.ask(corpus, question="When?", reasoning_effort="low").status_code == 201
    finally:
        upstream.descriptions.clear()
        parameters.told("gpt-5.5", wait=True)


def test_a_model_without_chat_is_refused_before_money_is_held(
    server: Server, upstream: Upstream, corpus: str
) -> None:
    refused = problem_of(
        server.ask(corpus, question="When?", model="gpt-5.5-pro"), 422, "unsupported_parameter"
    )
    assert "takes no chat completions" in refused["detail"]
    assert {fix["do"] for fix in refused["fixes"]} == {"use_model"}
    assert "gpt-5.5" in {fix["model"] for fix in refused["fixes"]}
    assert (upstream.requests, server.client.get("/v1/answers?corpus_id=" + corpus).json()["data"]) == (
        [],
        [],
    )
