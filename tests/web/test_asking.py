"""The price before the question: plans side by side, and no long-context price that nobody accepted."""

from __future__ import annotations

import re
from decimal import Decimal

import httpx
import pytest
from playwright.sync_api import Page, Request, Route, expect

from service.domain.pricing import rounded_up
from tests.support.day import made_up
from tests.support.shelf import Json, add, corpus_of, open_corpus
from tests.support.upstream import Upstream

SIZES = {"volume one.txt": 120_000, "volume two.txt": 110_000, "volume three.txt": 60_000}
QUESTION = "Who was the pilot of the harbour in 1871?"


@pytest.fixture(scope="module")
def corpus(client: httpx.Client) -> str:
    """A corpus over the mark."""
    return corpus_of(client, SIZES)


def ask(page: Page, corpus: str) -> None:
    open_corpus(page, corpus)
    page.get_by_role("textbox", name="Your question").fill(QUESTION)
    page.get_by_role("radiogroup", name="Plans").wait_for()


def sent(request: Request) -> Json:
    body: Json = request.post_data_json or {}
    return body


def test_plans_stand_side_by_side_with_the_services_prices(
    page: Page, client: httpx.Client, corpus: str
) -> None:
    ask(page, corpus)
    offered = client.post(f"/v1/corpora/{corpus}/plans", json={"question": QUESTION}).json()
    whole, split = offered["data"][:2]
    cards = page.locator(".plan")
    for card, plan, title in ((cards.nth(0), whole, "Everything at once"), (cards.nth(1), split, "In parts")):
        expect(card).to_contain_text(title)
        expect(card).to_contain_text("reads 100 %")
        for name in ("expected_usd", "cold_usd", "warm_usd", "max_usd"):
            expect(card).to_contain_text(rounded_up(Decimal(plan["cost"][name])))
        expect(card.locator(".plan-now")).to_have_attribute(
            "title", f"exactly ${plan['cost']['expected_usd']}"
        )
    expect(cards.nth(0)).to_contain_text(re.compile(r"Over the 272,000 mark: \$1\.\d\d more"))
    expect(cards.nth(1)).to_contain_text("Recommended")
    expect(page.get_by_role("radio", name="In parts")).to_be_checked()
    because = page.locator(".plans-because")
    expect(because).to_have_text(offered["recommended_because"])
    said = cards.nth(1).locator(".plan-now").inner_text()
    expect(because).to_contain_text(said)
    expect(page.get_by_role("button", name="Flex")).to_contain_text("$0.8")


def test_cards_of_a_row_keep_their_parts_in_line(page: Page, corpus: str) -> None:
    ask(page, corpus)
    cards = page.locator(".plan")
    first, second = (
        [cards.nth(at).locator(part).bounding_box() for part in (".plan-title", ".plan-now", ".plan-reach")]
        for at in (0, 1)
    )
    assert [box and round(box["y"]) for box in first] == [box and round(box["y"]) for box in second]


def test_warnings_speak_of_the_page(page: Page, client: httpx.Client) -> None:
    corpus = corpus_of(client, {"one.txt": 30_000}, name="Twice")
    add(client, corpus, "copy of one.txt", b"\xef\xbb\xbf" + made_up("Twice one.txt", 30_000))
    ask(page, corpus)
    plan = client.post(f"/v1/corpora/{corpus}/plans", json={"question": QUESTION}).json()["data"][0]
    [detail] = [one["detail"] for one in plan["warnings"] if one["code"] == "waste"]
    assert "leave_out" in detail
    notice = page.locator(".plans .notice").filter(has_text="go to")
    expect(notice).to_be_visible()
    expect(notice).not_to_contain_text("_")
    expect(notice.get_by_role("button")).to_have_count(1)


def test_what_a_plan_leaves_out_is_named(page: Page, client: httpx.Client, corpus: str) -> None:
    ask(page, corpus)
    plans = client.post(f"/v1/corpora/{corpus}/plans", json={"question": QUESTION}).json()["data"]
    ranked = next(plan for plan in plans if plan["strategy"] == "ranked" and plan["feasible"])
    card = page.locator(".plan").filter(has_text="Closest pages").first
    reach = f"{ranked['coverage']['pages_in']} of {ranked['coverage']['pages_total']} pages"
    card.get_by_text(reach).click()
    expect(card.locator(".plan-out")).to_contain_text("volume")


def test_who_asks_twice_in_haste_pays_once(page: Page, client: httpx.Client, provider: Upstream) -> None:
    corpus = corpus_of(client, {"one.txt": 3_000}, name="In haste")
    provider.requests.clear()
    ask(page, corpus)
    page.locator(".ask-button").dblclick()
    page.wait_for_url(re.compile(r"#/a/"))
    expect(page.locator(".answer-text")).to_have_attribute("aria-busy", "false")
    asked = client.get("/v1/answers", params={"corpus_id": corpus}).json()["data"]
    assert (len(asked), len(provider.requests)) == (1, 1)
    assert len(client.get("/v1/conversations", params={"corpus_id": corpus}).json()["data"]) == 1


