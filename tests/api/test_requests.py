"""Requests that do not fit: every one a problem, none of them an internal error. Models, health, access."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import Any

import jsonschema
import pytest

from service.api.limits import MAX_SHOWING_BYTES
from tests.support.server import Server
from tests.support.shapes import PROBLEM, fits, moment
from tests.support.upstream import Upstream, slow

HOSTILE = [
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff tail",
    "\u202e",
    "\U0010ffff",
    "<|endoftext|>",
    "'; DROP TABLE answers; --",
]


def refused(response: Any, *statuses: int) -> dict[str, Any]:  # noqa: ANN401 - httpx's
    """Assert a problem of one of these statuses and return it."""
    assert response.status_code in (statuses or (400, 422)), response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    fits(body, PROBLEM)
    assert body["status"] == response.status_code
    return body


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"question": "\xff"}',
        b'{"question": 1}',
        b'{"question": null}',
        b'{"question": "   "}',
        b'{"question": "q", "temperature": NaN}',
        b'{"question": "q", "response_format": {"type": NaN}}',
        b'{"question": "q", "max_completion_tokens": 1e999}',
        b'{"question": "q", "max_completion_tokens": ' + b"9" * 5_000 + b"}",
        b'{"question": "q", "max_completion_tokens": 128001}',
        b'{"question": "q", "max_completion_tokens": 0}',
        b'{"question": "q", "response_format": ' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"question": "q", "response_format": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"question": "q", "service_tier": "gold"}',
        b'{"question": "q", "reasoning_effort": "max"}',
        b'{"question": "q", "response_format": {}}',
        b'{"question": "q", "response_format": {"type": ["text"]}}',
        b'{"question": "q", "response_format": {"type": "yaml"}}',
        b'{"question": "q", "response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}',
        b'{"question": "q", "strategies": ["psychic"]}',
        b'{"question": "q", "strategies": ["selected"]}',
        b'{"question": "q", "unknown": 1}',
        b'{"question": "q", "\\ud800": 1}',
        b'{"question": "q", "expected_questions": 0}',
        json.dumps({"question": "q" * 200_001}).encode(),
        json.dumps({"question": "q", "system_prompt": "s" * 200_001}).encode(),
    ],
    ids=lambda content: content[:40].decode("latin-1"),
)
def test_bodies_that_do_not_fit(server: Server, corpus: str, content: bytes) -> None:
    for what in ("plans", "answers"):
        response = server.client.post(
            f"/v1/corpora/{corpus}/{what}", content=content, headers={"content-type": "application/json"}
        )
        refused(response)


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "said"),
    [
        ("POST", "/v1/corpora", b'{"name" 1}', 422, "The body is no JSON: Expecting ':' delimiter"),
        ("POST", "/v1/corpora", b"\xff\xfe{", 400, "The body is no JSON in UTF-8."),
        ("PUT", "/v1/corpora", b"", 405, "This address takes GET, POST."),
        ("GET", "/v1/harbours", b"", 404, "There is nothing at this address; /openapi.json lists"),
    ],
)
def test_what_the_framework_refuses_is_said_in_words(
    server: Server, method: str, path: str, content: bytes, status: int, said: str
) -> None:
    headers = {"content-type": "application/json"}
    response = server.client.request(method, path, content=content, headers=headers)
    assert refused(response, status)["detail"].startswith(said)
    assert response.headers.get("allow") == ("GET, POST" if status == 405 else None)  # RFC 9110, 15.5.6


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_told_without_a_body_too(server: Server, path: str) -> None:
    response = server.client.head(path)
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_is_taken_as_text(server: Server, corpus: str, upstream: Upstream, text: str) -> None:
    content = json.dumps({"question": text, "system_prompt": text, "wait": True})
    headers = {"content-type": "application/json"}
    response = server.client.post(f"/v1/corpora/{corpus}/answers", content=content, headers=headers)
    assert response.status_code == 201, response.text
    shown = server.client.get(f"/v1/answers/{response.json()['id']}")
    assert shown.status_code == 200
    assert len(upstream.requests) == 1
    named = server.client.post("/v1/corpora", content=json.dumps({"name": f"n{text}"}), headers=headers)
    assert named.status_code == 201
    assert server.client.get(f"/v1/corpora/{named.json()['id']}").json()["name"] == named.json()["name"]


@pytest.mark.parametrize("field", ["model", "plan_id", "service_tier", "document_ids"])
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_names_are_refused(server: Server, corpus: str, field: str, text: str) -> None:
    body = {field: [text] if field == "document_ids" else text}
    body |= {} if field == "plan_id" else {"question": "q"}
    headers = {"content-type": "application/json"}
    response = server.client.post(f"/v1/corpora/{corpus}/answers", content=json.dumps(body), headers=headers)
    refused(response, 404, 422)


@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": " \n"}, {"name": "n" * 201}, {"name": "n", "colour": "red"}, {"name": 1}],
)
def test_corpora_that_do_not_fit(server: Server, corpus: str, body: dict[str, Any]) -> None:
    refused(server.client.post("/v1/corpora", json=body), 422)
    refused(server.client.patch(f"/v1/corpora/{corpus}", json=body), 422)


@pytest.mark.parametrize(
    "amount",
    ["-1", "x", "NaN", "Infinity", "1e999999999", "1e-99999999", 1e300, -0.01, True, "0." + "1" * 40],
)
def test_amounts_that_do_not_fit(server: Server, corpus: str, amount: object) -> None:
    refused(server.ask(corpus, question="When?", max_cost_usd=amount), 422)


def test_question_or_plan(server: Server, corpus: str) -> None:
    plan = server.plans(corpus, question="When?")["whole"]
    refused(server.ask(corpus), 422)
    refused(server.ask(corpus, question="q", plan_id=plan["id"]), 422)


@pytest.mark.parametrize("chunked", [False, True])
def test_body_without_end(server: Server, corpus: str, *, chunked: bool) -> None:
    content = b'{"question": "' + b"x" * (MAX_SHOWING_BYTES + 1) + b'"}'
    pieces = (content[start : start + 65_536] for start in range(0, len(content), 65_536))
    headers = {"content-type": "application/json"}
    response = server.client.post(
        f"/v1/corpora/{corpus}/plans", content=pieces if chunked else content, headers=headers
    )
    assert refused(response, 413)["code"] == "too_large"


@pytest.mark.parametrize("path", ["/v1/documents/a%00b", "/v1/documents?after=%00", "/v1/corpora/%00/meter"])
def test_nul_in_an_address(server: Server, path: str) -> None:
    refused(server.client.get(path), 422)


@pytest.mark.parametrize("path", ["/v1/answers/x/y/z", "/nowhere", "/v1"])
def test_unknown_paths(server: Server, path: str) -> None:
    assert refused(server.client.get(path), 404)["code"] == "not_found"


def test_wrong_method(server: Server) -> None:
    assert refused(server.client.put("/v1/corpora"), 405)["code"] == "method_not_allowed"


def test_models(server: Server) -> None:
    listed = server.client.get("/v1/models").json()
    fits(listed, {"object": str, "data": [{"id": str, "object": str, "created": int, "owned_by": str}]})
    assert (listed["object"], {one["object"] for one in listed["data"]}) == ("list", {"model"})
    model = server.client.get("/v1/models/gpt-5.5").json()
    prices = {"effective_from": str, "tiers": [{"tier": str, "band": str, "input": str, "output": str}]}
    fits(model, {"context_window": int, "threshold_tokens": int, "encoding": str, "prices": [prices]})
    limits = [model[name] for name in ("context_window", "max_input_tokens", "threshold_tokens")]
    assert limits == [1_050_000, 922_000, 272_000]


def test_unknown_model_names_the_nearest(server: Server) -> None:
    problem = refused(server.client.get("/v1/models/gpt-5.6-mega"), 404)
    assert problem["fixes"]
    fits(problem["fixes"], [{"do": str, "model": str}])


def test_health(server: Server) -> None:
    assert server.client.get("/healthz").json() == {"status": "ok"}
    ready = server.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert server.client.get("/openapi.json").json()["openapi"].startswith("3.")
    assert server.client.get("/docs").status_code == 200


def test_times_are_utc(server: Server, corpus: str) -> None:
    for path in ("corpora", "documents", "answers"):
        for one in server.client.get(f"/v1/{path}").json()["data"]:
            assert moment(one["created_at"])
    assert moment(server.plans(corpus, question="When?")["whole"]["expires_at"])


def asked(server: Server, **headers: str) -> int:
    """The status of a request with exactly these headers."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.putrequest("GET", "/healthz", skip_host=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        content = response.read()
    if response.status == 403:
        fits(json.loads(content), PROBLEM)
    return response.status


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "[::1]", "localhost:1", "LOCALHOST:65535", "127.0.0.1:8000", "[::1]:8000"],
)
def test_this_machine_may_call(server: Server, host: str) -> None:
    assert asked(server, Host=host) == 200
    assert asked(server, Host=host, Origin=f"http://{host}") == 200


