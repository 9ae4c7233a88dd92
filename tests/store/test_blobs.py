"""Files: named by their hash, whole or not there at all, and never held in memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from service.errors import Invalid, NotFound, StoreUnavailable, TooLarge
from service.store.blobs import Blobs, ReceivedBlob

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "fi les"  # a blank: the URL form has to be undone


@pytest.fixture(params=["folder", "object store"])
def blobs(request: pytest.FixtureRequest, folder: Path) -> Blobs:
    return Blobs(folder.as_uri() if request.param == "folder" else "memory:///")


@pytest.fixture
def local(folder: Path) -> Blobs:
    return Blobs(folder.as_uri())


async def chunked(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def receive(blobs: Blobs, *chunks: bytes, most: int = 100 * MIB) -> ReceivedBlob:
    return asyncio.run(blobs.receive(chunked(*chunks), max_bytes=most))


def read(blobs: Blobs, sha256: str) -> bytes:
    async def collect() -> bytes:
        return b"".join([chunk async for chunk in blobs.stream(sha256)])

    return asyncio.run(collect())


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "chunks",
    [(), (b"",), (b"a",), (b"", b"a", b"", b"bc", b""), (b"x" * (9 * MIB), b"y"), (b"z" * 65_536,) * 300],
)
def test_what_is_received_comes_back_under_its_hash(blobs: Blobs, chunks: Sequence[bytes]) -> None:
    whole = b"".join(chunks)
    received = receive(blobs, *chunks)
    assert (received.sha256, received.bytes) == (hashlib.sha256(whole).hexdigest(), len(whole))
    with pytest.raises(NotFound):
        read(blobs, received.sha256)  # it has no name yet
    blobs.keep(received)
    assert read(blobs, received.sha256) == whole
    with blobs.as_path(received.sha256) as path:
        assert path.read_bytes() == whole


def test_a_kept_file_is_the_only_one_in_the_folder(local: Blobs, folder: Path) -> None:
    received = receive(local, b"hello")
    local.keep(received)
    digest = hashlib.sha256(b"hello").hexdigest()
    assert files(folder) == [f"sha256/{digest[:2]}/{digest}"]


def test_the_same_bytes_may_be_kept_twice(blobs: Blobs) -> None:
    one, two = receive(blobs, b"same"), receive(blobs, b"sa", b"me")
    assert one.key != two.key
    blobs.keep(one)
    blobs.keep(two)
    assert read(blobs, one.sha256) == b"same"


def test_what_is_discarded_is_gone(blobs: Blobs, folder: Path) -> None:
    received = receive(blobs, b"known already")
    blobs.discard(received)
    with pytest.raises(NotFound):
        read(blobs, received.sha256)
    assert not folder.exists() or files(folder) == []


def test_deleting_is_for_good_and_may_be_repeated(blobs: Blobs) -> None:
    received = receive(blobs, b"soon gone")
    blobs.keep(received)
    blobs.delete(received.sha256)
    blobs.delete(received.sha256)
    with pytest.raises(NotFound):
        read(blobs, received.sha256)


def test_a_copy_lent_from_an_object_store_goes_afterwards() -> None:
    blobs = Blobs("memory:///")
    received = receive(blobs, b"a" * (3 * MIB))
    blobs.keep(received)
    with blobs.as_path(received.sha256) as path:
        assert path.stat().st_size == 3 * MIB
    assert not path.exists()


@pytest.mark.parametrize("size", [11, 9 * MIB])
def test_a_file_over_the_limit_leaves_nothing(blobs: Blobs, folder: Path, size: int) -> None:
    half = b"x" * (size // 2 + 1)
    with pytest.raises(TooLarge, match="larger than the limit"):
        receive(blobs, half, half, most=size)
    assert not folder.exists() or files(folder) == []


def test_a_file_of_exactly_the_limit_is_taken(blobs: Blobs) -> None:
    assert receive(blobs, b"12345", b"67890", most=10).bytes == 10


class _ConnectionLost(Exception):
    """As a broken upload ends."""


@pytest.mark.parametrize("size", [10, 20 * MIB])
def test_a_broken_stream_says_why_and_leaves_nothing(blobs: Blobs, folder: Path, size: int) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * size
        raise _ConnectionLost

    with pytest.raises(_ConnectionLost):
        asyncio.run(blobs.receive(breaking(), max_bytes=100 * MIB))
    assert not folder.exists() or files(folder) == []


def test_a_cancelled_upload_has_no_name_and_is_swept_a_day_later(local: Blobs, folder: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * MIB
            await asyncio.sleep(0)

    async def cancelled() -> None:
        task = asyncio.create_task(local.receive(endless(), max_bytes=1 << 40))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.1)  # the store may still ask for one more piece

    asyncio.run(cancelled())
    assert [name for name in files(folder) if name.startswith("sha256")] == []
    local.sweep(now=time.time() + 25 * 3600)
    assert files(folder) == []


def test_sweeping_spares_what_is_young_and_what_is_kept(local: Blobs, folder: Path) -> None:
    kept, old, young = receive(local, b"kept"), receive(local, b"old"), receive(local, b"young")
    local.keep(kept)
    past = time.time() - 25 * 3600
    for path in (folder / old.key, folder / f"sha256/{kept.sha256[:2]}/{kept.sha256}"):
        os.utime(path, (past, past))
    assert local.sweep() == 1
    assert local.sweep() == 0
    assert files(folder) == sorted([f"sha256/{kept.sha256[:2]}/{kept.sha256}", young.key])
    local.keep(young)
    assert Blobs("memory:///").sweep() == 0


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../../etc/passwd",
        "a" * 63,
        "a" * 65,
        "A" * 64,
        "g" * 64,
        "a" * 64 + "\n",
        "/" + "a" * 63,
        "é" * 64,
    ],
)
def test_only_hashes_are_names(blobs: Blobs, name: str) -> None:
    with pytest.raises(Invalid):
        read(blobs, name)
    with pytest.raises(Invalid):
        blobs.delete(name)
    with pytest.raises(Invalid), blobs.as_path(name):
        pass
    with pytest.raises(Invalid):
        blobs.keep(ReceivedBlob(key="uploads/x", sha256=name, bytes=0))


def test_a_missing_file_is_said_in_our_words(blobs: Blobs) -> None:
    with pytest.raises(NotFound):
        read(blobs, "0" * 64)
    with pytest.raises(NotFound), blobs.as_path("0" * 64):
        pass


def test_a_store_that_takes_no_files_is_said_in_our_words(local: Blobs, folder: Path) -> None:
    (folder / "uploads").write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable):
        receive(local, b"x")


PEAK = """
import asyncio, resource, sys
from service.store.blobs import Blobs
MIB = 1 << 20
async def chunks(count):
    for number in range(count):
        yield bytes([number % 251]) * MIB
