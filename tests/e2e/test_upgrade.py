"""Answers that an earlier version left under way, as workflows without a seat, end after the upgrade.

What was sent is in doubt, what came is kept, what was not sent is sent by a service and by no command.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.e2e.test_kill import corpus, rows, service, until
from tests.support import upstream as acts
from tests.support.process import environment
from tests.support.upstream import Upstream

ROOT = Path(__file__).parents[2]
SENT, READY, DONE = "sent", "ready", "done"
NAMES = (SENT, READY, DONE)
_UNDER_WAY = ("queued", "running")


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


def left_behind(tmp_path: Path, upstream: Upstream, *, as_workflows: bool) -> dict[str, str]:
    """Have a service of this version killed, and make of what it leaves what an earlier one left.

    Returns:
        The answers' ids by the state in which their only call was left.
    """
    with service(tmp_path, upstream) as server:
        corpus_id = corpus(server.url, b"The harbour opened in 1871 and was closed in 1902.\n")
        ids = {}
        upstream.script.extend([acts.well(), acts.well(), acts.stall_after(2)])
        for name in (DONE, READY, SENT):
            asked = httpx.post(
                f"{server.url}/v1/corpora/{corpus_id}/answers",
                json={"question": f"What is {name}?", "wait": name != SENT},
                timeout=60,
            )
            ids[name] = asked.json()["id"]
        until(lambda: (ids[SENT],) in rows(tmp_path, "SELECT answer_id FROM answer_events"))
        until(lambda: len(upstream.requests) == len(NAMES))
        server.kill()
    with closing(sqlite3.connect(tmp_path / "data" / "unabridged.db")) as database, database:
        _undo(database, ids)
        if as_workflows:
            for answer_id in ids.values():
                _as_workflow(database, answer_id)
    upstream.requests.clear()
    return ids


def _undo(database: sqlite3.Connection, ids: dict[str, str]) -> None:
    """Put the answers back to where they were under way, and one to where it was not sent yet."""
    database.execute("UPDATE answers SET seat = NULL, finished_at = NULL, actual_usd = NULL, text = ''")
    database.execute("UPDATE answers SET status = 'running'")
    database.execute("UPDATE answers SET created_at = datetime(created_at, '-1 hour') || '.000000'")
    database.execute("DELETE FROM answer_events WHERE name IN ('done', 'error', 'usage', 'citation')")
    ready = ids[READY]
    call = f"{ready}.0"
    database.execute("DELETE FROM answer_events WHERE answer_id = ?", (ready,))
    database.execute("UPDATE answers SET status = 'queued', started_at = NULL WHERE id = ?", (ready,))
    database.execute(
        "UPDATE calls SET state = 'ready', attempts = 0, text = '', reply = NULL, usage = NULL, actual_usd = "
        "NULL, finish_reason = NULL, sent_at = NULL, finished_at = NULL WHERE id = ?",
        (call,),
    )
    database.execute("UPDATE reservations SET state = 'held' WHERE call_id = ?", (call,))
    database.execute("DELETE FROM ledger WHERE call_id = ? AND kind != 'reserve'", (call,))
    database.execute("DELETE FROM observations WHERE call_id = ?", (call,))


def _as_workflow(database: sqlite3.Connection, answer_id: str) -> None:
    """Record an answer's workflow as it stood there: like a document's, but begun at once, and under way."""
    _copied(
        database,
        "workflow_status",
        workflow_uuid=answer_id,
        name="Jobs.answer",
        status="PENDING",
        executor_id="seat-1",
        queue_name=None,
        completed_at=None,
    )
    given = f'{{"namedArgs":{{}},"positionalArgs":["{answer_id}"]}}'
    _copied(database, "workflow_input", workflow_uuid=answer_id, inputs=given)


def _copied(database: sqlite3.Connection, table: str, **changes: str | None) -> None:
    """Add a copy of a table's first row with some columns changed."""
    rows_of = database.execute(f"SELECT * FROM {table} ORDER BY rowid LIMIT 1")  # noqa: S608 - a name
    names = [column[0] for column in rows_of.description]
    row = dict(zip(names, rows_of.fetchone(), strict=True))
    assert changes.keys() <= row.keys()
    marks = ", ".join("?" * len(row))
    added = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"  # noqa: S608 - names of columns
    database.execute(added, tuple((row | changes).values()))