def test_the_long_context_price_has_to_be_accepted(page: Page, provider: Upstream, corpus: str) -> None:
    provider.requests.clear()
    ask(page, corpus)
    page.get_by_role("radio", name="Everything at once").check()
    button = page.locator(".ask-button")
    expect(button).to_have_text("Accept the long-context price first")
    expect(button).to_have_attribute("aria-disabled", "true")
    button.click(force=True)
    expect(page.get_by_role("checkbox", name="I accept the long-context price")).to_be_focused()
    assert "#/c/" in page.url
    assert provider.requests == []
    page.keyboard.press("Space")
    expect(button).to_have_text(re.compile(r"Ask at the long-context price: about \$3\.\d\d"))
    page.get_by_role("radio", name="In parts").check()
    page.get_by_role("radio", name="Everything at once").check()
    expect(page.get_by_role("checkbox", name="I accept the long-context price")).not_to_be_checked()
    page.get_by_role("checkbox", name="I accept the long-context price").check()
    with page.expect_request(re.compile(r"/answers$")) as asking:
        button.click()
    assert sent(asking.value)["allow_long_context"] is True
    expect(page).to_have_url(re.compile(r"#/a/ans_"))
    expect(page.locator("main")).to_contain_text("Record")


def test_a_plan_below_the_mark_is_asked_without_further_ado(page: Page, client: httpx.Client) -> None:
    ask(page, corpus_of(client, {"small.txt": 4_000}, name="Small"))
    expect(page.locator(".plan")).to_have_count(1)
    expect(page.get_by_role("checkbox", name="I accept")).to_have_count(0)
    page.get_by_role("button", name="Ask for about").click()
    expect(page).to_have_url(re.compile(r"#/a/ans_"))


def conversations(client: httpx.Client, corpus: str) -> int:
    return len(client.get("/v1/conversations", params={"corpus_id": corpus}).json()["data"])


def test_what_is_only_priced_leaves_nothing_behind(page: Page, client: httpx.Client) -> None:
    corpus = corpus_of(client, {"small.txt": 4_000}, name="Only looked at")
    ask(page, corpus)
    assert conversations(client, corpus) == 0
    page.get_by_label("Your question").press("Control+Enter")
    expect(page).to_have_url(re.compile(r"#/a/ans_"))
    assert conversations(client, corpus) == 1


def test_a_price_that_rose_is_looked_at_again(page: Page, client: httpx.Client, provider: Upstream) -> None:
    corpus = corpus_of(client, {"small.txt": 4_000}, name="Dearer")
    ask(page, corpus)
    provider.requests.clear()

    def dearer(route: Route) -> None:
        got = route.fetch()
        offer = got.json()
        for plan in offer["data"]:
            if plan["feasible"]:
                plan["cost"]["expected_usd"] = "9.00"
        route.fulfill(response=got, json=offer)

    page.route("**/plans", dearer, times=2)
    page.get_by_role("button", name="Ask for about $0").click()
    expect(page.get_by_role("alert")).to_contain_text("The price has changed. Nothing was asked")
    expect(page.get_by_role("button", name="Ask for about $9.00")).to_be_visible()
    assert provider.requests == []
    assert conversations(client, corpus) == 0


def test_the_button_stays_in_sight(page: Page, corpus: str) -> None:
    ask(page, corpus)
    page.get_by_role("radio", name="In parts").check()
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator(".ask-button")).to_be_in_viewport(ratio=1)


def test_fixes_are_done_at_a_click(page: Page, corpus: str) -> None:
    ask(page, corpus)
    page.get_by_role("radio", name="Everything at once").check()
    page.get_by_role("button", name="Leave out volume three.txt").first.click()
    expect(page.get_by_role("switch", name="Read volume three.txt")).not_to_be_checked()
    expect(page.locator(".meter")).to_have_attribute("data-status", "below")
    expect(page.locator(".plan").first).not_to_contain_text("Over the")


def test_tier_and_number_of_questions_price_anew(page: Page, corpus: str) -> None:
    ask(page, corpus)
    page.get_by_role("button", name="Flex").click()
    expect(page.get_by_role("button", name="Flex")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".plan").nth(1)).to_contain_text("$0.8")
    page.get_by_role("slider", name="Questions about these documents").focus()
    with page.expect_request(re.compile(r"/plans$")) as asking:
        page.keyboard.press("End")
    assert sent(asking.value)["expected_questions"] == 50
    expect(page.locator(".curve output")).to_contain_text(
        re.compile(r"50 questions(, the first read cold)?: \$")
    )


def test_parameters_travel_and_bad_json_does_not(page: Page, corpus: str) -> None:
    ask(page, corpus)
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Thinking").select_option("high")
    page.get_by_label("Answer as JSON").fill("{")
    expect(page.get_by_text("is no JSON yet")).to_be_visible()
    with page.expect_request(re.compile(r"/plans$")) as asking:
        page.get_by_label("Answer as JSON").fill("")
    assert sent(asking.value)["reasoning_effort"] == "high"
    assert "response_format" not in sent(asking.value)


def test_only_the_last_price_of_what_was_typed_is_shown(page: Page, corpus: str) -> None:
    open_corpus(page, corpus)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/plans") else None)
    page.get_by_role("textbox", name="Your question").press_sequentially("Who was the pilot?", delay=15)
    page.get_by_role("radiogroup", name="Plans").wait_for()
    assert len(asked) <= 2


def test_what_was_typed_survives_a_reload(page: Page, corpus: str) -> None:
    ask(page, corpus)
    page.wait_for_timeout(500)
    page.reload()
    expect(page.get_by_role("textbox", name="Your question")).to_have_value(QUESTION)
