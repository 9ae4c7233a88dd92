"""`unabridged` in processes forked from one that has its libraries loaded: they start at once.

    done = command("plan", "--corpus", "all", "When?", env=environment(data))
    assert done.returncode == 0, done.stderr

Each command is a process of its own, with its own environment, streams and exit code, and ends as an
interpreter does. Run as a script this module is the parent that they are forked from.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0


def command(*words: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in the root folder, with nothing on its standard input.

    Raises:
        TimeoutExpired: it takes longer than two minutes.
    """
    return _parent().run(words, env)


class Parent:
    """The process that forks; one command at a time."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.commanding"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, words: tuple[str, ...], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Have a command run, and return what it said."""
        with self._turn, tempfile.TemporaryDirectory() as folder:
            out, errors = Path(folder, "out"), Path(folder, "errors")
            code = self._told({"words": words, "env": dict(env), "out": str(out), "errors": str(errors)})
            return subprocess.CompletedProcess(
                ["unabridged", *words], code, out.read_text("utf-8"), errors.read_text("utf-8")
            )

    def close(self) -> None:
        """End it."""
        self._process.communicate()

    def _told(self, order: Mapping[str, object]) -> int:
        orders, answers = self._process.stdin, self._process.stdout
        assert orders is not None
        assert answers is not None
        print(json.dumps(order), file=orders, flush=True)
        if not select.select([answers], [], [], PATIENCE_S)[0]:
            _parent.cache_clear()
            self._process.kill()
            raise subprocess.TimeoutExpired(str(order["words"]), PATIENCE_S)
        return int(answers.readline())


@cache
def _parent() -> Parent:
    parent = Parent()
    atexit.register(parent.close)
    return parent


def _obey() -> None:
    """Fork for each order; the child leaves this loop by the command's own exit."""
    import dbos  # noqa: PLC0415 - the parent alone loads what its children need
    import tantivy  # noqa: PLC0415 - the same
    from alembic import command as migrations  # noqa: PLC0415 - the same

    from ingest import count_tokens  # noqa: PLC0415 - the same
    from service import __main__, cli  # noqa: PLC0415 - the same

    del dbos, tantivy, migrations, cli
    count_tokens("warm")
    gc.freeze()  # a child that ends does not look through all of it once more
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            order = json.loads(line)
            os.environ.clear()
            os.environ.update(order["env"])
            _redirect(order["out"], order["errors"])
            sys.argv = [str(__main__.__file__), *order["words"]]
            sys.modules["__main__"] = __main__  # what usage names the program after
            __main__.main()
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the answer


def _redirect(out: str, errors: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    made = [os.open(path, os.O_WRONLY | os.O_CREAT) for path in (out, errors)]
    for number, handle in enumerate((nothing, *made)):
        os.dup2(handle, number)
        os.close(handle)


if __name__ == "__main__":
    _obey()