async def main(url, count):
    blobs = Blobs(url)
    received = await blobs.receive(chunks(count), max_bytes=1 << 40)
    blobs.keep(received)
    size = 0
    async for chunk in blobs.stream(received.sha256):
        size += len(chunk)
    assert size == received.bytes == count * MIB, size
    blobs.delete(received.sha256)
    print(received.sha256, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def peak(folder: Path, mib: int) -> tuple[str, int]:
    """The hash, and the peak memory in MiB of a process that takes so many MiB in and out."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, folder.as_uri(), str(mib)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    digest, memory = done.stdout.split()
    return digest, int(memory)


def test_memory_does_not_grow_with_the_file(folder: Path) -> None:
    _, small = peak(folder, 8)
    digest, large = peak(folder, 256)
    whole = hashlib.sha256()
    for number in range(256):
        whole.update(bytes([number % 251]) * MIB)
    assert digest == whole.hexdigest()
    assert large < small + 48, f"{small} MiB for 8 MiB, {large} MiB for 256 MiB"


def test_files_and_their_names_are_synced_before_anyone_is_told(
    local: Blobs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def seen(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        real(handle)

    monkeypatch.setattr(os, "fsync", seen)
    received = receive(local, b"durable")
    assert synced == [str(folder / received.key)]
    synced.clear()
    local.keep(received)
    assert synced == [str(folder / "sha256" / received.sha256[:2]), str(folder / "sha256"), str(folder)]
    assert re.fullmatch("[0-9a-f]{64}", received.sha256)


def incoming(blobs: Blobs, name: str, *chunks: bytes) -> ReceivedBlob:
    file = blobs.incoming(name)
    for chunk in chunks:
        file.write(chunk)
    return file.finish()


@pytest.mark.parametrize("chunks", [(), (b"",), (b"a", b"", b"bc"), (b"x" * MIB,) * 21])
def test_what_comes_piece_by_piece_comes_back_under_its_hash(blobs: Blobs, chunks: Sequence[bytes]) -> None:
    whole = b"".join(chunks)
    received = incoming(blobs, "doc_1.0", *chunks)
    assert (received.sha256, received.bytes) == (hashlib.sha256(whole).hexdigest(), len(whole))
    other = incoming(blobs, "doc_1.1", b"other", whole)
    blobs.keep(received, other)
    assert read(blobs, received.sha256) == whole
    assert read(blobs, other.sha256) == b"other" + whole


def test_piece_by_piece_an_earlier_attempt_is_replaced(blobs: Blobs) -> None:
    left = blobs.incoming("doc_1.0")
    left.write(b"an attempt that was cut off, and was longer")
    left.give_up()
    received = incoming(blobs, "doc_1.0", b"whole")
    blobs.keep(received)
    assert read(blobs, received.sha256) == b"whole"


def test_what_is_given_up_can_be_dropped(local: Blobs, folder: Path) -> None:
    file = local.incoming("doc_1.0")
    file.write(b"half of ")
    local.discard(file.give_up())
    assert files(folder) == []


def test_full_disk_is_said_and_leaves_the_store_usable(
    local: Blobs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    file = local.incoming("doc_1.0")
    file.write(b"does not fit")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreUnavailable, match="disk is full"):
        file.finish()
    local.discard(file.give_up())
    monkeypatch.undo()
    assert files(folder) == []
    local.keep(incoming(local, "doc_1.0", b"fits"))
    assert len(files(folder)) == 1


def test_a_held_file_outlives_its_removal_and_a_name_left_behind_is_swept(local: Blobs, folder: Path) -> None:
    received = receive(local, b"Read while it is removed.")
    local.keep(received)
    with local.hold(received.sha256) as one, local.hold(received.sha256) as other:
        assert one != other
        local.delete(received.sha256)
        assert one.read_bytes() == other.read_bytes() == b"Read while it is removed."
    assert files(folder) == []
    with pytest.raises(NotFound), local.hold(received.sha256):
        pass
    left = folder / "readings" / "killed"
    left.write_bytes(b"x")
    assert local.sweep() == 0
    assert local.sweep(now=time.time() + 25 * 3600) == 1


@pytest.mark.parametrize("url", ["harbour", "s3://", "ftp://host/folder", "", "s3://user:secret@"])
def test_what_is_no_place_for_files_is_said(url: str) -> None:
    with pytest.raises(Invalid, match="UNABRIDGED_BLOB_URL") as refused:
        Blobs(url)
    assert "secret" not in str(refused.value)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Invalid, match="cannot be made a folder: Not a directory"):
        Blobs((tmp_path / "file" / "files").as_uri())
