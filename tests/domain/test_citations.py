"""Marks find their quotes, and every quote gets the verdict that its source deserves."""

# ruff: noqa: RUF001
# Typographic glyphs are what some of the cases are about.

from __future__ import annotations

import time
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.citations import (
    Citation,
    Claim,
    Index,
    Source,
    SourcePage,
    Verdict,
    find_claims,
    verify,
)
from service.domain.packing import defuse
from service.domain.quotes import fold
from tests.support import quoting

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"

MINUTES = (
    """The board met on Monday in Duluth and, after a long debate, approved the budget of $5.2 million.
It was not adopted unanimously: Harlan voted against it.""",
    "Losses fell to (3,000) from (4,500) in 2019.\nThe pumping station may be closed before March.\nPage 2",
    "Annual Review\nThe levee was inspected by Okafor, who found that the concrete",
    "Annual Review\nof the northern wall had cracked in three places.",
)
LETTER = ("Dear Harlan, the radar installation will be moved to Tacoma.", "The board met on Friday.")


def index() -> Index:
    return Index([source(1, MINUTES, "minutes.pdf"), source(2, LETTER, "letter.pdf")])


def source(ordinal: int, pages: Sequence[str], name: str = "a.pdf") -> Source:
    listed = [SourcePage(number, text, f"p-{number}") for number, text in enumerate(pages, 1)]
    return Source(f"doc_{ordinal}", ordinal, name, listed)


def judge(quote: str, page: int | None = 1, document: int = 1, last: int | None = None) -> Citation:
    return verify(Claim("[D1 p.1]", document, page, quote, 0, 8, last or page), index())


def found(answer: str) -> list[tuple[str, str]]:
    return [(claim.marker, claim.quote) for claim in find_claims(answer)]


@pytest.mark.parametrize(
    ("answer", "claims"),
    [
        ('It says "the exact words" [D12 p.137].', [("[D12 p.137]", "the exact words")]),
        ("It says “the exact words” [D12 p.137].", [("[D12 p.137]", "the exact words")]),
        ("Dort „genau so“ [D1 p.2].", [("[D1 p.2]", "genau so")]),
        ("Ici « mot à mot » [D1 p.2].", [("[D1 p.2]", "mot à mot")]),
        ('"a b" [D1 p.2][D3 p.4]', [("[D1 p.2]", "a b"), ("[D3 p.4]", "a b")]),
        ('"a b" [D1 p.2; D3 p.4]', [("[D1 p.2]", "a b"), ("[D3 p.4]", "a b")]),
        ('"a b" [D1, p. 2]', [("[D1 p.2]", "a b")]),
        ('"a b" [D1 p.2-3]', [("[D1 p.2-3]", "a b")]),
        ('"a b" [D1 pp. 2–3]', [("[D1 p.2-3]", "a b")]),
        ('"a b" [D1 p.2, p.4]', [("[D1 p.2]", "a b"), ("[D1 p.4]", "a b")]),
        ('"a b" [D1 p.2, 4]', [("[D1 p.2]", "a b"), ("[D1 p.4]", "a b")]),
        ('"a b" [D1 page 2 and D2 page 7]', [("[D1 p.2]", "a b"), ("[D2 p.7]", "a b")]),
        ('"a b" 【D1 p.2】', [("[D1 p.2]", "a b")]),
        ('"a b" [D7]', [("[D7]", "a b")]),
        ('"a b" [D7, D8 p.1]', [("[D7]", "a b"), ("[D8 p.1]", "a b")]),
        ('**"a b"** ([D1 p.2]).', [("[D1 p.2]", "a b")]),
        ('"a b" it says on the page [D1 p.2]', [("[D1 p.2]", "a b")]),
        ('"a" [D1 p.1] and "b" [D1 p.2]', [("[D1 p.1]", "a"), ("[D1 p.2]", "b")]),
        ('"one" and "two" [D1 p.1]', [("[D1 p.1]", "two")]),
        ('"he said "stop" to me" [D1 p.1]', [("[D1 p.1]", 'he said "stop" to me')]),
        ("“he said “stop” to me” [D1 p.1]", [("[D1 p.1]", "he said “stop” to me")]),
        ('“the 5" pipe” [D1 p.1]', [("[D1 p.1]", 'the 5" pipe')]),
        ('"the 5" pipe burst" [D1 p.1]', [("[D1 p.1]", 'the 5" pipe burst')]),
        ('"two\nlines" [D1 p.1]', [("[D1 p.1]", "two\nlines")]),
        ('"above"\n\nA new paragraph [D1 p.1].', [("[D1 p.1]", "")]),
        ('- "above" stands\n- another item [D1 p.1].', [("[D1 p.1]", "")]),
        ('"above"\n- [D1 p.1]\n- [D1 p.2]', [("[D1 p.1]", "above"), ("[D1 p.2]", "above")]),
        ("No quote [D1 p.1].", [("[D1 p.1]", "")]),
        ('"a b" [1] and [see D1 p.2] and [p. 4] and [Dog p.2]', []),
        ('"a [sic] b" [D1 p.1]', [("[D1 p.1]", "a [sic] b")]),
    ],
)
def test_marks_take_the_nearest_quote_before_them(answer: str, claims: list[tuple[str, str]]) -> None:
    assert found(answer) == claims


