"""Archives: every file in them comes out whole and safely named, and none of them can do harm."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import stat
import struct
import tarfile
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ingest
from ingest import Limits, Unit, wire
from ingest.formats import GZIP, tapes
from ingest.formats.enclosed import safe_name
from ingest.reader import Request, events
from tests.support.enclosing import Read, gathered, read_here

FILES = {"a.txt": b"Alpha\n", "folder/b.md": b"# Beta\n", "folder/large.bin": bytes(range(256)) * 3_000}


def zipped(
    path: Path, files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED, system: int = 3
) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type, info.create_system = method, system
            archive.writestr(info, data)
    return path


Mode = Literal["w", "w:gz", "w:bz2", "w:xz"]


def tarred(path: Path, files: Mapping[str, bytes], mode: Mode = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            archive.addfile(member(name, size=len(data)), io.BytesIO(data))
    return path


def member(name: str, *, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info


WAYS: dict[str, Callable[[Path, Mapping[str, bytes]], Path]] = {
    "zip": zipped,
    "zip-stored": partial(zipped, method=zipfile.ZIP_STORED),
    "zip-bzip2": partial(zipped, method=zipfile.ZIP_BZIP2),
    "zip-lzma": partial(zipped, method=zipfile.ZIP_LZMA),
    "tar": tarred,
    "tar.gz": partial(tarred, mode="w:gz"),
    "tar.bz2": partial(tarred, mode="w:bz2"),
    "tar.xz": partial(tarred, mode="w:xz"),
}


# What comes out


@pytest.mark.parametrize("way", WAYS)
def test_every_file_comes_out_whole(tmp_path: Path, way: str) -> None:
    read = read_here(WAYS[way](tmp_path / "upload", FILES))
    assert read.files == FILES
    assert read.started is not None
    assert (read.started.unit, read.started.total, read.pages) == (Unit.FILE, len(FILES), [])
    assert (read.notices, read.faults) == ((), {})
    assert read.largest > 100_000


def test_files_come_through_the_reading_process(tmp_path: Path) -> None:
    path = zipped(tmp_path / "upload.zip", FILES)
    assert gathered(ingest.read(path, filename="upload.zip")).files == FILES


@pytest.mark.parametrize(
    ("pack", "filename", "inside"),
    [
        (gzip.compress, "table.csv.gz", "table.csv"),
        (bz2.compress, "notes.BZ2", "notes"),
        (lzma.compress, "../notes.txt.xz", "notes.txt"),
        (gzip.compress, "other", "other"),
    ],
)
def test_a_packed_file_is_one_file(
    tmp_path: Path, pack: Callable[[bytes], bytes], filename: str, inside: str
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(pack(b"some text"))
    assert read_here(path, filename).files == {inside: b"some text"}


def test_an_archive_in_an_archive_is_one_file(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner", FILES).read_bytes()
    assert read_here(zipped(tmp_path / "upload", {"inner.zip": inner})).files == {"inner.zip": inner}


def test_names_are_read_in_their_own_encoding(tmp_path: Path) -> None:
    names = ["Прайс-лист на автомобили.txt", "Отчёт и закупки за год.txt"]
    path = zipped(tmp_path / "upload", {f"{n}{'x' * (len(name) - 1)}": b"x" for n, name in enumerate(names)})
    data = path.read_bytes()
    for number, name in enumerate(names):
        data = data.replace(f"{number}{'x' * (len(name) - 1)}".encode(), name.encode("cp866"))
    path.write_bytes(data)
    assert list(read_here(path).files) == names


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "Übersicht.txt"),
        ("cp437", "naïve £.txt"),
        *(
            ("cp437", name)
            for name in ("Übersicht.txt", "Straße.txt", "año.txt", "Ångström.txt", "página.txt")
        ),
        *(("cp850", name) for name in ("Größe Übersicht.txt", "smørrebrød.txt", "Informações não.txt")),
        *(
            ("cp1252", name)
            for name in ("Übersicht.txt", "Größe.txt", "L\u2019École d\u2019été.txt", "páginas.txt")
        ),
        *(("cp1252", name) for name in ("Informações não.txt", "smørrebrød.txt", "Österreich.txt")),
    ],
)
def test_a_western_name_without_a_flag_is_read(tmp_path: Path, encoding: str, name: str) -> None:
    raw = name.encode(encoding)
    path = zipped(tmp_path / "upload", {"x" * len(raw): b"x"})
    path.write_bytes(path.read_bytes().replace(b"x" * len(raw), raw))
    assert list(read_here(path).files) == [name]


def test_a_name_that_is_wrongly_flagged_as_utf8_is_read(tmp_path: Path) -> None:
    names = ["Prüfung.txt", "plain.txt", "übrig.txt"]
    path = zipped(tmp_path / "upload", {name: name.encode() for name in ("Prüfung.txtx", *names[1:])})
    data = path.read_bytes()
    assert data.count("Prüfung.txtx".encode()) == 2
    # One byte less for the letter, one more at the end: no place in the file moves.
    path.write_bytes(data.replace("Prüfung.txtx".encode(), b"Pr\x81fung.txtxx"))
    read = read_here(path)
    assert list(read.files) == ["Prüfung.txtxx", *names[1:]]
    assert (read.files["plain.txt"], read.faults, read.codes) == (b"plain.txt", {}, [])


def test_a_name_may_stand_in_a_field_of_its_own(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("old.txt")
    text = b"\1" + zlib.crc32(b"old.txt").to_bytes(4, "little") + "näher.txt".encode()
    info.extra = struct.pack("<HH", 0x7075, len(text)) + text
    with zipfile.ZipFile(tmp_path / "upload", "w") as archive:
        archive.writestr(info, b"x")
    assert list(read_here(tmp_path / "upload").files) == ["näher.txt"]


def test_a_tape_with_old_names_is_read(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "upload", "w", format=tarfile.GNU_FORMAT, encoding="cp1252") as archive:
        archive.addfile(member("Größe.txt", size=1), io.BytesIO(b"x"))
    assert list(read_here(tmp_path / "upload").files) == ["Größe.txt"]


# Long tapes


NOISE = hashlib.shake_256(b"noise").digest(3_000_000)


def test_a_long_tape_is_not_unpacked_to_count_its_files(tmp_path: Path) -> None:
    path = tarred(tmp_path / "upload", {"zeros": bytes(80 << 20), "b.txt": b"x"}, "w:gz")
    reading = tapes.open_document(path, GZIP)
    assert reading.total == 1
    with pytest.raises(ingest.TooLarge):
        read_here(path)


def test_a_tape_whose_counted_part_has_no_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tapes, "COUNTED_BYTES", 1_000_000)
    files = {".git/pack": NOISE, ".git/more": NOISE, "a.txt": b"A", "b.txt": b"B"}
    read = read_here(tarred(tmp_path / "upload", files, "w:bz2"))
    assert read.started is not None
    assert (read.started.total, read.files) == (1, {"a.txt": b"A", "b.txt": b"B"})


@pytest.mark.parametrize(("seconds", "beats"), [(0.0, 4), (3_600.0, 0)])
def test_skipping_what_is_packed_shows_signs_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, beats: int
) -> None:
    monkeypatch.setattr(tapes, "BEAT_SECONDS", seconds)
    monkeypatch.setattr(tapes, "MAX_BEATS", 4)
    path = tarred(tmp_path / "upload", {".git/pack": NOISE, "a.txt": b"A"}, "w:gz")
    found = list(events(Request(path, "a.tar.gz", None, Limits())))
    first_file = found.index(ingest.Enclosed("a.txt"))
    assert found[:first_file].count(wire.Beat()) == found.count(wire.Beat()) == beats
    assert gathered(found).files == {"a.txt": b"A"}


# Names


@pytest.mark.parametrize(
    ("raw", "safe", "told"),
    [
        ("../../etc/passwd", "etc/passwd", True),
        ("/etc/passwd", "etc/passwd", True),
        ("C:\\Windows\\a.ini", "Windows/a.ini", True),
        ("c:..\\a.txt", "a.txt", True),
        ("a\x1b[2Jb.txt", "a [2Jb.txt", True),
        ("cod\u202etxt.exe", "cod txt.exe", True),
        ("a\udcffb", "a b", True),
        ("..", "unnamed", True),
        ("", "unnamed", False),
        ("./a//b.txt", "a/b.txt", False),
        ("folder\\b.txt", "folder/b.txt", False),
        ("a..b/...txt", "a..b/...txt", False),
        ("e\u0301.txt", "\u00e9.txt", False),
        ("x" * 500 + ".pdf", "x" * 196 + ".pdf", False),
    ],
)
def test_a_name_is_made_safe(raw: str, safe: str, *, told: bool) -> None:
    assert safe_name(raw) == (safe, told)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(codec=None) | st.sampled_from("./\\:C\0\u202e")))
def test_any_name_is_made_safe(raw: str) -> None:
    name, _ = safe_name(raw)
    parts = name.split("/")
    assert not {unicodedata.category(character) for character in name} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not {"", ".", ".."} & set(parts)
    assert "\\" not in name
    assert name.encode("utf-8")
    assert safe_name(name)[0] == name or ":" in name


@pytest.mark.parametrize("way", ["zip", "tar", "tar.gz"])
def test_a_path_that_leads_elsewhere_is_told_and_read(tmp_path: Path, way: str) -> None:
    read = read_here(WAYS[way](tmp_path / "upload", {"../../up.txt": b"x", "ok.txt": b"y"}))
    assert read.files == {"up.txt": b"x", "ok.txt": b"y"}
    assert read.codes == ["unsafe_path"]
    assert sorted(path.name for path in tmp_path.parent.glob("up.txt")) == []


def test_a_file_without_a_name_is_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"nameless": b"Alpha\n", "b.txt": b"Beta\n"})
    path.write_bytes(path.read_bytes().replace(b"nameless", b"\0ameless"))  # a name ends at its first zero
    assert sorted(read_here(path).files.values()) == [b"Alpha\n", b"Beta\n"]


def test_files_of_one_name_are_all_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "upload", "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for text in "1234":
            archive.writestr("a.txt" if text != "2" else "a (2).txt", text)
    read = read_here(tmp_path / "upload")
    assert read.files == {"a.txt": b"1", "a (2).txt": b"2", "a (3).txt": b"3", "a (4).txt": b"4"}


# What is left out


@pytest.mark.parametrize("way", ["zip", "tar.gz"])
def test_what_no_person_put_there_is_left_out(tmp_path: Path, way: str) -> None:
    litter = ["__MACOSX/._a.txt", ".DS_Store", "b/Thumbs.db", "b/desktop.ini", ".git/config", "b/~$a.docx"]
    files = {**dict.fromkeys(litter, b"x"), "empty.txt": b"", "a.txt": b"text", "thumbs.db.txt": b"text"}
    read = read_here(WAYS[way](tmp_path / "upload", files))
    assert list(read.files) == ["a.txt", "thumbs.db.txt"]
    assert read.started is not None
    assert read.started.total == 2
    assert sorted((notice.code, notice.detail.split(": ")[1]) for notice in read.notices) == [
        ("empty_files", "1."),
        ("system_files", "6."),
    ]


@pytest.mark.parametrize("files", [{}, {"empty": b""}, {".hidden": b"x"}])
def test_an_archive_of_nothing_is_empty(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(ingest.EmptyDocument, match="no files in it"):
        read_here(zipped(tmp_path / "upload", files))


def test_links_and_devices_are_not_read(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "upload", "w") as archive:
        archive.addfile(member("link", kind=tarfile.SYMTYPE, link="/etc/passwd"))
        archive.addfile(member("hard", kind=tarfile.LNKTYPE, link="../a"))
        archive.addfile(member("dev", kind=tarfile.CHRTYPE))
        archive.addfile(member("a.txt", size=1), io.BytesIO(b"x"))
    read = read_here(tmp_path / "upload")
    assert read.files == {"a.txt": b"x"}
    assert read.codes == ["link_not_read", "link_not_read", "device_not_read"]


def test_a_link_in_a_zip_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    with zipfile.ZipFile(path, "w") as archive:
        for name, mode in (("link", stat.S_IFLNK), ("pipe", stat.S_IFIFO), ("a.txt", stat.S_IFREG)):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, (mode | 0o644) << 16
            archive.writestr(info, "/etc/passwd")
    read = read_here(path)
    assert (list(read.files), read.codes) == (["a.txt"], ["link_not_read", "device_not_read"])


def locked(path: Path, *names: str) -> Path:
    """The ZIP with the flag of a password set for these files."""
    data = bytearray(path.read_bytes())
    for mark, flags, at in ((b"PK\3\4", 6, 30), (b"PK\1\2", 8, 46)):
        place = data.find(mark)
        while place >= 0:
            if any(data[place + at :].startswith(name.encode()) for name in names):
                data[place + flags] |= 1
            place = data.find(mark, place + 1)
    path.write_bytes(data)
    return path


def test_a_locked_file_is_named_and_left_out(tmp_path: Path) -> None:
    path = locked(zipped(tmp_path / "upload", {"a.txt": b"secret", "b.txt": b"open"}), "a.txt")
    read = read_here(path)
    assert read.files == {"b.txt": b"open"}
    assert [notice.detail for notice in read.notices] == ["a.txt is locked with a password and is left out."]


def test_an_archive_of_locked_files_needs_its_password(tmp_path: Path) -> None:
    path = locked(zipped(tmp_path / "upload", {"a.txt": b"secret", "b": b"secret", ".c": b"x"}), "a", "b")
    with pytest.raises(ingest.EncryptedDocument, match="password"):
        read_here(path)


# Damage


def test_a_damaged_file_loses_no_other(tmp_path: Path) -> None:
    path = zipped(tmp_path / "upload", {"a": b"A" * 50, "b": b"B" * 50, "c": b"C" * 50}, method=0)
    path.write_bytes(path.read_bytes().replace(b"B" * 50, b"B" * 49 + b"!"))
    read = read_here(path)
    assert list(read.files) == ["a", "c"]
    assert {name: fault.code for name, fault in read.faults.items()} == {"b": "file_damaged"}


def test_a_file_that_is_packed_in_an_unknown_way_is_told(tmp_path: Path) -> None:
    path = zipped(tmp_path / "upload", {"a.txt": b"x" * 99, "b.txt": b"y"})
    data = bytearray(path.read_bytes())
    data[8:10] = data[data.find(b"PK\1\2") + 10 : data.find(b"PK\1\2") + 12] = b"\x09\0"
    path.write_bytes(data)
    read = read_here(path)
    assert list(read.files) == ["b.txt"]
    assert read.faults["a.txt"].code == "file_unsupported"
    assert "method 9" in read.faults["a.txt"].detail


@pytest.mark.parametrize("way", ["tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_tape_that_is_cut_off_gives_what_is_whole(tmp_path: Path, way: str) -> None:
    noise = hashlib.shake_256(b"seed").digest(3_000_000)
    path = WAYS[way](tmp_path / "upload", {"first": b"x" * 10, "noise": noise, "last": b"y"})
    path.write_bytes(path.read_bytes()[:2_000_000])
    read = read_here(path)
    assert {**read.files, "noise": None} == {"first": b"x" * 10, "noise": None}
    assert read.codes == ["archive_damaged"]
    assert list(read.faults) in ([], ["noise"])


def test_a_tape_that_goes_on_with_something_else_is_told(tmp_path: Path) -> None:
    path = tarred(tmp_path / "upload", {"a": b"x"})
    path.write_bytes(path.read_bytes()[:1_024] + b"no header" * 200)
    read = read_here(path)
    assert (read.files, read.codes) == ({"a": b"x"}, ["archive_damaged"])


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_file_that_is_cut_off_is_a_fault(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "upload"
    path.write_bytes(pack(bytes(range(256)) * 50)[:-6])
    try:
        read = read_here(path, "a.txt.gz")
    except ingest.DamagedDocument as error:
        assert "new archive" in str(error)  # noqa: PT017 - either end is right
    else:
        assert [fault.code for fault in read.faults.values()] == ["file_damaged"]


@pytest.mark.parametrize(
    ("tail", "codes"),
    [(b"", []), (bytes(600), []), (b"\n", ["archive_damaged"]), (b"\0no gzip" * 50_000, ["archive_damaged"])],
    ids=["none", "padding", "line-end", "long"],
)
def test_a_packed_file_with_something_after_it_is_read(tmp_path: Path, tail: bytes, codes: list[str]) -> None:
    path = tmp_path / "upload"
    path.write_bytes(gzip.compress(b"one, " * 99_999) + bytes(9) + gzip.compress(b"two" * 999) + tail)
    read = read_here(path, "notes.txt.gz")
    assert read.files == {"notes.txt": b"one, " * 99_999 + b"two" * 999}
    assert (read.codes, read.faults) == (codes, {})


@pytest.mark.parametrize("place", [40, -6])
def test_a_packed_file_with_wrong_bytes_is_a_fault(tmp_path: Path, place: int) -> None:
    path = tmp_path / "upload"
    data = bytearray(gzip.compress(NOISE))
    data[place] ^= 0xFF
    path.write_bytes(data)
    assert [fault.code for fault in read_here(path, "a.gz").faults.values()] == ["file_damaged"]


# Bombs


def test_a_zip_of_zips_is_unpacked_once(tmp_path: Path) -> None:
    data = zipped(tmp_path / "inner", {"zeros": bytes(1_000_000)}).read_bytes()
    for level in range(5):
        data = zipped(tmp_path / "inner", {f"{level}-{n}.zip": data for n in range(16)}).read_bytes()
    read = read_here(zipped(tmp_path / "upload", {"all.zip": data}))
    assert read.files == {"all.zip": data}


def test_a_claim_of_ten_gigabytes_is_only_a_claim(tmp_path: Path) -> None:
    path = zipped(tmp_path / "upload", {"a.txt": b"x" * 1_000, "b.txt": b"y"})
    data = bytearray(path.read_bytes())
    place = data.find(b"PK\1\2")
    data[place + 24 : place + 28] = b"\xfe\xff\xff\xff"
    path.write_bytes(data)
    read = read_here(path)
    assert read.files["b.txt"] == b"y"
    assert read.files.get("a.txt", b"x" * 1_000) == b"x" * 1_000


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tape_that_claims_ten_gigabytes_ends_cleanly(tmp_path: Path, mode: Mode) -> None:
    path = tmp_path / "upload"
    huge = member("huge", size=10 << 30)
    with tarfile.open(path, mode) as archive:
        archive.addfile(member("a", size=1), io.BytesIO(b"x"))
        assert archive.fileobj is not None
        archive.fileobj.write(huge.tobuf() + b"short")
    read = read_here(path)
    assert read.files == {"a": b"x"}
    assert read.faults["huge"].code == "file_damaged"


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE])
def test_a_header_that_claims_gigabytes_is_refused(tmp_path: Path, kind: bytes) -> None:
    data = member("x", size=3 << 30, kind=kind).tobuf() + bytes(5_000_000)
    path = tmp_path / "upload"
    path.write_bytes(gzip.compress(data, 1))
    try:
        read = read_here(path)
    except (ingest.DamagedDocument, ingest.EmptyDocument):
        return
    assert list(read.faults) == ["x"]


def test_headers_in_headers_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(member("x", size=5, kind=tarfile.GNUTYPE_LONGNAME).tobuf() * 8_000)
    with pytest.raises(ingest.DamagedDocument):
        read_here(path)


def test_a_header_that_points_backward_ends_the_tape(tmp_path: Path) -> None:
    buffer = bytearray(member("back").tobuf(format=tarfile.GNU_FORMAT))
    buffer[124:136] = b"\xff" * 10 + b"\xfc\x00"  # minus 1,024, in base 256
    buffer[148:156] = b"        "
    buffer[148:156] = f"{sum(buffer):06o}\0 ".encode()
    path = tarred(tmp_path / "upload", {"a": b"x"})
    path.write_bytes(path.read_bytes()[:1_024] + bytes(buffer) + bytes(4_096))
    read = read_here(path)
    assert read.files == {"a": b"x"}


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, partial(lzma.compress, preset=0)])
def test_packed_zeros_are_a_bomb(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "upload"
    path.write_bytes(pack(bytes(80 << 20)))
    with pytest.raises(ingest.TooLarge, match="as a bomb does"):
        read_here(path, "zeros.gz")


@pytest.mark.parametrize("way", ["tar.gz", "tar.bz2"])
def test_a_tape_of_zeros_is_a_bomb(tmp_path: Path, way: str) -> None:
    with pytest.raises(ingest.TooLarge, match="as a bomb does"):
        read_here(WAYS[way](tmp_path / "upload", {"zeros": bytes(80 << 20), "b": b"x"}))


@pytest.mark.parametrize("way", ["zip", "zip-bzip2"])
def test_a_file_of_zeros_in_a_zip_is_left_out(tmp_path: Path, way: str) -> None:
    read = read_here(WAYS[way](tmp_path / "upload", {"zeros": bytes(80 << 20), "b.txt": b"x"}))
    assert read.files == {"b.txt": b"x"}
    assert read.faults["zeros"].code == "file_too_large"


def test_files_that_share_their_bytes_are_a_bomb(tmp_path: Path) -> None:
    path = zipped(tmp_path / "upload", {"a": b"x" * 90, "b": b"y" * 90})
    data = bytearray(path.read_bytes())
    second = data.find(b"PK\1\2", data.find(b"PK\1\2") + 1)
    data[second + 42 : second + 46] = bytes(4)
    path.write_bytes(data)
    with pytest.raises(ingest.DamagedDocument, match="overlap"):
        read_here(path)


def test_too_many_files_are_refused_before_the_first(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    count, same = 100_000, (zlib.crc32(b"x"), 1, 1)
    local, listed = struct.Struct("<4s5H3I2H5sc"), struct.Struct("<4s6H3I5H2I5s")
    names = [f"{number:05}".encode() for number in range(count)]
    files = b"".join(local.pack(b"PK\3\4", 20, *[0] * 4, *same, 5, 0, name, b"x") for name in names)
    directory = b"".join(
        listed.pack(b"PK\1\2", 20, 20, *[0] * 4, *same, 5, *[0] * 5, local.size * number, name)
        for number, name in enumerate(names)
    )
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65_535, 65_535, len(directory), len(files), 0)
    path.write_bytes(files + directory + end)
    with pytest.raises(ingest.TooLarge, match="10,000 files"):
        next(iter(ingest.read(path, filename="upload.zip")))


def test_all_files_together_are_bounded(tmp_path: Path) -> None:
    with pytest.raises(ingest.TooLarge, match="1,000 bytes"):
        read_here(zipped(tmp_path / "upload", FILES), limits=Limits(max_files_bytes=1_000))


# Anything


def whole(path: Path) -> Read | None:
    try:
        return read_here(path)
    except ingest.IngestError as error:
        assert str(error).endswith(".")  # noqa: PT017 - either end is right
        return None


@settings(max_examples=150, deadline=None)
@given(data=st.data(), way=st.sampled_from(sorted(WAYS)))
def test_any_change_ends_in_files_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, way: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = WAYS[way](folder / "any", {"a.txt": b"Alpha " * 20, "folder/b": b"Beta " * 20, "c": b"C" * 600})
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.integers(1, len(raw)) | st.just(len(raw)))])
    whole(path)
