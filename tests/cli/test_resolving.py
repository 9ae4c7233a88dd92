"""An answer in doubt is decided on the command line."""

from __future__ import annotations

from pathlib import Path

from tests.cli.test_commands import printed, run
from tests.support.upstream import Upstream, cut_after, no_usage


def test_an_answer_in_doubt_is_decided(tmp_path: Path) -> None:
    data, text = tmp_path / "data", tmp_path / "a.txt"
    text.write_text("The harbour opened in 1871.\n")
    with Upstream() as upstream:
        upstream.script.append(cut_after(3))
        key = {"provider_url": upstream.url, "provider_key": upstream.key}
        asked = run(data, "ask", str(text), "When?", "--yes", **key)
        assert asked.returncode == 1
        (answer_id,) = [word for word in asked.stderr.split() if word.startswith("ans_")]
        assert f"unabridged resolve {answer_id} --billed" in asked.stderr
        held = printed(run(data, "spend", "--json", **key))["held_usd"]
        assert held != "0.00"
        unsaid = run(data, "resolve", answer_id, **key)
        assert (unsaid.returncode, "--billed or --not-billed" in unsaid.stderr) == (2, True)
        half = run(data, "resolve", answer_id, "--billed", "--prompt-tokens", "5", **key)
        assert (half.returncode, "--completion-tokens" in half.stderr) == (2, True)
        done = run(data, "resolve", answer_id, "--not-billed", **key)
        assert (done.returncode, "not billed" in done.stdout) == (0, True), done.stderr
        assert printed(run(data, "spend", "--json", **key))["held_usd"] == "0.00"
        again = run(data, "resolve", answer_id, "--billed", **key)
        assert (again.returncode, "Only an answer in doubt" in again.stderr) == (1, True)
        assert len(upstream.requests) == 1


def test_limits_are_forgotten(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "forget-limits", "gpt-5.5")
    assert (done.returncode, "limits of gpt-5.5 are forgotten" in done.stdout) == (0, True), done.stderr


def test_what_is_at_most_is_put_right_by_the_invoice(tmp_path: Path) -> None:
    data, text = tmp_path / "data", tmp_path / "a.txt"
    text.write_text("The harbour opened in 1871.\n")
    with Upstream() as upstream:
        upstream.script.append(no_usage())
        key = {"provider_url": upstream.url, "provider_key": upstream.key}
        asked = run(data, "ask", str(text), "When?", "--yes", **key)
        assert "cost at most $" in asked.stderr
        spent = run(data, "spend", "--by", "answer", **key)
        assert "is at most: of 1 call the provider told no usage" in " ".join(spent.stdout.split())
        told = printed(run(data, "spend", "--by", "answer", "--json", **key))
        assert len(told["data"]) == 1
        done = run(data, "resolve", "last", "--billed", "--amount", "0.0042", **key)
        assert (done.returncode, done.stdout) == (0, "The answer is booked at $0.0042.\n"), done.stderr
        total = printed(run(data, "spend", "--json", **key))["total"]
        assert (total["spent_usd"], total["booked_usd"], total["at_most_usd"]) == ("0.0042", "0.0042", "0.00")
        assert "at most:" not in run(data, "spend", **key).stdout
