"""Batches on the command line: put in by one process, fetched by another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import printed, run
from tests.support.upstream import Upstream


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_text("The harbour opened in 1871.\n")
    return path


def key_to(upstream: Upstream) -> dict[str, Any]:
    return {"provider_url": upstream.url, "provider_key": upstream.key, "batch_poll_seconds": "0.1"}


def test_one_command_puts_in_and_another_fetches(tmp_path: Path, text: Path) -> None:
    data = tmp_path / "data"
    with Upstream() as upstream:
        upstream.batches.hold = True
        key = key_to(upstream)
        asked = run(data, "ask", str(text), "When did it open?", "--tier", "batch", "--yes", **key)
        assert asked.returncode == 0, asked.stderr
        batch_id = asked.stdout.strip()
        assert f"unabridged batches {batch_id} --wait" in asked.stderr
        assert len(upstream.batches.made) == 1
        shown = run(data, "batches", **key)
        assert (shown.returncode, "0 of 1 question answered" in shown.stdout) == (0, True), shown.stdout
        upstream.batches.hold = False
        waited = run(data, "batches", batch_id, "--wait", **key)
        assert waited.returncode == 0, waited.stderr
        assert '"The harbour opened in 1871." [D1 p.1]' in waited.stdout
        assert "exact" in waited.stderr
        assert len(upstream.invoice) == 1
        assert upstream.violations == []


def test_a_batch_is_cancelled(tmp_path: Path, text: Path) -> None:
    data = tmp_path / "data"
    with Upstream() as upstream:
        upstream.batches.hold, upstream.batches.cancel_after = True, 0
        key = key_to(upstream)
        held = run(data, "ask", str(text), "Which?", "--tier", "batch", "--yes", "--json", **key)
        batch_id = printed(held)["id"]
        stopped = run(data, "batches", batch_id, "--cancel", **key)
        assert (stopped.returncode, "cancelled: 0 of 1" in stopped.stdout) == (1, True), stopped.stdout
        assert "nothing was billed" in stopped.stdout
        assert printed(run(data, "spend", "--json", **key))["held_usd"] == "0.00"
        over = run(data, "batches", batch_id, "--cancel", **key)
        assert (over.returncode, "ended already" in over.stderr) == (1, True)


def test_without_a_model_there_are_no_batches(tmp_path: Path, text: Path) -> None:
    refused = run(tmp_path / "data", "ask", str(text), "When?", "--tier", "batch", "--yes")
    assert (refused.returncode, "has no batches" in refused.stderr) == (2, True)
    assert "Ask at another --tier" in refused.stderr
    none = run(tmp_path / "data", "batches")
    assert (none.returncode, "No batch yet" in none.stdout) == (0, True)
    unnamed = run(tmp_path / "data", "batches", "--wait")
    assert (unnamed.returncode, "Name the batch" in unnamed.stderr) == (2, True)
    unknown = run(tmp_path / "data", "batches", "bat_x")
    assert (unknown.returncode, "There is no batch bat_x" in unknown.stderr) == (1, True)
