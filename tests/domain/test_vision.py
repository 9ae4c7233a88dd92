"""The size and the tokens of pictures: as published, and within every bound."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.domain import vision
from service.domain.vision import BOUNDS, DETAILS, Bounds, Detail, Fitted, fit, fit_within

details = st.sampled_from(DETAILS)
sides = st.integers(1, 20_000) | st.sampled_from([1, 31, 32, 33, 1_600, 2_048, 2_049, 6_000, 6_001])
pages = st.integers(500, 5_000)


@pytest.mark.parametrize(
    ("size", "budget", "expected"),
    [
        # The vendor's guide "Images and vision": its examples of budgets of 1,536 and 2,500 patches.
        ((1024, 1024), 1_536, (32, 32)),
        ((1800, 2400), 1_536, (33, 44)),
        ((2048, 2048), 2_500, (50, 50)),
        # A table of prices for gpt-5.5 and gpt-6 (the data set image-token-cost), its tokens divided by 1.2.
        ((2560, 1440), 2_500, (66, 37)),
        ((3840, 2160), 2_500, (66, 37)),
        ((4032, 3024), 2_500, (57, 43)),
        ((3840, 2160), 10_000, (120, 68)),
        ((4032, 3024), 10_000, (115, 86)),
    ],
)
def test_the_rule_gives_the_published_patches(
    size: tuple[int, int], budget: int, expected: tuple[int, int]
) -> None:
    fitted = fit_within(*size, Bounds(budget))
    assert (-(-fitted.width // 32), -(-fitted.height // 32)) == expected
    assert fitted.patches == expected[0] * expected[1]


@pytest.mark.parametrize(
    ("size", "tokens"),
    [
        ((256, 256), 77),
        ((512, 512), 308),
        ((768, 768), 692),
        ((1024, 1024), 1_229),
        ((1280, 720), 1_104),
        ((1920, 1080), 2_448),
        ((2560, 1440), 4_320),
        ((4032, 3024), 11_868),
    ],
)
def test_published_and_measured_tokens_are_within_the_range(size: tuple[int, int], tokens: int) -> None:
    """The guide's examples, users' measurements, and a table of prices for gpt-5.5."""
    assert vision.tokens(fit(*size, "auto").patches)[1] == tokens + 1


def test_the_guides_examples_in_pixels_and_tokens() -> None:
    assert fit_within(1800, 2400, Bounds(1_536)) == Fitted(1056, 1408, 1_452)
    assert fit(2048, 2048, "high") == Fitted(1600, 1600, 2_500)
    assert vision.tokens(2_500) == (2_500, 3_001)


def test_what_chat_completions_billed_a_user_is_within_the_range() -> None:
    """1600 by 1600 pixels on gpt-5.4, a few tokens of text among them; the responses API billed 3,008."""
    least, most = vision.tokens(fit(1600, 1600, "high").patches)
    assert least <= 2_813 - 20 < 3_008 - 8 <= most


@pytest.mark.parametrize(
    ("detail", "fitted"),
    [
        ("low", Fitted(361, 512, 192)),
        ("high", Fitted(1333, 1888, 2_478)),
        ("original", Fitted(2339, 3309, 7_696)),
        ("auto", Fitted(2339, 3309, 7_696)),
    ],
)
def test_a_sheet_of_a4_scanned_at_283_dots_an_inch(detail: Detail, fitted: Fitted) -> None:
    assert fit(2339, 3309, detail) == fitted


@given(sides, sides, details)
@example(31, 8_200, "low")
@example(8_200, 31, "low")
@example(1_569, 1_601, "high")
@example(1, 20_000, "low")
def test_what_is_fitted_is_within_the_bounds_and_never_larger(
    width: int, height: int, detail: Detail
) -> None:
    fitted = fit(width, height, detail)
    bounds = BOUNDS[detail]
    assert 1 <= fitted.width <= width
    assert 1 <= fitted.height <= height
    assert fitted.patches <= bounds.patches
    assert bounds.side is None or max(fitted.width, fitted.height) <= bounds.side
    assert fitted.patches == -(-fitted.width // 32) * -(-fitted.height // 32)


@given(sides, sides, details)
@example(8_200, 31, "low")
def test_what_fits_stays_as_it_is(width: int, height: int, detail: Detail) -> None:
    fitted = fit(width, height, detail)
    assert fit(fitted.width, fitted.height, detail) == fitted


@given(sides, sides, details)
def test_a_picture_within_the_bounds_is_sent_as_it_is(width: int, height: int, detail: Detail) -> None:
    bounds = BOUNDS[detail]
    fits = vision.patches(width, height) <= bounds.patches and max(width, height) <= (bounds.side or 20_000)
    assert ((fit(width, height, detail).width, fit(width, height, detail).height) == (width, height)) == fits


@given(sides, sides, details)
def test_the_shape_stays_within_a_patch(width: int, height: int, detail: Detail) -> None:
    fitted = fit(width, height, detail)
    if width >= height:
        assert abs(fitted.height - height * fitted.width / width) < 32
    else:
        assert abs(fitted.width - width * fitted.height / height) < 32


@given(pages, pages, details)
def test_a_page_loses_no_more_than_the_bounds_ask(width: int, height: int, detail: Detail) -> None:
    """One more row and column of patches would pass a bound."""
    fitted, bounds = fit(width, height, detail), BOUNDS[detail]
    if (fitted.width, fitted.height) == (width, height):
        return
    scale = max((fitted.width + 33) / width, (fitted.height + 33) / height)
    across, down = round(width * scale), round(height * scale)
    passes_side = bounds.side is not None and max(across, down) > bounds.side
    assert passes_side or vision.patches(across, down) > bounds.patches


@given(st.integers(0, 10_000_000))
def test_tokens_are_a_range_in_whole_numbers(patches: int) -> None:
    least, most = vision.tokens(patches)
    assert least == patches
    assert 5 * (most - 1) - 5 < 6 * patches <= 5 * (most - 1)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5)])
def test_a_picture_without_area_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no area"):
        fit(*size, "high")
