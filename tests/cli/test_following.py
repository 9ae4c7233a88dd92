"""What a terminal shows of an answer while it is on its way, and nobody else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.support.process import environment
from tests.support.upstream import Upstream, status

ROOT = Path(__file__).parents[2]
TOLD = "the provider refused for now, and is asked again in 1 s"


def asked(folder: Path, upstream: Upstream, stderr: int) -> tuple[int, str, str]:
    """Ask with the errors going there; return the code, the answer and what was said."""
    (folder / "note.txt").write_text("The bridge was opened in 1887 by the mayor.\n")
    upstream.script.append(status(429, "rate_limit_exceeded", {"retry-after-ms": "300"}))
    settings = {"provider_url": upstream.url, "provider_key": upstream.key}
    done = subprocess.run(
        [sys.executable, "-m", "service", "ask", str(folder / "note.txt"), "When was it opened?"],
        env={**environment(folder / "data", **settings), "COLUMNS": "200"},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr or ""


def test_a_wait_for_the_provider_is_told_to_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        with Upstream() as upstream:
            code, answer, _ = asked(tmp_path, upstream, theirs)
        shown = os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert (code, bool(answer)) == (0, True), shown
    assert shown.count(TOLD) == 1
    assert TOLD not in answer


def test_a_file_is_not_told_of_it(tmp_path: Path) -> None:
    with Upstream() as upstream:
        code, answer, said = asked(tmp_path, upstream, subprocess.PIPE)
        assert len(upstream.requests) == 2
    assert (code, bool(answer)) == (0, True)
    assert "asked again" not in said
