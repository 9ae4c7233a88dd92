"""Repeated headers and footers: found where they are, left where they are not, and counted exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ingest
from ingest.document import Finished, Margin, Page
from ingest.margins import NEAR, Margins
from ingest.normalize import normalize
from ingest.tokens import count_tokens
from service.domain import packing
from tests.support.pdfs import text_pdf

SAMPLE = (
    Path(__file__).resolve().parents[2]
    / "../shared/samples/us-agency-reports/2018-annual-performance-report.pdf"
)


def margins_of(texts: Iterable[str]) -> dict[int, Margin]:
    margins = Margins()
    for number, text in enumerate(texts, start=1):
        margins.add(number, text)
    found = margins.found()
    assert [one.page for one in found] == sorted({one.page for one in found})
    return {one.page: one for one in found}


def cuts(texts: list[str]) -> list[tuple[str, str]]:
    """What is cut off each page, at its start and at its end."""
    found = margins_of(texts)
    none = Margin(0, 0, 0, 0)
    parts = [(text, found.get(number, none)) for number, text in enumerate(texts, start=1)]
    return [(text[: one.head], text[len(text) - one.foot :]) for text, one in parts]


def lean(text: str, one: Margin) -> str:
    return text[one.head : len(text) - one.foot]


def body(number: int) -> str:
    return f"What {'x' * number} alone says\nand how {'y' * number} goes on."


def test_page_numbers_and_running_titles_are_found() -> None:
    texts = [f"The Annual Report\n\n{body(number)}\nPage {number} of 9" for number in range(1, 10)]
    title = "The Annual Report\n\n"
    assert cuts(texts) == [("", "")] + [(title, f"\nPage {number} of 9") for number in range(2, 10)]


def test_a_bare_page_number_is_left_out_from_the_first() -> None:
    texts = [f"{body(number)}\n\n{number + 4}" for number in range(1, 4)]
    assert cuts(texts) == [("", f"\n{number + 4}") for number in range(1, 4)]


def test_roman_numerals_count_along() -> None:
    numerals = ("vii", "viii", "ix", "x")
    texts = [f"{body(at)}\n{numeral}" for at, numeral in enumerate(numerals)]
    assert [foot for _, foot in cuts(texts)] == ["\nvii", "\nviii", "\nix", "\nx"]


def test_left_and_right_pages_have_their_own() -> None:
    heads = [f"{at} The Whole Book" if at % 2 else f"The First Chapter {at}" for at in range(11, 21)]
    texts = [f"{head}\n{body(at)}" for at, head in enumerate(heads)]
    assert [head for head, _ in cuts(texts)] == ["", ""] + [f"{head}\n" for head in heads[2:]]


def test_a_chapters_title_is_said_once() -> None:
    titles = ["Of the Beginning"] * 4 + ["Of the Middle"] * 4
    texts = [f"{title}\n{body(at)}" for at, title in enumerate(titles)]
    assert [bool(head) for head, _ in cuts(texts)] == [False, True, True, True] * 2


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param([body(at) for at in range(9)], id="nothing repeated"),
        pytest.param([f"Annual Report\n{body(at)}" for at in range(2)], id="twice is not enough"),
        pytest.param([f"2019 2018 2017\n{body(at)}" for at in range(9)], id="a row of years"),
        pytest.param([f"{body(at)}\n{value}" for at, value in enumerate([7, 40, 12, 99, 3])], id="no count"),
        pytest.param([f"Table {at}\n{body(at)}" for at in range(9)], id="numbered items"),
        pytest.param([f"{body(at)}\nTotal {at * 317} 12,4{at * 7:02}" for at in range(9)], id="totals"),
        pytest.param([f"{body(at)}\n{at}.5" for at in range(9)], id="decimals"),
        pytest.param([f"Annual Report\nPage {at}" for at in range(9)], id="nothing else on the page"),
        pytest.param(["Target Actual\nx\nTarget Actual\n" + body(at) for at in range(9)], id="said again"),
        pytest.param([body(at) + "\nSource: own" * (at % 4 == 0) for at in range(30)], id="a note at times"),
        pytest.param(["", "", ""], id="no text"),
    ],
)
def test_what_a_page_says_itself_stays(texts: list[str]) -> None:
    assert cuts(texts) == [("", "")] * len(texts)


@pytest.mark.parametrize("follows", ["/usr", "  indented", "\tindented"])
def test_an_edge_that_does_not_count_exactly_stays(follows: str) -> None:
    texts = [f"The Annual Report\n{follows} {body(at)}\n/annual/report {at}" for at in range(5)]
    assert cuts(texts) == [("", "")] * 5


@pytest.mark.parametrize("char", ["<", "\uff1c", "\ufe64"])
def test_an_edge_that_may_be_packed_otherwise_stays(char: str) -> None:
    heads = [f"Annual Report {char}page\n{body(at)}" for at in range(5)]
    feet = [f"x {char}\npage 12=x, no {at}" for at in range(5)]
    assert cuts(heads) == cuts(feet) == [("", "")] * 5
    ended = [f"x {char} y.\nAnnual Report {at}" for at in range(5)]
    assert [bool(foot) for _, foot in cuts(ended)] == [False, True, True, True, True]


def test_only_pages_near_are_held() -> None:
    margins = Margins()
    for number in range(100):
        margins.add(number, f"The Annual Report\n{body(number)}")
        assert len(margins._held) <= 2 * NEAR + 1  # noqa: SLF001 - the bound is the point
    assert len(margins.found()) == 99


def test_every_number_of_three_digits_is_one_token() -> None:
    """Which is why a footer is counted once for all page numbers of as many digits."""
    for size in (1, 2, 3):
        assert {count_tokens("".join(digits)) for digits in product("0123456789", repeat=size)} == {1}


HOSTILE = ["<", "</", "<page", "\uff1c", "\ufe64", "=", ">", "/", "//", " ", "\t", "\n", "\n\n\n", "\u3000"]
HOSTILE += [
    "page",
    "document",
    "a=",
    "|",
    "\u200d",
    "\ufe0f",
    "\u0301",
    "½",
    "²",
    "7",
    "iv",
    "'s",
    "...",
    ".",
]
words = st.one_of(st.sampled_from([*HOSTILE, "Report", "Annual ", "of 12"]), st.text(max_size=3))
lines = st.lists(words, max_size=5).map("".join)
Format = Callable[[int], str]


def with_number(parts: tuple[str, str]) -> Format:
    return lambda number: f"{parts[0]}{number}{parts[1]}"


edges = st.one_of(
    st.tuples(lines, lines).map(with_number),
    st.sampled_from([lambda number: f"Page {number} of 12", lambda _: "The Annual Report", lambda _: "Page"]),
)
documents = st.tuples(edges, edges, edges, edges, st.lists(lines, min_size=3, max_size=14))


@settings(max_examples=400, deadline=None)
@given(documents)
def test_a_page_counts_less_by_what_is_said(
    document: tuple[Format, Format, Format, Format, list[str]],
) -> None:
    *formats, bodies = document
    texts = {}
    for number, middle in enumerate(bodies, start=1):
        first, second, third, last = (one(number) for one in formats)
        texts[number] = normalize(f"{first}\n{second}\n{middle}\n{third}\n{last}")
    for number, one in margins_of(texts.values()).items():
        whole, rest = Page(number, texts[number]), Page(number, lean(texts[number], one))
        assert rest.text.strip()
        assert one.head or one.foot
        assert packing.frame(rest) == packing.block(number, lean(packing.defuse(whole.text), one))
        assert count_tokens(packing.frame(rest)) == count_tokens(packing.frame(whole)) - one.tokens


def read(path: Path) -> tuple[dict[int, Page], Finished]:
    events = list(ingest.read(path, filename=path.name, frame=packing.frame))
    last = events[-1]
    assert isinstance(last, Finished)
    return {page.number: page for page in events if isinstance(page, Page)}, last


def test_a_pdf_tells_its_margins(tmp_path: Path) -> None:
    pages = [
        ["The Annual Report", f"This is what {number * 7} says.", f"{number}"] for number in range(1, 50)
    ]
    _, last = read(text_pdf(tmp_path / "a.pdf", pages))
    assert [one.page for one in last.margins] == list(range(1, 50))
    assert last.margins[9] == Margin(10, len("The Annual Report\n"), len("\n10"), 3 + 1 + 2)


def test_the_rows_of_a_table_are_no_margins(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("the same row,every time\n" * 2_000)
    pages, last = read(path)
    assert len(pages) == 10
    assert last.margins == ()


@pytest.mark.skipif(not SAMPLE.is_file(), reason="the real documents are not here")
def test_a_real_report_counts_less_by_what_is_said() -> None:
    pages, last = read(SAMPLE)
    assert len(last.margins) > 50
    for one in last.margins:
        rest = Page(one.page, lean(pages[one.page].text, one))
        assert count_tokens(packing.frame(rest)) == pages[one.page].tokens - one.tokens
