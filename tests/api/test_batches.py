"""Batches over REST."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from service.store import ledger
from service.usecases.context import LOCAL
from tests.support.server import Server, sent_events, serving, settings_in
from tests.support.shapes import fits, maybe, moment, money, name_of, one_of
from tests.support.upstream import Upstream

pytestmark = pytest.mark.usefixtures("upstream")

STATUS = one_of(
    "preparing",
    "submitted",
    "in_progress",
    "finalizing",
    "done",
    "failed",
    "expired",
    "cancelled",
    "in_doubt",
)
BATCH = {
    "id": name_of("bat"),
    "status": STATUS,
    "corpus_id": name_of("cor"),
    "model": str,
    "engine": str,
    "counts": {"total": int, "done": int, "failed": int},
    "cost": {"reserved_usd": money, "expected_usd": maybe(money), "actual_usd": maybe(money)},
    "answers": [{"id": name_of("ans"), "status": str, "question": str, "plan_id": name_of("pln")}],
    "files": [
        {
            "state": str,
            "provider_batch_id": maybe(str),
            "provider_status": maybe(str),
            "lines": int,
            "bytes": int,
            "done": int,
            "failed": int,
            "unknown_lines": int,
        }
    ],
    "error": maybe({"code": str, "detail": str}),
    "expires_at": moment,
    "finished_at": maybe(moment),
    "created_at": moment,
}


@pytest.fixture(scope="module")
def server(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service, in a hurry."""
    folder = tmp_path_factory.mktemp("service")
    with serving(settings_in(folder, provider, batch_poll_seconds=0.05)) as running:
        yield running


@pytest.fixture(autouse=True)
def batches(provider: Upstream) -> Iterator[Any]:
    """The provider's batches, which go on unless a test holds them."""
    yield provider.batches
    provider.batches.hold = False
    provider.batches.offered = True


def put_in(server: Server, corpus: str, **body: Any) -> Any:  # noqa: ANN401 - any JSON value
    response = server.client.post(f"/v1/corpora/{corpus}/batches", json=body)
    assert response.status_code == 202, response.text
    return response.json()


def refused(server: Server, corpus: str, status: int, **body: Any) -> Any:  # noqa: ANN401 - any JSON value
    response = server.client.post(f"/v1/corpora/{corpus}/batches", json=body)
    assert response.status_code == status, response.text
    return response.json()


def ended(server: Server, batch_id: str) -> Any:  # noqa: ANN401 - any JSON value
    with server.client.stream("GET", f"/v1/batches/{batch_id}/events") as response:
        assert response.status_code == 200
        events = list(sent_events(response))
    assert [event.name for event in events] == ["batch"] * (len(events) - 1) + ["done"]
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    for event in events:
        fits(event.data, BATCH)
    return events[-1].data


def test_questions_become_answers(server: Server, corpus: str, upstream: Upstream) -> None:
    batch = put_in(server, corpus, questions=["When did it open?", "When was it closed?"])
    fits(batch, BATCH)
    done = ended(server, batch["id"])
    assert (done["status"], done["counts"]) == ("done", {"total": 2, "done": 2, "failed": 0})
    assert Decimal(done["cost"]["actual_usd"]) == sum(one.usd for one in upstream.invoice)
    for one in done["answers"]:
        answer = server.client.get(f"/v1/answers/{one['id']}").json()
        assert (answer["status"], answer["batch_id"]) == ("done", batch["id"])
        assert answer["citations"][0]["verdict"] == "exact"
        assert server.events(one["id"])[-1].name == "done"
    assert server.client.get(f"/v1/batches/{batch['id']}").json() == done
    listed = server.client.get("/v1/batches", params={"corpus_id": corpus}).json()
    assert (listed["data"], listed["has_more"]) == ([done], False)


def test_lists_are_paged(server: Server, harbour: str) -> None:
    corpus = server.corpus(harbour)
    made = [put_in(server, corpus, question=f"Which {n}?")["id"] for n in range(3)]
    page = server.client.get("/v1/batches", params={"corpus_id": corpus, "limit": 2}).json()
    rest = server.client.get("/v1/batches", params={"corpus_id": corpus, "after": page["next"]}).json()
    assert [one["id"] for one in page["data"] + rest["data"]] == made
    for one in made:
        ended(server, one)


