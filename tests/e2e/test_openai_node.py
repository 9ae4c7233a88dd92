"""OpenAI's client for Node against the service; it runs where node is, once its package was installed.

npm install --prefix tests/e2e/node
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.face import check
from tests.support.server import Server, serving, settings_in
from tests.support.upstream import Upstream

FOLDER = Path(__file__).parent / "node"
GUIDE = Path(__file__).parents[2] / "docs" / "openai.md"
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(
    NODE is None or not (FOLDER / "node_modules" / "openai").is_dir(),
    reason="node, or its package openai, is not installed",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Upstream() as upstream:
        with serving(settings_in(tmp_path_factory.mktemp("node"), upstream)) as running:
            yield running
        assert upstream.violations == []


def run(*arguments: str) -> str:
    done = subprocess.run(
        [str(NODE), *arguments], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_client_for_node(server: Server) -> None:
    said = json.loads(run("ask.js", f"http://127.0.0.1:{server.port}/v1"))
    check(said["whole"], "CreateChatCompletionResponse")
    for chunk in said["chunks"]:
        check(chunk, "CreateChatCompletionStreamResponse")
    text = said["whole"]["choices"][0]["message"]["content"]
    assert '"The mill was built in 1802." [D1 p.1]' in text
    streamed = [chunk["choices"][0]["delta"].get("content") or "" for chunk in said["chunks"][:-1]]
    assert "".join(streamed) == said["final"] == text
    assert said["chunks"][-1]["usage"]["prompt_tokens"] == said["whole"]["usage"]["prompt_tokens"]
    assert said["parsed"] == {"year": 0}
    assert said["errors"] == [
        ["BadRequestError", 400, "invalid_request", "n"],
        ["NotFoundError", 404, "not_found", None],
        ["APIError", 402, "over_max_cost", None],
        ["BadRequestError", 400, "invalid_request", "corpus_id"],
    ]
    assert "gpt-5.5" in said["models"]
    assert said["listed"] == [said["file"]["id"]]
    assert said["bytes"] == "The mill was built in 1802."
    assert said["deleted"] == {"id": said["file"]["id"], "object": "file", "deleted": True}


def test_the_guides_example(server: Server) -> None:
    document = server.add("harbour.txt", b"The harbour opened in 1871.")
    corpus = server.corpus(document["id"])
    found = re.search(r"^```js\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    code = found[1].replace("http://127.0.0.1:8000", f"http://127.0.0.1:{server.port}")
    code = code.replace("corpora.data[0]", "corpora.data.at(-1)")
    assert '"The harbour opened in 1871." [D1 p.1]' in run("--input-type=module", "--eval", code)
    assert server.client.get("/v1/answers", params={"corpus_id": corpus}).json()["data"]
