"""What is kept is listed and removed on the command line, and never more of it than was named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cli.test_commands import printed, run
from tests.support.bundles import zipped
from tests.support.counted import prose
from tests.support.upstream import Upstream


def documents(data: Path, corpus: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = printed(run(data, "list", "--corpus", corpus, "--json"))
    return found


def names(data: Path, corpus: str) -> list[tuple[str, str]]:
    return [(one["number"], one["filename"]) for one in documents(data, corpus)]


def filled(tmp_path: Path) -> Path:
    """A corpus `all` of five documents, two of them of the same name, and two inside another."""
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("Otters.\n")
    (folder / "b.zip").write_bytes(zipped({"x.txt": b"Herons.\n", "y.txt": b"Badgers.\n"}))
    (folder / "sub" / "a.txt").write_text("Other otters.\n")
    added = run(tmp_path / "data", "add", str(folder), "--corpus", "all")
    assert added.returncode == 0, added.stderr
    return tmp_path / "data"


def test_what_is_kept_is_listed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert "There is no corpus. Make one" in run(data, "list").stdout
    filled(tmp_path)
    (corpus,) = printed(run(data, "list", "--json"))
    inside = documents(data, "all")
    assert (corpus["name"], corpus["documents"]) == ("all", 5)
    assert corpus["tokens"] == sum(one["tokens"] for one in inside) > 0
    assert [one["number"] for one in inside] == ["D1", "D2", "D3", "D4", "D5"]
    assert sorted(one["filename"] for one in inside) == ["a.txt", "a.txt", "b.zip", "x.txt", "y.txt"]
    assert {one["status"] for one in inside} == {"ready"}
    assert run(data, "list").stdout.splitlines()[1].split()[:3] == ["all", "5", str(corpus["tokens"])]
    first = run(data, "list", "--corpus", "all").stdout.splitlines()[1].split()
    assert first == ["D1", inside[0]["filename"], "1", str(inside[0]["tokens"]), "ready", inside[0]["id"]]


def test_documents_leave_a_corpus_by_name_number_and_id(tmp_path: Path) -> None:
    data = filled(tmp_path)
    before = documents(data, "all")
    same = [one["id"] for one in before if one["filename"] == "a.txt"]
    unclear = run(data, "remove", "--corpus", "all", "b.zip", "a.txt")
    assert (unclear.returncode, f"2 documents: {same[0]}, {same[1]}" in unclear.stderr) == (2, True)
    unknown = run(data, "remove", "--corpus", "all", "b.zip", "D6")
    assert (unknown.returncode, "There is no document “D6” there" in unknown.stderr) == (1, True)
    assert documents(data, "all") == before, "nothing goes where one name is wrong"
    inside = next(one["id"] for one in before if one["filename"] == "x.txt")
    number = next(one["number"] for one in before if one["id"] == same[0])
    done = run(data, "remove", "--corpus", "all", "b.zip", inside, number.lower())  # x.txt goes with b.zip
    assert done.returncode == 0, done.stderr
    assert "It holds 1 document now." in done.stdout
    assert [one["id"] for one in documents(data, "all")] == [same[1]]


def test_a_corpus_is_forgotten_and_a_document_deleted_only_when_agreed(tmp_path: Path) -> None:
    data = filled(tmp_path)
    before = names(data, "all")
    for words in (("--corpus", "all"), ("--everywhere", "b.zip")):
        refused = run(data, "remove", *words)  # nobody is there to ask
        assert (refused.returncode, "Nothing was removed" in refused.stderr) == (1, True), refused.stderr
    assert names(data, "all") == before
    deleted = run(data, "remove", "--everywhere", "b.zip", "--yes")
    assert (deleted.returncode, deleted.stdout) == (0, "Deleted: b.zip.\n"), deleted.stderr
    assert [name for _, name in names(data, "all")] == ["a.txt", "a.txt"]
    assert run(data, "remove", "--everywhere", "b.zip", "--yes").returncode == 1
    (kept, _) = documents(data, "all")
    forgotten = run(data, "remove", "--corpus", "all", "--yes")
    assert (forgotten.returncode, forgotten.stdout) == (0, "Forgotten: all.\n"), forgotten.stderr
    assert printed(run(data, "list", "--json")) == []
    assert run(data, "remove", "--everywhere", kept["id"], "-y").returncode == 0, "its documents were kept"


def test_what_a_removal_costs_the_cache_is_told(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "folder"
    folder.mkdir()
    for number in (1, 2, 3):
        (folder / f"{number}.txt").write_text(prose(number, 1_200))
    run(data, "add", str(folder), "--corpus", "all")
    with Upstream() as upstream:
        paid = {"provider_url": upstream.url, "provider_key": upstream.key}
        untouched = run(data, "remove", "--corpus", "all", "3.txt", **paid)
        assert "read anew" not in untouched.stdout
        asked = run(data, "ask", "--corpus", "all", "What came?", "--yes", **paid)
        assert "0 tokens from the cache: The first question reads everything" in asked.stderr, asked.stderr
        removed = run(data, "remove", "--corpus", "all", "1.txt", **paid)
        spent = run(data, "spend", **paid)
    assert "also read 1.txt" in removed.stdout, removed.stdout + removed.stderr
    assert "That costs the next question $0.00" in removed.stdout
    assert "Estimates were off by $" in spent.stdout
