"""One question asked in several ways: prices before, answers side by side, each paid once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from service.domain.pricing import rounded_up
from tests.support.answered import OPENED, SAID, Desk, Json, book, violations
from tests.support.browsing import Watch
from tests.support.process import ServiceProcess
from tests.support.shelf import corpus_of
from tests.support.upstream import Act, Upstream

QUESTION = "When did the harbour open?"
SIZES = {"volume one.txt": 120_000, "volume two.txt": 110_000, "volume three.txt": 60_000}


@pytest.fixture(scope="module")
def desk(client: httpx.Client, provider: Upstream) -> Desk:
    return Desk(client, provider)


@pytest.fixture(scope="module")
def corpus(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two documents that are quoted from."""
    pdf = desk.add("harbour book.pdf", book(tmp_path_factory.mktemp("book")))
    return desk.corpus(pdf, desk.add("notes.txt", f"Notes of the pilot.\n{OPENED}\n".encode()))


@pytest.fixture(scope="module")
def large(client: httpx.Client) -> str:
    """A corpus over the mark."""
    return corpus_of(client, SIZES)


@pytest.fixture(autouse=True)
def _no_script(provider: Upstream) -> None:
    provider.script.clear()
    provider.requests.clear()


def compare(page: Page, corpus: str) -> None:
    """Ask for the prices of a question in two ways."""
    page.goto(f"/#/compare/{corpus}")
    page.get_by_label("The question, asked in each way").fill(QUESTION)
    expect(page.locator(".compare-column .plan-now")).to_have_count(2)


def summed(amounts: Iterable[str]) -> str:
    """Return the sum of amounts as each of them is shown."""
    each = (Decimal(rounded_up(Decimal(one)).strip("$")) for one in amounts)
    return rounded_up(sum(each, Decimal(0)))


def asked(provider: Upstream) -> list[Json]:
    """Return the questions that reached the model."""
    return [one.body for one in provider.requests if one.body.get("messages")]


def test_two_ways_are_priced_and_answered_side_by_side(
    page: Page, client: httpx.Client, desk: Desk, provider: Upstream, corpus: str
) -> None:
    page.goto(f"/#/c/{corpus}")
    page.get_by_role("link", name="Compare", exact=True).click()
    compare(page, corpus)
    second = page.get_by_role("region", name="Way 2")
    second.get_by_label("Thinking").select_option("high")
    second.get_by_label("Model").select_option("gpt-5.5")
    prices = [
        client.post(f"/v1/corpora/{corpus}/plans", json={"question": QUESTION, **more}).json()["data"][0]
        for more in ({}, {"reasoning_effort": "high", "model": "gpt-5.5"})
    ]
    both, most = (summed(one["cost"][name] for one in prices) for name in ("expected_usd", "max_usd"))
    expect(page.locator(".compare-sum")).to_have_text(
        f"Together about {both}; at most {most}, no bill is higher."
    )
    assert provider.requests == [], "nothing is asked before"
    provider.script.extend([Act(text=SAID), Act(text=f'It says "{OPENED}" [D1 p.1].')])
    page.get_by_role("button", name=f"Ask both for about {both}").click()
    expect(page).to_have_url(re.compile(rf"#/compare/{corpus}/ans_\w+,ans_\w+$"))
    expect(page.locator('.answer-text[aria-busy="false"]')).to_have_count(2)
    expect(page.locator("h1.question")).to_have_text(QUESTION)
    efforts = [one["reasoning_effort"] for one in asked(provider) if "reasoning_effort" in one]
    assert efforts == ["high"]
    ids = page.url.rpartition("/")[2].split(",")
    table = page.get_by_role("region", name="Side by side").locator("table")
    for at, answer in enumerate(desk.finished(one) for one in ids):
        cell = [table.locator("tbody tr").nth(row).locator("td").nth(at) for row in range(13)]
        expect(cell[0]).to_have_text("Everything at once")
        expect(cell[1]).to_have_text("gpt-5.5")
        expect(cell[2]).to_have_text(["\N{EN DASH}", "thinking high"][at])
        expect(cell[4]).to_have_text(rounded_up(Decimal(answer["cost"]["estimated_usd"])))
        expect(cell[5]).to_have_text(rounded_up(Decimal(answer["cost"]["actual_usd"])))
        expect(cell[6]).to_have_text(f"{answer['usage']['prompt_tokens']:,}")
        expect(cell[9]).to_have_text(re.compile(r"^\d+ ms$|^\d+\.\d s$"))
        expect(cell[12]).to_have_text("3 of 3 pages")
    page.reload()
    expect(page.locator('.answer-text[aria-busy="false"]')).to_have_count(2)
    assert len(asked(provider)) == 2, "shown again, not asked again"
    page.locator(".prose .cite").first.click()
    expect(page.get_by_role("complementary", name="Source")).to_be_visible()
    page.get_by_role("region", name="Answer 2").locator(".cite").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Source")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Answer 2").locator(".cite").first).to_be_focused()


