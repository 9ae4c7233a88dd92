"""The commands as someone at a terminal runs them: real processes, real files, no key and no server."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support import pdfs
from tests.support.commanding import command
from tests.support.process import environment
from tests.support.upstream import Upstream

ROOT = Path(__file__).parents[2]
APOLLO = ROOT / "examples" / "apollo"


def run(data: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return command(*words, env=surroundings(data, **settings))


def run_anew(data: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The same by the interpreter, which loads everything first."""
    return subprocess.run(
        [sys.executable, "-m", "service", *words],
        env=surroundings(data, **settings),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )


def surroundings(data: Path, **settings: str) -> dict[str, str]:
    return {**environment(data, **settings), "COLUMNS": "160"}


def run_without_stdin(data: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "service", *words],
        env=environment(data, **settings),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def printed(done: subprocess.CompletedProcess[str]) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(done.stdout)


def test_a_folder_is_asked_in_one_command(tmp_path: Path) -> None:
    question = "Which mission brought back the largest amount of samples?"
    done = run_anew(tmp_path / "data", "ask", str(APOLLO), question, "--max-cost", "0")  # nothing is spent
    assert done.returncode == 0, done.stderr
    assert "No model is configured" in done.stdout
    assert re.search(r'"[^"]*110\.5 kilograms[^"]*" \[D12 p\.3\]', done.stdout)
    assert re.search(r"exact \[D12 p\.3\] apollo-17\.pdf p\.3", done.stderr)
    assert re.search(
        r"whole +1 +25,\d\d\d +short +\$0\.\d{4} +\$0\.\d{4} +\$0\.\d{4} +recommended", done.stderr
    )
    assert "Traceback" not in done.stderr


def test_no_corpus_is_made_for_files_that_are_not_there(tmp_path: Path) -> None:
    assert run(tmp_path / "data", "add", str(tmp_path / "none"), "--corpus", "none").returncode == 2
    assert printed(run(tmp_path / "data", "list", "--json")) == []


