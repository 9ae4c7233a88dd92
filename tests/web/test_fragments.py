"""Text as HTML over HTTP: for who may call, of a bounded size, and never a page of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.web.fragments import MAX_CHARS
from tests.support.server import Server, serving, settings_in


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("fragments")
    with serving(settings_in(folder)) as running:
        yield running


def test_text_becomes_html_in_two_pieces(server: Server) -> None:
    sent = server.client.post("/web/markdown", json={"text": '# A\n\n"b" [D1 p.2]\n\nlast', "first_mark": 4})
    assert sent.status_code == 200
    assert sent.headers["cache-control"] == "no-store"
    assert sent.headers["x-content-type-options"] == "nosniff"
    assert sent.headers["content-type"] == "application/json"
    made = sent.json()
    assert (made["lines"], made["marks"]) == (2, 0)
    assert made["settled"] == '<h3 class="level-1">A</h3>\n'
    assert 'data-index="4"' in made["open"]
    assert made["open"].endswith("<p>last</p>\n")


@pytest.mark.parametrize(
    "body",
    [
        {"text": "a" * (MAX_CHARS + 1)},
        {},
        {"text": 1},
        {"text": "a", "first_mark": -1},
        {"text": "a", "x": 1},
    ],
    ids=["too long", "nothing", "no text", "before the first", "another field"],
)
def test_what_does_not_fit_is_refused(server: Server, body: dict[str, object]) -> None:
    refused = server.client.post("/web/markdown", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}], ids=["a page", "a name"]
)
def test_foreign_pages_may_not_use_it(server: Server, headers: dict[str, str]) -> None:
    refused = server.client.post("/web/markdown", json={"text": "a"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")


def test_it_is_no_part_of_the_api(server: Server) -> None:
    assert not [
        path for path in server.client.get("/openapi.json").json()["paths"] if path.startswith("/web")
    ]


def test_where_keys_are_needed_it_needs_one(server: Server) -> None:
    """The last test of this file: the service has a key from here on."""
    secret = server.client.post("/v1/keys", json={"name": "first"}).json()["secret"]
    assert server.client.post("/web/markdown", json={"text": "a"}).status_code == 401
    with server.calling_with(secret) as allowed:
        assert allowed.client.post("/web/markdown", json={"text": "a"}).json()["open"] == "<p>a</p>\n"
