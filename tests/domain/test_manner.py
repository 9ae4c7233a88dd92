"""What of a page is packed: what is left out is counted exactly, and never makes a prompt longer."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import count_tokens
from service.domain import packing
from service.domain.corpora import Member
from service.domain.documents import DocumentStatus, PageCount, PageText
from service.domain.manner import BLANK, REPEATED, Manner, PageImages, sum_of

MANNERS = [Manner.without(names) for n in range(3) for names in combinations((REPEATED, BLANK), n)]
lines = st.sampled_from(
    ["", "Annual report 2024\n", "\n", "/usr\n", "Page 3", " x\n", "\u0301", "<page n=\n"]
)
margins = st.lists(lines, max_size=2).map("".join)


@st.composite
def pages(draw: st.DrawFn) -> list[PageText]:
    """Stored pages, counted as ingest counts them."""
    found = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        head, body, foot = draw(margins), draw(margins | st.text(max_size=30)), draw(margins)
        head, body, foot = map(packing.defuse, (head, body, foot))
        text = head + body + foot
        tokens = count_tokens(packing.block(number, text))
        bare = count_tokens(packing.block(number, body))
        flags = draw(st.sampled_from([(), ("blank", "no_text"), ("repeated",), ("blank", "repeated")]))
        found.append(PageText(number, tokens, text, None, flags, len(head), len(foot), tokens - bare))
    return found


def member_of(stored: list[PageText], manner: Manner) -> Member:
    """As `documents.finish` sums its pages up."""
    blank = [page for page in stored if "blank" in page.flags]
    return Member(
        document_id="doc_1",
        ordinal=1,
        filename="1.pdf",
        status=DocumentStatus.READY,
        wrapper_tokens=count_tokens(packing.wrapper(1, "1.pdf")),
        pages_tokens=sum(page.tokens for page in stored),
        pages=len(stored),
        chars=sum(len(page.text) for page in stored),
        pages_without_text=len(blank),
        pack_sha256="a" * 64,
        pages_blank=len(blank),
        blank_tokens=sum(page.tokens for page in blank),
        repeated_tokens=sum(max(page.repeated_tokens, 0) for page in stored if page not in blank),
        manner=manner,
    )


def packed(stored: list[PageText], manner: Manner) -> str:
    blocks = [packing.block(page.number, manner.text(page)) for page in stored if manner.packs(page)]
    return "".join([packing.open_document(1, "1.pdf"), *blocks, packing.CLOSE])


@given(stored=pages())
@settings(deadline=None)  # the encoder loads at the first count
def test_a_document_counts_what_the_encoder_counts_in_every_manner(stored: list[PageText]) -> None:
    for manner in MANNERS:
        member = member_of(stored, manner)
        assert member.tokens == count_tokens(packed(stored, manner))
        assert member.tokens == member.wrapper_tokens + sum(manner.tokens(page) for page in stored)
        assert member.packed_pages == sum(manner.packs(page) for page in stored)


@given(stored=pages())
def test_leaving_out_never_adds_a_token(stored: list[PageText]) -> None:
    whole, repeated, blank, both = (member_of(stored, manner).tokens for manner in MANNERS)
    assert both <= min(repeated, blank) <= max(repeated, blank) <= whole


@given(stored=pages())
def test_the_same_identity_is_the_same_bytes(stored: list[PageText]) -> None:
    seen: dict[str, str] = {}
    for manner in MANNERS:
        text = packed(stored, manner)
        assert seen.setdefault(member_of(stored, manner).identity, text) == text


def test_what_saves_nothing_keeps_the_identity_and_its_cache() -> None:
    stored = [PageText(1, 20, "Something")]
    assert {member_of(stored, manner).identity for manner in MANNERS} == {"a" * 64}


PAGES = [
    PageCount(number, 10, 0, flags=flags, width=width, height=height)
    for number, (flags, width, height) in enumerate(
        [
            ((), 1_000, 2_000),
            (("no_text",), 1_000, 2_000),
            (("no_text", "scan"), 640, 64),
            (("ocr",), 1_000, 2_000),
            (("blank", "no_text"), 1_000, 2_000),
            (("no_text",), None, None),
        ],
        1,
    )
]


@pytest.mark.parametrize(("images", "shown"), [("none", []), ("without_text", [2, 3]), ("scans", [2, 3, 4])])
def test_only_pages_that_say_little_and_can_be_seen_are_shown(images: PageImages, shown: list[int]) -> None:
    manner = Manner(images=images)
    assert [page.number for page in PAGES if manner.picture(page)] == shown
    found = manner.images_of(PAGES, source="a")
    assert (found.pages, found.without_text) == (len(shown), len({2, 3} & set(shown)))
    alone = sum_of(manner.images_of([page], source="a") for page in PAGES)
    assert replace(found, identity="") == alone


def test_a_picture_is_the_sum_of_its_patches_and_rounded_by_itself() -> None:
    found = Manner(images="without_text").images_of(PAGES[2:3] * 3, source="a")
    assert (found.tokens_min, found.tokens_max, found.spread) == tuple(3 * count for count in (40, 49, 9))


def test_the_identity_is_of_what_is_seen() -> None:
    manner = Manner(images="without_text")
    others = [
        manner.images_of(PAGES, source="b"),
        manner.images_of(PAGES[:2], source="a"),
        manner.images_of([replace(page, number=page.number + 1) for page in PAGES], source="a"),
        replace(manner, detail="low").images_of(PAGES, source="a"),
        replace(manner, images="scans").images_of(PAGES, source="a"),
        replace(manner, images="none").images_of(PAGES, source="a"),
    ]
    identities = {one.identity for one in (manner.images_of(PAGES, source="a"), *others)}
    assert len(identities) == len(others) + 1
    assert replace(manner, repeated=False).images_of(PAGES, source="a").identity in identities


def test_a_manner_comes_back_from_its_names() -> None:
    assert [Manner.without(manner.left_out) for manner in MANNERS] == MANNERS
    assert Manner.without(["duplicates"]) == Manner()
    scans = Manner(images="scans", detail="low")
    assert scans.leaving_out(["blank"]) == replace(scans, blank=False)
    assert scans.leaving_out(["blank"]).leaving_out(["repeated"]).left_out == ("repeated", "blank")
