"""Conversations at the command line: gone on with, named, begun anew."""

from __future__ import annotations

from pathlib import Path

from tests.cli.test_commands import printed, run


def test_a_conversation_goes_on(tmp_path: Path) -> None:
    data, paper = tmp_path / "data", tmp_path / "harbour.txt"
    paper.write_text("The harbour opened in 1871.\nIt was closed again in 1912.\n")
    assert run(data, "add", str(paper), "--corpus", "port").returncode == 0

    def ask(*words: str) -> str | None:
        done = run(data, "ask", "--corpus", "port", *words, "--json")
        assert done.returncode == 0, done.stderr
        name: str | None = printed(done)["conversation_id"]
        return name

    first = ask("When did it open?", "--continue")
    assert first is not None
    assert ask("And then?", "--continue") == first
    assert ask("What else?") is None
    second = ask("Something new?", "--conversation", "new")
    assert second not in {None, first}
    assert ask("And?", "--conversation", first) == first
    assert ask("And?", "--conversation", "last") == first

    shown = run(data, "ask", "--corpus", "port", "Again?", "--continue")
    assert f"conversation {first}: go on with --continue" in shown.stderr
    twice = run(data, "ask", "--corpus", "port", "Q?", "--continue", "--conversation", first)
    assert (twice.returncode, "not both" in twice.stderr) == (2, True)
    unknown = run(data, "ask", "--corpus", "port", "Q?", "--conversation", "cnv_nothing")
    assert (unknown.returncode, "There is no conversation cnv_nothing" in unknown.stderr) == (1, True)
