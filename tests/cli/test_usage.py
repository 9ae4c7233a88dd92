"""What is typed or set wrongly is refused in words, with exit code 2 and before anything is opened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service import terminal
from service.domain.catalog import TIERS
from service.domain.planner import EXPECTED_OUTPUT, STRATEGIES
from service.domain.waste import SWITCHES
from service.errors import Invalid
from tests.support.process import environment

ROOT = Path(__file__).parents[2]

MANY = """
import contextlib, io, json, os, sys
from service.cli import main
said = []
for words, settings in json.load(sys.stdin):
    sys.argv = ["unabridged", *words]
    before = dict(os.environ)
    os.environ.update(settings)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    os.environ.clear()
    os.environ.update(before)
    said.append([code, out.getvalue(), " ".join(err.getvalue().split())])
print(json.dumps(said))
"""
"""One process for many commands: none of them gets as far as opening anything."""

Case = tuple[tuple[str, ...], dict[str, str]]


def run_many(data: Path, folder: Path, cases: list[Case]) -> list[tuple[int, str, str]]:
    done = subprocess.run(
        [sys.executable, "-c", MANY],
        env={**environment(data), "COLUMNS": "200", "PYTHONPATH": str(ROOT)},
        cwd=folder,
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return [(code, out, err) for code, out, err in found]


def test_what_cannot_be_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    data, note = tmp_path / "data", tmp_path / "note.txt"
    note.write_text("Something.\n")
    ask = ("ask", str(note), "What?")
    broken = tmp_path / "models.toml"
    broken.write_bytes(b"\xff\xfe")
    expected: list[tuple[Case, int, str]] = [
        ((("--version",), {}), 0, ""),
        *(
            (((*ask, f"--max-cost={amount}"), {}), 2, "--max-cost: “")
            for amount in ("lots", "nan", "inf", "-1", "1e400", "")
        ),
        (((*ask, "--confirm-above=nan"), {}), 2, "--confirm-above: “nan” is no amount in dollars"),
        (((*ask, "--strategy", "foo"), {}), 2, "'whole', 'split'"),
        (((*ask, "--effort", "foo"), {}), 2, "'none', 'low', 'medium', 'high', 'xhigh'"),
        (((*ask, "--leave-out", "foo"), {}), 2, "'duplicates', 'near_duplicates', 'repeated', 'blank'"),
        (((*ask, "--tier", "foo"), {}), 2, "'standard', 'flex', 'batch', 'priority'"),
        (((*ask, "--max-tokens", "0"), {}), 2, "--max-tokens"),
        (((*ask, "--strategy", "split", "--budget-tokens", "5000"), {}), 2, "is of a ranked plan"),
        ((("budget", "tenant", "--period", "day"), {}), 2, "Say how much for the period"),
        (((*ask, "--corpus", "x"), {}), 2, "either files or a corpus"),
        ((("ask", str(note), " \n"), {}), 2, "The question is empty"),
        ((("plan", "", "--corpus", "x"), {}), 2, "The question is empty"),
        ((("add", str(note), "--corpus", " "), {}), 2, "--corpus: the name is empty"),
        ((ask, {"UNABRIDGED_PROVIDER": "foo"}), 2, "UNABRIDGED_PROVIDER (provider in unabridged.toml)"),
        ((ask, {"UNABRIDGED_PROVIDER": "foo"}), 2, "'openai', 'oxen'"),
        ((ask, {"UNABRIDGED_GUARD_BAND": "2.5"}), 2, "a share below 1, or whole tokens, not '2.5'"),
        ((ask, {"UNABRIDGED_GUARD_BAND": "-1"}), 2, "must be greater than or equal to 0, not '-1'"),
        ((("models",), {"DEBUG": "*", "DATABASE_URL": "harbour", "MODEL": "x", "DATA": str(note)}), 0, ""),
        ((("budget", "tenant", "--remove", "3"), {}), 2, "Name the one budget to lift"),
        ((("budget", "--remove"), {}), 2, "Name the one budget to lift"),
        ((("remove", "a.txt"), {}), 2, "Say out of what"),
        ((("remove",), {}), 2, "Say out of what"),
        ((("remove", "--everywhere"), {}), 2, "Name the documents to delete"),
        ((("spend", "--by", "colour"), {}), 2, "'day', 'month', 'corpus', 'model', 'answer'"),
        ((("models",), {"UNABRIDGED_MODELS_FILE": "/no/such"}), 2, "UNABRIDGED_MODELS_FILE: /no/such"),
        ((("models",), {"UNABRIDGED_MODELS_FILE": str(broken)}), 2, "it is no UTF-8 text"),
        ((("models",), {"UNABRIDGED_OCR": "../eng"}), 2, "UNABRIDGED_OCR"),
        ((("ask", str(tmp_path), "What?"), {"UNABRIDGED_OCR": "eng+xyz"}), 2, "xyz can't be recognised here"),
        ((ask, {"UNABRIDGED_DATA": f"{note}/data"}), 2, f"UNABRIDGED_DATA: {note}/data"),
        ((("serve",), {"UNABRIDGED_DATA": str(note)}), 2, f"UNABRIDGED_DATA: {note}"),
    ]
    found = run_many(data, tmp_path, [case for case, _, _ in expected])
    for (case, code, words), (ended, _, said) in zip(expected, found, strict=True):
        assert (ended, words in said) == (code, True), (case, ended, said)
        assert "Traceback" not in said
    assert found[0][1].startswith("unabridged ")
    assert not data.exists()


def test_a_broken_settings_file_is_named(tmp_path: Path) -> None:
    cases: list[Case] = [(("models",), {})]
    (tmp_path / "unabridged.toml").write_text("model = [")
    [(code, _, said)] = run_many(tmp_path / "data", tmp_path, cases)
    assert (code, "unabridged.toml is not TOML" in said) == (2, True), said
    (tmp_path / "unabridged.toml").write_text("provider_key = 12345\nplan_seconds = 0\n")
    [(code, _, said)] = run_many(tmp_path / "data", tmp_path, cases)
    assert (code, "12345" in said) == (2, False), said
    assert "UNABRIDGED_PROVIDER_KEY" in said
    assert "UNABRIDGED_PLAN_SECONDS (plan_seconds in unabridged.toml): must be greater than 0" in said


def test_what_is_no_store_is_said_without_what_was_given(tmp_path: Path) -> None:
    cases: list[Case] = [
        (("spend",), {"UNABRIDGED_DATABASE_URL": "postgres://user:secret@host/name"}),
        (("spend",), {"UNABRIDGED_BLOB_URL": "s3://user:secret@"}),
    ]
    found = run_many(tmp_path / "data", tmp_path, cases)
    assert [code for code, _, _ in found] == [2, 2], found
    assert "UNABRIDGED_DATABASE_URL: say sqlite:////folder/store.db" in found[0][2]
    assert "UNABRIDGED_BLOB_URL: files are kept at file:///folder" in found[1][2]
    assert not any("secret" in said for _, _, said in found)


def test_a_wrong_model_brings_the_nearest_three(tmp_path: Path) -> None:
    [(code, _, said), (_, close, _)] = run_many(
        tmp_path / "data", tmp_path, [(("models", "qqq"), {}), (("models", "gpt-5.5", "--json"), {})]
    )
    assert (code, said.count("→ use model"), said.count("→")) == (1, 3, 4), said
    assert json.loads(close)["id"] == "gpt-5.5"


def test_the_choices_are_the_domains() -> None:
    assert {name.value for name in terminal.TierName} == set(TIERS)
    assert {name.value for name in terminal.EffortName} == set(EXPECTED_OUTPUT)
    assert tuple(name.value for name in terminal.WasteName) == SWITCHES
    assert {name.value for name in terminal.StrategyName} == set(STRATEGIES) - {"selected"}


@pytest.mark.parametrize("text", ["2.50", "$2.50", " 2.5 "])
def test_an_amount_may_have_its_sign(text: str) -> None:
    assert str(terminal.usd(text, option="--max-cost").normalize()) == "2.5"


def test_an_amount_beyond_all_money_is_none() -> None:
    with pytest.raises(Invalid):
        terminal.usd("1000000001", option="--max-cost")
