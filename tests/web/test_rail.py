"""The frame keeps up with what happens elsewhere: another tab, another person."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import Page, expect

from tests.support.answered import SAID, Desk
from tests.support.shelf import corpus_of, open_corpus
from tests.support.upstream import Upstream


def test_a_corpus_made_elsewhere_is_shown(page: Page, client: httpx.Client) -> None:
    open_corpus(page, corpus_of(client, {"one.txt": 2_000}, name="Mine"))
    rail = page.get_by_role("complementary", name="Corpora and history")
    mine = rail.get_by_role("link", name="Mine")
    mine.focus()
    client.post("/v1/corpora", json={"name": "Made elsewhere"})
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(rail.get_by_role("link", name="Made elsewhere")).to_be_visible()
    expect(mine).to_be_focused()
    expect(mine).to_have_attribute("aria-current", "page")
    client.post("/v1/corpora", json={"name": "Made later"})
    page.get_by_role("link", name="Spend").click()
    expect(rail.get_by_role("link", name="Made later")).to_be_visible()


def test_spend_charts_what_came_from_the_cache(page: Page, client: httpx.Client, provider: Upstream) -> None:
    corpus = corpus_of(client, {"one.txt": 6_000}, name="Cached")
    desk = Desk(client, provider)
    used = [desk.ask(corpus, SAID)["usage"] for _ in range(2)]
    read, cached = (sum(one[name] for one in used) for name in ("prompt_tokens", "cached_tokens"))
    assert cached > 0
    page.goto("/#/spend")
    chart = page.get_by_role("table", name="Tokens from the cache by day")
    expect(chart).to_contain_text(f" of {read:,}")
    share = re.search(r"(\d+) %", chart.inner_text())
    assert share is not None
    assert int(share[1]) == round(cached / read * 100)
