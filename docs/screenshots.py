"""Takes the pictures of docs/screens: python docs/screenshots.py [--chromium PATH].

Runs the service for real on a data folder of its own, behind a simulated model, lays out the examples and a
pile of made-up transcripts, and goes through the page as a person would.
"""

from __future__ import annotations

import argparse
import io
import random
import re
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support import answering
from tests.support.billing import text_of
from tests.support.browsing import NONE_INSTALLED, OPTIONS, find_chromium
from tests.support.process import ServiceProcess
from tests.support.shelf import add
from tests.support.upstream import Upstream

ROOT = Path(__file__).parents[1]
SCREENS = ROOT / "docs" / "screens"
SIZE = ViewportSize(width=1360, height=900)
COLOURS = 128
PATIENCE_MS = 60_000
QUESTION = "Which mission brought back the largest amount of lunar samples?"
DAYS = 9
TRANSCRIPTS = 9
LINES = 1_600

QUOTES = (
    "The 110.5 kilograms of samples are the largest amount brought back by any mission.",
    "The six landings brought back 382 kilograms of rock and soil in about 2,200 separate samples.",
    "The single moonwalk lasted 2 hours 31 minutes, and the samples weighed 21.55 kilograms.",
)
SAID = """**Apollo 17** brought back the most.

- Its report says so outright: "{0}" {1}
- All landings together: "{2}" {3}
- For comparison, the first one: "{4}" {5}

So a good quarter of everything that was ever carried home came with the last flight.
"""
OTHERS = (
    "How long was the first moonwalk?",
    "What went wrong with the oxygen tank of Apollo 13?",
    "Who drove the lunar rover, and how far?",
    "Which crew lost the most weight?",
    "What did the cabin atmosphere consist of after the fire?",
    "Which rock was the largest, and who found it?",
)
_SPEAKERS = ("CDR", "LMP", "CMP", "CC")
_SAYINGS = (
    "Roger, we copy. Stand by for a {0} update.",
    "The {0} reads nominal; {1} is at {2} per cent.",
    "Go ahead with the {0} check when you are ready, over.",
    "We show {2} on the {0}, and the {1} looks good from here.",
    "Say again the numbers for the {0}, please.",
    "That is affirmative. {1} to {2}, then the {0}.",
)
_PARTS = (
    "guidance platform",
    "fuel cell",
    "cabin pressure",
    "high-gain antenna",
    "landing radar",
    "suit loop",
)

Scheme = Literal["light", "dark"]


