"""What a picture costs: its size in patches, and the size at which a provider takes it as it is.

Models of OpenAI see a picture as patches of 32 by 32 pixels and bill each as about one token. One that is
too large for its detail is made smaller by the provider first; a picture sent at the size that `fit` returns
is not. Rule, bounds and factor are those of the vendor's guide "Images and vision", in its copies of 2026.
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
    "low": Bounds(256, 512),
    "high": Bounds(2_500, 2_048),
    "original": Bounds(10_000, 6_000),
}
"""gpt-5.5's. gpt-5.4 and gpt-5.6 take at least as much, except for what gpt-5.4 makes of `auto`."""

MAX_PICTURES: Final = 1_500
"""Of one request, which may have 512 MB in all."""

_FACTOR: Final = (6, 5)
"""Tokens for each patch, as a fraction: 1.2 for gpt-5.4, 5.5 and 5.6, measured before it was published."""


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
        detail: as it will be asked; `auto` as gpt-5.5 takes it (see `catalog.Model.detail`).

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
    return -(-width // PATCH) * -(-height // PATCH)


def tokens(patches: int) -> tuple[int, int]:
    """Return the least and the most input tokens of one picture with so many patches.

    One token for each patch, to 1.2 rounded up and one more, by which the vendor says that bills may differ;
    users of chat completions were billed less than 1.2 for large pictures. Each picture is rounded by itself:
    add up the tokens of several, not their patches.
    """
    over, under = _FACTOR
    return patches, -(-patches * over // under) + 1


def _within_side(width: int, height: int, side: int | None) -> tuple[int, int]:
    longer = max(width, height)
    if side is None or longer <= side:
        return width, height
    return max(1, width * side // longer), max(1, height * side // longer)


def _within_patches(width: int, height: int, budget: int) -> tuple[int, int]:
    """Shrink by s = sqrt(1024 * budget / (width * height)), then until one side is whole patches.

    In whole numbers: a side of `width * s / 32` patches is sqrt(width * budget / height) of them.
    """
    across, down = isqrt(width * budget // height), isqrt(height * budget // width)
    if across == 0:  # thinner than a patch: then the length alone decides
        return max(1, width * PATCH * budget // height), PATCH * budget
    if down == 0:
        return PATCH * budget, max(1, height * PATCH * budget // width)
    if across * height <= down * width:
        return PATCH * across, max(1, PATCH * across * height // width)
    return max(1, PATCH * down * width // height), PATCH * down
