"""The page for everybody: axe finds nothing, the keyboard reaches everything, a phone shows all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.support.browsing import Watch
from tests.support.day import made_up
from tests.support.process import ServiceProcess
from tests.support.shelf import add, corpus_of, open_corpus

DESKTOP, PHONE = 1280, 390
QUESTION = "Who was the pilot of the harbour in 1871?"
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def corpus(client: httpx.Client) -> str:
    """A corpus over the mark, with a file that could not be read."""
    made = corpus_of(client, {f"volume {n}.txt": 40_000 for n in range(9)})
    add(client, made, "scan.pdf", b"%PDF-1.4 and no more")
    return made


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def width(request: pytest.FixtureRequest) -> int:
    width: int = request.param
    return width


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> Scheme:
    scheme: Scheme = request.param
    return scheme


@pytest.fixture
def looked_at(
    browser: Browser, service: ServiceProcess, watch: Watch, width: int, scheme: Scheme
) -> Iterator[Page]:
    """A page of that width and colour."""
    context = browser.new_context(
        reduced_motion="reduce",
        base_url=service.url,
        viewport={"width": width, "height": 860},
        color_scheme=scheme,
    )
    page = context.new_page()
    watch.over(page)
    yield page
    context.close()


def is_in_order(page: Page) -> None:
    """Let axe look at what is shown, and see that nothing hangs over the edge."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"


def test_axe_would_find_something(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Choose files").wait_for()
    page.evaluate("document.querySelector('main').append(document.createElement('textarea'))")
    assert Axe().run(page).violations_count == 1


def test_axe_finds_nothing(looked_at: Page, corpus: str, client: httpx.Client) -> None:
    page = looked_at
    page.goto("/")
    page.get_by_role("button", name="Choose files").wait_for()
    is_in_order(page)
    open_corpus(page, corpus_of(client, {}, name="Nothing yet"))
    is_in_order(page)
    open_corpus(page, corpus)
    expect(page.get_by_text("The PDF is cut off")).to_be_visible()
    page.get_by_role("textbox", name="Your question").fill(QUESTION)
    page.get_by_role("radio", name="Everything at once").check()
    page.get_by_text("More", exact=True).click()
    is_in_order(page)
    page.locator(".ask-button").hover()
    is_in_order(page)
    page.get_by_role("checkbox", name="I accept the long-context price").check()
    page.get_by_role("button", name="Rename").click()
    is_in_order(page)
    page.keyboard.press("Escape")
    page.goto("/#/spend")
    expect(page.get_by_role("heading", name="Spend", exact=True)).to_be_visible()
    is_in_order(page)


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="+ New corpus").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("By hand")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="By hand")).to_be_visible()
    page.get_by_role("button", name="Add files").focus()
    with page.expect_file_chooser() as choosing:
        page.keyboard.press("Enter")
    choosing.value.set_files(
        [
            FilePayload(name=f"volume {n}.txt", mimeType="text/plain", buffer=made_up(str(n), 100_000))
            for n in range(3)
        ]
    )
    expect(page.get_by_role("switch", name="Read volume")).to_have_count(3)
    page.keyboard.press("Tab")  # Add folder
    page.keyboard.press("Tab")  # all documents
    expect(page.get_by_role("switch", name="All documents")).to_be_focused()
    page.keyboard.press("Tab")
    rows = page.locator(".windowed-row")
    expect(rows.nth(0).get_by_role("switch")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Space")
    expect(rows.nth(2).get_by_role("switch")).not_to_be_checked()
    expect(rows.nth(2).get_by_role("switch")).to_be_focused()
    page.keyboard.press("Space")
    expect(rows.nth(2).get_by_role("switch")).to_be_checked()
    page.keyboard.press("Tab")  # take it out
    page.keyboard.press("Tab")
    expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
    page.keyboard.type(QUESTION)
    page.get_by_role("radiogroup", name="Plans").wait_for()
    page.keyboard.press("Tab")  # More
    page.keyboard.press("Tab")  # the tiers
    while not page.get_by_role("radio", name="In parts").evaluate("(it) => it === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("radio", name="Everything at once")).to_be_checked()
    expect(page.get_by_role("radio", name="Everything at once")).to_be_focused()
    page.get_by_role("checkbox", name="I accept the long-context price").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("checkbox", name="I accept the long-context price")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"#/a/ans_"))


def test_rows_tell_their_place(page: Page, corpus: str) -> None:
    open_corpus(page, corpus)
    rows = page.get_by_role("list", name="Documents").get_by_role("listitem")
    expect(rows.nth(0)).to_have_attribute("aria-setsize", "10")
    expect(rows.nth(1)).to_have_attribute("aria-posinset", "2")


def test_the_switch_of_the_theme_wins_over_the_system(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto("/")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="Theme: as the system").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(root).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(root).to_have_attribute("data-theme", "dark")


def test_a_phone_folds_the_rail(browser: Browser, service: ServiceProcess, watch: Watch, corpus: str) -> None:
    context = browser.new_context(
        reduced_motion="reduce", base_url=service.url, viewport={"width": PHONE, "height": 780}
    )
    page = context.new_page()
    watch.over(page)
    open_corpus(page, corpus)
    link = page.get_by_role("complementary").get_by_role("link", name="Nothing yet")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Corpora and history").click()
    page.get_by_role("complementary").get_by_role("link", name="Harbour inquiry").click()
    expect(page.get_by_role("complementary")).to_be_hidden()
    context.close()
