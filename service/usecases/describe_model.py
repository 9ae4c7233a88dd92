"""A model in the words of the REST contract: what it holds and what it costs, dated."""

from __future__ import annotations

from datetime import date
from typing import Any

from service.domain.catalog import Catalog, Model, PricePeriod, Rates


def describe_model(model: Model, catalog: Catalog, *, on: date) -> dict[str, Any]:
    """Return the model as JSON; prices in USD per 1,000,000 tokens, null where none is published."""
    return {
        "aliases": list(model.aliases),
        "context_window": model.context_window,
        "max_input_tokens": model.max_input_tokens,
        "max_output_tokens": model.max_output_tokens,
        "threshold_tokens": model.threshold_tokens,
        "encoding": model.encoding,
        "encoding_assumed": model.encoding_assumed,
        "takes_chat": model.takes_chat,
        "takes_pictures": model.sees,
        "prices": [_period(period, on) for period in model.price_periods],
        "notes": list(model.notes),
        "confidence": model.confidence,
        "price_catalog": {
            "version": catalog.version,
            "sha256": catalog.sha256,
            "as_of": catalog.as_of.isoformat(),
        },
    }


def _period(period: PricePeriod, on: date) -> dict[str, Any]:
    return {
        "effective_from": period.effective_from.isoformat(),
        "effective_until": period.effective_until.isoformat() if period.effective_until else None,
        "current": period.holds(on),
        "tiers": [{"tier": price.tier, "band": price.band, **_rates(price.rates)} for price in period.prices],
    }


def _rates(rates: Rates) -> dict[str, str | None]:
    named = {
        "input": rates.input,
        "cached_input": rates.cached_input,
        "cache_write": rates.cache_write,
        "output": rates.output,
    }
    return {name: None if rate is None else format(rate, "f") for name, rate in named.items()}
