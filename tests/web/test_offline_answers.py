"""Answers without a model: the closest passages, for nothing; and with a key, which pictures need too."""

from __future__ import annotations

from pathlib import Path

import httpx
from playwright.sync_api import Browser, expect

from tests.support.answered import Desk, book
from tests.support.browsing import Watch
from tests.support.process import ServiceProcess
from tests.support.upstream import Upstream


def test_passages_are_shown_with_their_pages_and_cost_nothing(
    browser: Browser, offline: ServiceProcess, watch: Watch, tmp_path: Path
) -> None:
    watch.expected.add(401)
    with httpx.Client(base_url=offline.url, timeout=60, trust_env=False) as client:
        desk = Desk(client, Upstream())
        corpus = desk.corpus(desk.add("book.pdf", book(tmp_path)))
        answer = desk.ask(corpus, question="When did the harbour open?")
        secret = client.post("/v1/keys", json={"name": "page"}).json()["secret"]
    context = browser.new_context(reduced_motion="reduce", base_url=offline.url)
    page = context.new_page()
    watch.over(page)
    page.goto(f"/#/a/{answer['id']}")
    page.get_by_label("Key", exact=True).fill(secret)
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_text("Nothing: no model was asked.")).to_be_visible()
    expect(page.locator(".history")).to_contain_text("free")
    page.locator(".prose .cite").first.click()
    expect(page.locator(".viewer img")).to_have_attribute("data-marked", "true")
    context.close()
