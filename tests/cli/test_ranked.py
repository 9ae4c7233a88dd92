"""Packs that leave something out, at the command line: what is read is said beside the price."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.cli.test_commands import printed, run

WORDS = "harbour customs ledger vessel cargo grain timber captain tariff winter pilot anchor quay".split()  # noqa: SIM905 - words as words


def test_a_part_is_priced_and_asked(tmp_path: Path) -> None:
    draw = random.Random(7)  # noqa: S311 - made-up text
    folder, data = tmp_path / "volumes", tmp_path / "data"
    folder.mkdir()
    for volume in (1, 2, 3):
        lines = [" ".join(draw.choices(WORDS, k=12)) + f" {draw.randrange(9999)}." for _ in range(900)]
        lines[500] = f"The lighthouse of volume {volume} burnt down in {1900 + volume}."
        (folder / f"volume{volume}.txt").write_text("\n".join(lines))
    assert run(data, "add", str(folder), "--corpus", "port").returncode == 0
    question = "When did the lighthouse burn down?"

    shown = run(data, "plan", "--corpus", "port", question)
    assert shown.returncode == 0, shown.stderr
    assert "ranked 32,000" in shown.stdout
    assert "reads" in shown.stdout
    assert "100%" in shown.stdout

    priced = run(data, "plan", "--corpus", "port", question, "--budget-tokens", "5000", "--json")
    (plan,) = [one for one in printed(priced)["data"] if one["strategy"] == "ranked"]
    assert plan["budget_tokens"] == 5000 >= plan["input_tokens"]

    words = ("ask", "--corpus", "port", question, "--strategy", "ranked", "--budget-tokens", "5000", "--json")
    asked = run(data, *words)
    assert asked.returncode == 0, asked.stderr
    answer = json.loads(asked.stdout)
    assert answer["status"] == "done"
    assert answer["coverage"]["tokens_share"] < 0.2
    assert "burnt down in 190" in answer["text"]
    assert {one["verdict"] for one in answer["citations"]} == {"exact"}

    refused = run(data, "plan", "--corpus", "port", question, "--budget-tokens", "100")
    assert refused.returncode == 2
