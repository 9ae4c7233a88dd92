"""Every list over REST comes in parts, and takes no other list's cursor."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.server import Server

LISTS = (
    "/v1/documents",
    "/v1/documents/{document}/pages",
    "/v1/documents/{document}/outline",
    "/v1/documents/{document}/files",
    "/v1/corpora",
    "/v1/corpora/{corpus}/documents",
    "/v1/plans/{plan}/pages",
    "/v1/answers",
    "/v1/conversations",
    "/v1/batches",
    "/v1/ledger",
    "/v1/ledger?group_by=answer",
    "/v1/budgets",
    "/v1/keys",
    "/v1/models",
)
SHORT = {"outline", "files", "batches", "keys"}
"""Lists that nothing is put into here."""


@pytest.fixture(scope="module")
def names(server: Server) -> dict[str, str]:
    """Something in every list that can have something without another service, and its ids by kind."""
    book = "\n".join(f"# Chapter {n}\n\n{f'Of the harbour in year {n}. ' * 200}" for n in range(40))
    documents = [str(server.add(f"paged{n}.md", f"{n}\n{book}".encode())["id"]) for n in range(2)]
    corpora = [server.corpus(*documents, name=f"Paged {n}") for n in range(2)]
    for _ in range(2):
        assert server.ask(corpora[0], question="When?").status_code == 201
        assert server.client.post("/v1/conversations", json={"corpus_id": corpora[0]}).status_code == 201
    for corpus in corpora:
        server.limit(f"corpus:{corpus}", 10**9)
    plan = server.plans(corpora[0], question="When?")["whole"]["id"]
    return {"document": documents[0], "corpus": corpora[0], "plan": plan}


@pytest.mark.parametrize("path", LISTS)
def test_its_parts_are_the_whole(server: Server, names: dict[str, str], path: str) -> None:
    path = path.format(**names)
    whole = list(server.client.get(path, params={"limit": 1000}).json()["data"])
    if not any(path.endswith(short) for short in SHORT):
        assert len(whole) > 1
    assert through(server, path) == whole


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "-1"}, {"limit": "9" * 30}, {"limit": "1.5"}, {"after": "usr_0"}],
    ids=str,
)
def test_what_is_no_part_is_refused(
    server: Server, names: dict[str, str], path: str, query: dict[str, str]
) -> None:
    refused = server.client.get(path.format(**names), params=query)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_a_cursor_of_another_list_is_named(server: Server, names: dict[str, str]) -> None:
    refused = server.client.get("/v1/corpora", params={"after": names["document"]})
    assert "no cursor of this list" in refused.json()["detail"]


def test_lists_of_one_thing_come_whole_unless_asked_for_in_parts(
    server: Server, names: dict[str, str]
) -> None:
    pages = server.client.get(f"/v1/documents/{names['document']}/pages").json()
    assert pages["data"][-1]["number"] == len(pages["data"])
    assert (pages["has_more"], pages["next"]) == (False, None)


def through(server: Server, path: str) -> list[Any]:
    """Return a list's entries, read one at a time."""
    found: list[Any] = []
    page: dict[str, Any] = {"next": None, "has_more": True}
    while page["has_more"]:
        after = {"after": page["next"]} if page["next"] else {}
        page = server.client.get(path, params={"limit": 1, **after}).json()
        assert len(page["data"]) <= 1
        found += page["data"]
    return found
