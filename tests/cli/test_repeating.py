"""Retries and replays on the command line: the price first, then only what is missing, or the same pages."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.test_commands import printed, run
from tests.support.upstream import Upstream, status, well

_WORDS = "harbour customs ledger vessel cargo grain timber captain tariff winter pilot anchor quay".split()  # noqa: SIM905 - words as words


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """A folder whose files together pass the threshold."""
    folder = tmp_path / "volumes"
    folder.mkdir()
    for seed in range(3):
        draw = random.Random(seed)  # noqa: S311 - made-up text
        lines = (f"Record {seed}-{n}: {' '.join(draw.choices(_WORDS, k=10))}." for n in range(7_000))
        (folder / f"volume{seed}.txt").write_text("\n".join(lines))
    return folder


def test_a_split_that_broke_off_is_gone_on_with(tmp_path: Path, volumes: Path) -> None:
    data = tmp_path / "data"
    with Upstream() as upstream:
        key = {"provider_url": upstream.url, "provider_key": upstream.key}
        upstream.script.extend([well(), status(400, "invalid_value")])
        asked = run(data, "ask", str(volumes), "Record 1-7?", "--strategy", "split", "--yes", **key)
        assert asked.returncode == 1
        (answer_id,) = {word for word in asked.stderr.split() if word.startswith("ans_")}
        assert f"unabridged retry {answer_id} pays only for what is missing" in asked.stderr
        upstream.script.clear()
        unsaid = run(data, "retry", answer_id, "--confirm-above", "0", **key)
        assert (unsaid.returncode, "Nothing was spent" in unsaid.stderr) == (3, True)
        assert "1 of 3 calls kept from before" in unsaid.stderr
        billed = len(upstream.invoice)
        done = run(data, "retry", "last", "--yes", "--json", **key)
        assert done.returncode == 0, done.stderr
        answer = printed(done)
        assert (answer["status"], answer["retry_of"]) == ("done", answer_id)
        paid = sum((line.usd for line in upstream.invoice[billed:]), Decimal(0))
        assert (len(upstream.invoice), Decimal(answer["cost"]["actual_usd"])) == (3, paid)
        again = run(data, "retry", answer_id, **key)
        assert (again.returncode, f"retried already, as {answer['id']}: done" in again.stdout) == (0, True)
        assert len(upstream.invoice) == 3


def test_the_same_pages_are_asked_again(tmp_path: Path) -> None:
    data, text = tmp_path / "data", tmp_path / "a.txt"
    text.write_text("The harbour opened in 1871.\n")
    with Upstream() as upstream:
        key = {"provider_url": upstream.url, "provider_key": upstream.key}
        first = printed(run(data, "ask", str(text), "When?", "--yes", "--json", **key))
        done = run(data, "replay", "last", "--question", "Who?", "--effort", "low", "--json", **key)
        assert done.returncode == 0, done.stderr
        assert "at most" in done.stderr, "the price comes first"
        second = printed(done)
        assert (second["replay_of"], second["question"]) == (first["id"], "Who?")
        assert second["prefix_sha256"] == first["prefix_sha256"]
        refused = run(data, "retry", first["id"], **key)
        assert refused.returncode == 1
        assert f"unabridged replay {first['id']}" in refused.stderr
        low = run(data, "replay", first["id"], "--max-cost", "0.01", **key)
        assert (low.returncode, "--max-cost" in low.stderr) == (3, True)
        assert run(data, "replay", "ans_none", **key).returncode == 1
        wrong = run(data, "replay", first["id"], "--model", "gpt-9", **key)
        assert (wrong.returncode, "use model" in wrong.stderr) == (1, True)
        assert len(upstream.requests) == 2


def test_a_plan_that_fits_is_named(tmp_path: Path, volumes: Path) -> None:
    with Upstream() as upstream:
        key = {"provider_url": upstream.url, "provider_key": upstream.key}
        asked = ("ask", str(volumes), "Record 1-7?", "--strategy", "whole", "--max-cost", "1.40")
        refused = run(tmp_path / "data", *asked, **key)
        assert refused.returncode == 3
        assert "--budget-tokens 128000 (reads " in refused.stderr, refused.stderr
        assert "use_plan" not in refused.stderr
        assert upstream.requests == []