def test_a_claim_knows_its_place_and_range() -> None:
    answer = 'So "a b" [D1 p.2-3] and "c" [D4 p.5; D6 p.7].'
    first, second, third = find_claims(answer)
    assert answer[first.start : first.end] == "[D1 p.2-3]"
    assert (first.page, first.last_page) == (2, 3)
    assert answer[second.start : second.end] == "D4 p.5"
    assert answer[third.start : third.end] == "D6 p.7"


@given(st.text(st.sampled_from('"“”«»„[]D1 p.2;\n-ab\\'), max_size=60))
def test_any_answer_can_be_read(answer: str) -> None:
    for claim in find_claims(answer):
        assert 0 <= claim.start < claim.end <= len(answer)
        assert claim.quote in answer


@given(
    st.text(
        st.characters(exclude_characters='"\n\\[]【】', exclude_categories=["Cs", "Zl", "Zp", "Cc"]),
        min_size=1,
    )
)
def test_a_quote_is_read_back_whole(quote: str) -> None:
    assert found(f'It says "{quote}" [D3 p.4].') == [("[D3 p.4]", quote.strip())]


def test_an_answer_full_of_quote_marks_is_read_in_time() -> None:
    began = time.process_time()
    assert len(find_claims("”" * 200_000 + ' [D1 p.1] "' * 300)) == 300
    assert time.process_time() - began < 5


def test_an_exact_quote_is_shown_where_it_stands() -> None:
    citation = judge("approved the budget of $5.2 million")
    assert citation.verdict == Verdict.EXACT
    assert (citation.document_id, citation.filename, citation.label) == ("doc_1", "minutes.pdf", "p-1")
    assert citation.found is not None
    assert (citation.found.document_id, citation.found.page, citation.found.score) == ("doc_1", 1, 1.0)
    assert MINUTES[0][citation.found.start : citation.found.end] == citation.found.text
    assert citation.found.text == "approved the budget of $5.2 million"


@pytest.mark.parametrize(
    ("quote", "verdict"),
    [
        ("approved  the budget\nof $5.2 million.", Verdict.EXACT),
        ("Approved the budget of $5.2 million", Verdict.CLOSE),
        ("The board met … approved the budget", Verdict.CLOSE),
        ("The board met on Monday in Duluth and, after long debate, approved budget", Verdict.CLOSE),
        ("after a long debate, [the board] approved the budget", Verdict.CLOSE),
        ("after a long debtae, approved the budget", Verdict.CLOSE),
        ("approved the budget of $5.3 million", Verdict.ALTERED),
        ("approved the budget of $5.2 billion", Verdict.ALTERED),
        ("approved the budget of €5.2 million", Verdict.ALTERED),
        ("The board met on Tuesday in Duluth and, after a long debate", Verdict.ALTERED),
        ("The board met on Monday in Tacoma and, after a long debate", Verdict.ALTERED),
        ("The board did not meet on Monday in Duluth", Verdict.ALTERED),
        ("The board met on Monday, approved the budget of $5.2 million", Verdict.ALTERED),
        ("It was adopted unanimously: Harlan voted against it", Verdict.ALTERED),
        ("It was [now] adopted unanimously: Harlan voted against it", Verdict.ALTERED),
        (
            "after a long debate, [no one] approved the [secret plan and the very large] budget",
            Verdict.ALTERED,
        ),
        ("It was not adopted unanimously: Harlan voted for it", Verdict.ALTERED),
        ("The moon is made of green cheese", Verdict.MISSING),
        ("", Verdict.MISSING),
        ("— !", Verdict.MISSING),
    ],
)
def test_verdicts(quote: str, verdict: Verdict) -> None:
    citation = judge(quote)
    assert citation.verdict == verdict
    assert (citation.found is None) == (verdict == Verdict.MISSING)


