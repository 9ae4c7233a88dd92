"""The Model Context Protocol over stdin and stdout: the official client starts the command itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mcp import StdioServerParameters

from tests.cli.test_commands import ROOT, printed, run
from tests.support.assistant import Assistant, Given, talk, use
from tests.support.process import environment
from tests.support.upstream import Upstream, slow


def started(data: Path, elsewhere: Path, **settings: str) -> StdioServerParameters:
    """How an assistant's program starts it: the data folder named on the command line."""
    words = ["-m", "service", "mcp", "--data", str(data)]
    return StdioServerParameters(
        command=sys.executable, args=words, env=environment(elsewhere, **settings), cwd=ROOT
    )


def filled(data: Path) -> None:
    (data.parent / "harbour.txt").write_text("The harbour opened in 1871.\n")
    added = run(data, "add", str(data.parent / "harbour.txt"), "--corpus", "harbour")
    assert added.returncode == 0, added.stderr


def test_every_tool_works_offline(tmp_path: Path) -> None:
    data = tmp_path / "data"
    filled(data)

    async def work(assistant: Assistant) -> list[Given]:
        corpora = await assistant.use("list_corpora")
        documents = await assistant.use("list_documents", corpus="harbour")
        priced = await assistant.use("price_question", corpus="harbour", question="When did it open?")
        asked = await assistant.use("ask", plan_id=priced.data["recommended"], max_cost_usd="0")
        fetched = await assistant.use("get_answer", answer_id=asked.data["answer_id"])
        name = documents.data["documents"][0]["id"]
        page = await assistant.use("read_page", document_id=name, page=1)
        wrong = await assistant.use("list_documents", corpus="nowhere")
        found = await assistant.use("find_pages", corpus="harbour", words="harbour opening")
        name = asked.data["answer_id"]
        again = await assistant.use("replay_answer", answer_id=name, max_cost_usd="0")
        exported = await assistant.use("export_answer", answer_id=name)
        return [corpora, documents, priced, asked, fetched, page, wrong, found, again, exported]

    corpora, documents, priced, asked, fetched, page, wrong, found, again, exported = talk(
        started(data, tmp_path / "elsewhere"), work
    )
    assert [one["name"] for one in corpora.data["corpora"]] == ["harbour"]
    assert [one["filename"] for one in documents.data["documents"]] == ["harbour.txt"]
    assert priced.data["engine"] == "offline"
    assert asked.data["citations"][0]["verdict"] == "exact"
    assert asked.data["cost_usd"] == "0.00"
    assert fetched.data == asked.data
    assert page.data["text"].strip() == "The harbour opened in 1871."
    assert wrong.is_error
    assert "There are: harbour." in wrong.text
    assert [one["excerpt"] for one in found.data["pages"]] == ["The harbour opened in 1871."]
    assert (again.data["text"], again.data["cost_usd"]) == (asked.data["text"], "0.00")
    assert exported.data["markdown"].startswith("# Answer")
    kept = {one["id"] for one in printed(run(data, "answers", "--json"))}
    assert kept == {asked.data["answer_id"], again.data["answer_id"]}


def test_an_answer_under_way_is_ended_after_the_client_has_gone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    filled(data)
    call = (
        '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",'
        '"capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n'
        '{"jsonrpc":"2.0","method":"notifications/initialized"}\n'
        '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"ask","arguments":'
        '{"corpus":"harbour","question":"When?","max_cost_usd":"5","wait_seconds":0}}}\n'
    )
    with Upstream() as upstream:
        upstream.script.append(slow(1.0))
        keyed = {"provider": "openai", "provider_url": upstream.url, "provider_key": upstream.key}
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "mcp"],
            env=environment(data, **keyed),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(call)
        process.stdin.flush()
        said = [process.stdout.readline() for _ in range(2)]
        assert '\\"status\\": \\"running\\"' in said[1] or '\\"status\\": \\"queued\\"' in said[1]
        _, errors = process.communicate(timeout=60)  # closes its standard input
        assert (process.returncode, errors) == (0, "")
        assert len(upstream.requests) == 1
    (kept,) = printed(run(data, "answers", "--json"))
    assert kept["status"] == "done"


def test_nothing_but_the_protocol_is_on_stdout(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "mcp")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_wrong_setting_is_said_before_anything_is_served(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "mcp", guard_band="two")
    assert (done.returncode, done.stdout) == (2, "")
    assert "guard_band" in done.stderr.lower()


def test_a_ceiling_refuses_over_stdio(tmp_path: Path) -> None:
    data = tmp_path / "data"
    filled(data)
    with Upstream() as upstream:
        keyed = {"provider": "openai", "provider_url": upstream.url, "provider_key": upstream.key}
        refused = use(
            started(data, tmp_path / "elsewhere", **keyed),
            "ask",
            corpus="harbour",
            question="When?",
            max_cost_usd="0.001",
        )
        assert (refused.is_error, refused.data["code"]) == (True, "over_max_cost")
        assert upstream.requests == []
