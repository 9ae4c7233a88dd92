"""Reading in a child process: what comes out, what ends it, and that nothing of it stays behind."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
import types
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

import ingest
from ingest import Finished, Limits, Page, Started, child, sandbox
from ingest.reader import Frame
from ingest.tokens import count_tokens
from tests.support import frames, hostile_texts, pdfs

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "../shared/samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample documents are not here")

TIGHT = Limits(silent_seconds=0.4)


@pytest.fixture
def three(tmp_path: Path) -> Path:
    return pdfs.text_pdf(tmp_path / "three.pdf", [["One"], ["Two", "/usr/bin"], ["Three"]], title="Numbers")


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """More text than the sockets between the processes hold."""
    return pdfs.text_pdf(tmp_path / "large.pdf", [["word " * 18] * 45] * 400)


def pages_of(path: Path, **more: object) -> list[Page]:
    events = ingest.read(path, filename=path.name, **more)  # type: ignore[arg-type]
    return [event for event in events if isinstance(event, Page)]


def children(parent: int | None = None) -> list[int]:
    """Return the processes below the zygote (or another parent), zombies included."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == (parent or sandbox.home.pid):
                found.append(int(stat.parent.name))
    return found


def descriptors(process: int | str = "self") -> int:
    return len(os.listdir(f"/proc/{process}/fd"))  # noqa: PTH208 - Path.iterdir holds one of them open itself


def eventually(holds: Callable[[], bool], *, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(autouse=True)
def _nobody_rests() -> None:
    """Send away the processes that earlier tests of this process left resting."""
    sandbox.home.dismiss()
    assert sandbox.home.pid is None or eventually(lambda: children() == [])


# What comes out


def test_a_reading_starts_pages_and_finishes(three: Path) -> None:
    first, *pages, last = ingest.read(three, filename="Numbers.pdf")
    assert first == Started("application/pdf", ingest.Unit.PAGE, 3)
    assert pages == [Page(1, "One", tokens=1), Page(2, "Two\n/usr/bin", tokens=4), Page(3, "Three", tokens=1)]
    assert isinstance(last, Finished)
    assert (last.title, last.encoding, last.warnings, last.margins, last.outline) == (
        "Numbers",
        "o200k_base",
        (),
        (),
        (),
    )


def test_tokens_count_the_framed_page(three: Path) -> None:
    for page in pages_of(three, frame=frames.tagged):
        assert page.tokens == count_tokens(frames.tagged(page))
        assert page.tokens > count_tokens(page.text)


def test_a_frame_may_carry_arguments(three: Path) -> None:
    assert pages_of(three, frame=partial(frames.longer, by=100))[0].tokens == 101


def test_text_is_clean_and_flags_are_set(tmp_path: Path) -> None:
    scan = pdfs.scanned_pdf(tmp_path / "scan.pdf")
    picture = ingest.Picture(1653, 2338)
    assert pages_of(scan) == [Page(1, "", flags=(ingest.Flag.NO_TEXT, ingest.Flag.SCAN), picture=picture)]


def test_other_formats_go_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("# Head\n\nBody\xa0text\n", encoding="utf-8")
    first, *pages, _ = ingest.read(path, filename="notes.md")
    assert isinstance(first, Started)
    assert first.media_type == "text/markdown"
    assert any("Body text" in page.text for page in pages if isinstance(page, Page))


# What ends it


def zeros(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(50_000_000)
    return path


def zipped(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("empty.txt", "")
    return path


def written(content: bytes, path: Path) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (partial(written, b""), ingest.EmptyDocument),
        (partial(written, b"%PDF-1.7\nnothing more"), ingest.DamagedDocument),
        (partial(pdfs.encrypted_pdf, user="a", owner="b"), ingest.EncryptedDocument),
        (zeros, ingest.UnsupportedFormat),
        (zipped, ingest.EmptyDocument),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    tmp_path: Path, make: Callable[[Path], Path], kind: type[ingest.IngestError]
) -> None:
    path = make(tmp_path / "file.pdf")
    with pytest.raises(kind) as caught:
        pages_of(path)
    assert type(caught.value) is kind
    assert str(caught.value).endswith(".")
    assert str(tmp_path) not in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(max_pages=2), "3 pages, more than the 2"),
        (Limits(max_page_chars=10), "10 characters on one page"),
        (Limits(max_chars=15), "15 in all"),
    ],
)
def test_a_file_over_a_limit_of_size_is_too_large(three: Path, limits: Limits, words: str) -> None:
    with pytest.raises(ingest.TooLarge, match=words):
        pages_of(three, limits=limits)


def test_limits_that_just_hold_do_not_end_a_reading(three: Path) -> None:
    assert len(pages_of(three, limits=Limits(max_pages=3, max_page_chars=14, max_chars=24))) == 3


