"""How long the simulated model's replies are: drawn from a distribution that the product was not fitted to.

Completion tokens, reasoning included, are log-normal around a median for each effort. The medians were
written down before the product's own expectations were read: an answer with quotes is 200 to 600 visible
tokens, and reasoning models think about twice as long as they write at medium effort, several times as long
above it.
One sigma is a factor of 1.8; the mean is 1.2 times the median.
"""

from __future__ import annotations

import math
from random import Random

MEDIANS = {"none": 350, "low": 700, "medium": 1_500, "high": 4_000, "xhigh": 9_000}
"""Median completion tokens by reasoning effort."""
SIGMA = 0.6
"""Standard deviation of the logarithm."""


def drawn(random: Random, effort: str) -> int:
    """Completion tokens of one reply, at least 1."""
    return max(1, round(random.lognormvariate(math.log(MEDIANS[effort]), SIGMA)))
