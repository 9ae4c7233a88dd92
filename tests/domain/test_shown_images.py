"""Pictures of a question: what is taken, and what each counts by the published rule, whatever its size."""

from __future__ import annotations

import base64
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.domain import shown_images
from service.domain.manner import NO_IMAGES
from service.domain.questions import Question
from service.domain.shown_images import MAX_ADDRESS_CHARS, MAX_DATA_CHARS, ShownImage, data_of, images_of
from service.domain.vision import Detail
from service.errors import Invalid
from tests.support import seen
from tests.support.pictures import data_uri

DETAILS: list[Detail] = ["low", "high", "original"]
details = st.sampled_from(DETAILS)
sides = st.one_of(
    st.integers(1, 40_000), st.sampled_from([31, 32, 33, 511, 512, 513, 2_048, 2_049, 6_000, 6_001])
)


def stored(width: int, height: int, detail: Detail) -> ShownImage:
    return ShownImage(
        detail, sha256=f"{width}x{height}", media_type="image/png", bytes=1, width=width, height=height
    )


@given(width=sides, height=sides, detail=details)
def test_a_known_size_is_billed_within_its_range(width: int, height: int, detail: Detail) -> None:
    patches = seen.patches(width, height, detail)
    assume(patches)  # thinner than a pixel once it is small enough: nobody says what that is
    least, most = stored(width, height, detail).tokens
    assert least <= math.ceil(round(seen.PER_PATCH * patches, 6)) <= most
    assert most <= math.ceil(1.2 * least) + 1, "and the range is narrow"


@given(width=sides, height=sides, detail=details)
def test_an_unknown_size_is_billed_within_its_range(width: int, height: int, detail: Detail) -> None:
    least, most = ShownImage(detail, url="https://a.example/b.png").tokens
    patches = seen.patches(width, height, detail)
    assume(patches)
    assert least <= math.ceil(round(seen.PER_PATCH * patches, 6)) <= most


@pytest.mark.parametrize(("detail", "most"), [("low", 309), ("high", 3_001), ("original", 12_001)])
def test_the_most_of_an_unknown_size(detail: Detail, most: int) -> None:
    assert ShownImage(detail, url="https://a.example/b.png").tokens == (1, most)


@given(st.lists(st.tuples(sides, sides, details), max_size=5))
def test_several_are_the_sum_of_each(drawn: list[tuple[int, int, Detail]]) -> None:
    each = [stored(*one) for one in drawn]
    every = images_of(each)
    assert every.pages == len(each)
    assert every.tokens_min == sum(one.tokens[0] for one in each)
    assert every.tokens_max == sum(one.tokens[1] for one in each)
    assert (every == NO_IMAGES) == (not each)


def test_a_question_comes_back_as_it_was_stored() -> None:
    images = (stored(10, 20, "low"), ShownImage("high", url="https://a.example/b.png", name="b"))
    question = Question("What?", "gpt-5.5", images=images, stop=("END",), seed=7)
    assert Question.from_dict(question.as_dict()) == question
    assert set(question.said()) == {"text", "model", "images", "stop", "seed"}
    assert shown_images.identity_of(images) != shown_images.identity_of(images[::-1])


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/b.png",
        "http://127.0.0.1:8000/a?b=c#d",
        "HTTPS://[::1]/ü.png",
        "https://user:word@a.example/",
        "https://a.example/" + "x" * (MAX_ADDRESS_CHARS - 18),
    ],
    ids=["plain", "loopback", "other letters", "with a user", "long"],
)
def test_addresses_are_handed_on(url: str) -> None:
    assert data_of(url, 1) is None


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ftp://a.example/b.png",
        "//a.example/b.png",
        "/etc/passwd",
        "https://",
        "https://a.example:99999/",
        "https://a.example/b c.png",
        "https://a.example/\nb.png",
        "https://[::1/b.png",
        "https://a.example/" + "x" * MAX_ADDRESS_CHARS,
        "data:",
        "data:text/html;base64,PGI+",
        "data:image/png,%89PNG",
        "data:image/png;base64,",
        "data:image/png;base64,####",
        "data:image/png;base64,iVBORw0KGgo",
        "data:image/png;base64," + data_uri(1, 1)[22:] + "=",
        "data:image/png;base64,\u00fc\u00fc\u00fc\u00fc",
        "data:image/png;base64," + "A" * MAX_DATA_CHARS,
    ],
    ids=lambda uri: uri[:30].encode("unicode_escape").decode(),
)
def test_anything_else_is_refused_in_a_sentence(uri: str) -> None:
    with pytest.raises(Invalid) as error:
        data_of(uri, 3)
    assert "icture 3" in error.value.detail
    assert error.value.detail.endswith(".")
    assert len(error.value.detail) < 400


def test_data_is_what_was_encoded() -> None:
    uri = data_uri(7, 9)
    content = base64.b64decode(uri.partition(",")[2])
    assert data_of(uri, 1) == content
    assert data_of(uri.replace("data:image/png", "DATA:image/PNG;name=a"), 1) == content
