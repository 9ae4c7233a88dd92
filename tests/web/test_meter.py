"""The meter moves with the switches, at once, to the very number that the service counts."""

from __future__ import annotations

from decimal import Decimal

import httpx
import pytest
from playwright.sync_api import Page, expect

from service.domain.pricing import rounded_up
from tests.support.shelf import corpus_of, meter_of, open_corpus, shown_tokens

SIZES = {"volume one.txt": 120_000, "volume two.txt": 110_000, "volume three.txt": 60_000}
QUESTION = "What changed?"


@pytest.fixture(scope="module")
def corpus(client: httpx.Client) -> str:
    """A corpus that is over the mark, as long as all of it is on."""
    return corpus_of(client, SIZES)


def test_it_shows_what_the_service_counts(page: Page, client: httpx.Client, corpus: str) -> None:
    open_corpus(page, corpus)
    meter = meter_of(client, corpus)
    assert shown_tokens(page) == meter["input_tokens"] > 272_000
    assert page.locator(".meter").get_attribute("data-status") == "over"
    over = meter["input_tokens"] - 272_000
    expect(page.locator(".meter-verdict")).to_contain_text(f"Over the 272,000 mark by {over:,}")
    expect(page.locator(".meter-price")).to_contain_text(
        rounded_up(Decimal(meter["per_question"]["cold_usd"]))
    )
    expect(page.locator(".meter-price")).to_contain_text(
        rounded_up(Decimal(meter["per_question"]["warm_usd"]))
    )
    expect(page.locator(".meter-label.wall")).to_have_text("922,000 wall")


def test_a_switch_moves_it_at_once_and_the_service_agrees(
    page: Page, client: httpx.Client, corpus: str
) -> None:
    open_corpus(page, corpus)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("switch", name="Read volume three.txt").uncheck()
    meter = meter_of(client, corpus)
    left = meter["documents"][:2]
    assert asked == [], "the sum needs no answer of the service"
    assert page.locator(".meter").get_attribute("data-status") == "below"
    assert shown_tokens(page) == meter["input_tokens"] - meter["documents"][2]["tokens"]
    body = {"question": QUESTION, "document_ids": [one["document_id"] for one in left]}
    plan = client.post(f"/v1/corpora/{corpus}/plans", json=body).json()["data"][0]
    whole = client.post(f"/v1/corpora/{corpus}/plans", json={"question": QUESTION}).json()["data"][0]
    assert shown_tokens(page) == plan["input_tokens"] - (whole["input_tokens"] - meter["input_tokens"])
    page.get_by_role("textbox", name="Your question").fill(QUESTION)
    expect(page.locator(".meter-tokens")).to_have_text(f"{plan['input_tokens']:,}")
    expect(page.locator(".meter-price")).to_contain_text(rounded_up(Decimal(plan["cost"]["cold_usd"])))


def test_documents_tell_their_share_and_their_price_in_the_band(page: Page, client: httpx.Client) -> None:
    corpus = corpus_of(client, {"a.txt": 150_000, "b.txt": 150_000}, name="Bands")
    open_corpus(page, corpus)
    tokens = meter_of(client, corpus)["documents"][0]["tokens"]
    row = page.locator(".document").first
    expect(row).to_contain_text("50 %")
    expect(row).to_contain_text(rounded_up(tokens * Decimal(10) / 10**6))
    page.get_by_role("switch", name="Read b.txt").uncheck()
    expect(row).to_contain_text("100 %")
    expect(row).to_contain_text(rounded_up(tokens * Decimal(5) / 10**6))


def test_what_is_off_stays_off_after_a_reload(page: Page, corpus: str) -> None:
    open_corpus(page, corpus)
    page.get_by_role("switch", name="Read volume one.txt").uncheck()
    fewer = shown_tokens(page)
    page.reload()
    expect(page.get_by_role("switch", name="Read volume one.txt")).not_to_be_checked()
    assert shown_tokens(page) == fewer
    page.get_by_role("switch", name="All documents").check()
    expect(page.get_by_role("switch", name="Read volume one.txt")).to_be_checked()
    assert shown_tokens(page) > fewer


def test_nothing_on_asks_nothing(page: Page, corpus: str) -> None:
    open_corpus(page, corpus)
    page.get_by_role("switch", name="All documents").uncheck()
    expect(page.locator(".meter-verdict")).to_have_text("No document is switched on.")
    page.get_by_role("textbox", name="Your question").fill(QUESTION)
    expect(page.get_by_text("Switch a document on, or add some, to ask about them.")).to_be_visible()


def test_the_wall_is_told(page: Page, client: httpx.Client) -> None:
    open_corpus(page, corpus_of(client, {f"{n}.txt": 240_000 for n in range(4)}, name="Beyond"))
    assert page.locator(".meter").get_attribute("data-status") == "beyond"
    expect(page.locator(".meter-verdict")).to_contain_text("more than one question can hold")
    page.get_by_role("switch", name="Read 3.txt").uncheck()
    assert page.locator(".meter").get_attribute("data-status") == "over"
