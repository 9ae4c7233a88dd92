"""The model catalog: what a model holds and costs on a date, read from TOML text.

Two texts make a catalog: the packaged `catalog.toml` and, over it, one of the user's own for models of
compatible servers. A price that no text states is None everywhere: unknown, never guessed.
"""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, get_args

from service.domain.vision import DETAILS, Detail
from service.errors import Fix, Invalid, NotFound

Tier = Literal["standard", "batch", "flex", "priority"]
"""How a request is processed; each tier has its own prices."""

Band = Literal["short", "long"]
"""Which side of the long-context threshold a request falls on."""

TIERS: tuple[Tier, ...] = get_args(Tier)
BANDS: tuple[Band, ...] = get_args(Band)


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per 1,000,000 tokens.

    Attributes:
        cached_input: None where no discount is published: cached tokens pay `input`.
        cache_write: None where writing the cache costs nothing beyond `input`.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """The rates of one tier in one band."""

    tier: Tier
    band: Band
    rates: Rates


@dataclass(frozen=True, slots=True)
class PricePeriod:
    """The prices that held from one UTC day up to another.

    Attributes:
        effective_from: the first day.
        effective_until: the first day after it; None while it lasts.
    """

    effective_from: date
    effective_until: date | None
    prices: tuple[Price, ...]
    note: str = ""

    def holds(self, on: date) -> bool:
        """Whether the day lies in the period."""
        return self.effective_from <= on and (self.effective_until is None or on < self.effective_until)

    def rates(self, tier: Tier, band: Band) -> Rates | None:
        """The rates of a tier in a band; None where none are published."""
        return next((price.rates for price in self.prices if (price.tier, price.band) == (tier, band)), None)


