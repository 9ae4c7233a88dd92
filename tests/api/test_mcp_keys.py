"""Keys over the Model Context Protocol: they admit, part tenants and hold their budgets, as over REST."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from service.usecases import manage_keys
from service.usecases.manage_keys import NewKey
from tests.support.assistant import Given, talk
from tests.support.server import Server, serving, settings_in
from tests.support.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Held:
    """The service with keys, what one of them holds, and a key of another tenant."""

    server: Server
    url: str
    secret: str
    stranger: str
    corpus: str
    document: str

    def use(self, secret: str | None, tool: str, **arguments: object) -> Given:
        return talk(self.url, lambda assistant: assistant.use(tool, **arguments), key=secret)


@pytest.fixture(scope="module")
def held(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    with serving(settings_in(tmp_path_factory.mktemp("service"), provider)) as server:
        document = server.add("harbour.txt", b"The harbour opened in 1871.\n")["id"]
        corpus = server.corpus(document)
        secret = server.client.post("/v1/keys", json={"name": "first"}).json()["secret"]
        stranger = manage_keys.add_key(server.context, NewKey("theirs", "acme"))["secret"]
        with server.calling_with(secret) as called:
            yield Held(called, f"http://127.0.0.1:{called.port}/mcp", secret, stranger, corpus, document)


def test_without_a_key_nothing_is_said(held: Held) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer una_wrong"}):
        refused = held.server.client.post("/mcp", json=message, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"


def test_a_key_sees_its_tenant_alone(held: Held) -> None:
    (corpus,) = held.use(held.secret, "list_corpora").data["corpora"]
    assert corpus["id"] == held.corpus
    assert held.use(held.stranger, "list_corpora").data["corpora"] == []
    plan = held.use(held.secret, "price_question", corpus=held.corpus, question="When?").data["recommended"]
    answer = held.use(held.secret, "ask", corpus=held.corpus, question="When?", max_cost_usd="5").data[
        "answer_id"
    ]
    for tool, arguments in (
        ("list_documents", {"corpus": held.corpus}),
        ("price_question", {"corpus": held.corpus, "question": "When?"}),
        ("ask", {"corpus": held.corpus, "question": "When?", "max_cost_usd": "5"}),
        ("ask", {"plan_id": plan, "max_cost_usd": "5"}),
        ("get_answer", {"answer_id": answer}),
        ("read_page", {"document_id": held.document, "page": 1}),
    ):
        refused = held.use(held.stranger, tool, **arguments)
        assert (refused.is_error, refused.data["code"]) == (True, "not_found"), tool
        assert "Tests" not in refused.text


def test_a_keys_budget_is_held_and_the_refusal_counted(held: Held) -> None:
    body = {"name": "small", "limit_usd": "0.10", "period": "day"}
    made = held.server.client.post("/v1/keys", json=body).json()
    refused = held.use(made["secret"], "ask", corpus=held.corpus, question="When?", max_cost_usd="5")
    assert (refused.is_error, refused.data["code"]) == (True, "budget_exceeded")
    assert f"key:{made['id']}" in refused.text
    metrics = held.server.client.get("/metrics").text
    assert 'unabridged_refusals_total{code="budget_exceeded"} 1.0' in metrics
