"""Answers taken up again, at a price that is told first: what is missing, the same pages, a batch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support import upstream
from tests.support.answered import OPENED, SAID, Desk, book, violations
from tests.support.process import ServiceProcess
from tests.support.upstream import Act, Upstream

LONG = f'It says "{OPENED}" [D1 p.1]. ' + " ".join(f"word{n}" for n in range(60))


@pytest.fixture(scope="module")
def service(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """One that looks after its batches without delay."""
    data = tmp_path_factory.mktemp("again") / "data"
    settings = {"provider_url": provider.url, "provider_key": provider.key, "batch_poll_seconds": "0.1"}
    with ServiceProcess(data, provider="openai", **settings) as running:
        yield running


@pytest.fixture(scope="module")
def desk(client: httpx.Client, provider: Upstream) -> Desk:
    return Desk(client, provider)


@pytest.fixture(scope="module")
def corpus(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two documents that are quoted from."""
    pdf = desk.add("harbour book.pdf", book(tmp_path_factory.mktemp("book")))
    return desk.corpus(pdf, desk.add("notes.txt", f"Notes of the pilot.\n{OPENED}\n".encode()))


def see(page: Page, answer_id: str) -> None:
    page.goto(f"/#/a/{answer_id}")
    expect(page.locator(".answer-text")).to_have_attribute("aria-busy", "false")


def test_what_failed_is_gone_on_with_at_a_price(page: Page, desk: Desk, corpus: str) -> None:
    failed = desk.ask(corpus, upstream.status(429, "insufficient_quota"))
    see(page, failed["id"])
    button = page.get_by_role("button", name=re.compile(r"Go on for about \$0\.\d+"))
    expect(button).to_be_visible()
    assert violations(page) == []
    desk.provider.script.append(Act(text=SAID))
    button.click()
    expect(page.get_by_text("It goes on with an earlier answer.")).to_be_visible()
    expect(page.locator(".prose .cite")).to_have_count(5)
    page.get_by_role("link", name="an earlier answer").click()
    page.get_by_role("link", name="open that answer").click()
    expect(page.locator(".prose .cite")).to_have_count(5)


def test_marks_of_a_stopped_answer_are_not_checked(page: Page, desk: Desk, corpus: str) -> None:
    answer_id = desk.begin(corpus, Act(text=LONG, stall_after=24))
    page.goto(f"/#/a/{answer_id}")
    mark = page.locator(".prose .cite")
    expect(mark).to_have_attribute("aria-label", "Source 1, being checked")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped on request.")).to_be_visible()
    expect(mark).to_have_attribute("aria-label", "Source 1, not checked")
    expect(page.get_by_role("button", name="Go on for about")).to_be_visible()


def test_the_same_pages_are_asked_again_in_another_manner(page: Page, desk: Desk, corpus: str) -> None:
    answer = desk.ask(corpus, SAID, conversation_id=desk.conversation(corpus))
    see(page, answer["id"])
    before = desk.provider.requests[-1].body
    page.get_by_role("button", name="Ask again…").click()
    expect(page.get_by_role("textbox", name="Question", exact=True)).to_be_focused()
    send = page.get_by_role("button", name=re.compile(r"Ask again for about \$"))
    expect(send).to_be_enabled()
    assert violations(page) == []
    page.get_by_role("form", name="Ask the same pages again").get_by_label("Thinking").select_option("high")
    expect(send).to_be_disabled()
    expect(send).to_be_enabled()
    desk.provider.script.append(Act(text=SAID))
    send.click()
    expect(page.get_by_text("It asks the pages of an earlier answer again.")).to_be_visible()
    expect(page.locator(".prose .cite")).to_have_count(5)
    asked = desk.provider.requests[-1].body
    assert asked["reasoning_effort"] == "high"
    assert asked["messages"] == before["messages"]
    again = desk.client.get(f"/v1/answers/{page.url.rpartition('/')[2]}").json()
    assert (again["replay_of"], again["conversation_id"]) == (answer["id"], None)


def test_a_question_is_put_in_a_batch_and_collected(
    page: Page, desk: Desk, corpus: str, provider: Upstream
) -> None:
    provider.batches.hold = True
    page.goto(f"/#/c/{corpus}")
    page.get_by_label("Your question").fill("Who was the first master of the harbour?")
    page.get_by_role("button", name="Batch").click()
    put = page.get_by_role("button", name=re.compile(r"Put it in a batch for about \$"))
    expect(page.locator(".ask-bar")).to_contain_text("It comes within 24 hours; you need not stay.")
    put.click()
    expect(page.locator(".running")).to_contain_text("In a batch. The provider is at it.")
    expect(page.locator(".running")).to_contain_text("you need not stay")
    expect(page.locator(".history li").first).to_contain_text("in a batch")
    assert violations(page) == []
    page.reload()
    expect(page.locator(".running")).to_contain_text("In a batch. The provider is at it.")
    provider.batches.hold = False
    expect(page.locator(".prose .cite").first).to_be_visible()
    answer = desk.finished(page.url.rpartition("/")[2])
    assert answer["batch_id"] is not None
    expect(page.locator(".running")).to_have_count(0)


def test_who_was_billed_may_say_for_what(page: Page, desk: Desk, corpus: str) -> None:
    answer = desk.ask(corpus, Act(text=LONG, cut_after=24))
    see(page, answer["id"])
    expect(page.locator(".doubt")).to_contain_text("characters of an answer came and are kept below")
    expect(page.locator(".doubt")).to_contain_text("stays held until you decide")
    page.get_by_role("button", name="It was billed").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Tokens in").fill("1000")
    dialog.get_by_role("button", name="Book it").click()
    expect(dialog.get_by_label("Tokens out")).to_be_focused()  # half a usage books nothing
    assert desk.finished(answer["id"])["status"] == "in_doubt"
    dialog.get_by_label("Tokens out").fill("10")
    assert violations(page) == []
    dialog.get_by_role("button", name="Book it").click()
    expect(page.get_by_text("This answer failed.")).to_be_visible()
    booked = desk.finished(answer["id"])
    assert (booked["usage"]["prompt_tokens"], booked["usage"]["completion_tokens"]) == (1000, 10)


def test_a_correction_stands_in_the_ledger_in_words(
    page: Page, client: httpx.Client, desk: Desk, corpus: str
) -> None:
    answer = desk.ask(corpus, Act(text=SAID, usage=False))
    body = {"billed": True, "amount_usd": "0.01"}
    assert client.post(f"/v1/answers/{answer['id']}/resolve", json=body).status_code == 200
    page.goto("/#/spend")
    expect(page.get_by_role("group", name="Ledger").get_by_role("cell", name="corrected")).to_be_visible()


def test_a_note_on_a_document_is_read_by_key(page: Page, desk: Desk, tmp_path: Path) -> None:
    corpus = desk.corpus(desk.add("harbour book.pdf", book(tmp_path)))

    def noted(text: str) -> str:
        return text.replace('"warnings":[]', '"warnings":[{"code":"x","detail":"An annex was not read."}]')

    page.route(
        "**/documents?limit=*",
        lambda route: route.fulfill(response=(got := route.fetch()), body=noted(got.text())),
    )
    page.goto(f"/#/c/{corpus}")
    note = page.get_by_role("button", name="1 note on harbour book.pdf")
    note.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("An annex was not read.")
    assert violations(page) == []
    page.set_viewport_size(
        {"width": 1180, "height": 800}
    )  # has the list drawn anew, as documents that come do
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(note).to_be_focused()
