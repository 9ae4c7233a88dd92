"""`unabridged doctor` says what is wrong and what to do about it; it changes and pays for nothing."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from service.store.session import Database
from tests.cli.test_commands import printed, run
from tests.support.process import free_port
from tests.support.upstream import Upstream

CHECKS = [
    "settings",
    "python",
    "packages",
    "data folder",
    "disk",
    "database",
    "files",
    "page index",
    "access",
    "reader",
    "tokenizer",
    "ocr",
    "prices",
    "model",
    "provider",
    "port",
]


def states(found: Any) -> dict[str, str]:  # noqa: ANN401 - any JSON
    return {one["check"]: one["state"] for one in found["checks"]}


def test_a_healthy_installation(tmp_path: Path) -> None:
    data, note, port = tmp_path / "data", tmp_path / "note.txt", str(free_port())
    note.write_text("The harbour opened in 1871.\n")
    assert run(data, "add", str(note), "--corpus", "notes").returncode == 0
    with Upstream() as upstream:
        keyed = {"provider_url": upstream.url, "provider_key": upstream.key}
        found = printed(run(data, "doctor", "--json", "--port", port, **keyed))
        done = run(data, "doctor", "--port", port, **keyed)
        assert (upstream.requests, upstream.invoice) == ([], [])
    assert found["ok"] is True
    assert [one["check"] for one in found["checks"]] == CHECKS
    assert set(states(found).values()) <= {"ok", "warn"}  # a machine may have little room, or no OCR
    assert set(found["checks"][0]) == {"check", "state", "detail", "do"}
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line[6:].partition("  ")[0].strip() for line in lines] == CHECKS
    assert {line[:6] for line in lines} <= {"ok    ", "warn  "}


def test_looking_at_nothing_makes_nothing(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "doctor", "--json", "--port", "0")
    found = states(printed(done))
    assert (done.returncode, found["database"], found["provider"]) == (0, "ok", "warn")
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_said_with_the_way_out(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    data.mkdir()
    db = Database(f"sqlite:///{data / 'unabridged.db'}")
    db.migrate()
    with db.write() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    db.close()
    wrong = {
        "provider_url": f"http://127.0.0.1:{port}/v1",
        "provider_key": "sk-harbour-0123456789",
        "model": "nobody",
        "ocr": "eng+xyz",
    }
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(data, "doctor", "--port", str(taken.getsockname()[1]), **wrong)
    said = {line[6:19].strip(): line for line in done.stdout.splitlines()}
    assert done.returncode == 1
    for check, words in {
        "database": "Run `unabridged migrate`",
        "ocr": "xyz can't be recognised here",
        "model": "→ Set UNABRIDGED_MODEL",
        "provider": "can't be reached: no connection comes about. → Look at the network",
    }.items():
        assert said[check].startswith("fail  "), said[check]
        assert words in said[check]
    assert said["port"].startswith("warn  ")
    assert "another with --port" in said["port"]
    assert "access" not in said, "keys can't be looked up in another schema"
    assert "sk-harbour" not in done.stdout + done.stderr


def test_an_address_for_others_needs_a_key(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "doctor", "--json", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - the point
    assert (done.returncode, states(printed(done))["access"]) == (1, "fail")


def test_a_setting_that_cannot_be_is_a_finding(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "doctor", plan_seconds="0")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("fail  settings     UNABRIDGED_PLAN_SECONDS")
