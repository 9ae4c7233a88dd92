"""Pictures on the command line: a file or an address beside the question, priced before it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.domain import vision
from tests.cli.test_commands import printed, run
from tests.support import seen
from tests.support.pictures import picture
from tests.support.upstream import Upstream


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a corpus of one document."""
    (tmp_path / "harbour.txt").write_text("The harbour opened in 1871.\n")
    done = run(tmp_path / "data", "add", str(tmp_path / "harbour.txt"), "--corpus", "harbour")
    assert done.returncode == 0, done.stderr
    return tmp_path / "data"


def test_a_file_and_an_address_are_priced_and_sent(data: Path, tmp_path: Path) -> None:
    (tmp_path / "quay.png").write_bytes(picture(320, 200))
    remote = next(iter(seen.REMOTE))
    shown = ("--image", str(tmp_path / "quay.png"), "--image", remote)
    with Upstream() as upstream:
        provider = {"provider": "openai", "provider_url": upstream.url, "provider_key": upstream.key}
        asked = ("--corpus", "harbour", "What is this?", *shown)
        described = printed(run(data, "plan", *asked, "--json", **provider))
        plan = next(one for one in described["data"] if one["id"] == described["recommended"])
        assert [one["name"] for one in plan["question_images"]] == ["quay.png", None]
        least, most = vision.tokens(vision.fit(320, 200, "high").patches)
        assert (plan["images"]["tokens_min"], plan["images"]["tokens_max"]) == (least + 1, most + 3_001)
        said = run(data, "plan", *asked, **provider)
        assert "the size is not known" in said.stdout
        assert "Name its file instead of its address" in said.stdout
        assert "image_" not in said.stdout
        done = run(data, "ask", *asked, "--yes", "--json", **provider)
        assert done.returncode == 0, done.stderr
        parts = upstream.requests[-1].body["messages"][-1]["content"]
        assert [part["type"] for part in parts] == ["text", "image_url", "image_url"]
        assert upstream.violations == []
        told = printed(run(data, "models", "gpt-5.5", "--json", **provider))["provider"]
        assert (told["name"], told["description"]) == ("openai", "absent")


@pytest.mark.parametrize("name", ["none.png", "folder", "text.txt"])
def test_what_is_no_picture_is_refused(data: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("No picture.")
    done = run(data, "plan", "--corpus", "harbour", "What?", "--image", str(tmp_path / name))
    assert done.returncode == 2
    assert "icture" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_model_the_answer_says_that_it_saw_nothing(data: Path, tmp_path: Path) -> None:
    (tmp_path / "quay.png").write_bytes(picture(32, 20))
    asked = ("--corpus", "harbour", "When did the harbour open?", "--image", str(tmp_path / "quay.png"))
    done = run(data, "ask", *asked)
    assert done.returncode == 0, done.stderr
    assert "1871" in done.stdout
    assert "pictures" in done.stdout.lower()
    assert printed(run(data, "models", "gpt-5.5", "--json"))["provider"] is None
