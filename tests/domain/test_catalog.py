"""The catalog: its facts against two independent sources, its lookups, and what it refuses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

from service.domain.catalog import BANDS, TIERS, Band, Catalog, Rates, Tier
from service.domain.vision import DETAILS
from service.errors import Invalid, NotFound

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "service/domain/catalog.toml").read_text(encoding="utf-8")
CATALOG = Catalog.parse(TEXT)
TODAY = date(2026, 11, 22)

SEED = ROOT / "../shared/data/prices.json"
COLUMNS = ("input", "cached_input", "cache_write", "output")

Cell = tuple[str, date, Tier, Band, str]


def cells() -> Iterator[tuple[Cell, Decimal]]:
    for model in CATALOG.models:
        for period in model.price_periods:
            for price in period.prices:
                for column in COLUMNS:
                    amount = getattr(price.rates, column)
                    if amount is not None:
                        yield (model.id, period.effective_from, price.tier, price.band, column), amount


# --- the facts


def test_gpt_5_5_holds_what_the_vendor_says() -> None:
    model = CATALOG.model("gpt-5.5")
    assert (model.context_window, model.max_input_tokens, model.max_output_tokens) == (
        1_050_000,
        922_000,
        128_000,
    )
    assert model.threshold_tokens == 272_000
    assert (model.encoding, model.encoding_assumed, model.takes_chat) == ("o200k_base", False, True)


@pytest.mark.parametrize(
    ("tier", "band", "expected"),
    [
        ("standard", "short", ("5", "0.50", "30")),
        ("standard", "long", ("10", "1.00", "45")),
        ("batch", "short", ("2.50", "0.25", "15")),
        ("batch", "long", ("5", "0.50", "22.50")),
        ("flex", "short", ("2.50", "0.25", "15")),
        ("flex", "long", ("5", "0.50", "22.50")),
        ("priority", "short", ("12.50", "1.25", "75")),
    ],
)
def test_gpt_5_5_costs_what_the_vendor_says(tier: Tier, band: Band, expected: tuple[str, str, str]) -> None:
    rates = CATALOG.model("gpt-5.5").rates(tier, band, TODAY)
    assert rates == Rates(
        input=Decimal(expected[0]), cached_input=Decimal(expected[1]), output=Decimal(expected[2])
    )


@pytest.mark.parametrize("name", ["gpt-5.4", "gpt-5.5"])
def test_an_unpublished_price_is_unknown(name: str) -> None:
    assert CATALOG.model(name).rates("priority", "long", TODAY) is None


def test_windows_are_shared_and_thresholds_lie_inside() -> None:
    for model in CATALOG.models:
        assert model.max_input_tokens + model.max_output_tokens == model.context_window
        assert model.threshold_tokens is None or model.threshold_tokens < model.max_input_tokens


def test_models_without_a_long_band_have_no_threshold() -> None:
    without = {model.id for model in CATALOG.models if model.threshold_tokens is None}
    assert without == {"gpt-5.4-mini", "gpt-5.4-nano"}


def test_an_encoding_that_the_tokenizer_does_not_name_is_marked_as_assumed() -> None:
    assumed = {model.id for model in CATALOG.models if model.encoding_assumed}
    assert assumed == {model.id for model in CATALOG.models if model.id.startswith("gpt-6")}


def test_auto_is_what_the_model_makes_of_it() -> None:
    earlier, model = CATALOG.model("gpt-5.4"), CATALOG.model("gpt-5.5")
    assert (earlier.detail("auto"), model.detail("auto")) == ("high", "original")
    assert [model.detail(asked) for asked in DETAILS] == ["original", "low", "high", "original"]


def test_only_models_with_a_write_price_cache_at_breakpoints() -> None:
    automatic = {model.id for model in CATALOG.models if not model.caches_at_breakpoints}
    assert automatic == {model.id for model in CATALOG.models if model.id.startswith(("gpt-5.4", "gpt-5.5"))}


# --- against a price library by others

DISPUTED: dict[Cell, str] = {
    (
        "gpt-5.5-pro",
        date(2026, 4, 24),
        "batch",
        "long",
        column,
    ): "the library finds no published batch surcharge"
    for column in ("input", "output")
}


def test_every_price_that_genai_prices_knows_agrees_but_for_the_disputed_ones() -> None:
    theirs = {
        model.id: model
        for provider in get_snapshot().providers
        if provider.id == "openai"
        for model in provider.models
    }
    known, differ = 0, set()
    for cell, ours in cells():
        other = _theirs(theirs.get(cell[0]), cell)
        known += other is not None
        if other is not None and other != ours:
            differ.add(cell)
    assert differ == set(DISPUTED)
    assert known == 350  # all but gpt-6.2, which the library does not know yet


def _theirs(model: ModelInfo | None, cell: Cell) -> Decimal | None:
    _, first, tier, band, column = cell
    if model is None:
        return None
    context = {"standard": {}, "batch": {"processing": "batch"}}.get(tier, {"service_tier": tier})
    if context and context not in [variant.when for variant in model.price_variants or ()]:
        return None
    current = CATALOG.model(cell[0]).price_periods[-1].effective_from == first
    day = (
        TODAY if current else first
    )  # the library dates its tiers by when it read them, not by when they began
    prices = model.get_prices(datetime.combine(day, time(12), UTC), context)
    return _their_cell(prices, column, band)


def _their_cell(prices: ModelPrice, column: str, band: Band) -> Decimal | None:
    names = {"cached_input": "cache_read_mtok", "cache_write": "cache_write_mtok"}
    price = getattr(prices, names.get(column, f"{column}_mtok"))
    if not isinstance(price, TieredPrices):
        return price if price is None else Decimal(price)
    (tier,) = price.tiers
    assert tier.start == 272_000
    return tier.price if band == "long" else price.base


# --- against the data it was written from


@pytest.mark.skipif(
    not SEED.exists(), reason="the seed lies beside the repository only where it was compiled"
)
def test_the_seed_s_facts_carried_over() -> None:
    seed = {model["id"]: model for model in json.loads(SEED.read_text(encoding="utf-8"))["models"]}
    assert [model.id for model in CATALOG.models] == list(seed)
    for model in CATALOG.models:
        facts = seed[model.id]
        for key in ("provider", "context_window", "max_input_tokens", "max_output_tokens", "confidence"):
            assert getattr(model, key) == facts[key], (model.id, key)
        assert model.aliases == tuple(alias.removesuffix(" (Oxen id)") for alias in facts["aliases"])
        assert model.endpoints == tuple(facts["endpoints"])
        assert model.encoding == facts["tokenizer"]["encoding"]
        assert model.encoding_assumed == ("ASSUMED" in facts["tokenizer"]["status"])
        assert [period.effective_from.isoformat() for period in model.price_periods] == [
            *(past["effective_from"] for past in facts["history"]),
            facts["effective_from"],
        ]
    assert dict(cells()) == dict(cell for facts in seed.values() for cell in _seed_cells(facts))


def _seed_cells(facts: dict[str, Any]) -> Iterator[tuple[Cell, Decimal]]:
    periods = [*facts["history"], {"effective_from": facts["effective_from"], **facts["prices_usd_per_1m"]}]
    for period in periods:
        first = date.fromisoformat(period["effective_from"])
        for tier in TIERS:
            for band in BANDS:
                for column, amount in period.get(tier, {}).get(band, {}).items():
                    if amount is not None:
                        name = column.removesuffix("_30m")
                        yield (facts["id"], first, tier, band, name), Decimal(amount)


# --- dates


def test_a_price_change_takes_effect_on_its_day() -> None:
    model = CATALOG.model("gpt-5.6-luna")
    before, after = (model.rates("standard", "short", date(2026, 7, day)) for day in (29, 30))
    assert before is not None
    assert after is not None
    assert (before.input, after.input) == (Decimal(1), Decimal("0.2"))


def test_no_price_is_known_before_the_first_period() -> None:
    for model in CATALOG.models:
        first = model.price_periods[0].effective_from
        assert model.rates("standard", "short", first) is not None
        assert model.rates("standard", "short", first - timedelta(days=1)) is None


def test_past_periods_do_not_lend_their_tiers_to_the_present_or_back() -> None:
    model = CATALOG.model("gpt-5.6-terra")
    assert model.rates("batch", "short", date(2026, 7, 29)) is None
    assert model.rates("batch", "short", date(2026, 7, 30)) is not None


# --- names


def test_ids_and_aliases_find_their_model() -> None:
    for name in ("gpt-5.5", "gpt-5.5-2026-04-23", "gpt-5-5-2026-04-23", "openai/gpt-5.5"):
        assert CATALOG.model(name).id == "gpt-5.5"
    for model in CATALOG.models:
        assert all(CATALOG.model(name) is model for name in model.names)


@pytest.mark.parametrize(
    ("typed", "meant"), [("gpt5.5", "gpt-5.5"), ("GPT-5.5-PRO", "gpt-5.5-pro"), ("gpt-6-lunar", "gpt-6-luna")]
)
def test_an_unknown_name_is_answered_with_the_closest(typed: str, meant: str) -> None:
    with pytest.raises(NotFound) as caught:
        CATALOG.model(typed)
    assert caught.value.fixes[0].as_dict() == {"do": "use_model", "model": meant}


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(NotFound) as caught:
        CATALOG.model("zzz")
    assert [dict(fix.values)["model"] for fix in caught.value.fixes] == [model.id for model in CATALOG.models]


# --- identity


def test_the_catalog_names_its_text() -> None:
    assert CATALOG.sha256 == hashlib.sha256(TEXT.encode()).hexdigest()
    assert (CATALOG.version, CATALOG.as_of) == ("2026-11-22", TODAY)


def test_values_are_hashable() -> None:
    assert len({Catalog.parse(TEXT), CATALOG}) == 1


# --- the user's own models

LOCAL = """
[[model]]
id = "qwen3:8b"
context_window = 40_960
max_output_tokens = 8_192
"""


def test_a_local_model_needs_little_and_has_no_known_price() -> None:
    model = CATALOG.with_models(LOCAL).model("qwen3:8b")
    assert (model.max_input_tokens, model.threshold_tokens, model.provider) == (32_768, None, "configured")
    assert (model.encoding, model.encoding_assumed, model.takes_chat) == ("o200k_base", True, True)
    assert model.rates("standard", "short", TODAY) is None


def test_a_local_model_can_be_priced_since_ever() -> None:
    text = LOCAL + '[[model.prices]]\nstandard.short = { input = "0", output = 0.1 }\n'
    model = CATALOG.with_models(text).model("qwen3:8b")
    assert model.rates("standard", "short", date.min) == Rates(input=Decimal(0), output=Decimal("0.1"))


def test_own_models_lie_over_the_packaged_ones_and_change_the_catalog_s_identity() -> None:
    own = CATALOG.with_models(LOCAL)
    assert own.models[:-1] == CATALOG.models
    assert own.sha256 != CATALOG.sha256
    assert own.version == f"2026-11-22+{own.sha256[:8]}"
    assert own == CATALOG.with_models(LOCAL)
    assert own.sha256 != CATALOG.with_models(LOCAL + "\n").sha256


def test_an_own_model_replaces_one_of_the_same_id_and_takes_over_aliases() -> None:
    replaced = CATALOG.with_models(LOCAL.replace("qwen3:8b", "gpt-5.5"))
    assert replaced.model("gpt-5.5").context_window == 40_960
    assert len(replaced.models) == len(CATALOG.models)
    gateway = CATALOG.with_models(LOCAL.replace("qwen3:8b", "openai/gpt-5.5"))
    assert gateway.model("openai/gpt-5.5").context_window == 40_960
    assert gateway.model("gpt-5.5").context_window == 1_050_000


def test_an_own_alias_cannot_hide_another_model() -> None:
    with pytest.raises(Invalid, match=r"two models go by the name 'gpt-5\.5'"):
        CATALOG.with_models(LOCAL + 'aliases = ["gpt-5.5"]\n')


# --- what it refuses

PRICED = """
[[model]]
id = "m"
context_window = 1000
max_output_tokens = 100
threshold_tokens = 500
[[model.prices]]
from = 2026-01-01
until = 2026-02-01
standard.short = { input = "1", output = "2" }
standard.long = { input = "2", output = "3" }
[[model.prices]]
from = 2026-02-01
standard.short = { input = "1", cached_input = "0.1", cache_write = "1.25", output = "2" }
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[model]]", "[[model]", "not TOML"),
        ('id = "m"', "", "'id' is missing"),
        ('id = "m"', "id = 5", "'id' must be a text"),
        ("context_window = 1000", "", "model m: 'context_window' is missing"),
        ("context_window = 1000", "context_window = true", "whole number above zero"),
        ("context_window = 1000", "context_window = -1", "whole number above zero"),
        ("max_output_tokens = 100", "max_output_tokens = 1001", "passes the context window"),
        ("threshold_tokens = 500", "treshold_tokens = 500", "unknown key 'treshold_tokens'"),
        ("threshold_tokens = 500", "", "needs threshold_tokens"),
        (
            "threshold_tokens = 500",
            'threshold_tokens = 500\naliases = "x"',
            "'aliases' must be a list of texts",
        ),
        ("threshold_tokens = 500", "threshold_tokens = 500\nencoding_assumed = 1", "must be true or false"),
        ("threshold_tokens = 500", 'threshold_tokens = 500\nauto_detail = "auto"', "low, high or original"),
        (
            "threshold_tokens = 500",
            'threshold_tokens = 500\naliases = ["m"]',
            "two models go by the name 'm'",
        ),
        ("from = 2026-01-01", "from = 2026-01-01T00:00:00Z", "'from' must be a date"),
        ("until = 2026-02-01", "until = 2025-02-01", "'until' must be after 'from'"),
        ("until = 2026-02-01", "", "overlap or are not in order"),
        ("until = 2026-02-01", "until = 2026-02-02", "overlap or are not in order"),
        ('cached_input = "0.1"', 'cached = "0.1"', "unknown key 'cached'"),
        ('cached_input = "0.1"', 'cached_input = "-0.1"', "'cached_input' must be USD per 1,000,000"),
        ('cached_input = "0.1"', 'cached_input = "free"', "'cached_input' must be USD per 1,000,000"),
        ('cached_input = "0.1"', "cached_input = inf", "'cached_input' must be USD per 1,000,000"),
        ('cached_input = "0.1"', "cached_input = true", "'cached_input' must be USD per 1,000,000"),
        ('long = { input = "2", ', 'long = { input = "0.2", ', "standard.long is below standard.short"),
        ("standard.long =", "batch.long =", "needs threshold_tokens and batch.short"),
        ("standard.long =", "standard.longer =", "unknown key 'longer'"),
        ("standard.long =", "turbo.long =", "unknown key 'turbo'"),
        ('standard.long = { input = "2", output = "3" }', "standard.long = 3", "'long' must be a table"),
        ("[[model.prices]]\nfrom = 2026-02-01", "[model.extra]\nfrom = 2026-02-01", "unknown key 'extra'"),
    ],
)
def test_a_mistake_in_the_text_is_named(old: str, new: str, message: str) -> None:
    assert CATALOG.with_models(PRICED).model("m").threshold_tokens == 500
    assert old in PRICED
    with pytest.raises(Invalid, match=message):
        CATALOG.with_models(PRICED.replace(old, new, 1))


def test_a_whole_catalog_needs_a_version_and_a_date() -> None:
    with pytest.raises(Invalid, match="'version' is missing"):
        Catalog.parse(PRICED)
    with pytest.raises(Invalid, match="'as_of' is missing"):
        Catalog.parse('version = "1"\n' + PRICED)
    with pytest.raises(Invalid, match="'model' must be a list of tables"):
        Catalog.parse("model = 1")


def test_a_gap_between_periods_has_no_price() -> None:
    text = PRICED.replace("until = 2026-02-01", "until = 2026-01-15")
    model = CATALOG.with_models(text).model("m")
    assert model.rates("standard", "short", date(2026, 1, 14)) is not None
    assert model.rates("standard", "short", date(2026, 1, 20)) is None
    assert model.rates("standard", "short", date(2026, 2, 1)) is not None