def statuses(tmp_path: Path, ids: dict[str, str]) -> dict[str, str]:
    found = dict(rows(tmp_path, "SELECT id, status FROM answers"))
    return {name: found[answer_id] for name, answer_id in ids.items()}


def books(tmp_path: Path, answer_id: str) -> tuple[str, list[str]]:
    """How the reservation of an answer's only call ended, and its lines of the ledger."""
    call = f"{answer_id}.0"
    states = dict(rows(tmp_path, "SELECT call_id, state FROM reservations"))
    lines = rows(tmp_path, "SELECT call_id, kind FROM ledger ORDER BY id")
    return states[call], [kind for call_id, kind in lines if call_id == call]


@pytest.mark.parametrize("as_workflows", [True, False], ids=["as workflows", "workflows lost"])
def test_a_service_ends_them_and_pays_nothing_twice(
    tmp_path: Path, upstream: Upstream, *, as_workflows: bool
) -> None:
    with upstream:
        ids = left_behind(tmp_path, upstream, as_workflows=as_workflows)
        with service(tmp_path, upstream) as server:
            until(lambda: not set(statuses(tmp_path, ids).values()) & set(_UNDER_WAY))
            answers = {
                name: httpx.get(f"{server.url}/v1/answers/{answer_id}").json()
                for name, answer_id in ids.items()
            }
            for answer_id in ids.values():
                stream = httpx.get(f"{server.url}/v1/answers/{answer_id}/events").text
                assert stream.count("event: done") + stream.count("event: error") == 1
            if as_workflows:
                over = "SELECT 1 FROM workflow_status WHERE name = 'Jobs.answer' AND status = 'SUCCESS'"
                until(lambda: len(rows(tmp_path, over)) == len(NAMES))
            server.stop()
    assert {name: answer["status"] for name, answer in answers.items()} == {
        SENT: "in_doubt",
        READY: "done",
        DONE: "done",
    }
    assert [
        str(one.body["messages"][-1]["content"]).count("What is ready?") for one in upstream.requests
    ] == [1]
    settled = ("settled", ["reserve", "release", "settle"])
    assert books(tmp_path, ids[SENT]) == ("held", ["reserve"])
    assert [books(tmp_path, ids[name]) for name in (READY, DONE)] == [settled, settled]
    assert all(answers[name]["cost"]["actual_usd"] for name in (READY, DONE))
    assert answers[DONE]["citations"]


@pytest.mark.parametrize("as_workflows", [True, False], ids=["as workflows", "workflows lost"])
def test_a_command_concludes_them_and_sends_nothing(
    tmp_path: Path, upstream: Upstream, *, as_workflows: bool
) -> None:
    with upstream:
        ids = left_behind(tmp_path, upstream, as_workflows=as_workflows)
        (tmp_path / "other.txt").write_text("Added by a command.\n")
        added = subprocess.run(
            [sys.executable, "-m", "service", "add", str(tmp_path / "other.txt")],
            env=environment(tmp_path / "data", provider_url=upstream.url, provider_key=upstream.key),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert added.returncode == 0, added.stderr
        assert statuses(tmp_path, ids) == {SENT: "in_doubt", READY: "failed", DONE: "done"}
        assert upstream.requests == []
    assert books(tmp_path, ids[SENT]) == ("held", ["reserve"])
    assert books(tmp_path, ids[READY]) == ("released", ["reserve", "release"])
    assert books(tmp_path, ids[DONE])[0] == "settled"
    errors = dict(rows(tmp_path, "SELECT id, error FROM answers"))
    assert "interrupted" in errors[ids[READY]]
