"""The share of quotes that stand where they are said to."""

from __future__ import annotations

import pytest

from service.domain.precision import precision


@pytest.mark.parametrize(
    ("verdicts", "share"),
    [
        ([], None),
        (["exact"], 1.0),
        (["exact", "close", "altered", "elsewhere"], 0.5),
        (["exact", "missing", "missing"], 0.333333),
        (["elsewhere"], 0.0),
    ],
)
def test_precision(verdicts: list[str], share: float | None) -> None:
    assert precision([{"verdict": verdict} for verdict in verdicts]) == share
