"""Source code, JSON and XML: every character as it is, cut between their own parts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.errors import EmptyDocument
from ingest.formats import JSON, READERS, XML, textkinds
from ingest.formats.plain import PlainReading
from ingest.formats.sections import MAX_CHARS, WISHED_CHARS
from ingest.formats.sourcetext import open_document

PYTHON = "text/x-python"
RECORD = {"id": 7, "name": "Größe", "tags": ["a", "b"], "nested": {"says": "It met. It heard two reports."}}


def texts_of(path: Path, data: str | bytes, media_type: str) -> list[str]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    reading = open_document(path, media_type)
    assert isinstance(reading, PlainReading)
    texts = [page.text for page in reading.pages()]
    assert reading.total == len(texts)
    assert reading.media_type == media_type
    return texts


def test_code_is_cut_between_functions(tmp_path: Path) -> None:
    made = [
        f"@cached\ndef f{at}(x):\n    y = x\n\n    if y:\n        return {at}\n\n" * 1 for at in range(400)
    ]
    texts = texts_of(tmp_path / "a", "\n".join(made), PYTHON)
    assert len(texts) > 5
    assert all(text.startswith("@cached\n") for text in texts)
    assert "\n".join(text.strip("\n") for text in texts).replace("\n", "") == "".join(made).replace("\n", "")


def test_code_without_blank_lines_is_cut_at_the_top_level(tmp_path: Path) -> None:
    made = "".join(f"void f{at}() {{\n  g();\n  h();\n}}\n" for at in range(800))
    texts = texts_of(tmp_path / "a", made, "text/x-c")
    assert all(text.startswith("void") and text.endswith("}") for text in texts)


@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_cut_between_values(tmp_path: Path, indent: int | None) -> None:
    separators = (",", ":") if indent is None else None
    made = json.dumps([RECORD] * 300, indent=indent, separators=separators, ensure_ascii=False)
    texts = texts_of(tmp_path / "a", made, JSON)
    assert len(texts) > 5
    assert all(text.lstrip().startswith("{") for text in texts[1:])
    assert max(map(len, texts)) <= 2 * WISHED_CHARS
    assert "".join("".join(texts).split()) == "".join(made.split())


def test_records_on_lines_stay_whole(tmp_path: Path) -> None:
    texts = texts_of(tmp_path / "a", (json.dumps(RECORD) + "\n") * 300, JSON)
    assert len(texts) > 5
    assert all(json.loads(line) == RECORD for text in texts for line in text.splitlines())


def test_xml_on_one_line_is_cut_between_elements(tmp_path: Path) -> None:
    made = "<list>" + "<item n='1'><name>One of them</name></item>" * 500 + "</list>"
    texts = texts_of(tmp_path / "a", made, XML)
    assert len(texts) > 5
    assert "".join(texts) == made
    assert all(text.startswith(("<item", "<name")) for text in texts[1:])


@pytest.mark.parametrize("media_type", [JSON, XML, PYTHON])
def test_a_line_without_any_break_is_cut_hard(tmp_path: Path, media_type: str) -> None:
    texts = texts_of(tmp_path / "a", "A" * 100_000, media_type)
    assert "".join(texts) == "A" * 100_000
    assert max(map(len, texts)) <= MAX_CHARS


@pytest.mark.parametrize(
    ("name", "codec"),
    [("ISO-8859-1", "latin-1"), ("iso-8859-2", "iso8859-2"), ("Shift_JIS", "cp932"), ("koi8-r", "koi8-r")],
)
def test_xml_is_read_in_the_encoding_it_declares(tmp_path: Path, name: str, codec: str) -> None:
    word = {"latin-1": "Größe", "iso8859-2": "łąka", "cp932": "東京", "koi8-r": "Москва"}[codec]
    made = f'<?xml version="1.0"\n encoding="{name}" standalone=\'yes\'?><a>{word}</a>'
    (text,) = texts_of(tmp_path / "a", made.encode(codec), XML)
    assert text == made


def test_an_unknown_declared_encoding_is_no_trouble(tmp_path: Path) -> None:
    for name in ("base64", "no-such-thing"):
        made = f"<?xml version='1.0' encoding='{name}'?><a>Größe</a>"
        assert texts_of(tmp_path / "a", made, XML) == [made]


def test_entities_are_text(tmp_path: Path) -> None:
    levels = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10}">' for at in range(1, 30))
    made = f'<!DOCTYPE x [<!ENTITY l0 "ha">{levels}<!ENTITY f SYSTEM "file:///etc/hostname">]><x>&l29;&f;</x>'
    assert "".join(texts_of(tmp_path / "a", made, XML)) == made


def test_blanks_alone_are_empty(tmp_path: Path) -> None:
    with pytest.raises(EmptyDocument):
        texts_of(tmp_path / "a", " \n\t\n", JSON)


def test_every_kind_of_text_has_a_reader() -> None:
    assert textkinds.SOURCES | {JSON, XML, textkinds.IPYNB} <= READERS.keys()
    assert textkinds.kind_of_name("src/Main.PY") == PYTHON
    assert textkinds.kind_of_name("notes.txt") is None


def test_a_large_line_stays_out_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("w") as file:
        file.writelines(json.dumps(RECORD, separators=(",", ":")) + "," for _ in range(300_000))
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from ingest.formats.sourcetext import open_document\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "reading = open_document(Path(sys.argv[1]), 'application/json')\n"
        "assert sum(1 for _ in reading.pages()) == reading.total > 5_000\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert path.stat().st_size > 25_000_000
    assert int(done.stdout) < 15_000, "kilobytes grown"