def test_ways_that_are_the_same_are_told(page: Page, corpus: str) -> None:
    compare(page, corpus)
    said = page.get_by_text("Ways 1 and 2 are the same.")
    expect(said).to_be_visible()
    page.get_by_label("Thinking").nth(1).select_option("high")
    expect(said).to_have_count(0)


def test_the_long_context_price_is_accepted_for_each(page: Page, provider: Upstream, large: str) -> None:
    compare(page, large)
    first, second = page.get_by_role("region", name="Way 1"), page.get_by_role("region", name="Way 2")
    for one in (first, second):
        one.get_by_label("Plan", exact=True).select_option("whole ")
    button = page.locator(".compare-bar .ask-button")
    expect(button).to_have_text("Accept the long-context price first")
    first.get_by_role("checkbox", name="I accept the long-context price").check()
    expect(button).to_have_attribute("aria-disabled", "true")
    button.click(force=True)
    expect(second.get_by_role("checkbox", name="I accept the long-context price")).to_be_focused()
    assert provider.requests == []
    page.keyboard.press("Space")
    expect(button).to_have_text(re.compile(r"Ask both for about \$6\.\d\d"))
    second.get_by_label("Plan", exact=True).select_option("split ")
    expect(button).to_have_text(re.compile(r"Ask both for about \$\d\.\d\d"))
    page.reload()
    expect(first.get_by_label("Plan", exact=True)).to_have_value("whole ")
    expect(second.get_by_label("Plan", exact=True)).to_have_value("split ")
    expect(first.get_by_role("checkbox", name="I accept")).not_to_be_checked()


def test_an_answer_is_compared_with_another_way(
    page: Page, desk: Desk, provider: Upstream, corpus: str
) -> None:
    answer = desk.ask(corpus, SAID)
    page.goto(f"/#/a/{answer['id']}")
    page.get_by_role("link", name="Compare with…").click()
    expect(page.locator(".compare-question")).to_have_text(QUESTION)
    expect(page.get_by_role("region", name="Way 1, answered already")).to_contain_text("1 altered")
    provider.requests.clear()
    page.get_by_role("button", name="Ask it for about").click()
    expect(page).to_have_url(re.compile(rf"/{answer['id']},ans_\w+$"))
    expect(page.locator('.answer-text[aria-busy="false"]')).to_have_count(2)
    assert len(asked(provider)) == 1


def test_what_broke_on_the_way_is_asked_once(
    page: Page, watch: Watch, provider: Upstream, corpus: str
) -> None:
    compare(page, corpus)
    sent: list[str] = []

    def lost(route: Route) -> None:
        """The second question arrives, and its reply does not."""
        sent.append(route.request.headers["idempotency-key"])
        if len(sent) == 2:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    watch.expected.add(0)
    page.route(re.compile(r"/answers$"), lost)
    page.get_by_role("button", name="Ask both for about").click()
    page.get_by_role("alert").get_by_role("button", name="Try again").click()
    expect(page).to_have_url(re.compile(r"/ans_\w+,ans_\w+$"))
    expect(page.locator('.answer-text[aria-busy="false"]')).to_have_count(2)
    assert sent[1] == sent[2]
    assert len(asked(provider)) == 2
    watch.complaints[:] = [one for one in watch.complaints if "ERR_FAILED" not in one]


def test_a_third_way_and_its_going(page: Page, corpus: str) -> None:
    compare(page, corpus)
    page.get_by_role("button", name="+ Another way").click()
    expect(page.get_by_role("region", name="Way 3").get_by_label("Model")).to_be_focused()
    expect(page.get_by_role("button", name="Ask all three for about")).to_be_visible()
    page.get_by_role("button", name="Take way 3 away").click()
    expect(page.get_by_role("button", name="Ask both for about")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(
    browser: Browser,
    service: ServiceProcess,
    watch: Watch,
    desk: Desk,
    corpus: str,
    large: str,
    width: int,
    scheme: str,
    tmp_path: Path,
) -> None:
    context = browser.new_context(
        reduced_motion="reduce",
        base_url=service.url,
        viewport={"width": width, "height": 860},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    watch.over(page)
    compare(page, large)
    page.get_by_role("region", name="Way 1").get_by_label("Plan", exact=True).select_option("whole ")
    expect(page.get_by_text("I accept the long-context price")).to_have_count(1)
    assert violations(page) == []
    page.screenshot(path=tmp_path / f"ways-{width}-{scheme}.png", full_page=True)
    ids = ",".join(desk.ask(corpus, SAID)["id"] for _ in range(3 if width > 400 else 2))
    page.goto(f"/#/compare/{corpus}/{ids}")
    expect(page.locator('.answer-text[aria-busy="false"]')).to_have_count(ids.count(",") + 1)
    expect(page.get_by_role("region", name="Side by side")).to_contain_text("Everything at once")
    assert violations(page) == []
    page.screenshot(path=tmp_path / f"answers-{width}-{scheme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    context.close()
