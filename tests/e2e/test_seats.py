"""Several processes on one data folder: each does its own work, and the living take up what the dead left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.e2e.test_kill import corpus, rows, service, until, upload
from tests.support import upstream as acts
from tests.support.commanding import command
from tests.support.process import ServiceProcess, environment
from tests.support.upstream import Upstream

ROOT = Path(__file__).parents[2]


def test_a_command_beside_the_server_leaves_its_answers_alone(tmp_path: Path) -> None:
    with Upstream() as upstream, service(tmp_path, upstream) as server:
        corpus_id = corpus(server.url, b"A slow answer must not be taken for a dead one.\n")
        upstream.script.append(acts.slow(0.1, 0.5))
        asked = httpx.post(
            f"{server.url}/v1/corpora/{corpus_id}/answers", json={"question": "Is it dead?", "wait": False}
        ).json()
        until(lambda: rows(tmp_path, "SELECT 1 FROM answer_events WHERE name = 'delta'"))
        (tmp_path / "other.txt").write_text("Added by a command in another process.\n")
        added = subprocess.run(
            [sys.executable, "-m", "service", "add", str(tmp_path / "other.txt")],
            env=environment(tmp_path / "data", provider_url=upstream.url, provider_key=upstream.key),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert added.returncode == 0, added.stderr
        path = f"{server.url}/v1/answers/{asked['id']}"
        assert until(lambda: httpx.get(path).json()["status"] not in {"queued", "running"})
        assert httpx.get(path).json()["status"] == "done"
        assert len(upstream.requests) == 1


def test_the_living_take_up_what_a_dead_second_process_left(tmp_path: Path) -> None:
    text = "".join(f"Line {n} of something long that takes a while.\n" for n in range(120_000)).encode()
    with Upstream() as upstream, service(tmp_path, upstream) as first:
        with ServiceProcess(
            tmp_path / "data", provider_url=upstream.url, provider_key=upstream.key
        ) as second:
            assert sorted(path.name for path in (tmp_path / "data" / "seats").iterdir()) == ["1", "2"]
            first.stop()
            sent = upload(second.url, "long.txt", text)
            until(lambda: rows(tmp_path, "SELECT 1 FROM documents WHERE status = 'processing'"))
            second.kill()
        assert rows(tmp_path, "SELECT executor_id FROM workflow_status WHERE status = 'PENDING'") == [
            ("seat-2",)
        ]
        first.start()
        until(lambda: rows(tmp_path, "SELECT 1 FROM documents WHERE status = 'ready'"))
        found = httpx.get(f"{first.url}/v1/documents/{sent['id']}").json()
        assert found["pages"] == found["progress"]["done"] > 100


def test_a_service_takes_up_what_a_process_beside_it_left(tmp_path: Path) -> None:
    with Upstream() as upstream, service(tmp_path, upstream) as first:
        with ServiceProcess(
            tmp_path / "data", provider_url=upstream.url, provider_key=upstream.key
        ) as second:
            for number in range(6):
                lines = (f"Line {n} of long text {number}.\n" for n in range(60_000))
                upload(second.url, f"long{number}.txt", "".join(lines).encode())
            until(lambda: rows(tmp_path, "SELECT 1 FROM workflow_status WHERE executor_id = 'seat-2'"))
            second.kill()
        assert rows(tmp_path, "SELECT 1 FROM documents WHERE status != 'ready'")
        until(lambda: rows(tmp_path, "SELECT 1 FROM documents GROUP BY status HAVING count(*) = 6"))
        assert {one["status"] for one in httpx.get(f"{first.url}/v1/documents").json()["data"]} == {"ready"}


def test_a_service_concludes_the_answer_of_a_process_that_died_beside_it(tmp_path: Path) -> None:
    with Upstream() as upstream, service(tmp_path, upstream) as first:
        corpus_id = corpus(first.url, b"Who answers when the other is dead?\n")
        with ServiceProcess(
            tmp_path / "data", provider_url=upstream.url, provider_key=upstream.key
        ) as second:
            upstream.script.append(acts.slow(0.1, 0.5))
            asked = httpx.post(
                f"{second.url}/v1/corpora/{corpus_id}/answers", json={"question": "Who?", "wait": False}
            ).json()
            until(lambda: rows(tmp_path, "SELECT 1 FROM answer_events WHERE name = 'delta'"))
            assert rows(tmp_path, "SELECT seat FROM answers") == [("seat-2",)]
            second.kill()
        path = f"{first.url}/v1/answers/{asked['id']}"
        until(lambda: httpx.get(path).json()["status"] not in {"queued", "running"})
        assert httpx.get(path).json()["status"] == "in_doubt"
        assert rows(tmp_path, "SELECT seat FROM answers") == [("seat-1",)]
        assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "looking",
    [("answers", "--json"), ("export", "{}"), ("resolve", "{}", "--not-billed")],
    ids=lambda one: one[0],
)
def test_a_killed_commands_answer_is_concluded_by_who_looks_at_it(
    tmp_path: Path, looking: tuple[str, ...]
) -> None:
    """Nothing serves: what may have been billed is in doubt, and can be resolved, without asking anew."""
    (tmp_path / "a.txt").write_text("The harbour opened in 1871.\n")
    with Upstream() as upstream:
        upstream.script.append(acts.stall_after(3))
        key = {"provider_url": upstream.url, "provider_key": upstream.key}
        env = environment(tmp_path / "data", **key)
        words = ("ask", str(tmp_path / "a.txt"), "When?", "--yes")
        with subprocess.Popen([sys.executable, "-m", "service", *words], env=env, cwd=ROOT) as asking:
            until(lambda: upstream.requests)
            asking.kill()
        ((answer_id, status),) = rows(tmp_path, "SELECT id, status FROM answers")
        assert status == "running"
        looked = command(*(word.format(answer_id) for word in looking), env=env)
        assert looked.returncode == 0, looked.stderr
        ((status,),) = rows(tmp_path, "SELECT status FROM answers")
        assert status == ("failed" if looking[0] == "resolve" else "in_doubt")
        assert len(upstream.requests) == 1


def test_a_service_says_where_it_is(tmp_path: Path) -> None:
    with ServiceProcess(tmp_path / "data", provider="offline") as server:
        assert f"Unabridged is at http://127.0.0.1:{server.port}/ (Ctrl-C stops it)" in server.log()
