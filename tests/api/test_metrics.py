"""What the service counts for Prometheus is what its own books and the provider's invoice say."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.domain.pricing import to_micros_up
from tests.support.server import Server, serving, settings_in
from tests.support.upstream import Upstream, hang

Sample = tuple[str, frozenset[tuple[str, str]]]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Upstream]]:
    """A service of its own: what others asked is not to be counted."""
    with Upstream() as upstream, serving(settings_in(tmp_path_factory.mktemp("metrics"), upstream)) as server:
        yield server, upstream


def samples(server: Server) -> dict[Sample, float]:
    response = server.client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert "secret" not in response.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def named(name: str, **labels: str) -> Sample:
    return name, frozenset(labels.items())


def test_everything_is_counted_once(alone: tuple[Server, Upstream]) -> None:
    server, upstream = alone
    empty = samples(server)
    assert empty[named("unabridged_answers", status="done")] == 0
    assert empty[named("unabridged_spent_micros_total")] == 0
    document = server.add("secret.txt", b"The harbour opened in 1871.\n")["id"]
    corpus = server.corpus(document, name="secret")
    for text in ("When was it?", "Where was it?"):
        assert server.ask(corpus, question=text).status_code == 201
    upstream.script.append(hang())
    doubtful = server.ask(corpus, question="Who was it?", wait=False).json()["id"]
    server.client.post(f"/v1/answers/{doubtful}/cancel")
    server.finished(doubtful)
    server.limit("tenant", 1)
    assert server.ask(corpus, question="What was it?").status_code == 402
    found = samples(server)
    billed = upstream.invoice[:2]
    assert found[named("unabridged_answers", status="done")] == 2
    assert found[named("unabridged_refusals_total", code="budget_exceeded")] == 1
    assert found[named("unabridged_citation_precision_count")] == 2
    assert found[named("unabridged_citation_precision_sum")] == 2.0
    for kind, count in (
        ("prompt", sum(line.prompt_tokens for line in billed)),
        ("completion", sum(line.completion_tokens for line in billed)),
        ("cached", 0),
    ):
        assert found[named("unabridged_tokens_total", model="gpt-5.5", kind=kind)] == count
    assert found[named("unabridged_spent_micros_total")] >= sum(to_micros_up(line.usd) for line in billed)
    assert found[named("unabridged_documents_waiting")] == 0
    assert found[named("unabridged_calls_in_doubt")] == 0
    assert found[named("unabridged_estimate_error_share_bucket", le="+Inf")] == 2
    assert found[named("unabridged_cache_forecast_error_tokens_bucket", le="128.0")] == 2


def test_the_ledger_tells_how_good_the_estimates_were(alone: tuple[Server, Upstream]) -> None:
    server, _ = alone
    total = server.client.get("/v1/ledger", params={"group_by": "day"}).json()["total"]
    assert total["estimate"]["calls"] == 2
    assert Decimal(total["estimate"]["mean_error_usd"]) < 0
    assert Decimal(total["estimate"]["mean_absolute_error_usd"]) > 0
