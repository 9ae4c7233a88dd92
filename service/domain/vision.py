"""What a picture costs: its size in patches, and the size at which a provider takes it as it is.

Models of OpenAI see a picture as patches of 32 by 32 pixels and bill each as about one token. One that is
too large for its detail is made smaller by the provider first; a picture sent at the size that `fit` returns
is not. The rule and the bounds are those of the vendor's guide "Images and vision", as copied in 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Final, Literal, get_args

Detail = Literal["auto", "low", "high", "original"]
"""How closely the model looks."""

DETAILS: Final[tuple[Detail, ...]] = get_args(Detail)
PATCH: Final = 32
"""Pixels of a patch's side."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest picture that a detail takes as it is.

    Attributes:
        patches: in all.
        side: pixels of the longer side; None where the patches alone decide.
    """

    patches: int
    side: int | None = None


BOUNDS: Final[dict[Detail, Bounds]] = {
    "auto": Bounds(10_000, 6_000),
    "low": Bounds(256),
    "high": Bounds(2_500, 2_048),
    "original": Bounds(10_000, 6_000),
}
"""gpt-5.5's. Other models are taken for the same: lower bounds are published only for smaller ones."""

_MOST: Final = (6, 5)
"""Tokens for each patch, at most, as a fraction: 1.2 was measured by users of gpt-5.4 and its siblings."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A picture's size in pixels, and the patches that cover it."""

    width: int
    height: int
    patches: int


def fit(width: int, height: int, detail: Detail) -> Fitted:
    """Return the largest size of the same shape that the detail takes as it is; never a larger one.

    Args:
        width: pixels of the picture as it is.
        height: the same.
        detail: as it will be asked.

    Raises:
        ValueError: it has no area.
    """
    return fit_within(width, height, BOUNDS[detail])


def fit_within(width: int, height: int, bounds: Bounds) -> Fitted:
    """Return the same as `fit` for bounds of any model."""
    if min(width, height) < 1:
        raise ValueError(f"a picture of {width} by {height} pixels has no area")
    width, height = _within_side(width, height, bounds.side)
    if patches(width, height) > bounds.patches:
        width, height = _within_patches(width, height, bounds.patches)
    return Fitted(width, height, patches(width, height))


def patches(width: int, height: int) -> int:
    """Return how many patches cover a picture."""
    return _divided(width, PATCH) * _divided(height, PATCH)


def tokens(patches: int) -> tuple[int, int]:
    """Return the least and the most input tokens of one picture with so many patches.

    A range, since the vendor publishes no factor for gpt-5.5: one token for each patch, to 1.2. Each picture
    is rounded up by itself: add up the tokens of several, not their patches.
    """
    over, under = _MOST
    return patches, _divided(patches * over, under)


def _within_side(width: int, height: int, side: int | None) -> tuple[int, int]:
    longer = max(width, height)
    if side is None or longer <= side:
        return width, height
    return _divided(width * side, longer), _divided(height * side, longer)


def _within_patches(width: int, height: int, budget: int) -> tuple[int, int]:
    """Shrink by s = sqrt(1024 * budget / (width * height)), then until one side is whole patches.

    In whole numbers: a side of `width * s / 32` patches is sqrt(width * budget / height) of them.
    """
    across, down = isqrt(width * budget // height), isqrt(height * budget // width)
    if across == 0:  # thinner than a patch: then the length alone decides
        return _divided(width * PATCH * budget, height), PATCH * budget
    if down == 0:
        return PATCH * budget, _divided(height * PATCH * budget, width)
    if across * height <= down * width:
        return PATCH * across, _divided(PATCH * across * height, width)
    return _divided(PATCH * down * width, height), PATCH * down


def _divided(number: int, by: int) -> int:
    """Rounded up, which passes no bound: all bounds are whole numbers."""
    return -(-number // by)
