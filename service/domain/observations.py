"""What is learnt from settled calls: how a provider counts, and how long answers are.

The chat format's overhead is fitted on recorded replies, not published. What `usage.prompt_tokens` counts
above or below the plan's own count corrects it, where the observations agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LATEST: Final = 50
"""How many of the last calls are looked at."""

AGREEING: Final = 3
"""So many of them have to count the same before it is believed."""

ANSWERS: Final = 5
"""So many have to be known before their mean replaces the guess of a usual answer."""

OVERHEAD_AT_MOST: Final = 1_024
"""A larger difference is no overhead but another tokenizer: it says nothing of the next call, so it goes."""

UNKNOWN_TOKENS: Final = 64
"""The doubt about a provider's count before any of its replies was seen."""


@dataclass(frozen=True, slots=True)
class Counting:
    """How a provider counts a call whose texts are counted exactly here.

    Attributes:
        correction: tokens it counts above (below, if negative) the plan's own count.
        more: so many more than that the ceiling holds, where observations differ.
        doubt: its count is within so many tokens of what is expected; before any reply was seen, that is said
            and not held: the ceiling is that of the band which the counted input falls in.
        observed: how many calls it rests on.
    """

    correction: int = 0
    more: int = 0
    doubt: int = 0
    observed: int = 0


EXACT = Counting()
"""Nothing is in doubt."""


def counting(differences: Sequence[int]) -> Counting:
    """Return what is learnt from the last calls.

    Args:
        differences: of each text-only call, what the provider counted less what was counted here.
    """
    latest = [one for one in differences[:LATEST] if abs(one) <= OVERHEAD_AT_MOST]
    if len(latest) < AGREEING:
        return Counting(doubt=max([UNKNOWN_TOKENS, *map(abs, latest)]), observed=len(latest))
    correction, agreeing = _most_common(latest)
    if agreeing < AGREEING:
        correction = 0
    more = max(0, max(latest) - correction)
    less = max(0, correction - min(latest))
    unsure = UNKNOWN_TOKENS if agreeing < AGREEING else 0
    return Counting(correction, more, max(more, less, unsure), len(latest))


def usual_output(seen: Sequence[int]) -> int | None:
    """Return the mean length of the last answers in tokens, rounded up; None of few, which teach nothing.

    Args:
        seen: how long each was, latest first.
    """
    latest = seen[:LATEST]
    return -(-sum(latest) // len(latest)) if len(latest) >= ANSWERS else None


def most_reasoning(seen: Sequence[int], usual: int) -> int:
    """Return the tokens of reasoning to book for a reply that does not tell them.

    Args:
        seen: of the last answers that told them, latest first; few teach nothing.
        usual: what is guessed of an answer.
    """
    latest = seen[:LATEST]
    return max(latest) if len(latest) >= ANSWERS else max([usual, *latest])


def _most_common(differences: Sequence[int]) -> tuple[int, int]:
    """The difference that most calls show, the smallest among equals, and how many show it."""
    counts = Counter(differences)
    value = min(counts, key=lambda one: (-counts[one], abs(one), one))
    return value, counts[value]
