"""Ctrl-C: reading is left at once and goes on later; a paid answer is stopped, and says what it cost."""

from __future__ import annotations

import os
import pty
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from service import terminal
from tests.support.process import environment
from tests.support.upstream import Upstream, stall_after

ROOT = Path(__file__).parents[2]
QUESTION = "When was the bridge opened?"


def start(
    data: Path, *words: str, settings: dict[str, str] | None = None, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "service", *words],
        env={**environment(data, **(settings or {})), "COLUMNS": "200"},
        cwd=ROOT,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heeds_ctrl_c,  # noqa: PLW1509 - a shell has its background jobs ignore it, tests among them
    )


def _heeds_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def documents(data: Path) -> list[str]:
    try:
        with sqlite3.connect(f"file:{data / 'unabridged.db'}?mode=ro", uri=True) as database:
            return [status for (status,) in database.execute("SELECT status FROM documents")]
    except sqlite3.OperationalError:
        return []


def settings_of(upstream: Upstream) -> dict[str, str]:
    return {"provider_url": upstream.url, "provider_key": upstream.key}


def note(folder: Path) -> str:
    (folder / "note.txt").write_text("The bridge was opened in 1887 by the mayor.\n")
    return str(folder / "note.txt")


def test_reading_is_left_at_once_and_goes_on_later(tmp_path: Path) -> None:
    data, text = tmp_path / "data", tmp_path / "long.txt"
    words = ["".join(random.Random(n).choices("abcdefghijklmnop", k=7)) for n in range(5_000)]  # noqa: S311
    text.write_text("\n".join(" ".join(random.Random(n).choices(words, k=12)) for n in range(40_000)))  # noqa: S311
    reading = start(data, "add", str(text), "--corpus", "long")
    wait_for(lambda: bool(documents(data)))
    began = time.monotonic()
    reading.send_signal(signal.SIGINT)
    out, err = reading.communicate(timeout=30)
    assert time.monotonic() - began < 3
    assert reading.returncode == 130, err
    assert err == "Stopped. What was not read yet is read the next time unabridged runs.\n"
    assert out == ""
    assert documents(data) not in (["ready"], ["failed"])
    again = start(data, "add", str(text), "--corpus", "long")
    out, err = again.communicate(timeout=90)
    assert (again.returncode, "1 of 1 document read" in out) == (0, True), err
    assert err == ""


def test_a_paid_answer_is_stopped_and_says_what_it_cost(tmp_path: Path) -> None:
    with Upstream() as upstream:
        upstream.script.append(stall_after(3))
        asking = start(
            tmp_path / "data", "ask", note(tmp_path), QUESTION, "--yes", settings=settings_of(upstream)
        )
        assert asking.stdout is not None
        assert asking.stdout.read(1)
        asking.send_signal(signal.SIGINT)
        _, err = asking.communicate(timeout=30)
        assert asking.returncode == 130, err
        assert re.search(r"Stopped\. Answer ans_\w+: cancelled; at most \$0\.\d{4} was billed", err), err
        assert "Traceback" not in err
        assert len(upstream.requests) == upstream.disconnects == 1


def test_a_second_ctrl_c_leaves_at_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Upstream() as upstream:
        upstream.script.append(stall_after(3))
        asking = start(data, "ask", note(tmp_path), QUESTION, "--yes", settings=settings_of(upstream))
        assert asking.stdout is not None
        assert asking.stdout.read(1)
        with sqlite3.connect(data / "unabridged.db", isolation_level=None, timeout=30) as database:
            database.execute("BEGIN IMMEDIATE")  # so that the first cannot take effect
            asking.send_signal(signal.SIGINT)
            time.sleep(0.5)
            assert asking.poll() is None
            began = time.monotonic()
            asking.send_signal(signal.SIGINT)
            _, err = asking.communicate(timeout=30)
            assert time.monotonic() - began < 2
            database.execute("ROLLBACK")
        assert (asking.returncode, "Traceback" in err) == (130, False), err


def test_at_a_terminal_someone_agrees_or_not(tmp_path: Path) -> None:
    with Upstream() as upstream:
        settings = settings_of(upstream)
        for typed, code, sent in (("n", 3, 0), ("y", 0, 1)):
            ours, theirs = pty.openpty()
            try:
                words = ("ask", note(tmp_path), QUESTION, "--confirm-above", "0")
                asking = start(tmp_path / "data", *words, stdin=theirs, settings=settings)
                os.write(ours, f"{typed}\n".encode())
                _, err = asking.communicate(timeout=60)
            finally:
                os.close(ours)
                os.close(theirs)
            assert (asking.returncode, len(upstream.requests)) == (code, sent), err
            assert "[y/N]" in err
            assert ("Nothing was spent" in err) == (code == 3)


def test_ctrl_c_is_left_alone_where_the_shell_ignores_it_and_given_back_elsewhere() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with terminal.stopping_at_once("Stopped."):
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with terminal.stopping_at_once("Stopped."):
            assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
