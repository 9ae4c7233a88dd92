"""Pictures beside a question: priced before it, sent behind the documents, kept once, and never fetched."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.limits import MAX_BODY_BYTES
from service.domain import packing, vision
from service.domain.vision import Detail
from service.errors import NotFound
from service.store import plans
from service.usecases.take_images import KEEP_UNUSED, forget_images
from tests.api.conftest import prose
from tests.api.test_money import check_settled, counted, problem_of
from tests.support import seen
from tests.support.pictures import data_uri, picture
from tests.support.server import Json, Server
from tests.support.shapes import PLAN, fits
from tests.support.upstream import Act, Upstream

REMOTE, POSTER = seen.REMOTE
QUESTION = "What does the picture say of the harbour?"


def whole(server: Server, corpus: str, *urls: str, **more: object) -> Json:
    return server.plans(corpus, question=QUESTION, image_urls=list(urls), **more)["whole"]


def shown_in(message: Json) -> list[Json]:
    parts = message["content"] if isinstance(message["content"], list) else []
    return [part["image_url"] for part in parts if part["type"] == "image_url"]


def uri_of(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@pytest.fixture(scope="module")
def book(server: Server) -> str:
    """The id of a document that is long enough to be cached."""
    return str(server.add("book.txt", prose(9, 200))["id"])


@pytest.mark.parametrize("detail", vision.DETAILS)
def test_what_is_billed_lies_in_the_range(
    server: Server, upstream: Upstream, corpus: str, detail: Detail
) -> None:
    uris = [data_uri(1_700, 900), data_uri(33, 31, shade=7), data_uri(5_000, 3_000)]
    plan = whole(server, corpus, *uris, image_detail=detail)
    fits(plan, PLAN)
    answer = server.ask(corpus, plan_id=plan["id"]).json()
    (request,) = upstream.requests
    bare = whole(server, corpus)
    assert plan["calls"][0]["prefix_sha256"] == bare["calls"][0]["prefix_sha256"]
    assert plan["calls"][0]["prefix_tokens"] == bare["calls"][0]["prefix_tokens"]
    *before, last = request.body["messages"]
    assert [shown_in(message) for message in before] == [[], []]
    sent = "original" if detail == "auto" else detail
    assert shown_in(last) == [{"url": uri, "detail": sent} for uri in uris]
    assert last["content"][0]["type"] == "text", "what is said comes first: it is cached with the documents"
    ranges = [
        vision.tokens(vision.fit(*size, detail).patches) for size in ((1_700, 900), (33, 31), (5_000, 3_000))
    ]
    least, most = (sum(ends) for ends in zip(*ranges, strict=True))
    assert (plan["images"]["tokens_min"], plan["images"]["tokens_max"]) == (least, most)
    text = counted(request.body)
    assert (
        plan["input_tokens"]
        == plan["calls"][0]["max_input_tokens"]
        == text + most
        == bare["input_tokens"] + most
    )
    assert plan["calls"][0]["expected_input_tokens"] == text + least
    assert text + least <= upstream.invoice[0].prompt_tokens <= text + most
    check_settled(server, answer, upstream)
    assert [one["sha256"] for one in answer["question_images"]] == [
        one["sha256"] for one in plan["question_images"]
    ]
    receipt = server.client.get(f"/v1/plans/{plan['id']}/pages").json()
    assert sum(one["tokens_max"] for one in receipt["question_images"]) == most


@settings(max_examples=12)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 700), st.integers(1, 700)), min_size=1, max_size=4),
    detail=st.sampled_from(["low", "high", "original"]),
)
def test_the_prediction_is_the_sum_of_the_rules(
    server: Server, harbour: str, sizes: list[tuple[int, int]], detail: Detail
) -> None:
    corpus = server.corpus(harbour)
    plan = whole(server, corpus, *(data_uri(*size) for size in sizes), image_detail=detail)
    bare = whole(server, corpus)
    each = [vision.tokens(vision.fit(*size, detail).patches) for size in sizes]
    assert plan["input_tokens"] == bare["input_tokens"] + sum(most for _, most in each)
    expected = plan["calls"][0]["expected_input_tokens"]
    assert expected == bare["input_tokens"] + sum(least for least, _ in each)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_all_four_formats(server: Server, upstream: Upstream, corpus: str, kind: str) -> None:
    content = picture(60, 40, kind=kind)
    response = server.ask(corpus, question=QUESTION, image_urls=[uri_of(content, "image/whatever")])
    assert response.status_code == 201, response.text
    (shown,) = shown_in(upstream.requests[0].body["messages"][-1])
    assert shown["url"] == uri_of(content, f"image/{kind.lower()}")
    (told,) = response.json()["question_images"]
    assert (told["width"], told["height"], told["bytes"]) == (60, 40, len(content))


def test_an_address_is_handed_on_and_its_size_is_unknown(
    server: Server, upstream: Upstream, corpus: str
) -> None:
    plan = whole(server, corpus, REMOTE, image_detail="low")
    assert (plan["images"]["tokens_min"], plan["images"]["tokens_max"]) == (1, 309)
    warning = next(one for one in plan["warnings"] if one["code"] == "image_size_unknown")
    assert warning["fixes"][0]["do"] == "send_as_data"
    answer = server.ask(corpus, plan_id=plan["id"]).json()
    assert shown_in(upstream.requests[0].body["messages"][-1]) == [{"url": REMOTE, "detail": "low"}]
    assert answer["question_images"][0]["url"] == REMOTE
    check_settled(server, answer, upstream)
    assert "image_size_unknown" not in {
        one["code"] for one in whole(server, corpus, data_uri(9, 9))["warnings"]
    }


def test_ceiling_and_max_cost_hold_the_most(server: Server, upstream: Upstream, corpus: str) -> None:
    bare = whole(server, corpus, max_completion_tokens=1)
    plan = whole(server, corpus, POSTER, max_completion_tokens=1, image_detail="original")
    more = Decimal(plan["cost"]["max_usd"]) - Decimal(bare["cost"]["max_usd"])
    assert more == 12_001 * Decimal(5) / 1_000_000
    asked: Json = {
        "question": QUESTION,
        "image_urls": [POSTER],
        "image_detail": "original",
        "max_completion_tokens": 1,
    }
    problem_of(server.ask(corpus, **asked, max_cost_usd=bare["cost"]["max_usd"]), 402, "over_max_cost")
    assert upstream.requests == []


def test_pictures_alone_can_pass_the_threshold(server: Server, upstream: Upstream, corpus: str) -> None:
    asked: Json = {"question": QUESTION, "image_urls": [POSTER] * 23, "image_detail": "original"}
    problem_of(server.ask(corpus, **asked), 409, "over_threshold")
    assert upstream.requests == []


def test_they_are_part_of_what_is_bound(server: Server, upstream: Upstream, corpus: str) -> None:
    plan = whole(server, corpus, data_uri(40, 40))
    refused = server.ask(corpus, plan_id=plan["id"], image_urls=[data_uri(40, 40)])
    assert "image_urls" in problem_of(refused, 422, "invalid_request")["detail"]
    headers = {"Idempotency-Key": f"images-{plan['id']}"}
    first, again, other = (
        server.ask(corpus, headers=headers, question=QUESTION, image_urls=[uri])
        for uri in (data_uri(40, 40), data_uri(40, 40), data_uri(40, 41))
    )
    assert first.json()["id"] == again.json()["id"]
    problem_of(other, 422, "invalid_request")
    assert len(upstream.requests) == 1


def test_no_row_holds_the_picture(server: Server, corpus: str) -> None:
    uri = data_uri(300, 301, shade=3)
    plan = whole(server, corpus, uri)
    with server.context.db.read() as tx:
        stored = plans.get(tx, "local", plan["id"])
    assert stored is not None
    kept = stored.request["images"][0]
    assert kept["url"] is None
    assert uri.partition(",")[2][:40] not in repr(stored)
    with server.context.blobs.as_path(kept["sha256"]) as path:
        assert path.read_bytes() == base64.b64decode(uri.partition(",")[2])


def is_stored(server: Server, sha256: str) -> bool:
    try:
        with server.context.blobs.as_path(sha256):
            return True
    except NotFound:
        return False


def test_they_go_when_no_plan_shows_them(server: Server, upstream: Upstream, corpus: str) -> None:
    content = picture(123, 77, shade=9)
    document = server.add("the-same.png", content)["id"]
    asked, offered = uri_of(content), data_uri(124, 77)
    kept = server.ask(corpus, question=QUESTION, image_urls=[asked]).json()["question_images"][0]["sha256"]
    gone = whole(server, corpus, offered)["question_images"][0]["sha256"]
    assert server.client.delete(f"/v1/documents/{document}").status_code == 204
    assert is_stored(server, kept), "a question shows what was a document as well"
    with server.later(KEEP_UNUSED * 2):
        forget_images(server.context)
        assert is_stored(server, gone), "its plan is there still"
        with server.context.db.write() as tx:
            plans.forget_expired(tx, server.context.now())
        forget_images(server.context)
    assert (is_stored(server, kept), is_stored(server, gone)) == (True, False)
    server.ask(corpus, question=QUESTION, image_urls=[offered])
    assert shown_in(upstream.requests[-1].body["messages"][-1])[0]["url"] == offered


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html;base64,PGI+",
        uri_of(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        uri_of(picture(50, 50)[:-20]),
        data_uri(50, 50)[:-3],
        uri_of(picture(1, 1)[:16] + b"\xff\xff\xff\xff" * 2 + picture(1, 1)[24:]),
        uri_of(b"GIF89a"),
        "data:image/png;base64," + "A" * 11_000_000,
        "https://" + "a" * 9_000,
    ],
    ids=[
        "script",
        "file",
        "html",
        "svg",
        "cut off",
        "cut base64",
        "bomb",
        "short",
        "too long",
        "long address",
    ],
)
def test_hostile_pictures_are_refused_on_both_faces(
    server: Server, upstream: Upstream, corpus: str, uri: str
) -> None:
    for what in ("plans", "answers"):
        body = {"question": QUESTION, "image_urls": [REMOTE, uri]}
        response = server.client.post(f"/v1/corpora/{corpus}/{what}", json=body)
        told = problem_of(response, 422, "invalid_request")["detail"]
        assert "icture 2" in told
        assert len(told) < 500
    with (
        openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="x", max_retries=0) as client,
        pytest.raises(openai.APIStatusError) as error,
    ):
        client.chat.completions.create(
            model=f"gpt-5.5@{corpus}",
            messages=[{"role": "user", "content": [text(QUESTION), image(uri)]}],
        )
    assert error.value.status_code in {400, 422}
    assert upstream.requests == []


def test_many_and_large(server: Server, corpus: str, upstream: Upstream) -> None:
    body = {"question": QUESTION, "image_urls": [REMOTE] * 501}
    problem_of(server.client.post(f"/v1/corpora/{corpus}/plans", json=body), 422, "invalid_request")
    filled = picture(64, 64) + b"\0" * 7_000_000  # what stands behind a picture's end is its own affair
    uris = [uri_of(filled), uri_of(filled + b"\1")]
    assert sum(map(len, uris)) > MAX_BODY_BYTES
    assert server.ask(corpus, question=QUESTION, image_urls=uris).status_code == 201
    assert [one["url"] for one in shown_in(upstream.requests[0].body["messages"][-1])] == uris
    body = {"question": QUESTION, "image_urls": ["data:image/png;base64," + "A" * 10_000_000] * 4}
    problem_of(server.client.post(f"/v1/corpora/{corpus}/plans", json=body), 413, "too_large")


def test_a_split_shows_them_in_every_call(server: Server, upstream: Upstream, large: list[str]) -> None:
    corpus = server.corpus(*large)
    uri = data_uri(800, 600)
    plan = server.plans(corpus, question=QUESTION, image_urls=[uri], strategies=["split"])["split"]
    assert server.ask(corpus, plan_id=plan["id"]).status_code == 201
    assert len(upstream.requests) == len(plan["calls"]) > 2
    for request in upstream.requests:
        assert [one["url"] for one in shown_in(request.body["messages"][-1])] == [uri]
    billed = sorted(line.prompt_tokens for line in upstream.invoice)
    assert billed[-1] <= 272_000
    least, most = vision.tokens(vision.fit(800, 600, "high").patches)
    assert plan["images"]["tokens_min"] == len(plan["calls"]) * least
    assert all(call["shown"]["tokens_max"] == most for call in plan["calls"])


def test_a_conversation_shows_them_again(server: Server, upstream: Upstream, book: str) -> None:
    corpus = server.corpus(book)
    name = server.client.post("/v1/conversations", json={"corpus_id": corpus}).json()["id"]
    uri, later = data_uri(640, 480), data_uri(90, 90)
    server.ask(corpus, question="What is this?", image_urls=[uri], conversation_id=name)
    plan = whole(server, corpus, later, conversation_id=name)
    answer = server.ask(corpus, plan_id=plan["id"]).json()
    assert answer["status"] == "done"
    first, second = (request.body["messages"] for request in upstream.requests)
    assert second[: len(first)] == first, "the turn before stands there byte for byte, its picture too"
    assert [one["url"] for one in shown_in(second[-1])] == [later]
    least, most = (
        sum(ends)
        for ends in zip(
            *(vision.tokens(vision.fit(*size, "high").patches) for size in ((640, 480), (90, 90))),
            strict=True,
        )
    )
    turn = packing.OVERHEAD.per_message + packing.OVERHEAD.per_assistant_message
    text = counted(upstream.requests[1].body) + turn
    assert plan["input_tokens"] == text + most
    assert plan["calls"][0]["expected_input_tokens"] == text + least
    assert plan["conversation"]["history_images"]["pages"] == 1
    billed = upstream.invoice[1]
    assert text + least <= billed.prompt_tokens <= text + most
    cached = plan["cache"]["expected_cached_tokens"]
    assert 0 < cached <= billed.cached_tokens + 128


def test_a_repair_reads_the_same_without_them(server: Server, upstream: Upstream, corpus: str) -> None:
    upstream.script.append(Act(text='It says: "The harbour never opened at all, not once" [D1 p.1].'))
    response = server.ask(corpus, question=QUESTION, image_urls=[data_uri(500, 500)], repair=True)
    answer = response.json()
    assert answer["repair"]["status"] in {"done", "failed"}
    first, second = (request.body["messages"] for request in upstream.requests)
    assert (len(shown_in(first[-1])), len(shown_in(second[-1]))) == (1, 0)
    check_settled(server, answer, upstream)


def test_a_model_that_does_not_see_says_so(server: Server, upstream: Upstream, corpus: str) -> None:
    usual = server.context
    blind = usual.catalog.with_models(
        'version = "t"\n[[model]]\nid = "blind"\naliases = []\ncontext_window = 100000\n'
        "max_output_tokens = 1000\nvision = false\n"
    )
    server.app.state.context = replace(usual, catalog=blind)
    try:
        asked: Json = {"question": QUESTION, "model": "blind", "max_completion_tokens": 500}
        response = server.ask(corpus, **asked, image_urls=[REMOTE])
        problem = problem_of(response, 422, "unsupported_parameter")
        assert "takes no pictures" in problem["detail"]
        assert {"leave_out_parameter", "use_model"} == {fix["do"] for fix in problem["fixes"]}
        assert (
            "page_images"
            in problem_of(server.ask(corpus, **asked, page_images="scans"), 422, "unsupported_parameter")[
                "detail"
            ]
        )
    finally:
        server.app.state.context = usual
    assert upstream.requests == []


def text(said: str) -> Any:  # noqa: ANN401 - a part
    return {"type": "text", "text": said}


def image(url: str, **more: str) -> Any:  # noqa: ANN401 - a part
    return {"type": "image_url", "image_url": {"url": url, **more}}


def test_the_face_for_openais_clients(server: Server, upstream: Upstream, corpus: str) -> None:
    uri = data_uri(70, 70)
    with openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="x", max_retries=0) as client:
        done = client.chat.completions.create(
            model=f"gpt-5.5@{corpus}",
            messages=[
                {"role": "user", "content": [text("And this?"), image(REMOTE, detail="low")]},
                {"role": "assistant", "content": "A harbour."},
                {"role": "user", "content": [image(uri), text(QUESTION)]},
            ],
        )
    assert done.choices[0].finish_reason == "stop"
    last = upstream.requests[0].body["messages"][-1]
    assert shown_in(last) == [{"url": REMOTE, "detail": "low"}, {"url": uri, "detail": "original"}]
    assert QUESTION in last["content"][0]["text"]


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": [text("Look."), image(REMOTE)]}, {"role": "user", "content": "?"}],
        [{"role": "user", "content": [text("?"), {"type": "image_url", "image_url": {}}]}],
        [{"role": "user", "content": [text("?"), image(REMOTE, detail="huge")]}],
        [{"role": "user", "content": [image(REMOTE)]}],
    ],
    ids=["of the system", "without an address", "no detail", "no question"],
)
def test_messages_that_do_not_fit(
    server: Server, upstream: Upstream, corpus: str, messages: list[Json]
) -> None:
    body = {"model": f"gpt-5.5@{corpus}", "messages": messages}
    response = server.client.post("/v1/chat/completions", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"].startswith("messages")
    assert upstream.requests == []


def test_an_export_names_them(server: Server, corpus: str) -> None:
    asked = [data_uri(31, 32), REMOTE]
    answer = server.ask(corpus, question=QUESTION, image_urls=asked).json()
    sha256 = answer["question_images"][0]["sha256"]
    said = server.client.get(f"/v1/answers/{answer['id']}/export?format=md").text
    assert "Shown with it:" in said
    assert f"31 by 32 pixels, SHA-256 {sha256}" in said
    assert "pictures.example" in said
    told = server.client.get(f"/v1/answers/{answer['id']}/export?format=json").json()
    assert [one["sha256"] for one in told["request"]["images"]] == [sha256, None]
    assert "base64" not in str(told)


def test_a_stored_picture_that_is_gone_costs_nothing(server: Server, upstream: Upstream, corpus: str) -> None:
    plan = whole(server, corpus, data_uri(211, 212))
    server.context.blobs.delete(plan["question_images"][0]["sha256"])
    problem_of(server.ask(corpus, plan_id=plan["id"]), 409, "plan_changed")
    assert upstream.requests == []


def test_later_is_not_forever(server: Server, corpus: str) -> None:
    with server.later(timedelta(days=-3)):
        sha256 = whole(server, corpus, data_uri(17, 18))["question_images"][0]["sha256"]
    forget_images(server.context)
    assert is_stored(server, sha256)
