"""OLE compound files for the tests: a container, a Word document and a presentation, byte by byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from struct import pack, unpack
from typing import Final

_SECTOR: Final = 512
_LEAST: Final = 4_096  # shorter streams would stand in a second, finer container
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def container(path: Path, streams: Mapping[str, bytes]) -> Path:
    """A compound file with these streams ([MS-CFB] 2); a `/` in a name is a storage's."""
    padded = {name: data.ljust(_LEAST, b"\0") for name, data in streams.items()}
    sizes = [-(-len(data) // _SECTOR) for data in padded.values()]
    listed_names = _with_storages(padded)
    directory = -(-(len(listed_names) + 1) // 4)
    tables = 1
    while tables * 128 < tables + directory + sum(sizes):
        tables += 1
    fat, start = [_FAT] * tables + _chain(tables, directory), tables + directory
    starts = dict[str, int]()
    for name, size in zip(padded, sizes, strict=True):
        starts[name] = start
        fat += _chain(start, size)
        start += size
    entries = [_entry("Root Entry", 5, child=1 if padded else _FREE, start=_END, size=0)]
    for name in listed_names:
        right, child = _following(listed_names, name), _first_inside(listed_names, name)
        kind, size, at = (2, len(padded[name]), starts[name]) if name in padded else (1, 0, 0)
        own = name.rpartition("/")[2]
        entries.append(_entry(own, kind, right=right, child=child, start=at, size=size))
    fat += [_FREE] * (tables * 128 - len(fat))
    header = pack(
        "<8s16x5H6x9I",
        bytes.fromhex("d0cf11e0a1b11ae1"),
        0x3E,
        3,
        0xFFFE,
        9,
        6,
        0,
        tables,
        tables,
        0,
        4096,
        _END,
        0,
        _END,
        0,
    )
    places = pack("<109I", *range(tables), *[_FREE] * (109 - tables))
    body = b"".join(
        data.ljust(size * _SECTOR, b"\0") for data, size in zip(padded.values(), sizes, strict=True)
    )
    listed = b"".join(entries).ljust(directory * _SECTOR, b"\0")
    path.write_bytes(header + places + pack(f"<{len(fat)}I", *fat) + listed + body)
    return path


def _with_storages(names: Mapping[str, bytes]) -> list[str]:
    """All names with those of the storages that they stand in, the top's first one first."""
    found = dict[str, None]()
    for name in names:
        parts = name.split("/")
        found |= {"/".join(parts[:end]): None for end in range(1, len(parts) + 1)}
    return list(found)


def _following(names: list[str], name: str) -> int:
    """The number of the next entry in the same storage."""
    folder = name.rpartition("/")[0]
    later = names[names.index(name) + 1 :]
    return next((names.index(one) + 1 for one in later if one.rpartition("/")[0] == folder), _FREE)


def _first_inside(names: list[str], name: str) -> int:
    return next((names.index(one) + 1 for one in names if one.rpartition("/")[0] == name), _FREE)


def _chain(start: int, size: int) -> list[int]:
    return [*range(start + 1, start + size), _END]


def _entry(name: str, kind: int, *, right: int = _FREE, child: int = _FREE, start: int, size: int) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    return pack("<64sHBB3I36xIQ", text, len(text), kind, 1, _FREE, right, child, start, size)


# Word -----------------------------------------------------------------------------------------------------


def word(
    path: Path,
    paragraphs: Sequence[tuple[str, bytes]],
    *,
    notes: str = "",
    header: str = "",
    flags: int = 0,
) -> Path:
    r"""A DOC: each paragraph with its mark (`\r`, `\x07` or `\x0c`) and its style and properties.

    The first half of the text stands in the file in eight bits, the second in sixteen.
    """
    texts = [_units(text) for text, _ in paragraphs]
    whole = "".join([*texts, notes, header])
    half = len("".join(texts[: len(texts) // 2]))
    first, second = whole[:half].encode("cp1252"), whole[half:].encode("utf-16-le", "surrogatepass")
    at_first, at_second = 1_024, 1_024 + len(first) + len(first) % 2
    pieces = pack("<3I", 0, half, len(whole)) + pack("<HIH", 0, at_first * 2 | 0x40000000, 0)
    pieces += pack("<HIH", 0, at_second, 0)
    clx = b"\2" + pack("<I", len(pieces)) + pieces
    text = (b"\0" * at_first + first).ljust(at_second, b"\0") + second
    text = text.ljust(-(-len(text) // _SECTOR) * _SECTOR, b"\0")
    ends, place = [], at_first
    for number, one in enumerate(texts):
        place = at_second if number == len(texts) // 2 else place
        place += len(one) * (1 if number < len(texts) // 2 else 2)
        ends.append(place)
    index = pack("<3I", at_first, ends[-1], len(text) // _SECTOR)
    main = bytearray(text + _looks([at_first, *ends], [look for _, look in paragraphs]))
    main[:12] = pack("<HH6xH", 0xA5EC, 0xC1, flags)
    lengths = (len("".join(texts)), len(notes), len(header), 0, 0, 0, 0)
    main[0x4C : 0x4C + 28] = pack("<7i", *lengths)
    main[0x1A2 : 0x1A2 + 8] = pack("<II", 0, len(clx))
    main[0x102 : 0x102 + 8] = pack("<II", len(clx), len(index))
    return container(path, {"WordDocument": bytes(main), "0Table": clx + index})


def _units(text: str) -> str:
    """One character for each UTF-16 unit, as Word counts."""
    data = text.encode("utf-16-le")
    return "".join(map(chr, unpack(f"<{len(data) // 2}H", data)))


def _looks(ends: Sequence[int], looks: Sequence[bytes]) -> bytes:
    page = bytearray(_SECTOR)
    count = len(looks)
    page[: 4 * (count + 1)] = pack(f"<{count + 1}I", *ends)
    place = _SECTOR - 2
    for number, look in enumerate(looks):
        data = look.ljust(len(look) | 1, b"\0")  # an odd length, so that with its count it is even
        place -= len(data) + 1
        page[place : place + len(data) + 1] = bytes([(len(data) + 1) // 2]) + data
        page[4 * (count + 1) + 13 * number] = place // 2
    page[-1] = count
    return bytes(page)


# PowerPoint -----------------------------------------------------------------------------------------------


def record(kind: int, data: bytes, *, instance: int = 0, inside: bool = False) -> bytes:
    """One record ([MS-PPT] 2.3.1)."""
    return pack("<HHI", instance << 4 | (0xF if inside else 0), kind, len(data)) + data


def said(text: str, kind: int) -> bytes:
    """A text's two records."""
    return record(0x0F9F, pack("<I", kind)) + record(0x0FA0, text.encode("utf-16-le"))


def deck(path: Path, slides: Sequence[Mapping[str, str]], *, token: int = 0xE391C05F) -> Path:
    """A PPT: each slide with its `title` in the outline, and a `box`, `notes` or `hidden` of its own."""
    listed, notes_listed, pages = b"", b"", list[bytes]()
    for number, slide in enumerate(slides):
        listed += record(0x03F3, pack("<IIiII", 2 + 2 * number, 0, 1, 256 + number, 0)) + said(
            slide["title"], 0
        )
        notes_listed += record(0x03F3, pack("<IIiII", 3 + 2 * number, 0, 0, 500 + number, 0))
        atom = record(0x03EF, pack("<I8xIIHH", 0, 0, 500 + number if "notes" in slide else 0, 7, 0))
        show = record(0x03F9, pack("<iIHHB3x", 0, 0, 0, 4 if "hidden" in slide else 0, 0))
        title = record(0xF00D, record(0x0F9E, pack("<I", 0)))
        box = record(0xF00D, said(slide["box"], 4)) if "box" in slide else b""
        shapes = record(0xF004, title, inside=True) + record(0xF004, box, inside=True)
        drawing = record(0x040C, record(0xF002, shapes, inside=True), inside=True)
        pages.append(record(0x03EE, atom + show + drawing, inside=True))
        text = record(0xF00D, said(slide.get("notes", ""), 2))
        inner = record(0x040C, record(0xF004, text, inside=True), inside=True)
        pages.append(record(0x03F0, inner, inside=True))
    document = record(0x0FF0, listed, instance=0, inside=True) + record(
        0x0FF0, notes_listed, instance=2, inside=True
    )
    records, places, stream = [record(0x03E8, document, inside=True), *pages], list[int](), b""
    for one in records:
        places.append(len(stream))
        stream += one
    directory = len(stream)
    stream += record(0x1772, pack(f"<I{len(places)}I", 1 | len(places) << 20, *places))
    edit = len(stream)
    stream += record(0x0FF5, pack("<8xIII8x", 0, directory, 1))
    user = record(0x0FF6, pack("<III12x", 20, token, edit))
    return container(path, {"PowerPoint Document": stream, "Current User": user})
