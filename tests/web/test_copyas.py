"""What "Copy as" gives runs as it stands, in bash, Python and JavaScript, and never holds a key."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.answered import SAID, Desk, book, violations
from tests.support.echoing import Echo
from tests.support.shelf import corpus_of, open_corpus

HOSTILE = (
    'It\'s $HOME `id` $(id) "quoted" \\back\\ !! 100 % ~ * ; & | > # @file {a,b}\n'
    "second line\r\n\tJSON\n${x} é 🚢 漢字 "
    "\u202eright to left\u2066 \u2028 \u00a0 \U000e0041 \x7f \ufeff ''' \"\"\" </script>"
)
"""What shells, Python and JavaScript each read as something else, and signs that nobody sees."""
ASKED = "Who was the pilot's $HOME in `1871`?\nIt's \\ \"that\" 🚢"
NODE = shutil.which("node")
LONGEST = 100_000
"""Characters of one argument of a command, safely."""
LANGUAGES = ["curl", "python", "javascript"]
Json = dict[str, Any]
Run = Callable[[str, str], str]


@pytest.fixture(scope="module")
def desk(client: httpx.Client, provider: Any) -> Desk:  # noqa: ANN401 - the fixture's own
    return Desk(client, provider)


@pytest.fixture
def run(page: Page, tmp_path: Path) -> Run:
    """Run what was copied, and return what it prints; without Node the page itself runs JavaScript."""

    def running(language: str, source: str, key: str = "una_test") -> str:
        environment = {**os.environ, "UNABRIDGED_KEY": key, "NO_PROXY": "*"}
        if language == "javascript" and NODE is None:
            return page_says(page, source)
        script = tmp_path / {"curl": "it.sh", "python": "it.py", "javascript": "it.mjs"}[language]
        script.write_text(source, encoding="utf-8")
        bash = ["-c", source] if len(source) < LONGEST else [str(script)]
        command = {"curl": ["bash", *bash], "python": [sys.executable, str(script)]}.get(
            language, [str(NODE), str(script)]
        )
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return running


def page_says(page: Page, source: str) -> str:
    """Run a module on the page, and return what it logs."""
    with page.expect_console_message() as said:
        page.evaluate(
            "source => import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})))", source
        )
    return said.value.text


def copied(page: Page, language: str, what: str | None = None) -> str:
    """Open the dialog and return what stands in it."""
    page.get_by_role("button", name="Copy as…").click()
    if what:
        page.get_by_label("What it does").select_option(label=what)
    page.get_by_role("tab", name={"curl": "curl", "python": "Python"}.get(language, "JavaScript")).click()
    source = page.get_by_role("tabpanel").text_content() or ""
    page.get_by_role("button", name="Close").click()
    return source


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", ["short", "long"])
def test_the_body_arrives_as_it_was(page: Page, run: Run, language: str, size: str) -> None:
    body: Json = {
        "question": HOSTILE,
        HOSTILE: [True, False, None, 1, -2.5, [], {}],
        "__proto__": {"a": 1},
        "document_ids": [f"doc_{n:028d}" for n in range(6_000 if size == "long" else 2)],
    }
    page.goto("/")
    with Echo() as echo:
        request = {"method": "POST", "url": f"{echo.url}/v1/x%27y?a=1&b=%24c", "hasKey": True}
        source = page.evaluate(
            "async ([language, request, body]) => (await import('/static/js/snippets.js'))"
            ".LANGUAGES.find(([id]) => id === language)[2]({ ...request, body: JSON.parse(body) })",
            [language, request, json.dumps(body)],
        )
        run(language, source)
        [(method, path, headers, content)] = echo.received
    assert (method, path) == ("POST", "/v1/x%27y?a=1&b=%24c")
    assert headers["authorization"] == "Bearer una_test"
    assert json.loads(content) == body
    unseen = re.compile("[\u202e\u2066\u2028\u00a0\x7f\ufeff\U000e0041]")
    assert not unseen.search(source), "what nobody sees is written out"
    assert "una_test" not in source


@pytest.mark.parametrize("language", LANGUAGES)
def test_prices_and_answers_come_as_on_the_page(
    page: Page, client: httpx.Client, run: Run, language: str
) -> None:
    corpus = corpus_of(client, {"it's $(one).txt": 3_000, "two.txt": 2_000}, name=f"Copied {language}")
    open_corpus(page, corpus)
    page.get_by_role("switch", name="Read two.txt").uncheck()
    page.get_by_role("textbox", name="Your question").fill(ASKED)
    page.get_by_role("radiogroup", name="Plans").wait_for()
    prices = run(language, copied(page, language, "Tell the prices of this question"))
    assert "infeasible_because" in prices
    expect(page.locator(".plan-now")).to_have_count(1)
    said = run(language, copied(page, language, "Ask it: Everything at once"))
    assert "According to the documents" in said
    [answer] = client.get("/v1/answers", params={"corpus_id": corpus}).json()["data"]
    assert answer["question"] == ASKED
    assert len(answer["coverage"]["documents_in"]) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_is_read_elsewhere(page: Page, desk: Desk, run: Run, language: str, tmp_path: Path) -> None:
    corpus = desk.corpus(desk.add(f"{language}.pdf", book(tmp_path)))
    answer = desk.ask(corpus, SAID)
    page.goto(f"/#/a/{answer['id']}")
    assert answer["id"] in run(language, copied(page, language))
    assert "What the books say" in run(language, copied(page, language, "Read it as Markdown"))


def test_the_dialog_is_for_the_keyboard_and_for_axe(page: Page, client: httpx.Client) -> None:
    open_corpus(page, corpus_of(client, {"one.txt": 3_000}, name="By hand"))
    page.get_by_role("textbox", name="Your question").fill(ASKED)
    button = page.get_by_role("button", name="Copy as…")
    button.focus()
    page.keyboard.press("Enter")
    assert violations(page) == []
    page.get_by_role("tab", name="curl").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Python")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="Python")).to_contain_text("import httpx")
    page.keyboard.press("End")
    expect(page.get_by_role("tabpanel", name="JavaScript")).to_contain_text("await fetch")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert "await fetch" in page.evaluate("navigator.clipboard.readText()")
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    page.evaluate("sessionStorage.setItem('unabridged.key', 'una_secret')")
    button.click()
    source = page.get_by_role("tabpanel").text_content() or ""
    assert "UNABRIDGED_KEY" in source
    assert "una_secret" not in source