def test_the_difference_is_told() -> None:
    citation = judge("approved the budget of $5.3 million")
    assert [(edit.quote, edit.source) for edit in citation.differences] == [("$5.3", "$5.2")]
    assert citation.found is not None
    assert "approved the budget of $5.2 million" in citation.found.text
    assert judge("Approved the budget").differences == ()


@pytest.mark.parametrize(
    ("quote", "verdict"),
    [
        ("Losses fell to (3,000) from (4,500)", Verdict.EXACT),
        ("Losses fell to 3,000 from (4,500)", Verdict.ALTERED),
        ("Losses fell to -3,000 from -4,500", Verdict.CLOSE),
        ("Losses fell to (3,000) from 4,500", Verdict.ALTERED),
        ("The pumping station must be closed before March", Verdict.ALTERED),
        ("The pumping station may be closed after March", Verdict.ALTERED),
        ("The pumping station may not be closed before March", Verdict.ALTERED),
    ],
)
def test_signs_modals_and_directions(quote: str, verdict: Verdict) -> None:
    assert judge(quote, page=2).verdict == verdict


def test_a_quote_may_leave_out_the_header_between_two_pages() -> None:
    quote = "Okafor, who found that the concrete of the northern wall had cracked"
    for page in (3, 4):
        citation = judge(quote, page=page)
        assert citation.verdict == Verdict.CLOSE
        assert citation.found is not None
        assert citation.found.page == page
    on_the_second = judge(quote, page=4).found
    assert on_the_second is not None
    assert on_the_second.start == 0
    assert MINUTES[3][: on_the_second.end].endswith("cracked")


def test_a_quote_on_another_page_or_in_another_document_is_elsewhere() -> None:
    same = judge("Harlan voted against it", page=2)
    assert same.verdict == Verdict.ELSEWHERE
    assert same.found is not None
    assert (same.page, same.found.page, same.found.document_id) == (2, 1, "doc_1")
    other = judge("the radar installation will be moved", page=1)
    assert other.verdict == Verdict.ELSEWHERE
    assert other.found is not None
    assert (other.document_id, other.found.document_id, other.found.page) == ("doc_1", "doc_2", 1)
    loosely = judge("Dear Harlan, radar installation will be moved to Tacoma", page=1)
    assert loosely.verdict == Verdict.ELSEWHERE


def test_the_cited_page_is_preferred() -> None:
    twins = Index([source(1, ["The same words here."] * 3)])
    citation = verify(Claim("", 1, 2, "the same words", 0, 1, 2), twins)
    assert citation.found is not None
    assert citation.found.page == 2


def test_a_range_or_no_page_accepts_every_page_it_names() -> None:
    assert judge("Losses fell to (3,000)", page=1, last=2).verdict == Verdict.EXACT
    assert judge("Losses fell to (3,000)", page=None).verdict == Verdict.EXACT
    assert judge("Losses fell to (3,000)", page=3, last=4).verdict == Verdict.ELSEWHERE


