"""The ledger and budgets over REST: sums add up, and no limit is passed however many ask at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from tests.support.server import Json, Server
from tests.support.upstream import Upstream


@pytest.fixture(autouse=True)
def _no_limits_left(server: Server) -> None:
    """Every test begins without budgets."""
    for budget in server.client.get("/v1/budgets").json()["data"]:
        assert server.client.delete(f"/v1/budgets/{budget['scope']}").status_code == 204


def put(server: Server, scope: str, limit: str, period: str = "total") -> Json:
    response = server.client.put(f"/v1/budgets/{scope}", json={"limit_usd": limit, "period": period})
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def sums(server: Server, by: str, **span: str) -> Json:
    response = server.client.get("/v1/ledger", params={"group_by": by, **span})
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def test_a_budget_tells_how_it_stands(server: Server, upstream: Upstream, corpus: str) -> None:
    made = put(server, f"corpus:{corpus}", "2.50", "month")
    assert (made["limit_usd"], made["spent_usd"], made["available_usd"]) == ("2.50", "0.00", "2.50")
    assert made["period_start"] < made["period_end"]
    answer = server.ask(corpus, question="When did it open?").json()
    (stands,) = server.client.get("/v1/budgets").json()["data"]
    spent, exact = Decimal(stands["spent_usd"]), Decimal(answer["cost"]["actual_usd"])
    assert exact == upstream.invoice[0].usd
    assert exact <= spent < exact + Decimal("0.000001"), "whole micro-dollars, rounded up"
    assert Decimal(stands["available_usd"]) == Decimal("2.50") - spent
    later = put(server, "tenant", "100")
    assert Decimal(later["spent_usd"]) >= spent, "a new budget counts what was spent before it"
    assert (later["period"], later["period_start"], later["period_end"]) == ("total", None, None)


def test_a_limit_that_was_lifted_holds_nobody_back(server: Server, upstream: Upstream, corpus: str) -> None:
    put(server, f"corpus:{corpus}", "0.000001")
    assert server.ask(corpus, question="When?").status_code == 402
    assert server.client.delete(f"/v1/budgets/corpus:{corpus}").status_code == 204
    assert server.client.delete(f"/v1/budgets/corpus:{corpus}").status_code == 404
    assert server.ask(corpus, question="When?").status_code == 201
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("scope", "body", "status"),
    [
        ("corpus:cor_none", {"limit_usd": "1"}, 404),
        ("everything", {"limit_usd": "1"}, 422),
        ("corpus:", {"limit_usd": "1"}, 422),
        ("tenant", {"limit_usd": "-1"}, 422),
        ("tenant", {"limit_usd": "1e30"}, 422),
        ("tenant", {"limit_usd": "0.0000000000001"}, 422),
        ("tenant", {"limit_usd": "0.0000001"}, 422),
        ("tenant", {"limit_usd": "NaN"}, 422),
        ("tenant", {"limit_usd": "1", "period": "year"}, 422),
        ("tenant", {}, 422),
    ],
)
def test_what_is_no_budget_is_refused(server: Server, scope: str, body: Json, status: int) -> None:
    assert server.client.put(f"/v1/budgets/{scope}", json=body).status_code == status
    assert server.client.get("/v1/budgets").json()["data"] == []


def test_fifty_at_once_never_pass_a_budget(server: Server, upstream: Upstream, corpus: str) -> None:
    ceiling = Decimal(server.plans(corpus, question="Question 10?")["whole"]["cost"]["max_usd"])
    put(server, f"corpus:{corpus}", str(round(7 * ceiling + ceiling / 2, 6)))
    with ThreadPoolExecutor(50) as crowd:
        asked = list(
            crowd.map(lambda n: server.ask(corpus, question=f"Question {n}?", wait=False), range(10, 60))
        )
    assert {response.status_code for response in asked} <= {202, 402}
    accepted = [response.json()["id"] for response in asked if response.status_code == 202]
    assert 7 <= len(accepted) <= 50, "what an answer leaves of its ceiling is there for the next"
    assert {server.finished(answer_id)["status"] for answer_id in accepted} == {"done"}
    (stands,) = server.client.get("/v1/budgets").json()["data"]
    billed = sum((line.usd for line in upstream.invoice), Decimal(0))
    assert len(upstream.invoice) == len(accepted)
    assert billed <= Decimal(stands["spent_usd"]) <= Decimal(stands["limit_usd"])
    assert stands["reserved_usd"] == "0.00"


def test_the_ledger_adds_up(server: Server, upstream: Upstream, harbour: str) -> None:
    corpora = [server.corpus(harbour) for _ in range(2)]
    before = Decimal(sums(server, "corpus")["total"]["spent_usd"])
    answers = [server.ask(one, question="When?").json() for one in (corpora[0], corpora[1], corpora[1])]
    billed = sum((line.usd for line in upstream.invoice), Decimal(0))
    for by in ("day", "month", "corpus", "model", "answer"):
        report = sums(server, by)
        total = report["total"]
        assert Decimal(total["spent_usd"]) == before + billed
        assert sum(Decimal(group["spent_usd"]) for group in report["data"]) == Decimal(total["spent_usd"])
        assert Decimal(total["spent_usd"]) <= Decimal(total["booked_usd"]) <= Decimal(total["reserved_usd"])
        assert report["held_usd"] == "0.00"
    groups = {group["key"]: group for group in sums(server, "corpus")["data"]}
    assert [groups[one]["answers"] for one in corpora] == [1, 2]
    tokens = sum(answer["usage"]["prompt_tokens"] for answer in answers[1:])
    assert groups[corpora[1]]["prompt_tokens"] == tokens
    asked = {group["key"] for group in sums(server, "answer")["data"]}
    assert {answer["id"] for answer in answers} <= asked


def test_the_ledger_line_by_line(server: Server, upstream: Upstream, corpus: str) -> None:
    answer = server.ask(corpus, question="When?").json()
    lines: list[Json] = []
    after = None
    while True:
        page = server.client.get(
            "/v1/ledger", params={"limit": 2, **({"after": after} if after else {})}
        ).json()
        lines += page["data"]
        after = page["next"]
        assert page["has_more"] == (after is not None)
        if after is None:
            break
    mine = [line for line in lines if line["answer_id"] == answer["id"]]
    assert [line["kind"] for line in mine] == ["reserve", "release", "settle"]
    assert Decimal(mine[2]["actual_usd"]) == upstream.invoice[0].usd
    assert sum(Decimal(line["usd"]) for line in mine) == Decimal(mine[2]["usd"])
    assert [int(line["id"]) for line in lines] == sorted({int(line["id"]) for line in lines})


def test_a_span_of_time(server: Server, upstream: Upstream, corpus: str) -> None:
    server.ask(corpus, question="When?")
    assert upstream.invoice
    assert sums(server, "day", to="2020-01-01T00:00:00Z")["data"] == []
    assert sums(server, "day", **{"from": "2020-01-01T00:00:00Z"})["data"] != []
    for wrong in ("2020-01-01T00:00:00", "yesterday"):
        assert server.client.get("/v1/ledger", params={"from": wrong}).status_code == 422
    assert server.client.get("/v1/ledger", params={"group_by": "colour"}).status_code == 422
    for wrong in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        for by in ({}, {"group_by": "day"}):
            assert server.client.get("/v1/ledger", params={"to": wrong, **by}).status_code == 422
    assert server.client.get("/v1/ledger", params={"after": 1 << 63}).status_code == 422
