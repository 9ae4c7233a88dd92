"""The forecast of cached tokens: what two packs share, whole steps of it, and why it was missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain import caching
from service.domain.caching import Block, Chain, Code, Facts, Lead, Pack, Sent

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
AROUND = 153
"""Tokens before the first document."""
LEAD = Lead("lead", 45)

documents = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 900)), min_size=1, max_size=12, unique=True)


def chain(drawn: list[tuple[int, int]]) -> Chain:
    return caching.chain_of(Block(f'<document id="D{n}">', f"{n}-{size}", size) for n, size in drawn)


def sent(drawn: list[tuple[int, int]], *, minutes: int = 1, lead: str = "lead") -> Sent:
    return Sent("before", "cor_1", NOW - timedelta(minutes=minutes), lead, chain(drawn))


def pack(drawn: list[tuple[int, int]]) -> Pack:
    made = chain(drawn)
    return Pack(made, AROUND + made.total, LEAD)


def common(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> list[tuple[int, int]]:
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return one[:count]


@given(one=documents, other=documents, start=documents)
def test_two_packs_share_the_documents_they_begin_with(
    one: list[tuple[int, int]], other: list[tuple[int, int]], start: list[tuple[int, int]]
) -> None:
    for left, right in ((one, other), (start + one, start + other), (start, start + one)):
        shared = common(left, right)
        assert chain(left).shared(chain(right)) == chain(right).shared(chain(left)) == len(shared)
        assert chain(left).tokens(len(shared)) == sum(size for _, size in shared)


@given(now=documents, before=documents, start=documents)
def test_what_is_held_is_whole_steps_of_what_is_shared_and_never_more(
    now: list[tuple[int, int]], before: list[tuple[int, int]], start: list[tuple[int, int]]
) -> None:
    now, before = start + now, start + before
    found = caching.held(pack(now), [sent(before)])
    shared = common(now, before)
    exact = AROUND + sum(size for _, size in shared)
    assert found.tokens % 128 == 0
    assert found.tokens == 0 or found.tokens >= 1_024
    assert found.tokens <= exact + LEAD.tokens
    if exact >= 1_024:
        assert found.tokens > exact - 128
        assert found.documents == len(shared)


def test_the_longest_wins_and_of_equals_the_latest() -> None:
    whole = [(1, 2_000), (2, 2_000)]
    short, early, late = sent(whole[:1], minutes=1), sent(whole, minutes=9), sent(whole, minutes=5)
    assert caching.held(pack(whole), [short, early, late]).by == late
    assert caching.held(pack(whole), [short]).tokens == (AROUND + 2_000) // 128 * 128
    assert caching.held(pack(whole), []) == caching.Held()


def test_the_same_documents_share_the_task_s_beginning_where_that_is_the_same() -> None:
    drawn = [(1, 2_048 - AROUND - 10)]
    assert caching.held(pack(drawn), [sent(drawn)]).tokens == 2_048
    assert caching.held(pack(drawn), [sent(drawn, lead="other")]).tokens == 2_048 - 128


def test_explicit_breakpoints_hold_whole_equal_packs_alone() -> None:
    drawn = [(1, 2_000), (2, 2_000)]
    same = caching.held(pack(drawn), [sent(drawn)], at_breakpoint=True)
    assert same.tokens == AROUND + 4_000
    grown = caching.held(pack([*drawn, (3, 9)]), [sent(drawn)], at_breakpoint=True)
    assert grown == caching.Held()


def named(drawn: list[tuple[int, int]]) -> list[tuple[str, str]]:
    return [(f"doc_{n}", f"{n}.txt") for n, _ in drawn]


@pytest.mark.parametrize(
    ("now", "kind", "names", "lost"),
    [
        ([(1, 10), (2, 20), (3, 30)], "none", (), 0),
        ([(1, 10), (2, 20), (3, 30), (4, 40)], "appended", ("4.txt",), 0),
        ([(1, 10), (3, 30)], "removed", ("2.txt",), 30),
        ([(2, 20), (3, 30)], "removed", ("1.txt",), 50),
        ([(1, 10), (2, 20)], "removed", ("3.txt",), 0),
        ([(1, 10), (3, 30), (2, 20)], "changed", ("3.txt",), 50),
        ([(1, 10), (3, 30), (4, 40)], "removed", ("2.txt",), 30),
        ([(1, 10), (2, 21), (3, 30)], "changed", ("2.txt",), 51),
    ],
    ids=["same", "appended", "middle", "first", "last", "reordered", "replaced", "read anew"],
)
def test_a_change_is_named_with_what_it_loses(
    now: list[tuple[int, int]], kind: str, names: tuple[str, ...], lost: int
) -> None:
    before = [(1, 10), (2, 20), (3, 30)]
    found = caching.change(named(now), chain(now), before=named(before), then=chain(before))
    assert (found.kind, found.documents, found.lost_tokens) == (kind, names, lost)


LATER = NOW + timedelta(hours=2)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (Facts(2_048, 2_048, "hit"), "hit"),
        (Facts(2_048, 1_920, "hit"), "hit"),
        (Facts(2_048, 2_176, "hit"), "hit"),
        (Facts(2_048, 2_304, "hit"), "better_than_expected"),
        (Facts(0, 1_024, "first_question"), "better_than_expected"),
        (Facts(2_048, None, "hit"), "not_told"),
        (Facts(2_048, 0, "hit"), "evicted"),
        (Facts(2_048, 0, "hit", NOW, LATER), "expired"),
        (Facts(2_048, 0, "hit", LATER, NOW), "evicted"),
        (Facts(2_048, 0, "hit", crowded=True), "parallel"),
        (Facts(0, 0, "first_question", crowded=True), "parallel"),
        (Facts(0, 0, "first_question"), "first_question"),
        (Facts(0, 0, "too_short", crowded=True), "too_short"),
        (Facts(0, 0, "expired"), "expired"),
        (Facts(0, 0, "changed"), "changed"),
        (Facts(2_048, 2_048, "changed"), "changed"),
    ],
)
def test_why_as_much_was_cached_as_was(facts: Facts, code: Code) -> None:
    assert caching.verdict(facts) == code


def test_packs_with_the_same_beginning_go_to_the_same_place() -> None:
    one, grown, other = chain([(1, 10)]), chain([(1, 10), (2, 20)]), chain([(2, 20)])
    assert one.head == grown.head != other.head
    assert caching.key_of("a", one.head) != caching.key_of("b", one.head)


# Conversations.


def spoken(*texts: str) -> Chain:
    return caching.chain_of(Block("user", text, 100) for text in texts)


@pytest.mark.parametrize(
    ("ours", "theirs", "lead", "behind"),
    [
        (("q1", "a1"), ("q1",), "lead", 100),
        (("q1", "a1", "q2", "a2"), ("q1", "a1", "q2"), "lead", 300),
        (("q1", "a1"), ("q1", "a1", "q2"), "lead", 200 + LEAD.tokens),
        (("q1", "a1"), ("q1", "a1", "q2"), "other", 200),
        ((), ("q1",), "lead", LEAD.tokens),
        ((), ("q1", "a1", "q2"), "lead", 0),
        (("q1", "a1"), (), "lead", 0),
        (("q9", "a9"), ("q1", "a1", "q2"), "lead", 0),
        (("list", "q2", "a2"), ("q1", "a1", "q2"), "lead", 0),
    ],
    ids=str,
)
def test_what_is_held_of_a_conversation(
    ours: tuple[str, ...], theirs: tuple[str, ...], lead: str, behind: int
) -> None:
    made = chain([(1, 2_000)])
    talk = spoken(*ours)
    now = Pack(made, AROUND + made.total + talk.total, LEAD, talk)
    before = Sent("before", "cor_1", NOW, lead, made, spoken(*theirs) if theirs else caching.NO_TALK)
    assert caching.held(now, [before]).tokens == (AROUND + 2_000 + behind) // 128 * 128
    elsewhere = Sent("before", "cor_1", NOW, lead, chain([(1, 2_000), (2, 50)]), before.talk)
    assert caching.held(now, [elsewhere]).tokens == (AROUND + 2_000) // 128 * 128
    assert caching.held(now, [before], at_breakpoint=True).tokens == AROUND + 2_000


_PACKS = st.lists(
    st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True).map(tuple), min_size=1, max_size=6
)


def _pack_of(documents: tuple[int, ...], size: int) -> Pack:
    blocks = [Block(f"<document {one}>", f"identity {one}", size) for one in documents]
    chain = caching.chain_of(blocks)
    return Pack(chain, 150 + chain.total, caching.lead_of("lead", 5))


@given(packs=_PACKS, sent=_PACKS, size=st.sampled_from([300, 900, 2_000]))
def test_only_what_is_not_held_already_is_awaited(
    packs: list[tuple[int, ...]], sent: list[tuple[int, ...]], size: int
) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    live = [Sent("", "", now, "other", _pack_of(one, size).chain) for one in sent]
    told = [_pack_of(one, size) for one in packs]
    found = caching.awaited(told, live)
    for place, first in enumerate(found):
        before = caching.held(told[place], live).tokens
        if first is None:
            others = [caching.held(told[place], [_sent(told[one], now)]).tokens for one in range(place)]
            assert max(others, default=0) <= before
        else:
            assert first < place, "nobody waits for one that waits for him"
            assert caching.held(told[place], [_sent(told[first], now)]).tokens > before


def _sent(pack: Pack, now: datetime) -> Sent:
    return Sent("", "", now, pack.lead.identity, pack.chain)


def test_the_first_of_those_that_begin_alike_is_awaited_by_all() -> None:
    told = [_pack_of(one, 2_000) for one in [(0, 1), (0, 2), (3,), (0, 1, 2)]]
    assert caching.awaited(told, []) == [None, 0, None, 0]
