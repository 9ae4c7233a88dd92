"""Reading processes that take one file after another: whose, how many, and what ends them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import ingest
from ingest import Limits, Page, sandbox, turns
from ingest.reader import Frame
from tests.support import frames, pdfs, range_frames
from tests.support.usage import family

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample documents are not here")


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """Nothing rests from other tests, or for them."""
    sandbox.home.dismiss()
    yield
    sandbox.home.dismiss()


@pytest.fixture
def three(tmp_path: Path) -> Path:
    return pdfs.text_pdf(tmp_path / "three.pdf", [["One"], ["Two"], ["Three"]])


def process(
    path: Path, owner: str | None = "a", limits: Limits = sandbox.DEFAULT_LIMITS, frame: Frame | None = None
) -> int:
    """Read the file; return which process did."""
    pages = ingest.read(
        path, filename="a.pdf", frame=frame or range_frames.process, limits=limits, owner=owner
    )
    return next(page.tokens for page in list(pages) if isinstance(page, Page))


def resting() -> list[int]:
    """The processes below the zygote."""
    assert sandbox.home.pid is not None
    return list(family(sandbox.home.pid))[1:]


def test_an_owners_files_follow_each_other_in_one_process(three: Path) -> None:
    assert len({process(three) for _ in range(5)}) == 1
    assert len(resting()) == 1


def test_nobody_elses_file_goes_there(three: Path) -> None:
    assert len({process(three, owner) for owner in ("a", "b", None, None)}) == 4
    assert len(resting()) <= 2


def test_other_limits_take_another_process(three: Path) -> None:
    assert process(three) != process(three, limits=Limits(memory_bytes=800 << 20))


def test_after_so_many_files_another_process_comes(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MAX_DOCUMENTS", 3)
    seen = [process(three) for _ in range(7)]
    assert [seen.index(one) for one in seen] == [0, 0, 0, 3, 3, 3, 6]


@pytest.mark.parametrize("frame", [frames.failing, frames.crashing, frames.hungry])
def test_a_process_with_a_fault_takes_no_other_file(three: Path, frame: Frame) -> None:
    before = process(three)
    with pytest.raises(ingest.ReaderCrashed):
        process(three, frame=frame)
    assert resting() == []
    assert process(three) != before


def test_a_refused_file_ends_its_process(three: Path, tmp_path: Path) -> None:
    before = process(three)
    empty = tmp_path / "empty.pdf"
    empty.touch()
    with pytest.raises(ingest.EmptyDocument):
        process(empty)
    assert process(three) != before


def test_closing_early_ends_the_process_that_was_kept(three: Path) -> None:
    process(three)
    events = ingest.read(three, filename="a.pdf", owner="a")
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert resting() == []


def test_one_that_died_while_it_rested_is_replaced(three: Path) -> None:
    before = process(three)
    os.kill(resting()[0], signal.SIGKILL)
    assert process(three) != before


def test_what_rests_goes_with_its_zygote(three: Path) -> None:
    before = process(three)
    assert sandbox.home.pid is not None
    os.kill(sandbox.home.pid, signal.SIGKILL)
    while not (Path("/proc") / str(sandbox.home.pid) / "status").read_text().count("zombie"):
        time.sleep(0.01)
    assert process(three) != before


def test_one_that_has_grown_takes_no_other_file(three: Path) -> None:
    growing = partial(frames.growing, by=turns.MAX_GROWTH_BYTES + (1 << 20))
    process(three, frame=growing)
    assert resting() == []


def test_one_that_left_a_file_open_takes_no_other(three: Path) -> None:
    process(three)
    process(three, frame=frames.leaking)
    assert resting() == []


def test_each_file_has_processor_time_of_its_own(three: Path) -> None:
    limits = Limits(cpu_seconds=2)
    spending = partial(frames.spending, seconds=0.5)
    process(three, limits=limits, frame=spending)
    first = resting()
    process(three, limits=limits, frame=spending)  # together they take more than one may
    assert len(first) == 1
    with pytest.raises(ingest.TimedOut):
        process(three, limits=limits, frame=frames.busy)


def test_one_that_has_spent_a_files_processor_time_takes_no_other(three: Path) -> None:
    limits = Limits(cpu_seconds=1)
    spending = partial(frames.spending, seconds=0.24)
    process(three, limits=limits, frame=spending)
    assert len(resting()) == 1
    process(three, limits=limits, frame=spending)
    assert resting() == []


def test_hardly_more_rest_than_there_are_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_processors", lambda: 2)
    long = pdfs.text_pdf(tmp_path / "long.pdf", [[f"Page {n}"] * 40 for n in range(120)])
    for owner in "abcde":
        process(long, owner)
    assert len(resting()) == 3


def test_five_hundred_files_leave_no_memory_and_no_descriptor_behind(
    three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "MAX_DOCUMENTS", 1_000)
    table = tmp_path / "table.csv"
    table.write_text("a,b\n" * 50)

    def taken() -> tuple[int, int]:
        (pid,) = resting()
        status = Path(f"/proc/{pid}/status").read_text().split()
        return len(os.listdir(f"/proc/{pid}/fd")), int(status[status.index("VmRSS:") + 1])  # noqa: PTH208

    first = process(three)
    for path in (table, three) * 10:
        process(path)
    files, kilobytes = taken()
    for path in (table, three) * 240:
        process(path)
    assert process(three) == first
    after = taken()
    assert after[0] == files
    assert after[1] < kilobytes + 4_096


@needs_samples
def test_what_was_read_before_makes_no_difference() -> None:
    paths = sorted((SAMPLES / "ntsb-reports").glob("*.pdf"))[:4]
    alone = [list(ingest.read(path, filename=path.name)) for path in paths]
    assert [list(ingest.read(path, filename=path.name, owner="a")) for path in paths] == alone
    assert len(resting()) >= 1


def test_a_process_that_is_not_needed_ends_by_itself(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.home.close()
    quick = "from ingest import turns, zygote; turns.IDLE_SECONDS = 0.05"
    monkeypatch.setattr(sandbox, "_BOOT", sandbox._BOOT.replace("from ingest import zygote", quick))  # noqa: SLF001
    before = process(three)
    deadline = time.monotonic() + 10
    while resting() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert resting() == []
    assert process(three) != before
    sandbox.home.close()
