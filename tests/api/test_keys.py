"""Keys over REST: every call needs one, a tenant sees its own alone, no crowd passes a key's budget."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from service.api.access import OPEN
from service.api.openai_errors import is_spoken_at
from service.usecases import manage_keys
from service.usecases.manage_keys import NewKey
from tests.api.conftest import MAX_UPLOAD_BYTES
from tests.support.server import Json, Server, sent_events, serving, settings_in
from tests.support.shapes import PROBLEM, fits, maybe, moment, name_of, one_of
from tests.support.upstream import Upstream, slow

KEY = {
    "id": name_of("key"),
    "name": str,
    "tenant": str,
    "prefix": str,
    "status": one_of("active", "expired", "revoked"),
    "created_at": moment,
    "last_used_at": maybe(moment),
    "expires_at": maybe(moment),
    "revoked_at": maybe(moment),
    "budget": maybe({"scope": str, "limit_usd": str, "period": str, "spent_usd": str}),
}


@pytest.fixture(scope="module")
def server(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service with one key, made while there was none, and called with it."""
    folder = tmp_path_factory.mktemp("service")
    with serving(settings_in(folder, provider, max_upload_bytes=MAX_UPLOAD_BYTES)) as open_to_all:
        open_to_all.add("before.txt", b"There was no key yet.")
        made = open_to_all.client.post("/v1/keys", json={"name": "first"})
        assert made.status_code == 201, made.text
        assert made.headers["cache-control"] == "no-store"
        with open_to_all.calling_with(made.json()["secret"]) as called:
            yield called


@pytest.fixture(scope="module")
def stranger(server: Server) -> Iterator[Server]:
    """The same service, called with a key of another tenant."""
    made = manage_keys.add_key(server.context, NewKey("theirs", "acme"))
    with server.calling_with(made["secret"]) as called:
        yield called


def add(server: Server, **body: Any) -> Json:  # noqa: ANN401 - any JSON value
    response = server.client.post("/v1/keys", json={"name": "another", **body})
    assert response.status_code == 201, response.text
    made: Json = response.json()
    return made


def listed(server: Server) -> dict[str, Json]:
    return {key["id"]: key for key in server.client.get("/v1/keys", params={"limit": 1000}).json()["data"]}


def routes(app: FastAPI) -> list[APIRoute]:
    """Every route of the service that was written here."""
    found = [getattr(route, "original_router", None) for route in app.routes]
    inside = [route for router in found if router is not None for route in router.routes]
    return [route for route in [*app.routes, *inside] if isinstance(route, APIRoute)]


def calls(app: FastAPI) -> list[tuple[str, str]]:
    return sorted((method, route.path) for route in routes(app) for method in route.methods or ())


# What a key is.


def test_the_first_key_keeps_what_was_there(server: Server) -> None:
    files = [one["filename"] for one in server.client.get("/v1/documents").json()["data"]]
    assert "before.txt" in files
    first = next(iter(listed(server).values()))
    assert (first["name"], first["tenant"], first["status"]) == ("first", "local", "active")
    assert moment(first["last_used_at"])


def test_a_secret_is_shown_once_and_stored_nowhere(server: Server) -> None:
    made = add(server)
    fits(made, {**KEY, "secret": str})
    assert made["secret"].startswith(made["prefix"])
    assert len(made["secret"]) >= 4 + 43, "256 random bits in base64"
    shown = server.client.get("/v1/keys").text
    assert made["id"] in shown
    assert "secret" not in shown
    assert "hash" not in shown
    stored = Path(server.context.db.url.removeprefix("sqlite:///"))
    kept = b"".join(path.read_bytes() for path in stored.parent.glob(f"{stored.name}*"))
    assert made["id"].encode() in kept
    assert made["secret"].encode() not in kept


