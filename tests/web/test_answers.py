"""Answers in a browser: written as they come, checked, looked up on their pages, stopped, taken up again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, Response, Route, expect

from tests.support import upstream
from tests.support.answered import (
    ALTERED,
    CLOSED,
    INVENTED,
    OPENED,
    SAID,
    Desk,
    Json,
    Outside,
    book,
    violations,
)
from tests.support.browsing import Watch
from tests.support.process import ServiceProcess
from tests.support.upstream import Act, Upstream

LONG = " ".join(f"word{n}" for n in range(60)) + f'. It says "{OPENED}" [D1 p.1].'


@pytest.fixture(scope="module")
def desk(client: httpx.Client, provider: Upstream) -> Desk:
    return Desk(client, provider)


@pytest.fixture(scope="module")
def documents(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A PDF, and a text that can't be drawn."""
    pdf = desk.add("harbour book.pdf", book(tmp_path_factory.mktemp("book")))
    return [pdf, desk.add("notes.txt", f"Notes 🚢 of the pilot.\n{OPENED}\n".encode())]


@pytest.fixture
def corpus(desk: Desk, documents: list[str]) -> str:
    return desk.corpus(*documents)


@pytest.fixture(scope="module")
def answered(desk: Desk, documents: list[str]) -> Json:
    """An answer that has ended, with every verdict."""
    corpus = desk.corpus(*documents)
    answer = desk.ask(corpus, SAID, conversation_id=desk.conversation(corpus))
    assert [one["verdict"] for one in answer["citations"]] == [
        "exact",
        "altered",
        "elsewhere",
        "missing",
        "exact",
    ]
    return answer


@pytest.fixture(autouse=True)
def _nothing_from_outside(page: Page, service: ServiceProcess, provider: Upstream) -> Iterator[None]:
    outside = Outside(service.url)
    outside.over(page)
    provider.script.clear()
    yield
    assert outside.asked == []


def see(page: Page, answer_id: str) -> None:
    page.goto(f"/#/a/{answer_id}")
    expect(page.locator(".answer-text")).to_have_attribute("aria-busy", "false")
    expect(page.locator(".receipts h2").first).to_be_visible()


def chip(page: Page, number: int) -> str:
    name = page.locator(".prose .cite").nth(number).get_attribute("aria-label")
    assert name is not None
    return name


def asked_in(page: Page, corpus: str, question: str = "When did the harbour open?") -> None:
    """Type a question into the corpus's form and ask it at its price."""
    page.goto(f"/#/c/{corpus}")
    page.get_by_label("Your question").fill(question)
    page.locator(".ask-button").click()


WATCHED = """() => {
  globalThis.seen = [];
  const look = () => {
    const words = (document.querySelector(".prose")?.textContent.match(/word\\d+/g) ?? []).length;
    globalThis.seen.push([words, document.querySelector(".running button") !== null]);
  };
  new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
}"""


