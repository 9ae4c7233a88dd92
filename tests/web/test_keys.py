"""Where there are keys, the page asks for one, and keeps it for the tab alone."""

from __future__ import annotations

import httpx
from playwright.sync_api import Browser, expect

from tests.support.browsing import Watch
from tests.support.process import ServiceProcess


def test_the_page_asks_for_a_key(browser: Browser, offline: ServiceProcess, watch: Watch) -> None:
    watch.expected.add(401)
    with httpx.Client(base_url=offline.url, timeout=60, trust_env=False) as client:
        client.post("/v1/corpora", json={"name": "Behind a key"})
        secret = client.post("/v1/keys", json={"name": "page"}).json()["secret"]
    context = browser.new_context(reduced_motion="reduce", base_url=offline.url)
    page = context.new_page()
    watch.over(page)
    page.goto("/")
    field = page.get_by_label("Key", exact=True)
    field.fill("una_wrong")
    page.keyboard.press("Enter")
    field.fill(secret)
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_role("link", name="Behind a key")).to_be_visible()
    assert secret not in page.evaluate("JSON.stringify(localStorage)")
    assert secret not in page.url
    page.reload()
    expect(page.get_by_role("link", name="Behind a key")).to_be_visible()
    other = context.new_page()
    watch.over(other)
    other.goto("/")
    expect(other.get_by_label("Key", exact=True)).to_be_visible()
    context.close()