@pytest.mark.parametrize(
    ("frame", "limits"),
    [
        (frames.stuck, TIGHT),
        (frames.slow, Limits(wall_seconds=0.25)),
        (frames.busy, Limits(cpu_seconds=1)),
    ],
)
def test_a_reading_that_takes_too_long_is_ended(three: Path, frame: Frame, limits: Limits) -> None:
    began = time.monotonic()
    with pytest.raises(ingest.TimedOut):
        pages_of(three, frame=frame, limits=limits)
    assert time.monotonic() - began < 60
    assert children() == []


def test_the_first_page_may_have_a_limit_of_its_own(three: Path, tmp_path: Path) -> None:
    slow = hostile_texts.many_attributes(tmp_path / "slow.html")
    began = time.monotonic()
    with pytest.raises(ingest.TimedOut):
        pages_of(slow, limits=Limits(first_seconds=0.4))
    assert time.monotonic() - began < 15
    assert len(pages_of(three, frame=frames.hesitant, limits=Limits(first_seconds=0.5))) == 3


def test_pages_come_while_a_later_one_is_read(three: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    frame = functools.partial(frames.held_up, until=str(seen))
    events = ingest.read(three, filename="a.pdf", frame=frame)
    assert isinstance(next(events), Started)
    assert isinstance(next(events), Page)
    seen.touch()
    assert len(list(events)) == 3


def test_time_that_the_caller_takes_does_not_count(large: Path) -> None:
    limits = Limits(silent_seconds=0.5, wall_seconds=5)
    count = 0
    for event in ingest.read(large, filename="a.pdf", limits=limits):
        if isinstance(event, Page) and event.number in {1, 2}:
            time.sleep(0.8)
        count += 1
    assert count == 402


@pytest.mark.parametrize("frame", [frames.crashing, frames.hungry])
def test_a_reading_that_dies_is_reported(three: Path, frame: Frame) -> None:
    with pytest.raises(ingest.ReaderCrashed, match="memory"):
        pages_of(three, frame=frame)
    assert len(pages_of(three)) == 3


@pytest.mark.parametrize("fault", ["ZeroDivisionError", "SystemExit"])
def test_a_frame_whose_module_does_not_load_ends_its_reading_alone(
    three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    module = types.ModuleType(f"faulty_{fault}")
    exec("def frame(page): return page.text", vars(module))  # noqa: S102 - a module that this process alone has
    monkeypatch.setitem(sys.modules, module.__name__, module)
    (tmp_path / f"{module.__name__}.py").write_text(f"raise {fault}\n")
    sandbox.home.close()
    try:
        assert len(pages_of(three)) == 3
        pid = sandbox.home.pid
        with pytest.raises(ingest.ReaderCrashed):
            pages_of(three, frame=module.frame)
        assert len(pages_of(three)) == 3
        assert sandbox.home.pid == pid
    finally:
        sandbox.home.close()


def test_an_unforeseen_error_is_logged_and_not_shown(three: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ingest.ReaderCrashed) as caught:
        pages_of(three, frame=frames.failing)
    assert "ZeroDivisionError: page 1" in caplog.text
    assert "Zero" not in str(caught.value)


def test_a_bomb_ends_within_the_limits(tmp_path: Path) -> None:
    bomb = pdfs.flate_bomb(tmp_path / "bomb.pdf", megabytes=300)
    assert bomb.stat().st_size < 20_000
    began = time.monotonic()
    with pytest.raises((ingest.ReaderCrashed, ingest.TimedOut)):
        pages_of(bomb, limits=Limits(memory_bytes=256 << 20, silent_seconds=10))
    assert time.monotonic() - began < 60


def test_the_child_writes_no_files_and_sees_no_environment(three: Path, tmp_path: Path) -> None:
    path = tmp_path / "written"
    with pytest.raises(ingest.ReaderCrashed):
        pages_of(three, frame=partial(frames.writing, to=path))
    assert path.stat().st_size == 0
    assert pages_of(three, frame=frames.environment)[0].tokens <= 1


def test_a_frame_of_the_main_module_is_refused(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames.tagged, "__module__", "__main__")
    with pytest.raises(ValueError, match="__main__"):
        pages_of(three, frame=frames.tagged)


def test_a_child_that_lies_is_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    lies = bytearray(b"\0\0\0\x02{}")
    with pytest.raises(ingest.ReaderCrashed):
        list(child.complete(lies))
    assert "no event" in caplog.text


# What stays behind: nothing


def test_closing_early_ends_the_child(large: Path) -> None:
    events = ingest.read(large, filename="large.pdf")
    assert isinstance(next(events), Started)
    time.sleep(0.5)
    assert len(children()) == 1, "the child waits for a parent that reads no more"
    assert isinstance(events, Iterator)
    events.close()  # type: ignore[attr-defined]
    assert children() == []


def test_an_error_in_the_loop_ends_the_child(large: Path) -> None:
    def first_page() -> None:
        for _ in ingest.read(large, filename="large.pdf"):
            raise LookupError

    with pytest.raises(LookupError):
        first_page()
    assert eventually(lambda: children() == [])


def test_no_descriptor_and_no_process_is_left(three: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pdf"
    empty.write_bytes(b"")

    def use() -> None:
        pages_of(three)
        next(iter(ingest.read(three, filename="a.pdf")))
        with pytest.raises(ingest.EmptyDocument):
            pages_of(empty)
        with pytest.raises(ingest.ReaderCrashed):
            pages_of(three, frame=frames.crashing)

    use()
    assert sandbox.home.pid is not None
    before = descriptors(), descriptors(sandbox.home.pid)
    for _ in range(10):
        use()
    assert eventually(lambda: descriptors() <= before[0])
    assert eventually(lambda: descriptors(sandbox.home.pid or 0) <= before[1])
    assert children() == []


def test_threads_read_side_by_side(tmp_path: Path) -> None:
    paths = [
        pdfs.text_pdf(tmp_path / f"{n}.pdf", [[f"File {n} page {page}"] for page in range(5)])
        for n in range(12)
    ]
    with ThreadPoolExecutor(6) as pool:
        for n, pages in enumerate(pool.map(pages_of, paths)):
            assert [page.text for page in pages] == [f"File {n} page {page}" for page in range(5)]
    assert children() == []


def test_a_slow_reading_holds_up_no_other(three: Path) -> None:
    waiting = ingest.read(three, filename="a.pdf", frame=frames.stuck)
    next(waiting)
    assert len(pages_of(three)) == 3
    waiting.close()  # type: ignore[attr-defined]


def test_a_killed_zygote_is_replaced(three: Path) -> None:
    pages_of(three)
    dead = sandbox.home.pid
    assert dead is not None
    os.kill(dead, signal.SIGKILL)
    assert len(pages_of(three)) == 3
    assert sandbox.home.pid not in {dead, None}


def test_an_interrupt_is_the_parents_affair(three: Path) -> None:
    pages_of(three)
    assert sandbox.home.pid is not None
    os.kill(sandbox.home.pid, signal.SIGINT)
    pid = sandbox.home.pid
    assert len(pages_of(three)) == 3
    assert sandbox.home.pid == pid


# Wherever it is called from

PROGRAM = """
import sys
print("main runs", flush=True)
from pathlib import Path
import ingest
from tests.support import frames
for event in ingest.read(Path({path!r}), filename="a.pdf", frame=frames.tagged):
    print(type(event).__name__, flush=True)
"""
EXPECTED = ["main runs", "Started", "Page", "Page", "Page", "Finished"]


def run(arguments: list[str], program: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        input=program,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize("way", ["-c", "stdin", "script", "console script"])
def test_the_main_program_is_never_run_again(three: Path, tmp_path: Path, way: str) -> None:
    program = PROGRAM.format(path=str(three))
    script = tmp_path / ("program.py" if way == "script" else "program")
    script.write_text(program)
    arguments = {"-c": ["-c", program], "stdin": ["-"]}.get(way, [str(script)])
    done = run(arguments, program)
    assert (done.stdout.splitlines(), done.stderr, done.returncode) == (EXPECTED, "", 0)


def test_a_forked_process_gets_a_zygote_of_its_own(three: Path) -> None:
    forking = f"""
import os
from pathlib import Path
import ingest
from ingest.sandbox import home
path = Path({str(three)!r})
def count(): return len(list(ingest.read(path, filename="a.pdf")))
first = count(), home.pid
pid = os.fork()
if pid == 0:
    ok = home.pid is None and count() == 5 and home.pid != first[1]
    home.close()
    os._exit(0 if ok else 3)
assert os.waitpid(pid, 0)[1] == 0
assert (count(), home.pid) == first == (5, first[1])
"""
    done = run(["-c", forking])
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_killed_parent_leaves_nothing_running(three: Path) -> None:
    program = PROGRAM.format(path=str(three)).replace("frames.tagged", "frames.stuck")
    program = program.replace("print(type", "from ingest.sandbox import home; print(home.pid, type")
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        zygote = int(parent.stdout.readline().split()[0])
        family = [zygote, *children(zygote)]
        assert len(family) == 2
        parent.kill()
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))


# Real documents


@needs_samples
def test_reports_of_the_agencies_are_read_whole() -> None:
    path = SAMPLES / "us-agency-reports" / "NARA2022.pdf"
    pages = pages_of(path)
    assert [page.number for page in pages] == list(range(1, 17))
    assert sum(page.tokens for page in pages) == sum(count_tokens(page.text) for page in pages) > 8_000


@needs_samples
def test_small_reports_are_read() -> None:
    for path in sorted((SAMPLES / "ntsb-reports").glob("*.pdf"))[:5]:
        assert all(page.tokens > 0 and page.flags == () for page in pages_of(path))