@pytest.mark.parametrize(
    "name",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.168.1.4:8000",
        "[::1",
        "]",
        "",
        "192.168.1.4",
    ],
)
def test_other_names_may_not(server: Server, name: str) -> None:
    assert asked(server, Host=name) == 403
    assert asked(server, Host="localhost", Origin=f"https://{name}") == 403


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8000", "http://localhost:3000"),
        ("localhost:8000", "http://localhost"),
        ("localhost:8000", "http://127.0.0.1:8000"),
        ("127.0.0.1:8000", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
        ("localhost", "null"),
        ("localhost", ""),
        ("localhost", "localhost"),
        ("localhost:8000", "http://localhost:99999"),
        ("localhost:8000", "http://localhost:x"),
        ("localhost:8000", "http://localhost:8000, http://evil.example"),
    ],
)
def test_pages_of_other_origins_may_not(server: Server, host: str, origin: str) -> None:
    assert asked(server, Host=host, Origin=origin) == 403


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8000", "http://LOCALHOST:8000"),
        ("localhost:8000", "https://localhost:8000"),
        ("localhost", "http://localhost:80"),
        ("localhost:80", "http://localhost"),
        ("localhost:443", "https://localhost"),
    ],
)
def test_the_services_own_pages_may(server: Server, host: str, origin: str) -> None:
    assert asked(server, Host=host, Origin=origin) == 200


