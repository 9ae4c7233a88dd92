"""For each file of tests a browser, a service of its own, and its provider."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, FileChooser, Page, expect, sync_playwright

from tests.support.browsing import NONE_INSTALLED, OPTIONS, Watch, find_chromium
from tests.support.process import ServiceProcess
from tests.support.upstream import Upstream

PATIENCE_MS = 15_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it.

    As long as Playwright runs, its event loop counts as running, and tests elsewhere could not run theirs.
    """
    path = find_chromium()
    if path is None:
        pytest.skip(NONE_INSTALLED)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(OPTIONS))
        yield running
        running.close()


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    """The provider that the service is configured with, so that prices are real."""
    with Upstream() as server:
        yield server


@pytest.fixture(scope="module")
def service(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """`unabridged serve` on a fresh data folder."""
    data = tmp_path_factory.mktemp("web") / "data"
    with ServiceProcess(
        data, provider="openai", provider_url=provider.url, provider_key=provider.key
    ) as running:
        yield running


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """The same without a model."""
    with ServiceProcess(tmp_path_factory.mktemp("offline") / "data", provider="offline") as running:
        yield running


@pytest.fixture(scope="module")
def client(service: ServiceProcess) -> Iterator[httpx.Client]:
    """The service's REST API, to lay out what a test starts from."""
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as calling:
        yield calling


@pytest.fixture
def watch() -> Iterator[Watch]:
    """What the pages of a test complained of: nothing, or the test fails."""
    watching = Watch()
    yield watching
    assert watching.complaints == []


def _is_offered(_chooser: FileChooser) -> None:
    """Listen from the start: Chromium calls off a dialog that is asked for before it knows of a listener."""


@pytest.fixture
def page(browser: Browser, service: ServiceProcess, watch: Watch) -> Iterator[Page]:
    """A page of a fresh visitor; `page.goto("/")` is the service's."""
    context = browser.new_context(
        reduced_motion="reduce", base_url=service.url, viewport={"width": 1280, "height": 860}
    )
    context.set_default_timeout(PATIENCE_MS)
    opened = context.new_page()
    watch.over(opened)
    opened.on("filechooser", _is_offered)
    yield opened
    context.close()