def main(chromium: str) -> None:
    """Take all pictures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Upstream(answer=said) as upstream,
        sync_playwright() as play,
    ):
        data = Path(folder) / "data"
        service = ServiceProcess(
            data, provider="openai", provider_url=upstream.url, provider_key=upstream.key
        )
        browser = play.chromium.launch(executable_path=chromium, args=list(OPTIONS))
        with service:
            shots = Shots(browser, service.url)
            shots.take_empty()
            corpus = lay_out(service.url)
            shots.take_corpus(corpus)
            shots.take_answer(corpus)
            spend(service.url, corpus)
            service.stop()
        spread_over_days(data)
        with service.start():
            shots.take_spend()
        browser.close()


@dataclass(frozen=True, slots=True)
class Shots:
    """A browser, and where the service is."""

    browser: Browser
    url: str

    def take_empty(self) -> None:
        """The first visit."""
        with self._page("light") as page:
            page.goto("/")
            page.get_by_role("button", name="Choose files").wait_for()
            keep(page, "empty")

    def take_corpus(self, corpus: str) -> None:
        """The meter over the threshold, and the plans with the long-context price to be accepted."""
        with self._page("light") as page:
            page.goto(f"/#/c/{corpus}")
            page.locator(".meter[data-status=over]").wait_for()
            keep(page, "meter")
            page.get_by_role("textbox", name="Your question").fill(QUESTION)
            page.get_by_role("radio", name="Everything at once").check()
            page.locator(".plans").evaluate("(it) => it.scrollIntoView()")
            page.mouse.move(0, 0)  # where it clicked, something else is now
            keep(page, "plans")

    def take_answer(self, corpus: str) -> None:
        """An answer, with the page of its first quote beside it."""
        with self._page("light") as page:
            page.goto(f"/#/c/{corpus}")
            page.get_by_role("textbox", name="Your question").fill(QUESTION)
            page.get_by_role("button", name="Ask for about").click()
            page.get_by_role("button", name=re.compile("exact")).first.click()
            page.locator("main img").first.wait_for()
            keep(page, "answer")

    def take_spend(self) -> None:
        """What went, after some days."""
        with self._page("dark") as page:
            page.goto("/#/spend")
            page.get_by_role("heading", name="By day", exact=True).wait_for()
            keep(page, "spend")

    @contextmanager
    def _page(self, scheme: Scheme) -> Iterator[Page]:
        context = self.browser.new_context(base_url=self.url, viewport=SIZE, color_scheme=scheme)
        context.set_default_timeout(PATIENCE_MS)
        yield context.new_page()
        context.close()


def keep(page: Page, name: str) -> None:
    """Keep what is shown, in few colours: a tenth of the size."""
    page.wait_for_timeout(700)  # what moves has come to rest
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    SCREENS.mkdir(exist_ok=True)
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(SCREENS / f"{name}.png", optimize=True)
    print(f"docs/screens/{name}.png")


def lay_out(url: str) -> str:
    """Make the corpora; return the id of the one that is asked."""
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        corpus = str(client.post("/v1/corpora", json={"name": "Apollo"}).json()["id"])
        for path in sorted((ROOT / "examples" / "apollo").iterdir()):
            add(client, corpus, path.name, path.read_bytes())
        for day in range(1, TRANSCRIPTS + 1):
            add(client, corpus, f"Air-to-ground transcript, day {day}.txt", transcript(day))
        for name in ("Harbour inquiry 1912", "Board papers"):
            client.post("/v1/corpora", json={"name": name})
        return corpus


def transcript(day: int) -> bytes:
    """Return made-up lines of talk, the same ones every time."""
    draw = random.Random(day)  # noqa: S311 - made-up text
    lines = []
    for n in range(LINES):
        saying = draw.choice(_SAYINGS).format(draw.choice(_PARTS), draw.choice(_PARTS), draw.randrange(2, 99))
        lines.append(f"{day:02} {n // 60:02} {n % 60:02} {draw.choice(_SPEAKERS):4} {saying}")
    return "\n".join(lines).encode()


def said(body: dict[str, Any]) -> str:
    """Return the simulated model's answer: with true quotes where they can be found, else a plain one."""
    prompt = "".join(text_of(message) for message in body["messages"])
    marks = [mark_of(prompt, quote) for quote in QUOTES]
    if QUESTION not in prompt or not all(marks):
        return answering.answer(body)
    return SAID.format(*(word for pair in zip(QUOTES, marks, strict=True) for word in pair))


def mark_of(prompt: str, quote: str) -> str | None:
    """Return the mark of the page with that quote, or of the findings that have it."""
    found = re.search(r"\s+".join(map(re.escape, quote.split())), prompt)
    if found is None:
        return None
    before = prompt[: found.start()]
    told = re.search(r'"?\s*(\[D\d+ p\.\d+\])', prompt[found.end() : found.end() + 20])
    if told:
        return told[1]
    document, page = re.findall(r'<document id="(D\d+)"', before), re.findall(r'<page n="(\d+)"', before)
    return f"[{document[-1]} p.{page[-1]}]"


def spend(url: str, corpus: str) -> None:
    """Ask some more, so that there is something to sum up."""
    with httpx.Client(base_url=url, timeout=300, trust_env=False) as client:
        client.put("/v1/budgets/tenant", json={"limit_usd": "50", "period": "month"})
        client.put(f"/v1/budgets/corpus:{corpus}", json={"limit_usd": "25", "period": "month"})
        for n, question in enumerate(OTHERS * 2):
            body = {"question": question, "strategy": "ranked" if n % 3 else "split"}
            client.post(f"/v1/corpora/{corpus}/answers", json=body).raise_for_status()


def spread_over_days(data: Path) -> None:
    """Put what was asked in these minutes on several days, answer by answer."""
    store = sqlite3.connect(data / "unabridged.db")
    with store:
        found = store.execute("SELECT call_id FROM ledger GROUP BY call_id ORDER BY min(id)")
        calls = [row[0] for row in found]
        answers = list(dict.fromkeys(call.rpartition(".")[0] for call in calls))
        for call in calls:
            days = (len(answers) - 1 - answers.index(call.rpartition(".")[0])) * DAYS // len(answers)
            store.execute(
                "UPDATE ledger SET at = strftime('%Y-%m-%d %H:%M:%f', at, ?) WHERE call_id = ?",
                (f"-{days} days", call),
            )
    store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", default=find_chromium(), help="where it is, if not on the PATH")
    given = parser.parse_args()
    if not given.chromium:
        sys.exit(NONE_INSTALLED)
    main(given.chromium)