def test_keys_are_listed_in_pages(server: Server) -> None:
    made = [add(server)["id"] for _ in range(3)]
    seen: list[str] = []
    after = None
    while True:
        query = {"limit": 2, **({"after": after} if after else {})}
        page = server.client.get("/v1/keys", params=query).json()
        fits(page["data"], [KEY])
        seen += [key["id"] for key in page["data"]]
        after = page["next"]
        assert page["has_more"] == (after is not None)
        if after is None:
            break
    assert seen[-3:] == made
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": " \n"},
        {"name": "n" * 201},
        {"name": "a\x07"},
        {"name": 1},
        {"name": "n", "limit_usd": "-1"},
        {"name": "n", "limit_usd": "0.0000001"},
        {"name": "n", "limit_usd": "1", "period": "year"},
        {"name": "n", "period": "day"},
        {"name": "n", "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "n", "expires_at": "2030-01-01T00:00:00"},
        {"name": "n", "colour": "red"},
    ],
    ids=str,
)
def test_keys_that_do_not_fit(server: Server, body: Json) -> None:
    before = listed(server).keys()
    assert server.client.post("/v1/keys", json=body).status_code == 422
    assert listed(server).keys() == before, "a key whose limit does not fit is not made either"


# Who may call.


def filled(path: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value).replace(f"{{{name}:path}}", value)
    return path


def test_every_call_needs_a_key(server: Server) -> None:
    ids = {"number": "1", "scope": "tenant", "name": "gpt-5.5"}
    with httpx.Client(base_url=server.client.base_url, trust_env=False) as nobody:
        for method, template in calls(server.app):
            path = filled(template, ids)
            response = nobody.request(method, path)
            if path.startswith("/static/"):
                assert response.status_code == 404, "the page's files need no key"
                continue
            if path in OPEN:
                assert response.status_code == 200, path
                continue
            assert response.status_code == 401, (method, path)
            assert response.headers["www-authenticate"] == "Bearer"
            if is_spoken_at(path):
                assert response.json()["error"]["code"] == "unauthorized", "in the words of OpenAI's clients"
                continue
            assert response.headers["content-type"] == "application/problem+json"
            fits(response.json(), {**PROBLEM, "code": one_of("unauthorized")})
        for path in (
            "/nowhere",
            "/static",
            "//static/js/app.js",
            "/v1/keys/",
            "/healthz/",
            "//healthz",
            "/docs/oauth2-redirect",
        ):
            # Whole addresses: of "//healthz" alone the client would make the host.
            address = str(server.client.base_url).rstrip("/") + path
            assert nobody.get(address).status_code == 401, path
        assert nobody.options("/v1/corpora").status_code == 401
        for path in OPEN:
            assert nobody.get(path).status_code == 200, path


