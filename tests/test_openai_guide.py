"""The guide for OpenAI's clients, run as it stands against a service with a simulated provider."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server, serving, settings_in
from tests.support.upstream import Upstream

GUIDE = Path(__file__).parents[1] / "docs" / "openai.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Upstream() as upstream:
        with serving(settings_in(tmp_path_factory.mktemp("guide"), upstream)) as running:
            yield running
        assert upstream.violations == []


def test_its_blocks_run(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    names: dict[str, Any] = {"__name__": "guide"}
    printed = []
    try:
        for block in BLOCKS:
            code = block.replace("http://127.0.0.1:8000", f"http://127.0.0.1:{server.port}")
            exec(compile(code, str(GUIDE), "exec", dont_inherit=True), names)  # noqa: S102 - our own page
            printed.append(capsys.readouterr().out)
    finally:
        names["client"].close()
    answered, parsed, refused = printed
    assert '"The harbour opened in 1871." [D1 p.1]' in answered
    assert "\n[D1 p.1] harbour.txt, page 1 http://127.0.0.1:" in answered
    assert re.search(r"^0\.\d+ USD$", answered, re.MULTILINE)
    assert parsed.startswith("year=0 quote=")
    assert refused.startswith("402 over_max_cost [{'do': 'raise_max_cost'")
