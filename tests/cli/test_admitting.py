"""Keys on the command line: made, listed, limited and revoked on the store itself, and held by a service."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from tests.cli.test_commands import printed, run
from tests.support.process import ServiceProcess

OTHER_ADDRESS = "127.0.0.2"
"""This machine still, but none that the service takes for the local user's."""


class Elsewhere(ServiceProcess):
    """A service that does not listen where the local user calls."""

    @property
    def url(self) -> str:
        return f"http://{OTHER_ADDRESS}:{self.port}"


def test_keys_are_made_listed_limited_and_revoked(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = run(data, "keys", "add", "page", "--limit", "2.50", "--period", "month")
    assert re.fullmatch(r"una_[\w-]{43}\n", made.stdout), "the secret alone, for scripts"
    assert "is shown this once" in made.stderr
    other = printed(
        run(data, "keys", "add", "theirs", "--tenant", "acme", "--expires", "2090-01-01", "--json")
    )
    assert (other["tenant"], other["expires_at"]) == ("acme", "2090-01-01T00:00:00+00:00")
    page, theirs = printed(run(data, "keys", "--json"))
    assert (page["name"], page["tenant"], page["budget"]["limit_usd"]) == ("page", "local", "2.50")
    assert theirs == {name: value for name, value in other.items() if name != "secret"}
    head, first, second = run(data, "keys").stdout.splitlines()
    assert head.split()[:4] == ["id", "name", "tenant", "secret"]
    assert first.split() == [
        page["id"],
        "page",
        "local",
        f"{made.stdout[:10]}…",
        "active",
        "$2.50",
        "month",
        "-",
    ]
    assert second.split()[5:] == ["-", "-"]
    limits = printed(run(data, "budget", f"key:{page['id']}", "7", "--json"))
    assert [(one["key"], one["limit_usd"]) for one in limits] == [("page", "7.00")]
    assert "key:page" in run(data, "budget").stdout


def test_a_key_is_revoked(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = printed(run(data, "keys", "add", "page", "--json"))
    done = run(data, "keys", "revoke", made["id"])
    first, last = done.stdout.split("\n", 1)
    assert first == f"Revoked: {made['id']}."
    assert last.startswith("No key is left")
    assert [key["status"] for key in printed(run(data, "keys", "list", "--json"))] == ["revoked"]


def test_mistakes_about_keys_are_said(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for words, code, said in (
        (("revoke", "key_none"), 1, "There is no key key_none"),
        (("add", "page", "--period", "day"), 2, "say --limit USD too"),
        (("add", " "), 2, "A key has a name"),
        (("add", "page", "--tenant", "acme"), 2, "first key is for the tenant local"),
    ):
        done = run(data, "keys", *words)
        assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "There is no key" in run(data, "keys").stdout


def test_a_service_listens_elsewhere_once_there_is_a_key(tmp_path: Path) -> None:
    data = tmp_path / "data"
    refused = run(data, "serve", "--host", OTHER_ADDRESS, "--port", "0")
    assert refused.returncode == 1
    assert "unabridged keys add NAME" in refused.stderr
    secret = run(data, "keys", "add", "page").stdout.strip()
    headers = {"Authorization": f"Bearer {secret}"}
    with Elsewhere(data, "--host", OTHER_ADDRESS) as service:
        assert httpx.get(f"{service.url}/v1/corpora").status_code == 401
        assert httpx.get(f"{service.url}/v1/corpora", headers=headers).status_code == 200
        assert secret not in service.log()
