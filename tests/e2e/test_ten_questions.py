"""Ten questions over a corpus above the threshold cost a fraction of stuffing, on the provider's own bill."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from tests.support.day import made_up
from tests.support.server import serving, settings_in
from tests.support.simulated import Simulated
from tests.support.stuffing import ABOUT, naive, recommended, texts_of

SEED = 1


def test_ten_questions_cost_a_quarter_of_stuffing_at_most(tmp_path: Path) -> None:
    model = Simulated(SEED)
    with (
        model.upstream(keeps_bodies=False) as upstream,
        serving(settings_in(tmp_path, upstream)) as server,
    ):
        ids = [server.add(f"{n}.txt", made_up(str(n), 20_000))["id"] for n in range(15)]
        corpus = server.corpus(*ids)
        bill = recommended(server.client, upstream, corpus, first=1, expected_questions=10)
        stuffed = naive(upstream, texts_of(server.client, corpus), first=1, seed=SEED)
    assert upstream.violations == []
    assert stuffed.calls == len(ABOUT) == len(bill.plans)
    assert stuffed.prompt_tokens > len(ABOUT) * 290_000, "all of it, each time"
    assert stuffed.cached_tokens < stuffed.prompt_tokens / 10
    assert bill.usd / stuffed.usd <= Decimal("0.25"), (bill, stuffed)
