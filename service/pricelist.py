"""The command about models: what they take, and what they cost from when on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from service import console, factory, opening
from service.columns import Column, fitted
from service.domain.catalog import Catalog, Model
from service.usecases.describe_model import describe_model

_ROUTES = {
    "not_asked": "it was not asked about this model",
    "unreachable": "it could not be asked about this model",
}
"""Why nothing is known of a provider's parameters, where that is worth a word."""


_RATES = (("in", "input"), ("cached", "cached_input"), ("cache write", "cache_write"), ("out", "output"))
"""Titles of columns, and the rates in them."""


def models(
    name: Annotated[str | None, typer.Argument(help="One model in full.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Show the models with their windows, thresholds and dated prices.

    Example: unabridged models gpt-5.5
    """
    settings = opening.settings()
    settings.check_models_file()
    catalog = factory.make_catalog(settings)
    out = console.results()
    if name is not None:
        model = opening.model(catalog, name)
        told = factory.make_provider(settings).parameters.told(model.id, wait=True)
        described = {**_described(model, catalog), "provider": told}
        if json:
            console.as_json(described)
        else:
            show_model(described)
    elif json:
        console.as_json([_described(model, catalog) for model in catalog.models])
    else:
        out.print(models_table(catalog, catalog.models, catalog.as_of, width=out.width))


def _described(model: Model, catalog: Catalog) -> dict[str, Any]:
    return {"id": model.id, **describe_model(model, catalog, on=catalog.as_of)}


def models_table(catalog: Catalog, models: Sequence[Model], on: date, *, width: int) -> Table:
    """Return the models with their standard prices per million tokens, in so many cells of the terminal."""
    short = [model.rates("standard", "short", on) for model in models]
    long = [model.rates("standard", "long", on) for model in models]
    thresholds = (f"{m.threshold_tokens:,}" if m.threshold_tokens else console.NONE for m in models)
    rates = (
        ("in", "input", short, 0),
        ("cached", "cached_input", short, 2),
        ("out", "output", short, 0),
        ("in above", "input", long, 0),
        ("out above", "output", long, 0),
    )
    columns = (
        Column("model", tuple(model.id for model in models), left=True),
        Column("input", tuple(f"{model.max_input_tokens:,}" for model in models), leaves=3),
        Column("threshold", tuple(thresholds), leaves=1),
        *(
            Column(title, tuple(_rate(getattr(one, name, None)) for one in of), leaves)
            for title, name, of, leaves in rates
        ),
    )
    table = fitted(columns, width)
    table.caption = f"USD per 1M tokens, standard tier; catalog {catalog.version}"
    return table


def show_model(model: Mapping[str, Any]) -> None:
    """Show one model in full: its limits, its prices since when, and what the provider says it takes."""
    out = console.results()
    for line in _facts(model):
        out.print(line, markup=False)
    bands = ("short", "long") if model["threshold_tokens"] else ("short",)
    for period in model["prices"]:
        out.print()
        out.print(_prices(period, bands=bands, width=out.width))
        out.print(f"USD per 1M tokens, {_span(period)}", markup=False)
    if not model["prices"]:
        out.print("No price is published: it can be asked, but no budget can be held.", markup=False)
    for note in model["notes"]:
        out.print(f"[yellow]note[/] {escape(note)}")
    for line in _taken(model["provider"]):
        out.print(line, markup=False)


def _facts(model: Mapping[str, Any]) -> Iterator[str]:
    also = f", also {', '.join(model['aliases'])}" if model["aliases"] else ""
    yield f"{model['id']}{also}"
    yield (
        f"window {model['context_window']:,} tokens: at most {model['max_input_tokens']:,} of input and "
        f"{model['max_output_tokens']:,} of output"
    )
    if model["threshold_tokens"]:
        yield f"above {model['threshold_tokens']:,} tokens of input all of it costs the long-context rates"
    assumed = " (assumed: its own is not published)" if model["encoding_assumed"] else ""
    yield f"counted by {model['encoding']}{assumed}"
    lacks = [what for what, has in (("chat", "takes_chat"), ("pictures", "takes_pictures")) if not model[has]]
    if lacks:
        yield f"takes no {' and no '.join(lacks)}"


def _prices(period: Mapping[str, Any], *, bands: Sequence[str], width: int) -> Table:
    rates = {(one["tier"], one["band"]): one for one in period["tiers"]}
    tiers = list(dict.fromkeys(tier for tier, _ in rates))
    columns = [
        Column(
            f"{title}{' above' if band == 'long' else ''}",
            tuple(_rate(rates.get((tier, band), {}).get(name)) for tier in tiers),
            leaves={"cached_input": 2, "cache_write": 1}.get(name, 0),
        )
        for band in bands
        for title, name in _RATES
        if name in {"input", "output"} or any(one[name] for one in period["tiers"])
    ]
    return fitted([Column("tier", tuple(tiers), left=True), *columns], width)


def _span(period: Mapping[str, Any]) -> str:
    until = f" until {period['effective_until']}" if period["effective_until"] else ""
    return f"from {period['effective_from']}{until}{'' if period['current'] else ' (not today)'}"


def _taken(provider: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield what the provider says of the model's parameters."""
    if provider is None:
        return
    if provider["parameters"]:
        yield f"{provider['name']} takes:"
        yield from (f"  {name}: {said}" for name, said in sorted(provider["parameters"].items()))
    elif provider["description"] in _ROUTES:
        yield f"{provider['name']}: {_ROUTES[provider['description']]}"


def _rate(rate: object) -> str:
    return console.NONE if rate is None else str(rate)
