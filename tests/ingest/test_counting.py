"""Counts made by a process of their own: the same numbers, whatever becomes of that process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ingest
from ingest import counter, counting, sandbox, tokens
from tests.support.usage import family

ROOT = Path(__file__).resolve().parents[2]
PROBE = "When did the harbour open? \ud800 日本 <|endoftext|>"


@pytest.fixture
def apart() -> Iterator[None]:
    with counting.counting_apart():
        yield


@pytest.fixture
def never_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of this process fail."""

    def refuse(_text: str) -> int:
        raise AssertionError("counted here")

    monkeypatch.setattr(tokens, "count_here", refuse)


def counters() -> list[int]:
    """The processes below the zygote."""
    return list(family(sandbox.home.pid))[1:] if sandbox.home.pid is not None else []


@pytest.fixture(scope="module")
def shared() -> Iterator[None]:
    with counting.counting_apart():
        yield


@pytest.mark.usefixtures("shared")
@given(st.text(alphabet=st.characters(codec=None)))
def test_the_numbers_are_the_same(text: str) -> None:
    assert ingest.count_tokens(text) == tokens.count_here(text)


@pytest.mark.usefixtures("apart", "never_here")
def test_long_texts_are_counted_there_too() -> None:
    line = "The northern pier was rebuilt in 1903.\n"
    assert ingest.count_tokens(line * 20_000) == 20_000 * ingest.count_tokens(line)


def test_who_counts_apart_has_no_vocabulary(tmp_path: Path) -> None:
    script = (
        "import ingest, toktok\n"
        "with ingest.counting_apart():\n"
        "    print(ingest.count_tokens('The harbour opened.'), toktok._CACHE)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == f"{tokens.count_here('The harbour opened.')} {{}}\n"


@pytest.mark.usefixtures("apart", "never_here")
def test_a_process_that_died_is_replaced() -> None:
    before = ingest.count_tokens(PROBE)
    for pid in counters():
        os.kill(pid, signal.SIGKILL)
    assert ingest.count_tokens(PROBE + PROBE) > before


@pytest.mark.usefixtures("apart", "never_here")
def test_so_is_the_one_it_comes_from() -> None:
    before = ingest.count_tokens(PROBE)
    assert sandbox.home.pid is not None
    os.kill(sandbox.home.pid, signal.SIGKILL)
    for pid in counters():
        os.kill(pid, signal.SIGKILL)
    assert ingest.count_tokens(PROBE + PROBE) > before


def test_one_that_is_silent_is_given_up_and_its_late_answer_is_nobodys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "_ANSWER_SECONDS", 0.5)
    with counting.counting_apart():
        ingest.count_tokens("warm")
        (silent,) = counters()
        os.kill(silent, signal.SIGSTOP)
        assert ingest.count_tokens(PROBE) == tokens.count_here(PROBE)
        assert ingest.count_tokens("one") == 1
        assert silent not in counters()


@pytest.mark.usefixtures("apart")
def test_where_none_can_be_had_it_is_counted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise ingest.ReaderCrashed(sandbox.NOT_STARTED)

    monkeypatch.setattr(sandbox.home, "hire_counter", none)
    assert ingest.count_tokens(PROBE) == tokens.count_here(PROBE)


def test_half_an_answer_is_none() -> None:
    mine, theirs = socket.socketpair()
    with mine, theirs:
        theirs.sendall(b"\0\0\0\0")
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionError):
            counter.ask(mine, "text")


@pytest.mark.usefixtures("apart", "never_here")
def test_many_threads_get_their_own_answers() -> None:
    gate = threading.Barrier(8)

    def count(number: int) -> bool:
        gate.wait()
        return all(ingest.count_tokens(" a" * n) == n for n in range(number + 1, 200, 8))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(count, range(8)))


def test_a_fork_of_this_process_does_not_ask(tmp_path: Path) -> None:
    script = (
        "import ingest, os\n"
        "with ingest.counting_apart():\n"
        "    ingest.count_tokens('warm')\n"
        "    child = os.fork()\n"
        "    counts = [ingest.count_tokens(' a' * n) for n in range(1, 100)]\n"
        "    assert counts == list(range(1, 100))\n"
        "    if not child:\n"
        "        os._exit(0)\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
    )
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_it_is_none_of_the_reading_processes_and_ends_with_the_block() -> None:
    sandbox.home.dismiss()
    with counting.counting_apart():
        ingest.count_tokens(PROBE)
        assert sandbox.home.running == 0
        assert len(counters()) == 1
    assert counters() == []
    assert tokens.way.apart is None
