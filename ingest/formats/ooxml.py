"""The parts of an Office Open XML file: found by their relations, bounded, parsed as a stream of events."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final
from xml.parsers import expat

from ingest.errors import DamagedDocument, EncryptedDocument, TooLarge

MAX_PART_BYTES: Final = 256 * 1024 * 1024
"""One part's XML, unpacked: some 10,000 pages."""
MAX_RATIO: Final = 400
"""Unpacked to packed. Word's XML reaches 60; a bomb's zeros reach 1,032, the end of what deflate can do."""
_RATIO_COUNTS_FROM: Final = 8 * 1024 * 1024
_OLE: Final = b"\xd0\xcf\x11\xe0"

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]
Text = Callable[[str], None]

DAMAGED: Final = (
    "The Office file is damaged ({}). Open it in Word, save it under a new name and upload that file."
)


class Package:
    """An open DOCX: its parts by name, its main part's relations by id and by kind."""

    def __init__(self, path: Path) -> None:
        self._zip = _opened(path)
        self.names = frozenset(self._zip.namelist())

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Id → kind (such as `footer`) and name of each part that `part` refers to inside the file."""
        folder, name = posixpath.split(part)
        rels = f"{folder}/_rels/{name}.rels"
        found: dict[str, tuple[str, str]] = {}

        def start(tag: str, attributes: dict[str, str]) -> None:
            if tag == "Relationship" and attributes.get("TargetMode") != "External":
                kind = attributes.get("Type", "").rpartition("/")[2]
                target = posixpath.normpath(posixpath.join("/" + folder, attributes.get("Target", "")))
                found[attributes.get("Id", "")] = (kind, target.lstrip("/"))

        if rels in self.names:
            self.parse(rels, start=start)
        return found

    def parse(self, part: str, *, start: Start, end: End | None = None, text: Text | None = None) -> None:
        """Tell the functions of each element and text in order; names and attributes come without namespaces.

        Raises:
            TooLarge: the part passes a limit.
            EncryptedDocument: the part has a password.
            DamagedDocument: it can't be unpacked, is no XML or declares a document type.
        """
        info = self._zip.getinfo(part)
        _refuse_bomb(info)
        with _faults_named(part), self._zip.open(info) as stream:
            _parse(stream, start, end, text)


def _opened(path: Path) -> zipfile.ZipFile:
    with path.open("rb") as file:
        if file.read(4) == _OLE:
            raise EncryptedDocument(
                "The Office file is locked with a password. Remove it in Office and upload the file again."
            )
    with _faults_named("its directory"):
        return zipfile.ZipFile(path)


def _refuse_bomb(info: zipfile.ZipInfo) -> None:
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > MAX_PART_BYTES or (info.file_size > _RATIO_COUNTS_FROM and ratio > MAX_RATIO):
        raise TooLarge(
            f"The Office file unpacks to {info.file_size / 2**20:,.0f} MB of markup: too much to read. "
            "Split it into several files and upload those."
        )
    if info.flag_bits & 1:
        raise EncryptedDocument("The file is a ZIP with a password. Remove the password and upload it again.")


@contextmanager
def _faults_named(part: str) -> Iterator[None]:
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        LookupError,
        NotImplementedError,
        OSError,
        ValueError,
    ) as error:
        raise DamagedDocument(DAMAGED.format(f"{part} can't be unpacked")) from error
    except expat.ExpatError as error:
        raise DamagedDocument(DAMAGED.format(f"{part} is not well-formed")) from error


def _parse(stream: IO[bytes], start: Start, end: End | None, text: Text | None) -> None:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype

    def started(name: str, attributes: dict[str, str]) -> None:
        if attributes:
            attributes = {key[key.rfind(" ") + 1 :]: value for key, value in attributes.items()}
        start(name[name.rfind(" ") + 1 :], attributes)

    parser.StartElementHandler = started
    if end is not None:
        parser.EndElementHandler = lambda name: end(name[name.rfind(" ") + 1 :])
    if text is not None:
        parser.CharacterDataHandler = text
    parser.ParseFile(stream)


def _refuse_doctype(*_: object) -> None:
    """OOXML allows none (ECMA-376 part 2, 8.1.4); entities that multiply would come with it."""
    raise DamagedDocument(DAMAGED.format("it declares a document type"))
