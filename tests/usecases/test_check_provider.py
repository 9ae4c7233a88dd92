"""The provider is asked for its models alone; what comes of it is told without the key."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest

from service.factory import make_catalog
from service.provider.profiles import OPENAI, Profile, named
from service.usecases.check_provider import check_catalog, check_model, check_provider
from tests.support.listening import listening
from tests.support.process import free_port
from tests.support.server import settings_in
from tests.support.upstream import Upstream

KEY = "sk-harbour-0123456789"
LIST = json.dumps({"object": "list", "data": [{"id": "gpt-5.5"}, {"id": "other"}, {}, 3]})


@contextmanager
def answering(status: str, body: str = "") -> Iterator[Profile]:
    """A server that gives everyone the same answer."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65_536)
        said = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Location: /elsewhere")
        connection.sendall("\r\n".join((*said, "", body)).encode())

    with listening(handle) as server:
        yield named("openai", base_url=f"http://127.0.0.1:{server.port}/v1")


def test_a_provider_that_answers_is_not_paid() -> None:
    with Upstream() as upstream:
        found = check_provider(upstream.profile(), upstream.key, "gpt-5.5")
        assert (upstream.requests, upstream.invoice) == ([], [])
    assert (found.state, "has gpt-5.5" in found.detail) == ("ok", True)


@pytest.mark.parametrize(
    ("status", "body", "state", "said"),
    [
        ("200 OK", LIST, "ok", "answers with this key, and has gpt-5.5"),
        ("200 OK", LIST.replace("gpt-5.5", "gpt-4"), "warn", "does not list gpt-5.5"),
        ("200 OK", "<!doctype html>", "warn", "with no list of models"),
        ("200 OK", "[" * 100_000, "warn", "with no list of models"),
        ("200 OK", '{"data": 3}', "warn", "with no list of models"),
        ("401 Unauthorized", f'{{"error": "{KEY}"}}', "fail", "refuses the key (401)"),
        ("403 Forbidden", "", "fail", "refuses the key (403)"),
        ("404 Not Found", "", "ok", "has no list of models"),
        ("302 Found", "", "warn", "answers 302"),
        ("429 Too Many Requests", "", "warn", "answers 429"),
        ("503 Service Unavailable", "", "warn", "answers 503"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_each_answer_is_told(status: str, body: str, state: str, said: str) -> None:
    with answering(status, body) as profile:
        found = check_provider(profile, KEY, "gpt-5.5")
    assert (found.state, said in found.detail) == (state, True), found
    assert KEY not in found.detail + found.do
    assert bool(found.do) is (state != "ok")


def test_a_dead_provider_is_said() -> None:
    found = check_provider(named("openai", base_url=f"http://127.0.0.1:{free_port()}/v1"), KEY, "gpt-5.5")
    assert (found.state, "no connection comes about" in found.detail) == ("fail", True)


def test_what_speaks_no_http_is_said() -> None:
    with listening(lambda connection: connection.sendall(b"SSH-2.0-harbour\r\n")) as server:
        found = check_provider(named("openai", base_url=f"http://127.0.0.1:{server.port}/v1"), KEY, "m")
    assert (found.state, "can't be reached" in found.detail) == ("fail", True)


def test_a_silent_provider_is_not_waited_for() -> None:
    with listening(lambda _: time.sleep(0.5)) as server:
        profile = named("openai", base_url=f"http://127.0.0.1:{server.port}/v1")
        found = check_provider(profile, KEY, "gpt-5.5", seconds=0.1)
    assert (found.state, "no answer within 0.1 seconds" in found.detail) == ("fail", True)


def test_a_vendor_is_not_called_without_a_key() -> None:
    found = check_provider(OPENAI, None, "gpt-5.5")
    assert (found.state, "none is set" in found.detail) == ("fail", True)
    assert "OPENAI_API_KEY" in found.do


def test_no_provider_is_worth_knowing() -> None:
    found = check_provider(None, None, "gpt-5.5")
    assert (found.state, "OPENAI_API_KEY" in found.do) == ("warn", True)


def test_prices_grow_old(tmp_path_factory: pytest.TempPathFactory) -> None:
    catalog = make_catalog(settings_in(tmp_path_factory.mktemp("data")))
    assert check_catalog(catalog, catalog.as_of).state == "ok"
    assert check_catalog(catalog, catalog.as_of + timedelta(days=91)).state == "warn"


def test_the_usual_model_has_to_be_known(tmp_path_factory: pytest.TempPathFactory) -> None:
    catalog = make_catalog(settings_in(tmp_path_factory.mktemp("data")))
    assert check_model(catalog, "gpt-5.5", date(2026, 11, 1)).state == "ok"
    found = check_model(catalog, "gpt-55", date(2026, 11, 1))
    assert (found.state, "UNABRIDGED_MODEL" in found.do) == ("fail", True)
    assert check_model(catalog, "gpt-5.5", date(2020, 1, 1)).state == "warn"