def test_some_documents_of_a_corpus_are_asked(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "folder"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.txt").write_text(f"The {name} was opened in 1887.\n")
    run(data, "add", str(folder), "--corpus", "all")

    def read(*words: str) -> list[str]:
        (asked, *_) = printed(run(data, "plan", "--corpus", "all", "When?", "--json", *words))["data"]
        return [one["filename"] for call in asked["calls"] for one in call["documents"]]

    assert read("--only", "b.txt") == ["b.txt"]
    assert read("--without", "D1") == ["b.txt", "c.txt"]
    assert read("--only", "a.txt", "--only", "b.txt", "--without", "b.txt") == ["a.txt"]
    none = run(data, "ask", "--corpus", "all", "When?", "--only", "a.txt", "--without", "D1")
    assert (none.returncode, "No document is left to ask" in none.stderr) == (2, True), none.stderr
    unknown = run(data, "ask", "--corpus", "all", "When?", "--only", "d.txt")
    assert (unknown.returncode, "There is no document “d.txt”" in unknown.stderr) == (1, True)


def test_the_same_folder_is_not_read_twice(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "folder"
    folder.mkdir()
    (folder / "a.md").write_text("# One\nThe first file speaks of otters.\n")
    (folder / "b.md").write_text("# Two\nThe second file speaks of badgers.\n")
    first = printed(run(data, "ask", str(folder), "What of otters?", "--json"))
    (folder / "b.md").unlink()
    (folder / "c.md").write_text("# Three\nThe third file speaks of herons.\n")
    second = printed(run(data, "ask", str(folder), "What of herons?", "--json"))
    assert first["coverage"]["documents_in"][0] == second["coverage"]["documents_in"][0]
    assert len(second["coverage"]["documents_in"]) == 2
    assert second["citations"][0]["filename"] == "c.md"
    assert second["citations"][0]["verdict"] == "exact"


def test_add_then_plan_then_ask_by_name(tmp_path: Path) -> None:
    data = tmp_path / "data"
    added = run_anew(data, "add", str(APOLLO), "--corpus", "apollo")
    assert added.returncode == 0, added.stderr
    assert re.search(r"13 of 13 documents read: \d+ pages, 2\d,\d\d\d tokens", added.stdout)
    plans = printed(
        run_anew(data, "plan", "--corpus", "apollo", "Who flew twice?", "--json", "--max-tokens", "2000")
    )
    whole = plans["data"][0]
    assert plans["recommended"] == whole["id"]
    cost = (whole["input_tokens"] * 5 + 2_000 * 30) / Decimal(1_000_000)
    assert Decimal(whole["cost"]["max_usd"]) == cost
    asked = run_anew(data, "ask", "--corpus", "apollo", "Who flew to the Moon twice?")
    assert asked.returncode == 0, asked.stderr
    assert "Lovell" in asked.stdout


def test_waste_is_told_and_left_out(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "folder"
    folder.mkdir()
    text = "".join(f"The harbour opened at {n} o'clock.\n" for n in range(24))
    (folder / "a.txt").write_text(text, newline="\n")
    (folder / "b.txt").write_text(text, newline="\r\n")
    added = run(data, "add", str(folder), "--corpus", "twice")
    assert "documents that are there twice" in added.stdout
    table = run(data, "waste", "--corpus", "twice")
    assert table.returncode == 0, table.stderr
    assert re.search(r"duplicate +b\.txt +a\.txt +100% +\d+ +[\d,]+ +\$0\.\d{4} +\$0\.\d{4}", table.stdout)
    assert re.search(r"→ --leave-out duplicates: [\d,]+ tokens, \$0\.\d{4}", table.stdout)
    report = printed(run(data, "waste", "--corpus", "twice", "--json"))
    words = ("--corpus", "twice", "When?", "--json")
    now, then = (
        printed(run(data, "plan", *words, *more))["data"][0] for more in ((), ("--leave-out", "duplicates"))
    )
    assert report["tokens"] == now["input_tokens"] - then["input_tokens"] > 100
    asked = printed(run(data, "ask", *words, "--leave-out", "duplicates"))
    assert [out["leave_out"] for out in asked["coverage"]["documents_out"]] == ["duplicates"]


def test_a_split_that_is_not_needed_says_why(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "note.txt").write_text("The harbour was dredged in 1931.\n")
    words = ("ask", str(tmp_path / "note.txt"), "When?", "--strategy", "split")
    said, described = run(data, *words), run(data, *words, "--json")
    assert (said.returncode, described.returncode, said.stdout) == (3, 3, "")
    assert "split: Everything fits into one call" in said.stderr
    assert printed(described)["recommended"] is None
    assert [plan["infeasible_code"] for plan in printed(described)["data"]] == ["not_needed"]


def test_pages_are_sent_as_pictures_when_asked(tmp_path: Path) -> None:
    data = tmp_path / "data"
    pdfs.scanned_pdf(tmp_path / "scan.pdf")
    run(data, "add", str(tmp_path / "scan.pdf"), "--corpus", "scans")
    words = ("--corpus", "scans", "What is on it?", "--json")
    plain, seen = (
        printed(run(data, "plan", *words, *more))["data"][0] for more in ((), ("--page-images", "scans"))
    )
    assert (plain["images"]["pages"], seen["images"]["pages"]) == (0, 1)
    assert seen["input_tokens"] - plain["input_tokens"] == seen["images"]["tokens_max"] > 0


def test_wrong_files_are_named_and_the_rest_is_asked(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "empty.txt").touch()
    (folder / "zip.pdf").write_bytes(b"PK\x03\x04" + bytes(200))
    (folder / "good.txt").write_text("The harbour was dredged in 1931.\n")
    (folder / ".hidden.txt").write_text("Never read.\n")
    (folder / "~$hidden.txt").write_text("Never read.\n")
    done = run(tmp_path / "data", "ask", str(folder), "When was the harbour dredged?")
    assert done.returncode == 4, done.stderr
    assert "1931" in done.stdout
    assert "not read empty.txt: The file is empty." in done.stderr
    assert "not read zip.pdf:" in done.stderr
    assert "hidden" not in done.stderr


def test_when_nothing_can_be_read_nothing_is_asked(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    done = run(tmp_path / "data", "ask", str(tmp_path / "empty.txt"), "What?")
    assert done.returncode == 4
    assert not done.stdout
    assert "plan" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("ask", "/no/such/folder", "What?"), 2, "There is no file or folder"),
        (("ask", "What?"), 2, "Name what to ask"),
        (("ask", "--corpus", "none", "What?"), 1, "There is no corpus"),
        (("ask", str(APOLLO), "What?", "--model", "gpt-5.55"), 1, "gpt-5.5"),
        (("serve", "--host", "0.0.0.0"), 1, "only listens on this machine"),  # noqa: S104 - refused, that is the point
        (("nonsense",), 2, "No such command"),
    ],
)
def test_errors_say_what_to_do(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = run(tmp_path / "data", *words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_models_shows_the_catalog(tmp_path: Path) -> None:
    table = run(tmp_path / "data", "models")
    assert re.search(r"gpt-5\.5 +922,000 +272,000 +5 +0\.5 +30 +10 +45", table.stdout)
    one = printed(run(tmp_path / "data", "models", "gpt-5.5", "--json"))
    assert one["max_input_tokens"] == 922_000
    shown = run(tmp_path / "data", "models", "gpt-5.5-2026-04-23").stdout
    assert shown.startswith("gpt-5.5, also gpt-5.5-2026-04-23, ")
    assert "at most 922,000 of input and 128,000 of output" in shown
    assert re.search(r"^standard +5 +0\.5 +30 +10 +1 +45$", shown, re.MULTILINE)
    assert re.search(r"^priority +12\.5 +1\.25 +75 +- +- +-$", shown, re.MULTILINE)
    assert "from 2026-04-24\n" in shown
    assert "note On priority no rate is published" in shown
    assert not (tmp_path / "data").exists(), "looking at prices makes no store"


@pytest.mark.parametrize(
    "command",
    [
        *("ask", "plan", "waste", "add", "list", "remove", "spend", "budget", "keys"),
        *("serve", "worker", "migrate", "models"),
    ],
)
def test_help_teaches(tmp_path: Path, command: str) -> None:
    done = run(tmp_path / "data", command, "--help")
    assert done.returncode == 0
    assert f"Example: unabridged {command}" in done.stdout


def test_money_is_asked_about_before_it_is_spent(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("The bridge was opened in 1887 by the mayor.\n")
    with Upstream() as upstream:
        settings = {"provider_url": upstream.url, "provider_key": upstream.key}
        words = ("ask", str(tmp_path / "note.txt"), "When was the bridge opened?")
        closed = run_without_stdin(tmp_path / "data", *words, "--confirm-above", "0.01", **settings)
        assert (closed.returncode, "Nothing was spent" in closed.stderr) == (3, True), closed.stderr
        limited = run(tmp_path / "data", *words, "--max-cost", "0.0001", **settings)
        assert (limited.returncode, "ceiling" in limited.stderr) == (3, True), limited.stderr
        assert upstream.requests == []
        agreed = run(tmp_path / "data", *words, "--confirm-above", "0.01", "--yes", "--json", **settings)
        assert agreed.returncode == 0, agreed.stderr
        assert upstream.violations == []
        answer = printed(agreed)
        assert Decimal(answer["cost"]["actual_usd"]) == sum(line.usd for line in upstream.invoice)
        assert (
            answer["usage"]["prompt_tokens"]
            == printed(run(tmp_path / "data", *words, "--yes", "--json", **settings))["usage"][
                "prompt_tokens"
            ]
        )


def test_a_port_that_is_taken_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = run(tmp_path / "data", "serve", "--port", port)
    assert refused.returncode == 2
    assert f"Port {port} of 127.0.0.1 can't be used: Address already in use." in refused.stderr
    assert not (tmp_path / "data" / "seats").exists()


def test_an_old_store_is_refused_until_it_is_migrated(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "a.txt").write_text("Something to read.\n")
    assert run_anew(data, "add", str(tmp_path / "a.txt")).returncode == 0
    with sqlite3.connect(data / "unabridged.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'older'")
    for words in (("add", str(tmp_path / "a.txt")), ("serve", "--port", "0"), ("worker",)):
        refused = run_anew(data, *words)
        assert refused.returncode == 1
        assert "unabridged migrate" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_limits_are_set_and_hold(tmp_path: Path) -> None:
    with Upstream() as upstream:
        check_limits(tmp_path, upstream)


def check_limits(tmp_path: Path, upstream: Upstream) -> None:
    data = tmp_path / "data"
    paid = {"provider_url": upstream.url, "provider_key": upstream.key}
    (tmp_path / "note.txt").write_text("The harbour opened in 1871.\n")
    run(data, "add", str(tmp_path / "note.txt"), "--corpus", "notes")
    assert "No limit is set." in run(data, "budget").stdout
    ask = ("ask", "--corpus", "notes", "When?", "--yes")
    assert run(data, *ask, **paid).returncode == 0
    (made,) = printed(run(data, "budget", "corpus:notes", "0.01", "--period", "day", "--json"))
    assert (made["corpus"], made["limit_usd"], made["period"]) == ("notes", "0.01", "day")
    assert printed(run(data, "budget", "corpus:notes", "0.02", "--json"))[0]["period"] == "day"
    run(data, "budget", "corpus:notes", "0.01")
    refused = run(data, *ask, **paid)
    assert (refused.returncode, len(upstream.requests)) == (3, 1)
    assert "The budget of the corpus “notes” ($0.01 a day) has $" in refused.stderr
    assert re.search(r"corpus:notes +\$0\.01\d* +day", run(data, "budget").stdout)
    spent = printed(run(data, "spend", "--by", "corpus", "--json"))
    assert [group["name"] for group in spent["data"]] == ["notes"]
    assert Decimal(spent["total"]["spent_usd"]) == upstream.invoice[0].usd
    assert "in all" in run(data, "spend", "--since", "2026-01-01").stdout
    assert printed(run(data, "budget", "corpus:notes", "--remove", "--json")) == []
    assert run(data, *ask, **paid).returncode == 0


def test_several_questions_are_asked_together(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("The harbour opened in 1871.\nThe lighthouse was lit in 1902.\n")
    run(data, "add", str(folder), "--corpus", "port")
    asked = ("When did the harbour open?", "--also", "When was the lighthouse lit?")
    priced = run(data, "plan", "--corpus", "port", *asked)
    assert priced.returncode == 0, priced.stderr
    assert re.search(r"^Reads the only page in one call: \$0\.\d{4}\.$", priced.stdout, re.MULTILINE)
    assert re.search(r"^At other tiers: flex \$\S+ cold, \$\S+ warm; batch ", priced.stdout, re.MULTILINE)
    assert re.search(r"^One by one the 2 questions would cost \$0\.\d{4}\.$", priced.stdout, re.MULTILINE)
    plans = printed(run(data, "plan", "--corpus", "port", *asked, "--json"))
    assert plans["recommended_because"].startswith("Reads the only page in one call")
    assert plans["data"][0]["questions"] == 2
    answered = run(data, "ask", "--corpus", "port", *asked)
    assert answered.returncode == 0, answered.stderr
    assert answered.stdout.index("1871") < answered.stdout.index("2.\n") < answered.stdout.rindex("1902")
    empty = run(data, "plan", "--corpus", "port", "When?", "--also", " ")
    assert (empty.returncode, "Question 2" in empty.stderr) == (2, True)