def test_an_answer_at_that_tier_is_queued(server: Server, corpus: str) -> None:
    asked = server.ask(corpus, question="When?", service_tier="batch", headers={"Idempotency-Key": "once"})
    assert (asked.status_code, asked.json()["status"]) == (202, "queued")
    again = server.ask(corpus, question="When?", service_tier="batch", headers={"Idempotency-Key": "once"})
    assert again.json()["id"] == asked.json()["id"]
    assert server.finished(asked.json()["id"])["status"] == "done"
    together = server.ask(corpus, questions=["When?", "Where?"], service_tier="batch").json()
    assert together["questions"] == ["When?", "Where?"]
    assert server.finished(together["id"])["status"] == "done"
    stream = server.ask(corpus, question="When?", service_tier="batch", stream=True)
    assert (stream.status_code, "not streamed" in stream.json()["detail"]) == (422, True)


def test_a_plan_binds(server: Server, corpus: str, upstream: Upstream) -> None:
    usual = server.plans(corpus, question="When?")["whole"]
    plan = server.plans(corpus, question="When?", service_tier="batch")["whole"]
    assert Decimal(plan["cost"]["max_usd"]) * 2 == Decimal(usual["cost"]["max_usd"])
    (told,) = [one for one in usual["alternatives"] if one["service_tier"] == "batch"]
    assert told["cost"]["max_usd"] == plan["cost"]["max_usd"]
    assert told["feasible"]
    assert "service_tier batch" in told["note"]
    batch = put_in(server, corpus, plan_ids=[plan["id"]])
    assert 0 <= Decimal(batch["cost"]["reserved_usd"]) - Decimal(plan["cost"]["max_usd"]) < Decimal("1e-6")
    assert ended(server, batch["id"])["status"] == "done"
    assert upstream.invoice[0].usd <= Decimal(plan["cost"]["max_usd"])
    another = server.plans(corpus, question="When?", service_tier="batch")["whole"]
    asked = server.ask(corpus, plan_id=another["id"])
    assert (asked.status_code, asked.json()["plan_id"]) == (202, another["id"])
    assert server.finished(asked.json()["id"])["status"] == "done"
    server.add("more.txt", b"Something more.\n", corpus_id=corpus)
    assert refused(server, corpus, 409, plan_ids=[plan["id"]])["code"] == "plan_changed"


def test_a_batch_is_cancelled(server: Server, corpus: str, batches: Any) -> None:  # noqa: ANN401 - as the fixture
    batches.hold, batches.cancel_after = True, 1
    batch = put_in(server, corpus, questions=["When?", "Where?"])
    cancelled = server.client.post(f"/v1/batches/{batch['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["cancel_requested"]) == (202, True)
    done = ended(server, batch["id"])
    assert done["status"] == "cancelled"
    assert server.client.post(f"/v1/batches/{batch['id']}/cancel").status_code == 409
    with server.context.db.read() as tx:
        assert ledger.held_micros(tx, LOCAL) == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"questions": []},
        {"questions": ["When?", " "]},
        {"questions": ["When?"], "plan_ids": ["pln_x"]},
        {"plan_ids": ["pln_x"], "verbosity": "low"},
        {"questions": ["When?"], "service_tier": "flex"},
        {"questions": ["When?"], "repair": True},
        {"questions": ["When?"] * 1001},
        {"questions": ["When?"], "colour": "red"},
    ],
    ids=json.dumps,
)
def test_what_does_not_fit(server: Server, corpus: str, body: dict[str, Any]) -> None:
    before = len(server.client.get("/v1/batches").json()["data"])
    refused(server, corpus, 422, **body)
    assert len(server.client.get("/v1/batches").json()["data"]) == before


def test_what_is_not_there(server: Server, corpus: str) -> None:
    refused(server, corpus, 404, plan_ids=["pln_x"])
    refused(server, "cor_x", 404, questions=["When?"])
    for path in ("", "/events", "/cancel"):
        method = server.client.post if path == "/cancel" else server.client.get
        assert method(f"/v1/batches/bat_x{path}").status_code == 404


def test_a_provider_without_batches_refuses_first(server: Server, corpus: str, batches: Any) -> None:  # noqa: ANN401 - as the fixture
    batches.offered = False
    before = server.client.get("/v1/ledger").json()
    assert refused(server, corpus, 422, questions=["When?"])["code"] == "batches_not_offered"
    asked = server.ask(corpus, question="When?", service_tier="batch")
    assert (asked.status_code, asked.json()["code"]) == (422, "batches_not_offered")
    assert server.client.get("/v1/ledger").json() == before


def test_money_for_all_of_them(server: Server, corpus: str) -> None:
    assert refused(server, corpus, 402, questions=["When?", "Where?"], max_cost_usd="0.01")["code"] == (
        "over_max_cost"
    )
    one = put_in(server, corpus, questions=["When?"])
    server.limit(f"corpus:{corpus}", 1)
    assert refused(server, corpus, 402, questions=["When?"])["code"] == "budget_exceeded"
    ended(server, one["id"])
