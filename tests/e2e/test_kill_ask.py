"""A command that asks is killed; the next one concludes what it left, and pays nothing twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.test_commands import printed, run
from tests.e2e.test_kill import rows, until
from tests.support import upstream as acts
from tests.support.process import environment
from tests.support.upstream import Upstream

ROOT = Path(__file__).parents[2]


def test_the_next_ask_concludes_what_a_killed_one_left(tmp_path: Path) -> None:
    data, text = tmp_path / "data", tmp_path / "harbour.txt"
    text.write_text("The harbour opened in 1871.\n")
    with Upstream() as upstream:
        upstream.script.append(acts.stall_after(2))
        key = {"provider_url": upstream.url, "provider_key": upstream.key}
        with subprocess.Popen(
            [sys.executable, "-m", "service", "ask", str(text), "When?", "--yes"],
            env=environment(data, **key),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as asking:
            until((data / "unabridged.db").exists)
            until(lambda: upstream.requests)
            until(lambda: rows(tmp_path, "SELECT 1 FROM answer_events WHERE name = 'delta'"))
            asking.kill()
        second = run(data, "ask", str(text), "Where?", "--yes", **key)
        assert second.returncode == 0, second.stderr
        found = {one["question"]: one for one in printed(run(data, "answers", "--json", **key))}
        assert {question: one["status"] for question, one in found.items()} == {
            "When?": "in_doubt",
            "Where?": "done",
        }
        assert len(upstream.requests) == len(upstream.invoice) == 2, "each was sent once"
        spent = printed(run(data, "spend", "--json", **key))
        assert spent["total"]["calls"] == 1
        assert spent["held_usd"] != "0.00", "it may have been billed"
        done = run(data, "resolve", found["When?"]["id"], "--not-billed", **key)
        assert done.returncode == 0, done.stderr
        assert printed(run(data, "spend", "--json", **key))["held_usd"] == "0.00"
