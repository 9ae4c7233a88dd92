"""Waste: what says the same goes once, the earlier stays, and leaving out never costs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import chain, combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.resemblance import SIZE, phrases, resemblance
from service.domain import planner, pricing, waste
from service.domain.catalog import Catalog
from service.domain.corpora import Member
from service.domain.documents import DocumentStatus, Troubles
from service.domain.planner import Terms
from service.domain.prompt_counts import PromptCounts
from service.domain.waste import NEAR, SWITCHES, LeftOut, Likeness, Sample

CATALOG = Catalog.parse(
    (Path(__file__).resolve().parents[2] / "service/domain/catalog.toml").read_text(encoding="utf-8")
)
TERMS = Terms(
    model=replace(CATALOG.model("gpt-5.5"), threshold_tokens=2_000),
    tier="standard",
    on=date(2026, 11, 22),
    counts=PromptCounts(instructions=200, task=60, part_task=90, merge_instructions=120, merge_task=55),
    reserved_output_tokens=2_000,
    expected_output_tokens=1_400,
    guard_tokens=100,
)
"""A threshold that little documents pass."""
ALL = list(chain.from_iterable(combinations(SWITCHES, n) for n in range(len(SWITCHES) + 1)))


def member(
    ordinal: int, *, text: int | None = None, pages: int = 4, tokens: int = 400, blank: int = 0
) -> Member:
    """A document; the same `text` is the same text. A page repeats 5 tokens, a blank one counts 6."""
    return Member(
        document_id=f"doc_{ordinal}",
        ordinal=ordinal,
        filename=f"{ordinal}.pdf",
        status=DocumentStatus.READY,
        wrapper_tokens=20,
        pages_tokens=tokens + 6 * blank,
        pages=pages + blank,
        chars=tokens * 4,
        pages_without_text=blank,
        pack_sha256=f"{ordinal if text is None else text:064x}",
        pages_blank=blank,
        blank_tokens=6 * blank,
        repeated_tokens=min(5 * pages, tokens),
    )


def likeness(members: Sequence[Member], samples: Sequence[Sequence[int]]) -> Likeness:
    taken = {
        one.document_id: Sample(tuple(sorted(values)), 1e9)
        for one, values in zip(members, samples, strict=True)
    }
    return Likeness(taken, resemblance)


def naive(members: Sequence[Member], near: Likeness) -> dict[str, tuple[str, float]]:
    """Every document against every one that stays."""
    kept: list[str] = []
    out: dict[str, tuple[str, float]] = {}
    for one in members:
        mine = near.samples[one.document_id].values
        found = [(resemblance(mine, near.samples[other].values), other) for other in kept]
        best = max(found, key=lambda pair: pair[0], default=(0.0, ""))
        if mine and best[0] >= NEAR:
            out[one.document_id] = best[1], best[0]
        else:
            kept.append(one.document_id)
    return out


samples = st.lists(
    st.sets(st.integers(1, 40), max_size=30) | st.sets(st.integers(1, 12), min_size=8),
    min_size=1,
    max_size=12,
)
large = st.integers(0, 2**32).map(
    lambda seed: [
        set(draw.sample(range(1, 330), draw.choice([180, 256, 256, 250])))
        for draw in [random.Random(seed)]  # noqa: S311 - made-up samples
        for _ in range(8)
    ]
)
forms = st.tuples(st.integers(0, 4), st.integers(1, 900), st.integers(0, 3))
mixed = st.tuples(
    st.lists(forms, min_size=4, max_size=4), st.lists(st.integers(0, 3), min_size=1, max_size=8)
).map(
    lambda drawn: [
        member(ordinal, text=text, pages=pages, tokens=tokens + 5 * pages, blank=blank)
        if pages
        else member(ordinal, text=text, pages=0, tokens=0, blank=blank + 1)._replace(chars=0)
        for ordinal, text in enumerate(drawn[1], 1)
        for pages, tokens, blank in [drawn[0][text]]
    ]
)
"""Documents of up to four texts; see `alike`."""


def alike(members: Sequence[Member]) -> Likeness:
    """The first text and the last are nearly the same."""
    return likeness(members, [[int(one.pack_sha256, 16) % 3, *range(100, 109)] for one in members])


@given(drawn=samples | large)
def test_the_index_finds_what_comparing_all_finds(drawn: list[set[int]]) -> None:
    members = [member(ordinal) for ordinal in range(1, len(drawn) + 1)]
    near = likeness(members, [sorted(values) for values in drawn])
    lean = waste.without(members, ["near_duplicates"], likeness=near)
    found = {one.member.document_id: (one.of.document_id, one.similarity) for one in lean.out if one.of}
    assert found == naive(members, near)
    assert len(lean.kept) + len(lean.out) == len(members)


def test_near_duplicates_are_drawn_at_all() -> None:
    """The strategy above is worth nothing where no two samples are alike."""
    draw = random.Random(5)  # noqa: S311 - made-up samples
    base = sorted(draw.sample(range(10_000), SIZE))
    other = sorted({*base[30:], *range(20_000, 20_030)})
    members = [member(1), member(2), member(3)]
    near = likeness(members, [base, list(range(30_000, 30_256)), other])
    (out,) = waste.without(members, ["near_duplicates"], likeness=near).out
    assert (out.member, out.of) == (members[2], members[0])
    assert out.reason == f"says the same as D1 1.pdf ({int(resemblance(base, other) * 100)} %)"


def test_a_chain_ends_at_what_stays() -> None:
    """3 is like 2 and not like 1: where 2 goes for 1, 3 stays."""
    members = [member(n) for n in (1, 2, 3)]
    values = [list(range(100)), list(range(10, 110)), list(range(20, 120))]
    lean = waste.without(members, ["near_duplicates"], likeness=likeness(members, values))
    assert [one.document_id for one in lean.kept] == ["doc_1", "doc_3"]


def test_the_same_text_goes_by_either_switch() -> None:
    members = [member(1, text=7), member(2), member(3, text=7)]
    for switch in ("duplicates", "near_duplicates"):
        lean = waste.without(members, [switch], likeness=likeness(members, [[], [], []]))
        (out,) = lean.out
        assert (out.switch, out.member.ordinal, out.similarity) == (switch, 3, 1.0)
    assert not waste.without(members, ["repeated", "blank"]).out
    assert waste.without(members, ["duplicates"]).out[0].reason == "says the same as D1 1.pdf (100 %)"


def test_only_the_same_text_is_all_of_it() -> None:
    alike = LeftOut(member(2), "near_duplicates", member(1), 1.0)
    assert alike.reason == "says the same as D1 1.pdf (99 %)"


def test_documents_without_text_are_never_the_same() -> None:
    scans = [member(n, text=1)._replace(pages_without_text=4) for n in (1, 2)]
    empty = [member(n, text=1)._replace(chars=0) for n in (1, 2)]
    for members in (scans, empty):
        near = likeness(members, [[1, 2, 3], [1, 2, 3]])
        assert len(waste.without(members, SWITCHES, likeness=near).kept) == 2


def test_a_sample_that_misses_most_of_the_text_proves_nothing() -> None:
    """Two tables of figures under the same headings."""
    values = tuple(range(20))

    def kept(chars: int, of: float) -> int:
        members = [member(n)._replace(chars=chars) for n in (1, 2)]
        near = Likeness({one.document_id: Sample(values, of) for one in members}, resemblance)
        return len(waste.without(members, ["near_duplicates"], likeness=near).kept)

    assert (kept(40_000, of=20), kept(40_000, of=600), kept(40_000, of=700)) == (2, 2, 1)
    assert (kept(400, of=19), kept(400, of=20)) == (2, 1)


def test_a_blank_document_goes_with_its_tags() -> None:
    blank = member(2, pages=0, tokens=0, blank=3)._replace(chars=0)
    lean = waste.without([member(1), blank], ["blank"])
    assert [one.document_id for one in lean.kept] == ["doc_1"]
    assert [(one.member, one.reason, one.of) for one in lean.out] == [(blank, "blank", None)]


@given(members=mixed)
@settings(max_examples=50)
def test_leaving_out_never_adds_tokens_or_cost(members: list[Member]) -> None:
    found: dict[frozenset[str], tuple[int, pricing.Estimate]] = {}
    for switches in map(frozenset, ALL):
        lean = waste.without(members, switches, likeness=alike(members))
        tokens = planner.whole_input(lean.kept, TERMS.counts)
        estimate = planner.price_whole(tokens, TERMS)
        assert estimate is not None
        found[switches] = tokens, estimate
    for fewer, more in ((a, b) for a in found for b in found if a < b):
        (before, dear), (after, cheap) = found[fewer], found[more]
        assert after <= before
        assert cheap.cold_usd <= dear.cold_usd
        assert cheap.max_usd <= dear.max_usd


@given(members=mixed)
def test_the_price_of_a_count_is_the_plans(members: list[Member]) -> None:
    plan = planner.plan_whole(members, TERMS)
    assert plan.estimate == planner.price_whole(plan.input_tokens, TERMS)


def test_a_count_over_the_window_has_no_price() -> None:
    assert planner.price_whole(planner.max_input(TERMS) + 1, TERMS) is None
    assert planner.price_whole(planner.max_input(TERMS), TERMS) is not None


@given(members=mixed)
def test_the_items_add_up_to_what_leaving_out_saves(members: list[Member]) -> None:
    lean = waste.without(members, SWITCHES, likeness=alike(members))
    found = waste.items(lean, {one.document_id: Troubles(repeating=one.pages) for one in members})
    spared = sum(one.tokens for one in members) - lean.tokens
    assert sum(item.tokens for item in found if item.switch) == spared
    assert [item.tokens for item in found] == sorted((item.tokens for item in found), reverse=True)


def test_unreadable_pages_stand_behind_what_can_be_left_out() -> None:
    members = [member(1, blank=1)]
    troubles = {"doc_1": Troubles(2, without_text=3, without_text_tokens=21, garbled=1, garbled_tokens=900)}
    found = waste.items(waste.without(members, SWITCHES), troubles)
    assert [(item.kind, item.pages, item.tokens, item.switch) for item in found] == [
        ("repeated", 2, 20, "repeated"),
        ("blank", 1, 6, "blank"),
        ("garbled", 1, 900, None),
        ("no_text", 3, 21, None),
    ]


@given(members=mixed)
def test_counts_tell_of_every_switch_that_saves(members: list[Member]) -> None:
    spare = waste.by_counts(members)
    assert spare.tokens == sum(one.tokens for one in members) - spare.lean.tokens >= 0
    assert set(spare.switches) <= set(waste.BY_COUNTS)
    assert (spare.tokens > 0) == bool(spare.switches)
    assert waste.by_counts(spare.lean.kept).tokens == 0


@pytest.mark.parametrize(("repeated", "told"), [(9, False), (10, True)])
def test_less_than_a_hundredth_is_not_worth_telling(repeated: int, *, told: bool) -> None:
    one = member(1, tokens=980)._replace(repeated_tokens=repeated)
    assert (waste.worth_telling([one]) is not None) is told


def test_nothing_is_worth_telling_of_nothing() -> None:
    assert waste.worth_telling([]) is None


def test_two_thousand_documents_are_compared_by_their_rare_phrases_alone() -> None:
    """All of them share most phrases of a form; only the pairs are alike, and only they are compared."""
    draw = random.Random(3)  # noqa: S311 - made-up samples
    form = draw.sample(range(1 << 31), 190)
    own = [draw.sample(range(1 << 31, 1 << 32), 66) for _ in range(1_000)]
    members = [member(n) for n in range(1, 2_001)]
    compared = 0

    def compare(one: Sequence[int], other: Sequence[int]) -> float:
        nonlocal compared
        compared += 1
        return resemblance(one, other)

    near = likeness(members, [sorted(form + values) for values in own for _ in range(2)])
    lean = waste.without(members, ["near_duplicates"], likeness=Likeness(near.samples, compare))
    assert [one.ordinal for one in lean.kept] == list(range(1, 2_001, 2))
    assert compared == 1_000


def test_a_full_sample_tells_how_many_phrases_there_are() -> None:
    draw = random.Random(4)  # noqa: S311 - made-up samples
    hashes = sorted({draw.randrange(1 << 32) for _ in range(50_000)})
    assert phrases(hashes[:SIZE]) == pytest.approx(len(hashes), rel=0.2)
    assert phrases(hashes[:SIZE][:100]) == 100
    assert phrases([]) == 0


def test_a_saving_is_the_cliff_too() -> None:
    now, then = (planner.price_whole(tokens, TERMS) for tokens in (2_001, 2_000))
    assert now is not None
    assert then is not None
    assert now.cold_usd - then.cold_usd > pricing.input_usd(
        1_000,
        TERMS.model.rates("standard", "long", TERMS.on),  # type: ignore[arg-type]
    )
