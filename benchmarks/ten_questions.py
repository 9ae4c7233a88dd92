"""Ten questions by the recommended plan, against stuffing: python benchmarks/ten_questions.py [FOLDER].

The service reads the folder's documents and answers each question by the plan that its preview recommends;
the naive way sends all documents in one prompt, in a fresh random order each time. Both are sent in full to a
simulated provider on loopback, which counts, caches and bills them; a question's last reply is equally long
in both. Each way begins with a cold cache. Exits with 1 where the ratio is above 0.25.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.process import ServiceProcess
from tests.support.simulated import Simulated
from tests.support.stuffing import ABOUT, Bill, naive, recommended, texts_of

ROOT = Path(__file__).parents[1]
REPORTS = ROOT.parent / "shared/samples/us-agency-reports"
WANTED = 0.25
SEED = 1


def asked(folder: Path, seed: int, *, expected_questions: int, with_naive: bool = False) -> list[Bill]:
    """Ask by the recommended plans, on a store and a provider of their own; naively too where wanted."""
    with (
        tempfile.TemporaryDirectory() as data,
        Simulated(seed).upstream(keeps_bodies=False) as upstream,
        ServiceProcess(Path(data), provider_url=upstream.url, provider_key=upstream.key) as server,
        httpx.Client(base_url=server.url, timeout=600, trust_env=False) as client,
    ):
        corpus_id = client.post("/v1/corpora", json={"name": folder.name}).json()["id"]
        for path in sorted(one for one in folder.iterdir() if one.is_file()):
            with path.open("rb") as file:
                client.post(
                    "/v1/documents", params={"filename": path.name, "corpus_id": corpus_id}, content=file
                ).raise_for_status()
        for one in client.get("/v1/documents", params={"limit": 1000}).json()["data"]:
            with client.stream("GET", f"/v1/documents/{one['id']}/events") as events:
                assert b"event: ready" in events.read()
        bills = [recommended(client, upstream, corpus_id, first=1, expected_questions=expected_questions)]
        if with_naive:
            bills.append(naive(upstream, texts_of(client, corpus_id), first=1, seed=seed))
        assert upstream.violations == []
    return bills


def show(name: str, bill: Bill) -> None:
    """Print a row."""
    expected = "" if bill.expected_usd is None else f", expected ${bill.expected_usd:.4f}"
    print(
        f"{name:34} ${bill.usd:9.4f}  {bill.calls:3} calls  {bill.prompt_tokens:11,} tokens, "
        f"{bill.cached_tokens / bill.prompt_tokens:4.0%} cached{expected}"
    )
    print(f"  {', '.join(f'{times} times {plan}' for plan, times in Counter(bill.plans).items())}")


def main(folder: Path, seed: int) -> int:
    """Print the totals and the ratios; return the exit code."""
    print(f"{len(ABOUT)} questions over {folder.name}, seed {seed}")
    ten, stuffed = asked(folder, seed, expected_questions=10, with_naive=True)
    (one,) = asked(folder, seed, expected_questions=1)
    show("everything, in a random order", stuffed)
    show("recommended, expected_questions 10", ten)
    show("recommended, expected_questions 1", one)
    ratio = ten.usd / stuffed.usd
    print(f"ratio: {ratio:.3f} (10 announced), {one.usd / stuffed.usd:.3f} (1 announced)")
    return 0 if ratio <= WANTED else 1


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else REPORTS
    sys.exit(main(chosen, SEED))