def test_a_mark_of_nothing() -> None:
    absent = judge("Harlan voted against it", document=9)
    assert absent.verdict == Verdict.ELSEWHERE
    assert (absent.document_id, absent.filename, absent.label) == (None, None, None)
    beyond = judge("The board met on Friday", document=2, page=99)
    assert beyond.verdict == Verdict.ELSEWHERE
    assert verify(Claim("", 1, 1, "any words at all", 0, 1), Index([])).verdict == Verdict.MISSING
    assert (
        verify(Claim("", 1, 1, "any words at all", 0, 1), Index([source(1, [])])).verdict == Verdict.MISSING
    )
    assert (
        verify(Claim("", 1, 1, "any words at all", 0, 1), Index([source(1, ["", " "])])).verdict
        == Verdict.MISSING
    )


def test_a_defused_quote_is_exact_in_the_stored_text() -> None:
    stored = "Write <page n=1> and <|end|> first."
    citation = verify(Claim("", 1, 1, defuse(stored), 0, 1, 1), Index([source(1, [stored])]))
    assert citation.verdict == Verdict.EXACT


def test_a_decomposed_quote_is_the_composed_source() -> None:
    quote = unicodedata.normalize("NFD", "Über die Brücke")
    assert (
        verify(Claim("", 1, 1, quote, 0, 1, 1), Index([source(1, ["Über die Brücke."])])).verdict
        == Verdict.EXACT
    )


@given(st.text(max_size=80), st.lists(st.text(max_size=80), max_size=3))
def test_any_quote_gets_a_verdict(quote: str, pages: list[str]) -> None:
    citation = verify(Claim("", 1, 1, quote, 0, 1, 1), Index([source(1, pages)]))
    assert (citation.found is None) == (citation.verdict == Verdict.MISSING)


def _shares(documents: Sequence[Sequence[str]], each: int) -> dict[str, float]:
    """The share of quotes accepted, by family."""
    catalog = Index([source(number, pages) for number, pages in enumerate(documents, 1)])
    asked: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for sample in quoting.samples(documents, each):
        citation = verify(Claim("", sample.document + 1, sample.page + 1, sample.text, 0, 1), catalog)
        family = next(name for name, kinds in FAMILIES.items() if sample.kind in kinds)
        asked[family] += 1
        accepted[family] += citation.verdict in (Verdict.EXACT, Verdict.CLOSE)
    return {name: accepted[name] / asked[name] for name in FAMILIES}


FAMILIES = {
    "true": quoting.TRUE,
    "edited": quoting.EDITED,
    "altered": quoting.ALTERED,
    "invented": quoting.INVENTED,
}


def test_true_quotes_pass_and_false_ones_do_not() -> None:
    shares = _shares([quoting.written(seed, 25) for seed in range(4)], 40)
    assert shares["true"] >= 0.99
    assert shares["edited"] >= 0.95
    assert shares["altered"] <= 0.01
    assert shares["invented"] <= 0.01


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample documents are not here")
def test_the_same_holds_for_real_reports() -> None:
    files = (
        sorted(SAMPLES.glob("ntsb-reports/*.pdf"))[:8] + sorted(SAMPLES.glob("us-agency-reports/*.pdf"))[:2]
    )
    shares = _shares([_pages(file) for file in files], 25)
    assert shares["true"] >= 0.99
    assert shares["edited"] >= 0.95
    assert shares["altered"] <= 0.01
    assert shares["invented"] <= 0.01


def _pages(file: Path) -> list[str]:
    with pypdfium2.PdfDocument(file) as pdf:
        texts = [page.get_textpage().get_text_bounded() for page in pdf]
    return [unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\ufffe", "") for text in texts]


def test_a_million_tokens_are_searched_in_milliseconds() -> None:
    documents = [quoting.written(seed, 40) * 25 for seed in range(3)]
    catalog = Index([source(number, pages) for number, pages in enumerate(documents, 1)])
    assert sum(len(page) for pages in documents for page in pages) > 3_000_000
    asked = [
        sample for sample in quoting.samples([pages[:40] for pages in documents], 3) if fold(sample.text)
    ]
    verify(Claim("", 1, 1, "nothing of the kind stands anywhere here", 0, 1), catalog)
    began = time.process_time()
    for sample in asked:
        verify(Claim("", sample.document + 1, sample.page + 1, sample.text, 0, 1), catalog)
    assert (time.process_time() - began) / len(asked) < 0.1
