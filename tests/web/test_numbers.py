"""The page's own arithmetic, run in the browser: money is exact, shares and short forms don't mislead."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from service.domain.pricing import rounded_up
from service.web import assets

_IMPORT = "async ([module, name, args]) => String((await import(`/static/js/${module}.js`))[name](...args))"
_AMOUNTS = """async (texts) => {
  const { amount, exact, dollars } = await import('/static/js/money.js');
  return texts.map((text) => [String(amount(text)), exact(amount(text)), dollars(amount(text))]);
}"""
_PRICES = """async (pairs) => {
  const { priceOf } = await import('/static/js/money.js');
  return pairs.map(([tokens, usd]) => String(priceOf(tokens, usd)));
}"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """A blank page that has the page's modules, and no service."""

    def send(route: Route) -> None:
        asset = assets.load().files.get(route.request.url.partition("/static/")[2])
        body, kind = (asset.content, asset.media_type) if asset else (b"<!doctype html>", "text/html")
        route.fulfill(body=body, content_type=kind)

    context = browser.new_context(reduced_motion="reduce", base_url="http://modules.test")
    context.route("**/*", send)
    blank = context.new_page()
    blank.goto("/")
    yield blank
    context.close()


def test_amounts_are_exact(page: Page) -> None:
    draw = random.Random(7)  # noqa: S311 - made-up amounts
    texts = ["0", "0.00", "3.12487", "0.1514165", "0.000000000001", "1234567.89", "999999999999.999999999999"]
    texts += [
        f"{draw.randrange(10 ** draw.randrange(1, 9))}.{draw.randrange(10**12):012}" for _ in range(300)
    ]
    for text, (units, exact, dollars) in zip(texts, page.evaluate(_AMOUNTS, texts), strict=True):
        value = Decimal(text)
        assert Decimal(units) == value * 10**12
        assert Decimal(exact[1:].replace(",", "")) == value
        shown = Decimal(dollars[1:].replace(",", ""))
        assert f"${shown}" == rounded_up(value), "a figure is the same here and in the service's sentences"


_SUM = """async (texts) => {
  const { amount, asShown, dollars } = await import('/static/js/money.js');
  const amounts = texts.map(amount);
  return [dollars(amounts.reduce((all, one) => all + asShown(one), 0n)), amounts.map(dollars)];
}"""


@pytest.mark.parametrize("texts", [["3.061", "3.061"], ["0.23587", "0.23587"], ["1.001", "0.99991"]])
def test_a_shown_sum_is_not_below_what_is_shown(page: Page, texts: list[str]) -> None:
    said, each = page.evaluate(_SUM, texts)
    assert said == rounded_up(sum((Decimal(one.strip("$")) for one in each), Decimal(0)))


def test_prices_of_tokens_are_exact(page: Page) -> None:
    draw = random.Random(8)  # noqa: S311 - made-up counts
    rates = ["5", "0.5", "10", "2.5", "0.25", "22.5", "0.005", "12.5"]
    pairs = [(draw.randrange(2_000_000), draw.choice(rates)) for _ in range(300)]
    for (tokens, usd), units in zip(pairs, page.evaluate(_PRICES, pairs), strict=True):
        assert Decimal(units) == tokens * Decimal(usd) / 10**6 * 10**12


@pytest.mark.parametrize(
    ("module", "name", "args", "said"),
    [
        ("numbers", "count", [301687], "301,687"),
        ("numbers", "plural", [1, "page"], "1 page"),
        ("numbers", "plural", [2000, "page"], "2,000 pages"),
        ("numbers", "percent", [1], "100 %"),
        ("numbers", "percent", [0.99999], "> 99.9 %"),
        ("numbers", "percent", [0.0000001], "< 0.1 %"),
        ("numbers", "percent", [0], "0 %"),
        ("numbers", "percent", [26.06], "2,606 %"),
        ("numbers", "bytes", [4_200_000], "4.2 MB"),
        ("differences", "steps", [["in", "2020"], ["in", "2020."]], "same,in,2020"),
        ("differences", "steps", [["in", "2,020"], ["in", "2.020,"]], "same,in,del,2,020,ins,2.020,"),
        ("money", "onScale", [0], "$0.00"),
        ("money", "onScale", [0.5], "$0.50"),
        ("money", "onScale", [0.125], "$0.125"),
        ("money", "onScale", [12.5], "$12.50"),
        ("plainwords", "plainly", ["It costs $1.234567, or $0.00001."], "It costs $1.24, or $0.0001."),
        (
            "plainwords",
            "plainly",
            ["It goes to blank pages: leave them out with leave_out."],
            "It goes to blank pages.",
        ),
        ("plainwords", "plainly", ["Ask with budget_tokens 32000."], "Ask with a budget of 32,000 tokens."),
        ("plainwords", "plainly", ["Name fewer documents in document_ids."], "Switch some documents off."),
        ("upload", "isLitter", ["a/.DS_Store"], "true"),
        ("upload", "isLitter", ["__MACOSX/a.pdf"], "true"),
        ("upload", "isLitter", ["a/~$report.docx"], "true"),
        ("upload", "isLitter", ["reports/2021/a.pdf"], "false"),
        ("tally", "statusOf", [272000, 272000, 922000], "near"),
        ("tally", "statusOf", [272001, 272000, 922000], "over"),
        ("tally", "statusOf", [922001, 272000, 922000], "beyond"),
        ("tally", "statusOf", [900000, None, 922000], "below"),
    ],
)
def test_words(page: Page, module: str, name: str, args: list[Any], said: str) -> None:
    assert page.evaluate(_IMPORT, [module, name, args]) == said
