"""Answers on the command line: listed with the newest first, and written to files."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.test_commands import printed, run


def asked(tmp_path: Path) -> Path:
    """Two answers over a corpus `harbour`, and one over another."""
    data = tmp_path / "data"
    (tmp_path / "harbour.txt").write_text("The harbour opened in 1871.\n")
    run(data, "add", str(tmp_path / "harbour.txt"), "--corpus", "harbour")
    run(data, "add", str(tmp_path / "harbour.txt"), "--corpus", "other")
    for corpus, question in (
        ("harbour", "When did it open?"),
        ("other", "Why?"),
        ("harbour", "And  then\n?"),
    ):
        done = run(data, "ask", "--corpus", corpus, question)
        assert done.returncode == 0, done.stderr
    return data


def test_answers_are_listed_the_newest_first(tmp_path: Path) -> None:
    assert "No question was asked yet" in run(tmp_path / "empty", "answers").stdout
    data = asked(tmp_path)
    rows = printed(run(data, "answers", "--json"))
    assert [row["question"] for row in rows] == ["And  then\n?", "Why?", "When did it open?"]
    assert [row["corpus"] for row in rows] == ["harbour", "other", "harbour"]
    assert {(row["status"], row["actual_usd"]) for row in rows} == {("done", "0.00")}
    lines = run(data, "answers", "--corpus", "harbour", "--limit", "1").stdout.splitlines()
    assert re.fullmatch(
        rf"{rows[0]['id']}  \d{{4}}-\d\d-\d\d \d\d:\d\d UTC  harbour: done, \$0\.00", lines[0]
    )
    assert lines[1:] == ["  And then ?"]
    run(data, "remove", "--corpus", "other", "--yes")
    assert "a corpus forgotten since: done" in run(data, "answers").stdout
    assert "There is no corpus" in run(data, "answers", "--corpus", "other").stderr


def test_an_answer_is_written_to_the_screen_or_a_file(tmp_path: Path) -> None:
    data = asked(tmp_path)
    answer_id = printed(run(data, "answers", "--json"))[-1]["id"]
    shown = run(data, "export", answer_id)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "**harbour.txt**, page 1: stands in the source word for word." in shown.stdout
    assert "- Price: nothing: no model was asked" in shown.stdout
    target = tmp_path / "answer.md"
    written = run(data, "export", answer_id, "-o", str(target))
    assert written.stdout == f"Written: {target}\n"
    assert printed(run(data, "export", "last", "--format", "json"))["question"] == "And  then\n?"
    first, again = (re.sub(r"- Exported: .*", "", text) for text in (shown.stdout, target.read_text()))
    assert first == again
    whole = printed(run(data, "export", answer_id, "--format", "json"))
    assert (whole["id"], whole["packed_pages"][0]["page"]) == (answer_id, 1)
    run(data, "export", answer_id, "--format", "json", "-o", str(tmp_path / "answer.json"))
    assert {**json.loads((tmp_path / "answer.json").read_text()), "exported_at": ""} == {
        **whole,
        "exported_at": "",
    }


def test_what_goes_wrong_is_said(tmp_path: Path) -> None:
    data = asked(tmp_path)
    unknown = run(data, "export", "ans_0")
    assert (unknown.returncode, "There is no answer ans_0" in unknown.stderr) == (1, True)
    none = run(tmp_path / "empty", "export", "last")
    assert (none.returncode, "No question was asked yet" in none.stderr) == (1, True)
    answer_id = printed(run(data, "answers", "--json"))[0]["id"]
    nowhere = run(data, "export", answer_id, "-o", str(tmp_path / "none" / "a.md"))
    assert (nowhere.returncode, "can't be written" in nowhere.stderr) == (2, True)
    assert "Traceback" not in nowhere.stderr
