"""Archives and mails on the command line: all that is in them is waited for, counted, and told of."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli.test_commands import printed, run
from tests.support.bundles import mail, zipped

EXE = b"MZ\x90\0" + bytes(range(256)) * 8


def test_files_inside_are_read_and_those_that_cannot_be_are_named(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "folder"
    folder.mkdir()
    inner = mail("The inner mail.", {"deep.txt": b"The lighthouse was lit in 1854.\n", "setup.exe": EXE})
    (folder / "archive.zip").write_bytes(zipped({"letters/a.eml": inner, "b.txt": b"The harbour of 1871.\n"}))
    (folder / "second.zip").write_bytes(zipped({"setup.exe": EXE}))
    added = run(data, "add", str(folder), "--corpus", "all")
    assert added.returncode == 4, added.stderr
    assert re.search(r"3 of 4 documents read: 3 pages", added.stdout)
    assert re.findall(r"not read (.*?):", added.stderr) in (  # it lies in both: where it was seen first
        ["setup.exe in letters/a.eml in archive.zip"],
        ["setup.exe in second.zip"],
    )
    again = run(data, "add", str(folder / "archive.zip"), "--json")
    assert again.returncode == 4
    lines = printed(again)
    assert [line["filename"] for line in lines] == [
        "archive.zip",
        "letters/a.eml",
        "b.txt",
        "deep.txt",
        "setup.exe",
    ]
    assert lines[3]["parent_ids"] == [lines[1]["id"]]
    asked = run(data, "ask", str(folder), "When was the lighthouse lit?")
    assert asked.returncode == 0, asked.stderr
    assert "1854" in asked.stdout
    assert asked.stderr.count("not read setup.exe in ") == 1
    assert "1 file inside another could not be read" in asked.stderr


def test_a_folder_that_loses_its_archive_keeps_what_lies_beside_it(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "folder"
    folder.mkdir()
    (folder / "a.zip").write_bytes(zipped({"b.txt": b"Otters.\n", "c.txt": b"Badgers.\n"}))
    (folder / "b.txt").write_bytes(b"Otters.\n")
    first = printed(run(data, "ask", str(folder), "What of otters?", "--json"))
    assert len(first["coverage"]["documents_in"]) == 2
    (folder / "a.zip").unlink()
    second = printed(run(data, "ask", str(folder), "What of otters?", "--json"))
    assert len(second["coverage"]["documents_in"]) == 1
    assert second["coverage"]["documents_in"][0] in first["coverage"]["documents_in"]


def test_an_archive_of_nothing_readable_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"setup.exe": EXE}))
    done = run(tmp_path / "data", "ask", str(tmp_path / "a.zip"), "What?")
    assert done.returncode == 4, done.stderr
    assert not done.stdout
    assert "not read setup.exe in a.zip:" in done.stderr


def test_what_cannot_be_read_does_not_block_the_corpus_it_was_added_to(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "folder"
    folder.mkdir()
    (folder / "good.txt").write_text("The harbour was dredged in 1931.\n")
    (folder / "setup.exe").write_bytes(EXE)
    (folder / "with.zip").write_bytes(zipped({"setup.exe": EXE, "b.txt": b"Otters.\n"}))
    added = run(data, "add", str(folder), "--corpus", "all")
    assert added.returncode == 4, added.stderr
    assert "2 of 3 documents read: 2 pages, " in added.stdout
    assert "left out of the corpus: setup.exe\n" in added.stdout
    (refused,) = (line for line in added.stderr.splitlines() if "setup.exe" in line)  # not broken in a pipe
    assert refused.endswith("upload it again.")
    assert len(refused) > 160
    planned = run(data, "plan", "--corpus", "all", "When?")
    assert planned.returncode == 0, planned.stderr
    again = run(data, "add", str(folder / "good.txt"), "--corpus", "all")
    assert (again.returncode, "left out" in again.stdout) == (0, False), again.stderr
    assert "1 of 1 document read: 1 page, " in again.stdout
