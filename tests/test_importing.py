"""Importing any module does nothing: no file, socket, thread, process, log line, look at the environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for folder in ("service", "ingest")
    for path in sorted((ROOT / folder).rglob("*.py"))
]

WATCHED = r"""
import json, logging, os, sys, threading, traceback
root, names = sys.argv[1], sys.argv[2:]
seen = []
OS = {"os." + call for call in "mkdir remove rename rmdir fork exec posix_spawn system putenv chmod".split()}
WORLDS = {"socket", "subprocess", "shutil", "sqlite3", "urllib", "tempfile"}
STANDARD = {os.__file__, "<frozen os>", "<frozen _collections_abc>"}

def ours(place):
    return place.startswith(root) and "site-packages" not in place

def note(what):
    # with the innermost place outside the standard library, and the innermost of ours
    stack = [f"{f.filename}:{f.lineno}" for f in reversed(traceback.extract_stack())]
    by = next((at for at in stack if ours(at) or "site-packages" in at), "?")
    seen.append([what, by.split("site-packages/")[-1], next(filter(ours, stack), "?")])

def hook(event, args):
    if event == "open":
        path, mode, flags = args
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and path != os.devnull:
            note(f"opens {path} for writing")
    elif event.split(".")[0] in WORLDS or event in OS:
        note(event)

def started(self, *args, **more):
    note("starts a thread")
    raise RuntimeError("importing starts a thread")

def read(self, key, *rest):
    caller = sys._getframe(1)
    while caller is not None and caller.f_code.co_filename in STANDARD:
        caller = caller.f_back
    if caller is not None and ours(caller.f_code.co_filename):
        note(f"reads {key} from the environment")
    return plain(self, key, *rest)

plain = os._Environ.__getitem__
os._Environ.__getitem__ = read
threading.Thread.start = started
logging.Logger.handle = lambda self, record: note("logs " + record.getMessage())
sys.addaudithook(hook)
before = os.getcwd(), sorted(os.listdir("."))
import importlib
for name in names:
    importlib.import_module(name)
assert before == (os.getcwd(), sorted(os.listdir("."))), "the folder changed"
assert threading.active_count() == 1
print(json.dumps(seen))
"""


LIBRARY_EFFECTS = {
    ("subprocess.Popen", "croniter"): "comes with DBOS, and asks `file` whether Python has 32 bits",
}


def imported(root: Path, names: list[str], folder: Path, *, watched: str = WATCHED) -> list[list[str]]:
    """What importing the modules did, in a process of its own that watches for it."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", watched, str(root), *names],
        cwd=folder,
        env={"PYTHONPATH": str(root), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    effects: list[list[str]] = json.loads(done.stdout)
    return [one for one in effects if (one[0], one[1].partition("/")[0]) not in LIBRARY_EFFECTS]


def test_importing_has_no_effect(tmp_path: Path) -> None:
    """To mend: move it into a function that somebody calls."""
    effects = imported(ROOT, CODE, tmp_path)
    assert not effects, "\nRule: importing a module does nothing.\n  " + "\n  ".join(map(str, effects))
    assert list(tmp_path.iterdir()) == []


HEAVY = ("alembic", "dbos", "fastapi", "httpx", "mcp", "pdf_oxide", "psycopg", "pypdf", "tiktoken", "uvicorn")
"""What most commands never need; together they take longer to load than the rest."""


def test_a_command_starts_without_what_it_may_not_need(tmp_path: Path) -> None:
    """To mend: import it inside the function that needs it, and say why in LATE_IMPORTS."""
    script = f"import sys; from service import cli; print([n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("open('x', 'w')", "opens x for writing"),
        ("import socket; socket.socket()", "socket.__new__"),
        ("import os; os.environ.get('HOME')", "reads HOME from the environment"),
        ("import os; os.getenv('HOME')", "reads HOME from the environment"),
        ("import os; os.makedirs('y')", "os.mkdir"),
        ("import logging; logging.getLogger('z').warning('w')", "logs w"),
        ("import subprocess; subprocess.run(['/bin/true'])", "subprocess.Popen"),
    ],
)
def test_an_effect_of_importing_is_seen(tmp_path: Path, source: str, seen: str) -> None:
    package = tmp_path / "code"
    package.mkdir()
    (package / "loud.py").write_text(source)
    watched = WATCHED.replace(
        "assert before", "True or before"
    )  # the folder changes too, which is said apart
    effects = imported(package, ["loud"], tmp_path, watched=watched)
    assert seen in [what for what, *_ in effects]


def test_a_thread_or_a_file_made_by_importing_is_refused(tmp_path: Path) -> None:
    for source in ("import threading; threading.Thread(target=print).start()", "open('x', 'w').close()"):
        (tmp_path / "loud.py").write_text(source)
        with pytest.raises(AssertionError, match=r"starts a thread|the folder changed"):
            imported(tmp_path, ["loud"], tmp_path)