def test_pages_of_other_ports_may_not_write(server: Server) -> None:
    before = server.client.get("/v1/corpora").json()["data"]
    headers = {"Origin": f"http://127.0.0.1:{server.port - 1}"}
    made = server.client.post("/v1/corpora", json={"name": "driven"}, headers=headers)
    refused(made, 403)
    assert server.client.get("/v1/corpora").json()["data"] == before
    own = {"Origin": f"http://127.0.0.1:{server.port}"}
    assert server.client.post("/v1/corpora", json={"name": "own"}, headers=own).status_code == 201


def test_sandboxed_pages_may_not(server: Server) -> None:
    assert asked(server, Host="localhost", Origin="null") == 403


def test_foreign_pages_may_not_write(server: Server, harbour: str) -> None:
    headers = {"Origin": "https://evil.example"}
    assert server.client.delete(f"/v1/documents/{harbour}", headers=headers).status_code == 403
    assert server.client.get(f"/v1/documents/{harbour}").status_code == 200


def test_errors_come_as_they_are_described(server: Server) -> None:
    """A client that is generated from the description can read them."""
    told = server.client.get("/openapi.json").json()
    for path, operations in told["paths"].items():
        for operation in operations.values():
            assert "422" not in operation["responses"], path
    for path, method, kind in (
        ("/v1/corpora", "post", "application/problem+json"),
        ("/v1/chat/completions", "post", "application/json"),
    ):
        content = told["paths"][path][method]["responses"]["default"]["content"]
        name = content[kind]["schema"]["$ref"].rpartition("/")[2]
        response = server.client.request(method, path, json={"nothing": 1})
        assert response.status_code >= 400
        assert response.headers["content-type"].partition(";")[0] == kind
        jsonschema.validate(response.json(), told["components"]["schemas"][name])
    events = told["paths"]["/v1/answers/{answer_id}/events"]["get"]["responses"]["200"]["content"]
    assert list(events) == ["text/event-stream"]
    taken = told["paths"]["/v1/documents"]["post"]["requestBody"]["content"]
    assert set(taken) == {"multipart/form-data", "application/octet-stream"}


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/v1/models", "/v1/corpora/{corpus}", "/v1/documents/none"]
)
def test_head_says_what_get_would_without_its_body(server: Server, corpus: str, path: str) -> None:
    address = path.format(corpus=corpus)
    got, headed = server.client.get(address), server.client.head(address)
    assert (headed.status_code, headed.content) == (got.status_code, b"")
    told = [{name: value for name, value in one.headers.items() if name != "date"} for one in (got, headed)]
    assert told[0] == told[1]


def test_head_of_a_stream_ends_and_leaves_the_answer_alone(
    server: Server, upstream: Upstream, corpus: str
) -> None:
    upstream.script.append(slow(0.5, 0.1))
    answer = server.ask(corpus, question="When did it open?", wait=False).json()
    headed = server.client.head(f"/v1/answers/{answer['id']}/events", timeout=10)
    assert (headed.status_code, headed.content) == (200, b"")
    assert headed.headers["content-type"].startswith("text/event-stream")
    *_, last = server.events(answer["id"])
    assert last.name == "done"
    assert server.client.head(f"/v1/answers/{answer['id']}/cancel").status_code == 405
