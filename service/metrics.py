"""What the service counts, for Prometheus: read from the store when asked, so every process tells the same.

Labels name states, kinds and models; no tenant, no file and no question is in them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from service.domain.answers import AnswerStatus
from service.store import tallies
from service.store.session import Database
from service.store.tallies import Forecast

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST

SHARES: Final = (-0.5, -0.2, -0.1, -0.05, -0.01, 0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Error of an estimate as a share of it: below zero it cost less."""

CACHE_TOKENS: Final = (-100_000, -10_000, -1_000, -128, 128, 1_000, 10_000, 100_000)
"""Cached tokens less the forecast ones; within a step either way is right."""


PRECISIONS: Final = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
"""Of an answer's quotes: the last bucket but one holds answers with a false one among many."""


class Refusals:
    """Questions refused before anything was sent, by the error's code; since this process began."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counted = Counter(
            "unabridged_refusals",
            "Questions refused before anything was sent.",
            ["code"],
            registry=self.registry,
        )

    def count(self, code: str) -> None:
        """One more of that code."""
        self._counted.labels(code).inc()


def exposition(db: Database, refusals: Refusals) -> bytes:
    """Return all metrics in Prometheus's text format."""
    kept = CollectorRegistry()
    kept.register(_Kept(db))
    return generate_latest(kept) + generate_latest(refusals.registry)


class _Kept(Collector):
    """What the store tells."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def describe(self) -> Iterable[Metric]:
        """Nothing is read to be registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, as of one moment."""
        with self._db.read() as tx:
            statuses = tallies.answers_by_status(tx)
            tokens = tallies.tokens(tx)
            spent = tallies.spent_micros(tx)
            doubtful, waiting = tallies.calls_in_doubt(tx), tallies.documents_waiting(tx)
            forecasts = tallies.forecasts(tx)
            precisions = tallies.citation_precisions(tx)
        answers = GaugeMetricFamily("unabridged_answers", "Answers by status.", labels=["status"])
        for status in AnswerStatus:
            answers.add_metric([status.value], statuses.get(status.value, 0))
        yield answers
        counted = CounterMetricFamily(
            "unabridged_tokens", "Tokens of settled calls.", labels=["model", "kind"]
        )
        for one in tokens:
            for kind, count in (
                ("prompt", one.prompt),
                ("cached", one.cached),
                ("completion", one.completion),
            ):
                counted.add_metric([one.model, kind], count)
        yield counted
        yield CounterMetricFamily(
            "unabridged_spent_micros", "Settled in the books, in 1e-6 USD.", value=spent
        )
        yield GaugeMetricFamily("unabridged_calls_in_doubt", "Calls of unknown fate.", value=doubtful)
        yield GaugeMetricFamily("unabridged_documents_waiting", "Documents still to be read.", value=waiting)
        yield _histogram(
            "unabridged_estimate_error_share",
            "Bill less expected price, as a share of that.",
            _shares(forecasts),
            SHARES,
        )
        yield _histogram(
            "unabridged_cache_forecast_error_tokens",
            "Cached tokens less the forecast ones.",
            [
                one.cached_tokens - one.forecast_cached_tokens
                for one in forecasts
                if one.cached_tokens is not None
            ],
            CACHE_TOKENS,
        )
        yield _histogram(
            "unabridged_citation_precision",
            "Share of an answer's citations that are exact or close.",
            precisions,
            PRECISIONS,
        )


def _shares(forecasts: Iterable[Forecast]) -> list[float]:
    return [
        float((one.actual_usd - one.expected_usd) / one.expected_usd)
        for one in forecasts
        if one.expected_usd and one.actual_usd is not None
    ]


def _histogram(
    name: str, said: str, values: Sequence[float], bounds: Sequence[float]
) -> HistogramMetricFamily:
    """A histogram of values that are all there; its buckets are cumulative, as Prometheus has them."""
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[bisect_left(bounds, value)] += 1
    names = [*(str(float(bound)) for bound in bounds), "+Inf"]
    buckets = [(bound, float(sum(counts[: place + 1]))) for place, bound in enumerate(names)]
    return HistogramMetricFamily(name, said, buckets=buckets, sum_value=float(sum(values)))