@dataclass(frozen=True, slots=True)
class Model:
    """What one model holds and costs.

    Attributes:
        context_window: tokens of input and output together.
        encoding: the tokenizer's name.
        encoding_assumed: the tokenizer's makers do not name this model: its counts are a best guess.
        threshold_tokens: a request with more input than this pays the long band; None where there is none.
        endpoints: `chat.completions`, `responses`, `batch`.
        auto_detail: how closely it looks at pictures where it is left to decide.
        sees: takes pictures.
        price_periods: oldest first, without overlap; empty where nothing is known about prices.
        confidence: how far the prices can be trusted, in words.
    """

    id: str
    aliases: tuple[str, ...]
    provider: str
    context_window: int
    max_input_tokens: int
    max_output_tokens: int
    encoding: str
    encoding_assumed: bool
    threshold_tokens: int | None
    endpoints: tuple[str, ...]
    price_periods: tuple[PricePeriod, ...]
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    confidence: str = ""
    auto_detail: Detail = "original"
    sees: bool = True

    def detail(self, asked: Detail) -> Detail:
        """How closely it looks at a picture: as asked, or as it decides."""
        return self.auto_detail if asked == "auto" else asked

    @property
    def names(self) -> tuple[str, ...]:
        """The id and its aliases."""
        return (self.id, *self.aliases)

    @property
    def takes_chat(self) -> bool:
        """Whether chat completions serve it (some models answer on the responses API only)."""
        return "chat.completions" in self.endpoints

    @property
    def caches_at_breakpoints(self) -> bool:
        """Whether it caches at explicit breakpoints only, and charges for writing: the two came together."""
        return any(
            price.rates.cache_write is not None for period in self.price_periods for price in period.prices
        )

    def prices_on(self, on: date) -> PricePeriod | None:
        """The period that holds on a UTC day; None before the first and in gaps."""
        return next((period for period in self.price_periods if period.holds(on)), None)

    def rates(self, tier: Tier, band: Band, on: date) -> Rates | None:
        """The rates on a UTC day; None where the price is unknown."""
        period = self.prices_on(on)
        return period.rates(tier, band) if period else None


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models the service knows, under the version that a plan or a bill names.

    Attributes:
        as_of: the day the prices were compiled.
        sha256: of the text the catalog was read from (of both digests where two texts make it), in hex.
    """

    version: str
    as_of: date
    sha256: str
    models: tuple[Model, ...]

    @classmethod
    def parse(cls, text: str) -> Catalog:
        """Read a whole catalog.

        Raises:
            Invalid: the text breaks TOML or the catalog's form; the message names the place.
        """
        table = _toml(text)
        models = _models(table)
        version, as_of = table.text("version"), table.day("as_of")
        table.close()
        return cls(version, as_of, _digest(text), models)

    def with_models(self, text: str) -> Catalog:
        """This catalog with the user's own models over it, from a text of `[[model]]` tables.

        A model of a known id replaces it. A name that another model had as an alias moves to the new one.

        Raises:
            Invalid: as in `parse`, or an alias is another model's id.
        """
        table = _toml(text)
        extra = _models(table)
        digest = _digest(self.sha256 + _digest(text))
        version = table.text("version", f"{self.version}+{digest[:8]}")
        as_of = table.day("as_of", self.as_of)
        table.close()
        return Catalog(version, as_of, digest, _laid_over(self.models, extra))

    def model(self, name: str) -> Model:
        """The model of an id or alias.

        Raises:
            NotFound: no model has the name; the fixes name the closest ones.
        """
        for model in self.models:
            if name in model.names:
                return model
        raise self._unknown(name)

    def _unknown(self, name: str) -> NotFound:
        folded = {known.casefold(): model.id for model in self.models for known in model.names}
        close = difflib.get_close_matches(name.casefold(), folded, n=3)
        ids = tuple(dict.fromkeys(folded[match] for match in close)) or tuple(m.id for m in self.models)
        return NotFound(
            f"The catalog has no model {name!r}.",
            fixes=tuple(Fix("use_model", values=(("model", known),)) for known in ids),
        )


def _laid_over(known: tuple[Model, ...], extra: tuple[Model, ...]) -> tuple[Model, ...]:
    taken = {name for model in extra for name in model.names}
    replaced = {model.id for model in extra}
    kept = tuple(
        replace(model, aliases=tuple(alias for alias in model.aliases if alias not in taken))
        for model in known
        if model.id not in replaced
    )
    _refuse_doubles(kept + extra)
    return kept + extra


def _refuse_doubles(models: tuple[Model, ...]) -> None:
    seen: set[str] = set()
    for model in models:
        for name in model.names:
            if name in seen:
                raise Invalid(f"catalog: two models go by the name {name!r}.")
            seen.add(name)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Table:
    """A TOML table that is taken apart key by key: what is left at the end is a mistake.

    Attributes:
        place: what error messages call it.
    """

    place: str
    values: dict[str, Any]

    def text(self, key: str, default: str | None = None) -> str:
        value = self._take(key, default)
        if not isinstance(value, str) or (not value and value != default):
            raise self.wrong(key, "a text")
        return value

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        values = self._take(key, default)
        if not isinstance(values, list | tuple) or not all(
            isinstance(value, str) and value for value in values
        ):
            raise self.wrong(key, "a list of texts")
        return tuple(values)

    def flag(self, key: str, *, default: bool) -> bool:
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def count(self, key: str, default: int | None = None) -> int:
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.wrong(key, "a whole number above zero")
        return value

    def day(self, key: str, default: date | None = None) -> date:
        value = self._take(key, default)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.wrong(key, "a date (2026-11-22)")
        return value

    def usd(self, key: str) -> Decimal:
        value = self._take(key)
        try:
            amount = Decimal(value) if isinstance(value, str | int | Decimal) else Decimal("NaN")
        except InvalidOperation:
            amount = Decimal("NaN")
        if isinstance(value, bool) or not amount.is_finite() or amount < 0:
            raise self.wrong(key, 'USD per 1,000,000 tokens as a decimal string ("2.50")')
        return amount

    def table(self, key: str) -> _Table:
        value = self._take(key)
        if not isinstance(value, dict):
            raise self.wrong(key, "a table")
        return _Table(f"{self.place}, {key}", dict(value))

    def tables(self, key: str) -> tuple[_Table, ...]:
        values = self._take(key, [])
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise self.wrong(key, "a list of tables")
        named = ((value.get("id", n), value) for n, value in enumerate(values, 1))
        return tuple(_Table(f"{self.place}, {key} {name}", dict(value)) for name, value in named)

    def wrong(self, key: str, wanted: str) -> Invalid:
        return Invalid(f"{self.place}: {key!r} must be {wanted}.")

    def close(self) -> None:
        if self.values:
            raise Invalid(f"{self.place}: unknown key {min(self.values)!r}.")

    def _take(self, key: str, default: object = None) -> Any:  # noqa: ANN401 - TOML's own types, checked by the caller
        value = self.values.pop(key, default)
        if value is None:
            raise Invalid(f"{self.place}: {key!r} is missing.")
        return value


def _toml(text: str) -> _Table:
    try:
        return _Table("catalog", tomllib.loads(text, parse_float=Decimal))
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"catalog: not TOML: {error}") from error


def _models(table: _Table) -> tuple[Model, ...]:
    models = tuple(_model(entry) for entry in table.tables("model"))
    _refuse_doubles(models)
    return models


def _model(table: _Table) -> Model:
    window, output = table.count("context_window"), table.count("max_output_tokens")
    model = Model(
        id=table.text("id"),
        aliases=table.texts("aliases"),
        provider=table.text("provider", "configured"),
        context_window=window,
        max_input_tokens=table.count("max_input_tokens", max(window - output, 1)),
        max_output_tokens=output,
        encoding_assumed=table.flag("encoding_assumed", default="encoding" not in table.values),
        encoding=table.text("encoding", "o200k_base"),
        threshold_tokens=table.count("threshold_tokens") if "threshold_tokens" in table.values else None,
        endpoints=table.texts("endpoints", ("chat.completions",)),
        price_periods=tuple(_period(entry) for entry in table.tables("prices")),
        notes=table.texts("notes"),
        sources=table.texts("sources"),
        confidence=table.text("confidence", ""),
        auto_detail=_detail(table),
        sees=table.flag("vision", default=True),
    )
    table.close()
    _check(model)
    return model


def _detail(table: _Table) -> Detail:
    value = table.text("auto_detail", "original")
    found = next((detail for detail in DETAILS if detail == value and detail != "auto"), None)
    if found is None:
        raise table.wrong("auto_detail", "low, high or original")
    return found


def _check(model: Model) -> None:
    if max(model.max_input_tokens, model.max_output_tokens) > model.context_window:
        raise Invalid(f"catalog: {model.id}: input or output passes the context window.")
    for earlier, later in zip(model.price_periods, model.price_periods[1:], strict=False):
        if earlier.effective_until is None or earlier.effective_until > later.effective_from:
            raise Invalid(f"catalog: {model.id}: price periods overlap or are not in order.")
    for period in model.price_periods:
        _check_bands(model, period)


def _check_bands(model: Model, period: PricePeriod) -> None:
    for tier in TIERS:
        short, long = period.rates(tier, "short"), period.rates(tier, "long")
        if long is None:
            continue
        if model.threshold_tokens is None or short is None:
            raise Invalid(f"catalog: {model.id}: {tier}.long needs threshold_tokens and {tier}.short.")
        if _dearer(short, long):
            raise Invalid(f"catalog: {model.id}: {tier}.long is below {tier}.short.")


def _dearer(one: Rates, other: Rates) -> bool:
    """Whether any column of the first is above the same one of the second, where both state it."""
    columns = ("input", "output", "cached_input", "cache_write")
    pairs = ((getattr(one, column), getattr(other, column)) for column in columns)
    return any(a is not None and b is not None and a > b for a, b in pairs)


def _period(table: _Table) -> PricePeriod:
    first = table.day("from", date.min)
    until = table.day("until") if "until" in table.values else None
    if until is not None and until <= first:
        raise table.wrong("until", "after 'from'")
    note = table.text("note", "")
    prices = tuple(
        price for tier in TIERS if tier in table.values for price in _prices(tier, table.table(tier))
    )
    table.close()
    return PricePeriod(first, until, prices, note)


def _prices(tier: Tier, table: _Table) -> tuple[Price, ...]:
    prices = tuple(Price(tier, band, _rates(table.table(band))) for band in BANDS if band in table.values)
    table.close()
    return prices


def _rates(table: _Table) -> Rates:
    rates = Rates(
        input=table.usd("input"),
        output=table.usd("output"),
        cached_input=table.usd("cached_input") if "cached_input" in table.values else None,
        cache_write=table.usd("cache_write") if "cache_write" in table.values else None,
    )
    table.close()
    return rates