def test_an_answer_is_shown_while_it_is_written(page: Page, desk: Desk, corpus: str) -> None:
    page.goto("/")
    page.evaluate(WATCHED)
    answer_id = desk.begin(corpus, Act(text=LONG, between_s=0.05))
    page.evaluate("id => { location.hash = `#/a/${id}`; }", answer_id)
    expect(page.locator(".prose .cite")).to_have_attribute(
        "aria-label", re.compile("Source 1: exact. harbour book.pdf, page 1")
    )
    expect(page.get_by_text("The quote holds")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    seen: list[tuple[int, bool]] = page.evaluate("globalThis.seen")
    counts = [words for words, _ in seen if words]
    assert counts == sorted(counts)
    assert len({words for words, may_stop in seen if may_stop and 0 < words < 60}) > 2
    assert counts[-1] == 60


def test_each_verdict_is_a_sign_and_a_word(page: Page, answered: Json) -> None:
    see(page, answered["id"])
    verdicts = [chip(page, number).split(":")[1].split(".")[0].strip() for number in range(5)]
    assert verdicts == ["exact", "altered", "elsewhere", "missing", "exact"]
    assert [text.split()[0] for text in page.locator(".prose .cite").all_inner_texts()] == [
        "✓",
        "≠",
        "↷",
        "✗",
        "✓",
    ]
    expect(page.locator(".source").nth(1).locator("del")).to_have_text("the answer says: seven")
    expect(page.locator(".source").nth(1).locator("ins")).to_have_text("the source says: nine")
    expect(page.locator(".answer-foot .badge")).to_have_text("!2 of 5 quotes hold")


def test_the_text_is_rendered(page: Page, answered: Json) -> None:
    see(page, answered["id"])
    expect(page.locator(".prose h3")).to_have_text("What the books say")
    expect(page.locator(".prose td").first).to_have_text("closing")
    expect(page.locator(".prose li strong")).to_have_text("this")


YELLOW = """async (image) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let at = 0; at < data.length; at += 4) if (data[at] - data[at + 2] > 90) found += 1;
  return found;
}"""


def test_a_citation_opens_its_page_with_the_quote_marked(page: Page, answered: Json) -> None:
    see(page, answered["id"])
    pictures: list[Response] = []
    page.on("response", lambda response: pictures.append(response) if "/image?" in response.url else None)
    page.locator(".prose .cite").first.click()
    image = page.locator(".viewer img")
    expect(image).to_have_attribute("alt", re.compile("Page 1 of harbour book.pdf, with the quote marked"))
    assert pictures[-1].headers["x-quote-found"] == "true"
    assert image.evaluate(YELLOW) > 500
    expect(page.locator(".viewer-title")).to_be_focused()
    expect(page.locator(".viewer-where")).to_have_text("Page 1 of 2")
    page.get_by_role("button", name="Next page").click()
    expect(page.locator(".viewer-where")).to_have_text("Page 2 of 2")
    expect(image).to_have_attribute("data-marked", "false")
    page.get_by_role("button", name="Back to the quote").click()
    expect(image).to_have_attribute("data-marked", "true")
    before = image.evaluate("image => image.clientWidth")
    page.get_by_role("button", name="Larger").click()
    expect(page.locator(".sheet")).not_to_have_attribute("aria-busy", "true")
    assert image.evaluate("image => image.clientWidth") > before * 1.2
    page.keyboard.press("Escape")
    expect(page.locator(".viewer")).to_be_hidden()
    expect(page.locator(".prose .cite").first).to_be_focused()


def test_a_quote_that_stands_elsewhere_opens_where_it_stands(page: Page, answered: Json) -> None:
    see(page, answered["id"])
    page.locator(".prose .cite").nth(2).click()
    expect(page.locator(".viewer-where")).to_have_text("Page 2 of 2")
    expect(page.locator(".viewer img")).to_have_attribute("data-marked", "true")


def test_a_page_that_cant_be_drawn_is_shown_as_text_with_the_quote_marked(page: Page, answered: Json) -> None:
    see(page, answered["id"])
    page.locator(".prose .cite").nth(4).click()
    expect(page.locator(".viewer mark")).to_have_text(OPENED.rstrip("."))
    expect(page.locator(".viewer .page-text")).to_contain_text("Notes 🚢 of the pilot.")


def test_a_quote_that_nobody_wrote_opens_the_cited_page_without_a_mark(page: Page, answered: Json) -> None:
    see(page, answered["id"])
    page.locator(".prose .cite").nth(3).click()
    expect(page.locator(".viewer-verdict")).to_contain_text("Was not found in anything that was read.")
    expect(page.locator(".viewer-verdict")).to_contain_text(INVENTED)
    expect(page.locator(".viewer img")).to_have_attribute("data-marked", "false")


def test_stopping_keeps_what_came(page: Page, desk: Desk, corpus: str) -> None:
    answer_id = desk.begin(corpus, Act(text=LONG, stall_after=12))
    page.goto(f"/#/a/{answer_id}")
    expect(page.locator(".prose")).to_contain_text("word5")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped on request.")).to_be_visible()
    assert desk.finished(answer_id)["status"] == "cancelled"
    expect(page.locator(".prose")).to_contain_text("word5")


def test_a_reload_in_the_middle_pays_once_and_shows_all(page: Page, corpus: str, provider: Upstream) -> None:
    before = len(provider.requests)
    provider.script.append(Act(text=LONG, between_s=0.05))
    asked_in(page, corpus)
    expect(page.locator(".prose")).to_contain_text("word8")
    page.reload()
    expect(page.get_by_text("The quote holds")).to_be_visible()
    words = page.locator(".prose").inner_text().split()
    assert [words.count(f"word{n}") for n in range(59)] == [1] * 59
    assert len(provider.requests) == before + 1


def test_a_wait_for_the_provider_is_told(page: Page, corpus: str, provider: Upstream) -> None:
    provider.script += [upstream.status(429, "rate_limit_exceeded", {"retry-after": "3"}), Act(text=LONG)]
    asked_in(page, corpus)
    said = page.get_by_role("status").filter(has_text="refused for now")
    expect(said).to_have_text(re.compile(r"The provider refused for now and is asked again in [1-4] s\. ."))
    expect(page.get_by_text("The quote holds")).to_be_visible()


def test_a_reload_before_the_answer_is_known_pays_once(
    page: Page, corpus: str, provider: Upstream, desk: Desk, watch: Watch
) -> None:
    """The request arrives, its response is lost with the page."""
    before = len(provider.requests)
    provider.script.append(Act(text=LONG, between_s=0.01))

    def lost(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/v1/corpora/*/answers", lost, times=1)
    asked_in(page, corpus)
    expect(page.get_by_role("alert")).to_contain_text("can't be reached")
    page.reload()
    expect(page.get_by_text("The quote holds")).to_be_visible()
    assert len(provider.requests) == before + 1
    assert len(desk.client.get("/v1/answers", params={"corpus_id": corpus}).json()["data"]) == 1
    watch.complaints[:] = [one for one in watch.complaints if "net::ERR_FAILED" not in one]


def test_two_tabs_show_the_same_and_hear_of_each_other(
    page: Page, desk: Desk, corpus: str, provider: Upstream, watch: Watch
) -> None:
    other = page.context.new_page()
    watch.over(other)
    answer_id = desk.begin(corpus, Act(text=LONG, between_s=0.03))
    for tab in (page, other):
        tab.goto(f"/#/a/{answer_id}")
    for tab in (page, other):
        expect(tab.get_by_text("The quote holds")).to_be_visible()
    assert page.locator(".prose").inner_html() == other.locator(".prose").inner_html()
    provider.script.append(Act(text=LONG))
    other.goto(f"/#/c/{corpus}")
    asked_in(page, corpus, "Asked in the first tab")
    expect(other.locator(".history")).to_contain_text("Asked in the first tab")
    expect(other.locator(".history li").first).to_contain_text("1 of 1 hold")


def test_a_conversation_goes_on_at_a_price_that_is_told_first(
    page: Page, corpus: str, provider: Upstream
) -> None:
    provider.script.append(Act(text=LONG))
    asked_in(page, corpus, "When did it open?")
    expect(page.get_by_text("The quote holds")).to_be_visible()
    provider.requests.clear()
    page.get_by_label("Next question in this conversation").fill("And when was it closed?")
    ask = page.get_by_role("button", name=re.compile(r"Ask for about \$"))
    expect(ask).to_be_enabled()
    expect(page.locator(".next-price")).to_contain_text("of them what was said before")
    assert provider.requests == []
    provider.script.append(Act(text=f'It says "{CLOSED}" [D1 p.2].'))
    ask.click()
    expect(page.locator("h1.question")).to_have_text("And when was it closed?")
    expect(page.get_by_text("The quote holds")).to_be_visible()
    roles = [message["role"] for message in provider.requests[-1].body["messages"]]
    assert roles.count("assistant") == 1
    page.locator(".turns summary").click()
    expect(page.locator(".turns .prose")).to_contain_text("word59")
    page.get_by_role("button", name="Shorten").click()
    expect(page.locator(".next")).to_contain_text("1 turn and 1 turn as a list")
    page.get_by_role("button", name="Send all of it").click()
    expect(page.locator(".next")).to_contain_text("Sent along: 2 turns")


def test_the_turn_that_would_cross_the_mark_is_warned_of_and_accepted(
    page: Page, desk: Desk, corpus: str
) -> None:
    """The plan is the service's own, but for a corpus that is almost at the mark."""
    conversation = desk.conversation(corpus)
    desk.ask(corpus, LONG, conversation_id=conversation)
    answer = desk.ask(corpus, LONG, conversation_id=conversation)
    said = "Another question like it would pass the mark."
    fixes = [{"do": "compact", "keep_last": 1}, {"do": "new_conversation"}]

    def nearly_full(route: Route) -> None:
        sent = route.fetch()
        offer = sent.json()
        for plan in offer["data"]:
            plan["warnings"] = [{"code": "conversation_will_cross", "detail": said, "fixes": fixes}]
            plan["threshold"] = {"at": 272_000, "status": "over", "tokens_over": 7, "extra_usd": "1.50"}
        route.fulfill(response=sent, json=offer)

    page.route("**/plans", nearly_full)
    see(page, answer["id"])
    page.get_by_label("Next question in this conversation").fill("And then?")
    expect(page.locator(".next-price")).to_contain_text(said)
    ask = page.get_by_role("button", name=re.compile("Ask at the long-context price"))
    expect(ask).to_be_disabled()
    page.get_by_label("7 tokens over the 272,000 mark: I accept the long-context price, $1.50 more").check()
    expect(ask).to_be_enabled()
    expect(page.get_by_role("button", name="Begin a new conversation")).to_be_visible()
    page.get_by_role("button", name="Send earlier turns as a list").click()
    expect(page.locator(".next")).to_contain_text("1 turn and 1 turn as a list")
    expect(page.get_by_label("Next question in this conversation")).to_have_value("And then?")
    expect(page.locator(".next-price")).to_contain_text(said)


def test_a_new_question_to_the_corpus_is_a_new_conversation(
    page: Page, desk: Desk, corpus: str, provider: Upstream
) -> None:
    for question in ("First?", "Second?"):
        provider.script.append(Act(text=LONG))
        asked_in(page, corpus, question)
        expect(page.locator("h1.question")).to_have_text(question)
        expect(page.get_by_text("The quote holds")).to_be_visible()
    listed = desk.client.get("/v1/answers", params={"corpus_id": corpus}).json()["data"]
    assert len({answer["conversation_id"] for answer in listed}) == 2


def test_the_receipt_tells_what_was_read_and_what_it_cost(page: Page, answered: Json) -> None:
    see(page, answered["id"])
    expect(page.get_by_text("Everything: 3 of 3 pages in 2 documents.")).to_be_visible()
    page.get_by_text("Every page that was read").click()
    expect(page.locator(".receipt td").first).to_contain_text("harbour book.pdf")
    expect(page.locator(".receipt tbody tr").first).to_contain_text(re.compile("pages 1.2"))
    price = page.locator(".costs tr", has_text="Price")
    assert answered["cost"]["actual_usd"] in price.inner_text()
    assert answered["cost"]["estimated_usd"] in price.inner_text()


def test_what_was_left_out_is_named_with_the_reason(page: Page, desk: Desk, documents: list[str]) -> None:
    answer = desk.ask(desk.corpus(*documents), LONG, document_ids=documents[:1])
    see(page, answer["id"])
    expect(page.locator(".receipt .plain-list")).to_have_text(
        re.compile("notes.txt: not among the documents that were asked")
    )


def test_the_history_leads_back(page: Page, desk: Desk, corpus: str) -> None:
    answer = desk.ask(corpus, LONG, question="What was asked before?")
    page.goto(f"/#/c/{corpus}")
    page.get_by_role("link", name=re.compile("What was asked before")).click()
    expect(page.locator("h1.question")).to_have_text("What was asked before?")
    assert page.url.endswith(answer["id"])
    expect(page.locator('.history a[aria-current="page"]')).to_contain_text("What was asked before?")


@pytest.mark.parametrize(("button", "ending"), [("Markdown", "md"), ("JSON", "json")])
def test_an_answer_is_exported(page: Page, answered: Json, button: str, ending: str, tmp_path: Path) -> None:
    see(page, answered["id"])
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Export as {button}").click()
    assert download.value.suggested_filename.endswith(f"when-did-the-harbour-open.{ending}")
    download.value.save_as(tmp_path / "export")
    text = (tmp_path / "export").read_text(encoding="utf-8")
    assert ALTERED in text
    assert ending == "md" or json.loads(text)["id"] == answered["id"]


def test_what_is_in_doubt_says_so_and_is_resolved(page: Page, desk: Desk, corpus: str) -> None:
    answer = desk.ask(corpus, Act(text=LONG, cut_after=8))
    assert answer["status"] == "in_doubt"
    see(page, answer["id"])
    expect(page.get_by_text("Nobody can say yet whether this was billed.")).to_be_visible()
    expect(page.locator(".prose")).to_contain_text("word5")
    page.get_by_role("button", name="It was not billed").click()
    page.get_by_role("dialog").get_by_role("button", name="Free it").click()
    expect(page.get_by_text("This answer failed.")).to_be_visible()
    assert desk.finished(answer["id"])["status"] == "failed"


def test_a_failure_says_why(page: Page, desk: Desk, corpus: str) -> None:
    answer = desk.ask(corpus, upstream.status(429, "insufficient_quota"))
    see(page, answer["id"])
    expect(page.get_by_role("alert")).to_contain_text(answer["error"]["detail"])
    expect(page.get_by_role("alert")).to_contain_text("Nothing was billed.")
    expect(page.get_by_role("heading", name="What was to be read")).to_be_visible()


def volumes_of(desk: Desk) -> str:
    """A corpus that a split of the narrow window reads in three parts."""
    texts = ["\n".join(f"Ship {n}-{m} came in." for m in range(250)) for n in range(3)]
    return desk.corpus(*(desk.add(f"volume {n}.txt", text.encode()) for n, text in enumerate(texts)))


@pytest.mark.usefixtures("narrow")
def test_a_part_that_is_not_whole_is_said_and_asked_again(page: Page, desk: Desk, provider: Upstream) -> None:
    corpus = volumes_of(desk)
    provider.script.extend([upstream.refusal(), *[Act(text="Nothing found.")] * 3])
    answer = desk.finished(desk.begin(corpus, Act(text="Nothing found."), strategy="split"))
    see(page, answer["id"])
    expect(page.get_by_text("is not whole: the model refused it")).to_be_visible()
    provider.script.extend([Act(text="Nothing found.")] * 2)
    page.get_by_role("button", name="Go on for about").click()
    expect(page).not_to_have_url(re.compile(answer["id"]))
    expect(page.get_by_text("The answer cites nothing.")).to_be_visible()
    assert page.get_by_text("is not whole").count() == 0


@pytest.mark.usefixtures("narrow")
def test_what_is_held_for_a_split_in_doubt_is_that_of_its_open_calls(
    page: Page, desk: Desk, provider: Upstream
) -> None:
    corpus = volumes_of(desk)
    provider.script.extend([Act(text="Nothing found."), Act(text="Nothing found.")])
    answer = desk.finished(desk.begin(corpus, Act(text=LONG, cut_after=3), strategy="split"))
    assert answer["status"] == "in_doubt"
    held, reserved = (Decimal(answer["cost"][name]) for name in ("held_usd", "reserved_usd"))
    assert 0 < held < reserved
    see(page, answer["id"])
    expect(page.locator(".doubt")).to_contain_text(f"at most ${held.normalize():f}, and stays held until")
    expect(page.locator(".doubt")).not_to_contain_text(f"${reserved.normalize():f}")


def test_an_answer_that_was_cut_or_refused_says_so(page: Page, desk: Desk, corpus: str) -> None:
    see(page, desk.ask(corpus, upstream.refusal("I will not say."))["id"])
    expect(page.get_by_text("The model refused: I will not say.")).to_be_visible()
    see(page, desk.ask(corpus, upstream.empty_length())["id"])
    expect(page.get_by_text("The answer was cut: it reached the output")).to_be_visible()
    see(page, desk.ask(corpus, Act(text="Half", finish_reason="content_filter"))["id"])
    expect(page.get_by_text("The answer was cut: the provider's content filter")).to_be_visible()


def test_a_repair_tells_what_it_changed(page: Page, desk: Desk, corpus: str, provider: Upstream) -> None:
    said = f'It says "{ALTERED}" [D1 p.1]. And "{INVENTED}" [D1 p.2].'
    provider.script.append(Act(text=said))
    answer = desk.ask(corpus, f'1. "{OPENED}" [D1 p.1]\n2. withdrawn', repair=True)
    assert [one["verdict"] for one in answer["citations"]] == ["exact"]
    see(page, answer["id"])
    expect(page.get_by_text("1 was put right, 1 withdrawn; 0 % held before.")).to_be_visible()
    expect(page.locator(".prose")).to_contain_text(OPENED)
    expect(page.locator(".prose")).to_contain_text("[quote withdrawn]")
    expect(page.locator(".source .badge").nth(1)).to_have_text("put right")
    assert page.locator(".prose .cite").count() == 1


def test_an_answer_in_json_is_a_tree_with_its_marks(page: Page, desk: Desk, corpus: str) -> None:
    said = json.dumps(
        {
            "findings": [{"quote": OPENED, "source": "[D1 p.1]"}, {"quote": ALTERED, "source": "[D1 p.1]"}],
            "sure": True,
        }
    )
    answer = desk.ask(corpus, said, response_format={"type": "json_object"})
    see(page, answer["id"])
    assert page.locator(".tree dt").all_inner_texts() == [
        "findings",
        "quote",
        "source",
        "quote",
        "source",
        "sure",
    ]
    expect(page.locator(".tree .cite").nth(1)).to_have_attribute(
        "aria-label", re.compile("Source 2: altered")
    )
    page.locator(".tree .cite").first.click()
    expect(page.locator(".viewer img")).to_have_attribute("data-marked", "true")


@pytest.fixture
def narrow(desk: Desk, corpus: str, provider: Upstream) -> Iterator[int]:
    """The provider takes so many tokens a minute, and the service has heard it."""
    usual, provider.tokens_per_minute = provider.tokens_per_minute, 4_000
    desk.ask(corpus, "Yes.")
    yield provider.tokens_per_minute
    provider.tokens_per_minute = usual
    desk.client.delete("/v1/models/gpt-5.5/limits")


@pytest.mark.usefixtures("narrow")
def test_the_parts_of_a_split_are_counted(page: Page, desk: Desk, provider: Upstream) -> None:
    provider.script.extend([Act(text="Nothing here."), Act(text="Nothing here.", first_s=1.5)])
    answer_id = desk.begin(volumes_of(desk), Act(text="Nothing here.", first_s=3), strategy="split")
    page.goto(f"/#/a/{answer_id}")
    expect(page.get_by_text(re.compile("Read 2 of 3 parts"))).to_be_visible()
    expect(page.get_by_role("progressbar", name="Parts that were read")).to_have_attribute("max", "3")
    expect(page.get_by_text("The answer cites nothing.")).to_be_visible()


def test_it_fits_a_phone(page: Page, answered: Json) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    see(page, answered["id"])
    wider = "document.scrollingElement.scrollWidth - innerWidth"
    assert page.evaluate(wider) <= 0
    page.locator(".prose .cite").first.click()
    expect(page.locator(".viewer img")).to_be_visible()
    box = page.locator(".viewer").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 360)
    assert page.evaluate(wider) <= 0
    places = set()
    for _ in range(12):  # what lies below is out of reach
        page.keyboard.press("Tab")
        places.add(page.evaluate("document.activeElement.closest('.viewer, body')?.className"))
    assert places <= {"viewer", ""}
    page.keyboard.press("Escape")
    expect(page.locator(".prose .cite").first).to_be_focused()


def test_it_works_by_keyboard_alone(page: Page, answered: Json) -> None:
    see(page, answered["id"])
    page.locator("h1.question").focus()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('cite')"):
            break
    page.keyboard.press("Enter")
    expect(page.locator(".viewer img")).to_be_visible()
    page.keyboard.press("Alt+PageDown")
    expect(page.locator(".viewer-where")).to_have_text("Page 2 of 2")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.classList.contains('cite')")


STATES = ["ended", "source", "text", "running", "in doubt", "failed", "json", "next"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    browser: Browser,
    service: ServiceProcess,
    desk: Desk,
    corpus: str,
    answered: Json,
    watch: Watch,
    scheme: str,
) -> None:
    context = browser.new_context(reduced_motion="reduce", base_url=service.url, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    watch.over(page)
    found: dict[str, list[str]] = {}
    see(page, answered["id"])
    page.get_by_text("Every page that was read").click()
    expect(page.locator(".receipt td").first).to_be_visible()
    found["ended"] = violations(page)
    page.locator(".prose .cite").nth(1).click()
    expect(page.locator(".viewer img")).to_be_visible()
    found["source"] = violations(page)
    page.locator(".prose .cite").nth(4).click()
    expect(page.locator(".viewer mark")).to_be_visible()
    found["text"] = violations(page)
    page.keyboard.press("Escape")
    page.get_by_label("Next question in this conversation").fill("And then?")
    expect(page.get_by_role("button", name=re.compile("Ask for about"))).to_be_enabled()
    found["next"] = violations(page)
    running = desk.begin(corpus, Act(text=LONG, stall_after=12))
    page.goto(f"/#/a/{running}")
    expect(page.locator(".prose")).to_contain_text("word5")
    found["running"] = violations(page)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped on request.")).to_be_visible()
    see(page, desk.ask(corpus, Act(text=LONG, cut_after=8))["id"])
    found["in doubt"] = violations(page)
    see(page, desk.ask(corpus, upstream.status(429, "insufficient_quota"))["id"])
    found["failed"] = violations(page)
    said = json.dumps({"findings": [{"quote": OPENED, "source": "[D1 p.1]"}]})
    see(page, desk.ask(corpus, said, response_format={"type": "json_object"})["id"])
    found["json"] = violations(page)
    context.close()
    assert set(found) == set(STATES)
    assert found == {state: [] for state in found}


def test_text_is_rendered_a_few_times_a_second_at_most(page: Page, desk: Desk, corpus: str) -> None:
    answer_id = desk.begin(corpus, Act(text=LONG, between_s=0.02))
    page.goto(f"/#/a/{answer_id}")
    expect(page.get_by_text("The quote holds")).to_be_visible()
    starts = page.evaluate("""performance.getEntriesByType("resource")
        .filter((one) => one.name.endsWith("/web/markdown")).map((one) => one.startTime)""")
    assert len(starts) > 1
    *while_written, _ = starts  # the last one is sent as soon as the text is whole
    assert all(later - earlier > 150 for earlier, later in pairwise(while_written))
