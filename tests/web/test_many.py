"""Two thousand documents: few rows are built, all are reached, and the meter counts every one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from service import factory, jobs
from service.usecases import arrange_corpus
from service.usecases.context import LOCAL
from tests.support.process import ServiceProcess
from tests.support.server import settings_in, stored
from tests.support.shelf import open_corpus, shown_tokens

DOCUMENTS = 2_000
MOST_ROWS = 60
TAGS = 40
"""More tokens than a document's tags count."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data folder with a corpus of so many documents, of one token, two and so on, and the corpus's id."""
    folder = tmp_path_factory.mktemp("many")
    ctx = factory.open_context(settings_in(folder), queue=jobs.JobQueue)
    ids = [stored(ctx, pages=1, tokens=n) for n in range(1, DOCUMENTS + 1)]
    corpus = arrange_corpus.create(ctx, LOCAL, name="Many", document_ids=ids)
    ctx.close()
    return folder / "data", corpus.id


@pytest.fixture(scope="module")
def service(data: tuple[Path, str]) -> Iterator[ServiceProcess]:
    """The service on that folder."""
    with ServiceProcess(data[0], provider="offline") as running:
        yield running


def test_two_thousand_documents(page: Page, data: tuple[Path, str]) -> None:
    open_corpus(page, data[1])
    rows = page.locator(".windowed-row")
    expect(rows.first).to_have_attribute("aria-setsize", f"{DOCUMENTS}")
    assert rows.count() < MOST_ROWS
    every = shown_tokens(page)
    assert every > sum(range(1, DOCUMENTS + 1))
    rows.first.get_by_role("switch").focus()
    page.keyboard.press("End")
    last = page.locator(f'.windowed-row[aria-posinset="{DOCUMENTS}"]').get_by_role("switch")
    expect(last).to_be_focused()
    assert rows.count() < MOST_ROWS
    page.keyboard.press("Space")
    fewer = shown_tokens(page)
    assert DOCUMENTS < every - fewer < DOCUMENTS + TAGS
    page.get_by_role("switch", name="All documents").check()
    assert shown_tokens(page) == every
    page.get_by_role("switch", name="All documents").uncheck()
    assert shown_tokens(page) == 0
    page.locator(".windowed").evaluate("(it) => { it.scrollTop = 40000; }")
    expect(page.locator('.windowed-row[aria-posinset="775"]')).to_be_visible()
    assert rows.count() < MOST_ROWS


def test_finding_one_among_them(page: Page, data: tuple[Path, str]) -> None:
    open_corpus(page, data[1])
    page.get_by_role("searchbox").fill("no such name")
    expect(page.locator(".windowed-row")).to_have_count(0)
    page.get_by_role("searchbox").fill("1X777")
    expect(page.locator(".windowed-row")).to_have_count(1)
    expect(page.get_by_role("switch", name="Read 1x777.txt")).to_be_checked()