def answered(server: Server, *values: bytes) -> tuple[int, dict[str, str], bytes]:
    """The answer to a call with exactly these Authorization headers."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.putrequest("GET", "/v1/corpora")
        for value in values:
            connection.putheader("Authorization", value)
        connection.endheaders()
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, {**headers, "date": ""}, response.read()


def test_keys_that_do_not_hold_all_look_the_same(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []
    recognise = manage_keys.recognise

    def counted(ctx: Any, secret: str) -> Any:  # noqa: ANN401 - passed on
        looked_up.append(secret)
        return recognise(ctx, secret)

    monkeypatch.setattr(manage_keys, "recognise", counted)
    revoked = add(server)
    assert server.client.delete(f"/v1/keys/{revoked['id']}").status_code == 204
    passing = add(server, expires_at=(datetime.now(UTC) + timedelta(seconds=60)).isoformat())
    good = passing["secret"].encode()
    assert answered(server, b"Bearer " + good)[0] == 200
    assert answered(server, b"bearer  " + good + b" ")[0] == 200, "the scheme's case does not matter"
    wrong = [
        (b"Bearer una_" + b"x" * 43,),
        (b"Bearer " + revoked["secret"].encode(),),
        (),
        (b"",),
        (b"Bearer",),
        (b"Bearer ",),
        (good,),
        (b"Basic " + good,),
        (b"Bearer" + good,),
        (b"Bearer " + good[:-1],),
        (b"Bearer " + good + b"x",),
        (b"Bearer " + good.upper(),),
        (b"Bearer " + good, b"Bearer " + good),
        (b"Bearer \xff\xfe",),
        (b"Bearer " + b"x" * 20_000,),
    ]
    looked_up.clear()
    answers = [answered(server, *values) for values in wrong]
    assert len(looked_up) == len(wrong), "each takes the same steps"
    assert answers[0][0] == 401
    assert all(answer == answers[0] for answer in answers)
    with server.later(timedelta(seconds=61)):
        assert answered(server, b"Bearer " + good) == answers[0], "it has expired, cached or not"


def test_a_revocation_holds_at_once(server: Server) -> None:
    made = add(server)
    with server.calling_with(made["secret"]) as called:
        assert called.client.get("/v1/corpora").status_code == 200
        for _ in range(2):
            assert server.client.delete(f"/v1/keys/{made['id']}").status_code == 204
        assert called.client.get("/v1/corpora").status_code == 401
    kept = listed(server)[made["id"]]
    assert kept["status"] == "revoked"
    assert moment(kept["revoked_at"])


def test_a_stream_that_has_begun_goes_on(server: Server, upstream: Upstream, corpus: str) -> None:
    made = add(server)
    upstream.script.append(slow(0.0, 0.02))
    with server.calling_with(made["secret"]) as called:
        body = {"question": "When did it open?", "stream": True}
        with called.client.stream("POST", f"/v1/corpora/{corpus}/answers", json=body) as response:
            events = sent_events(response)
            assert next(events).name == "plan"
            assert server.client.delete(f"/v1/keys/{made['id']}").status_code == 204
            assert [event.name for event in events][-1] == "done"
        assert called.client.get("/v1/answers").status_code == 401


def test_pages_and_hosts_do_not_matter_where_keys_do(server: Server) -> None:
    headers = {"Host": "reports.example", "Origin": "https://reports.example"}
    assert server.client.get("/v1/corpora", headers=headers).status_code == 200
    with httpx.Client(base_url=server.client.base_url, trust_env=False) as nobody:
        assert nobody.get("/v1/corpora", headers=headers).status_code == 401


# Who may manage.


def test_keys_are_made_for_the_own_tenant_alone(server: Server, stranger: Server) -> None:
    assert add(server, tenant="local")["tenant"] == "local"
    assert add(stranger, tenant="acme")["tenant"] == "acme"
    assert add(stranger)["tenant"] == "acme"
    for who, tenant in ((server, "acme"), (stranger, "local"), (stranger, "nobody")):
        refused = who.client.post("/v1/keys", json={"name": "n", "tenant": tenant})
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert {key["tenant"] for key in listed(stranger).values()} == {"acme"}
    assert {key["tenant"] for key in listed(server).values()} == {"local"}


def test_a_tenants_last_key_is_not_revoked_over_rest(server: Server) -> None:
    made = manage_keys.add_key(server.context, NewKey("only", "solo"))
    soon = datetime.now(UTC) + timedelta(seconds=60)
    passing = manage_keys.add_key(server.context, NewKey("passing", "solo", expires_at=soon))
    with server.calling_with(made["secret"]) as called:
        path = f"/v1/keys/{made['id']}"
        with server.later(timedelta(seconds=61)):
            refused = called.client.delete(path)
            assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
            assert called.client.delete(f"/v1/keys/{passing['id']}").status_code == 204, "it had expired"
        assert called.client.delete(path).status_code == 409
        add(called)
        assert called.client.delete(path).status_code == 204
        assert called.client.get("/v1/keys").status_code == 401


def test_a_key_with_a_limit_manages_nothing(server: Server) -> None:
    made = add(server, limit_usd="5", period="month")
    assert (made["budget"]["limit_usd"], made["budget"]["period"]) == ("5.00", "month")
    scope = f"key:{made['id']}"
    with server.calling_with(made["secret"]) as called:
        limit = {"limit_usd": "1000"}
        freed = called.client.post("/v1/answers/ans_1/resolve", json={"billed": False})
        assert (freed.status_code, freed.json()["code"]) == (403, "not_allowed")
        refused = [
            called.client.post("/v1/keys", json={"name": "free"}),
            called.client.delete(f"/v1/keys/{made['id']}"),
            called.client.put(f"/v1/budgets/{scope}", json=limit),
            called.client.put("/v1/budgets/tenant", json=limit),
            called.client.delete(f"/v1/budgets/{scope}"),
        ]
        assert [response.status_code for response in refused] == [403] * 5
        assert listed(called)[made["id"]]["budget"]["limit_usd"] == "5.00", "it may see how it stands"
        (seen,) = [one for one in called.client.get("/v1/budgets").json()["data"] if one["scope"] == scope]
        assert (seen["key"], seen["corpus"]) == ("another", None)
        assert server.client.delete(f"/v1/budgets/{scope}").status_code == 204
        assert called.client.put(f"/v1/budgets/{scope}", json={"limit_usd": "1"}).status_code == 200
        assert called.client.post("/v1/keys", json={"name": "free"}).status_code == 403


# Tenants.


@dataclass(frozen=True, slots=True)
class _Mine:
    """One thing of each kind that the first tenant has."""

    document: str
    corpus: str
    plan: str
    answer: str
    upload: str
    key: str
    conversation: str

    def named(self) -> dict[str, str]:
        """The parameters of a path, each the id of what is there."""
        return {
            "document_id": self.document,
            "file_id": self.document,
            "corpus_id": self.corpus,
            "plan_id": self.plan,
            "answer_id": self.answer,
            "upload_id": self.upload,
            "key_id": self.key,
            "conversation_id": self.conversation,
            "number": "1",
        }

    def all(self) -> list[str]:
        return [
            self.document,
            self.corpus,
            self.plan,
            self.answer,
            self.upload,
            self.key,
            self.conversation,
        ]

    def put_into(self, text: str) -> str:
        """The text with these ids where it has those that nothing has."""
        for one in self.all():
            text = text.replace(unknown(one), one)
        return text


@pytest.fixture(scope="module")
def mine(server: Server, harbour: str) -> _Mine:
    corpus = server.corpus(harbour, name="Secret name")
    body = {"filename": "secret.txt", "corpus_id": corpus}
    conversation = server.client.post("/v1/conversations", json={"corpus_id": corpus}).json()["id"]
    return _Mine(
        document=harbour,
        corpus=corpus,
        conversation=conversation,
        plan=server.plans(corpus, question="A secret question?")["whole"]["id"],
        answer=server.ask(corpus, question="A secret question?", conversation_id=conversation).json()["id"],
        upload=server.client.post("/v1/uploads", json=body).json()["id"],
        key=add(server, name="secret key", limit_usd="1")["id"],
    )


BODIES: dict[tuple[str, str], Json] = {
    ("PATCH", "/v1/corpora/{corpus_id}"): {"name": "theirs"},
    ("PATCH", "/v1/conversations/{conversation_id}"): {"name": "theirs"},
    ("POST", "/v1/corpora/{corpus_id}/plans"): {"question": "What?"},
    ("POST", "/v1/corpora/{corpus_id}/answers"): {"question": "What?"},
    ("POST", "/v1/corpora/{corpus_id}/batches"): {"questions": ["What?"]},
    ("PUT", "/v1/budgets/{scope}"): {"limit_usd": "1"},
    ("POST", "/v1/answers/{answer_id}/resolve"): {"billed": False},
}
QUERIES = {("PUT", "/v1/uploads/{upload_id}/parts/{number}"): {"sha256": "0" * 64}}
OF_ALL = {"/v1/models/{name:path}", "/v1/models/{name:path}/limits"}


def unknown(value: str) -> str:
    """An id of the same form that nothing has."""
    return value if value.isdigit() else value[:-4] + ("0000" if value[-4:] != "0000" else "1111")


def test_what_another_tenant_has_is_unknown(server: Server, stranger: Server, mine: _Mine) -> None:
    tested = 0
    for method, template in calls(server.app):
        if "{" not in template or template in OF_ALL:
            continue
        for scope in (f"corpus:{mine.corpus}", f"key:{mine.key}"):
            ids = {**mine.named(), "scope": scope}
            nothing = {name: unknown(value) for name, value in ids.items()}
            more: Json = {"json": BODIES.get((method, template)), "params": QUERIES.get((method, template))}
            theirs = stranger.client.request(method, filled(template, ids), **more)
            absent = stranger.client.request(method, filled(template, nothing), **more)
            assert theirs.status_code == absent.status_code == 404, (method, template, theirs.text)
            assert theirs.text == mine.put_into(absent.text), "another's looks like what is not there"
            tested += 1
    assert tested > 50
    assert server.client.get(f"/v1/documents/{mine.document}").status_code == 200
    assert server.client.get(f"/v1/corpora/{mine.corpus}").json()["name"] == "Secret name"
    assert listed(server)[mine.key]["status"] == "active"


def test_lists_hold_nothing_of_another_tenant(server: Server, stranger: Server, mine: _Mine) -> None:
    told = [*mine.all(), "harbour", "ecret"]
    listing = [path for method, path in calls(server.app) if method == "GET" and "{" not in path]
    assert len(listing) >= 8
    for path in listing:
        queries: list[Json] = [{}, {"corpus_id": mine.corpus}]
        queries += [{"group_by": by} for by in ("day", "corpus", "answer", "key")] * (path == "/v1/ledger")
        for query in queries:
            seen = stranger.client.get(path, params=query)
            assert seen.status_code == 200, path
            assert [one for one in told if one in seen.text] == [], path
    sums = stranger.client.get("/v1/ledger", params={"group_by": "key"}).json()
    assert sums["total"]["calls"] == 0


def test_another_tenants_things_are_not_taken_in(stranger: Server, mine: _Mine) -> None:
    theirs = stranger.add("theirs.txt", b"The otters are ours.")
    corpus = stranger.corpus(theirs["id"])

    def chat(**named: Any) -> httpx.Response:  # noqa: ANN401 - any JSON value
        body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "What?"}], **named}
        return stranger.client.post("/v1/chat/completions", json=body)

    def asked(ids: Callable[[str], str]) -> list[httpx.Response]:
        client = stranger.client
        file = {"filename": "x.txt", "corpus_id": ids(mine.corpus)}
        form = {"file": ("y.txt", b"otters")}
        documents = {"document_ids": [theirs["id"], ids(mine.document)]}
        path = f"/v1/corpora/{corpus}"
        return [
            client.post("/v1/corpora", json={"name": "n", **documents}),
            client.post("/v1/documents", params=file, content=b"otters"),
            client.post("/v1/documents", data={"corpus_id": ids(mine.corpus)}, files=form),
            client.post("/v1/uploads", json=file),
            client.put(f"{path}/documents/{ids(mine.document)}"),
            client.delete(f"{path}/documents/{ids(mine.document)}"),
            client.post(f"{path}/plans", json={"question": "What?", **documents}),
            client.post(f"{path}/answers", json={"plan_id": ids(mine.plan)}),
            client.get(f"/v1/models/gpt-5.5@{ids(mine.corpus)}"),
            chat(corpus_id=ids(mine.corpus)),
            chat(model=f"gpt-5.5@{ids(mine.corpus)}"),
            chat(corpus_id=corpus, plan_id=ids(mine.plan)),
            client.post(f"{path}/answers", json={"question": "What?", **documents}),
        ]

    for real, absent in zip(asked(lambda value: value), asked(unknown), strict=True):
        assert real.status_code == absent.status_code
        assert real.status_code in {404, 422}, real.text
        assert real.text == mine.put_into(absent.text)
    assert stranger.client.get(f"/v1/corpora/{corpus}").json()["document_ids"] == [theirs["id"]]


def test_the_same_bytes_are_each_tenants_own(server: Server, stranger: Server) -> None:
    same = b"Both tenants have this file.\n"
    first = server.add("one.txt", same)
    sent = stranger.upload("two.txt", same).json()["data"][0]
    assert (sent["duplicate"], sent["filename"]) == (False, "two.txt")
    assert sent["id"] != first["id"]
    assert stranger.read(sent["id"])["status"] == "ready"
    assert server.client.delete(f"/v1/documents/{first['id']}").status_code == 204
    content = stranger.client.get(f"/v1/documents/{sent['id']}/content")
    assert (content.status_code, content.content) == (200, same), "what one deletes the other keeps"


def test_an_idempotency_key_is_each_tenants_own(
    server: Server, stranger: Server, upstream: Upstream, corpus: str
) -> None:
    theirs = stranger.corpus(stranger.add("otters.txt", b"Otters swim.")["id"])
    headers = {"Idempotency-Key": "once"}
    answers = [
        server.ask(corpus, headers=headers, question="When?"),
        stranger.ask(theirs, headers=headers, question="When?"),
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] != answers[1].json()["id"]
    assert len(upstream.requests) == 2


# Budgets.


def test_fifty_at_once_never_pass_a_keys_budget(server: Server, upstream: Upstream, corpus: str) -> None:
    ceiling = Decimal(server.plans(corpus, question="Question 10?")["whole"]["cost"]["max_usd"])
    made = add(server, limit_usd=str(round(7 * ceiling + ceiling / 2, 6)))
    scope = f"key:{made['id']}"
    with server.calling_with(made["secret"]) as called, ThreadPoolExecutor(50) as crowd:
        asked = list(
            crowd.map(lambda n: called.ask(corpus, question=f"Question {n}?", wait=False), range(10, 60))
        )
        assert {response.status_code for response in asked} <= {202, 402}
        accepted = [response.json()["id"] for response in asked if response.status_code == 202]
        assert 7 <= len(accepted) <= 50
        assert {called.finished(answer_id)["status"] for answer_id in accepted} == {"done"}
    billed = sum((line.usd for line in upstream.invoice), Decimal(0))
    assert len(upstream.invoice) == len(accepted)
    stands = listed(server)[made["id"]]["budget"]
    assert billed <= Decimal(stands["spent_usd"]) <= Decimal(stands["limit_usd"])
    assert stands["reserved_usd"] == "0.00"
    assert stands["scope"] == scope
    report = server.client.get("/v1/ledger", params={"group_by": "key"}).json()
    (group,) = [one for one in report["data"] if one["key"] == made["id"]]
    assert (group["name"], Decimal(group["spent_usd"])) == ("another", billed)
    assert group["answers"] == len(accepted)


def test_the_error_names_the_budget_that_is_short(server: Server, upstream: Upstream, corpus: str) -> None:
    made, other = add(server, limit_usd="0.000001"), add(server)
    with server.calling_with(made["secret"]) as called:
        refused = called.ask(corpus, question="When?")
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (402, "budget_exceeded")
        assert f"key:{made['id']}" in problem["detail"]
        assert any(fix.get("scope") == f"key:{made['id']}" for fix in problem["fixes"])
    assert upstream.requests == []
    with server.calling_with(other["secret"]) as called:
        assert called.ask(corpus, question="When?").status_code == 201, "another key is not held back"


def test_openais_clients_ask_within_their_keys_budget(
    server: Server, upstream: Upstream, corpus: str
) -> None:
    made = add(server, limit_usd="1")
    body = {"model": f"gpt-5.5@{corpus}", "messages": [{"role": "user", "content": "When did it open?"}]}
    with server.calling_with(made["secret"]) as called:
        assert called.client.post("/v1/chat/completions", json=body).status_code == 200
        spent = Decimal(listed(called)[made["id"]]["budget"]["spent_usd"])
        assert 0 < upstream.invoice[0].usd <= spent
        put = {"limit_usd": str(spent)}
        assert server.client.put(f"/v1/budgets/key:{made['id']}", json=put).status_code == 200
        refused = called.client.post("/v1/chat/completions", json=body)
    assert (refused.status_code, refused.json()["error"]["type"]) == (402, "insufficient_quota")
    assert len(upstream.invoice) == 1


def test_a_new_limit_counts_what_was_asked_with_that_key(
    server: Server, upstream: Upstream, corpus: str
) -> None:
    first, second = add(server), add(server)
    for made in (first, second, second):
        with server.calling_with(made["secret"]) as called:
            assert called.ask(corpus, question="When?").status_code == 201
    costs = [line.usd for line in upstream.invoice]
    for made, cost, calls in ((first, costs[0], 1), (second, costs[1] + costs[2], 2)):
        body = {"limit_usd": "10", "period": "day"}
        stands = server.client.put(f"/v1/budgets/key:{made['id']}", json=body).json()
        assert cost <= Decimal(stands["spent_usd"]) < cost + calls * Decimal("0.000001"), "rounded up a call"
    lines = server.client.get("/v1/ledger", params={"limit": 1000}).json()["data"]
    assert [line["key_id"] for line in lines][-9:] == [first["id"]] * 3 + [second["id"]] * 6


def test_a_revoked_keys_budget_goes_and_its_spending_stays(
    server: Server, upstream: Upstream, corpus: str
) -> None:
    made = add(server, limit_usd="10")
    with server.calling_with(made["secret"]) as called:
        assert called.ask(corpus, question="When?").status_code == 201
    assert server.client.delete(f"/v1/keys/{made['id']}").status_code == 204
    scopes = [one["scope"] for one in server.client.get("/v1/budgets").json()["data"]]
    assert f"key:{made['id']}" not in scopes
    put = server.client.put(f"/v1/budgets/key:{made['id']}", json={"limit_usd": "1"})
    assert put.status_code == 404
    report = server.client.get("/v1/ledger", params={"group_by": "key"}).json()
    (group,) = [one for one in report["data"] if one["key"] == made["id"]]
    assert Decimal(group["spent_usd"]) == upstream.invoice[0].usd
