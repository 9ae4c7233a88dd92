"""What is sent for the page: headers that let nothing else run, caching by content, its own files alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.api import problems
from service.web import assets, page


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    problems.install(app)
    app.include_router(page.router)
    with TestClient(app) as calling:
        yield calling


def test_the_page_may_run_its_own_files_alone(client: TestClient) -> None:
    sent = client.get("/")
    policy = dict(part.split(" ", 1) for part in sent.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert sent.headers["x-content-type-options"] == "nosniff"
    assert sent.headers["referrer-policy"] == "no-referrer"
    assert sent.headers["cache-control"] == "no-cache"
    assert "http://" not in sent.text
    assert "https://" not in sent.text


@pytest.mark.parametrize("name", sorted(assets.load().files))
def test_each_file_is_kept_for_good_under_the_versions_address(client: TestClient, name: str) -> None:
    known = assets.load()
    sent = client.get(f"/static/{known.version}/{name}")
    assert sent.content == (assets.FOLDER / name).read_bytes()
    assert "immutable" in sent.headers["cache-control"]
    assert sent.headers["content-type"].split(";")[0] in {"text/css", "text/javascript", "image/svg+xml"}
    assert sent.headers["x-content-type-options"] == "nosniff"
    plain = client.get(f"/static/{name}")
    assert plain.content == sent.content
    assert plain.headers["cache-control"] == "no-cache"


def test_what_is_known_is_not_sent_again(client: TestClient) -> None:
    for address in ("/", "/static/js/app.js"):
        tag = client.get(address).headers["etag"]
        again = client.get(address, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


def test_it_is_sent_packed_to_whom_that_suits(client: TestClient) -> None:
    packed = client.get("/", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert packed.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path",
    [
        "nothing.js",
        "",
        "index.html",
        "0000000000000000/js/app.js",
        "../page.py",
        "%2e%2e/page.py",
        "js/..%2f..%2fpage.py",
        "js/%2e%2e/%2e%2e/page.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "js\\app.js",
    ],
)
def test_nothing_else_is_there(client: TestClient, path: str) -> None:
    sent = client.get(f"/static/{path}")
    assert sent.status_code == 404
    assert sent.json()["code"] == "not_found"


def test_no_file_of_the_page_names_another_host_or_parses_html() -> None:
    for name, asset in assets.load().files.items():
        text = asset.content.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, name
        assert "https://" not in text, name
        assert "innerHTML" not in text or name == "js/markup.js", name
        assert "eval(" not in text, name
