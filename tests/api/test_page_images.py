"""Pages as pictures: priced as a range before the question, billed within it, and never left unsaid."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import update

from service.domain import vision
from service.store.tables import documents, pages
from tests.api.test_money import check_settled, counted, problem_of
from tests.support import pdfs, seen
from tests.support.billing import text_of
from tests.support.server import Json, Server
from tests.support.shapes import PLAN, fits
from tests.support.upstream import Upstream
from tests.support.wasteful import Leaf, store

A4 = (1653, 2338)
FLAGS = {1: "", 2: "no_text scan", 3: "no_text", 4: "ocr", 5: "blank no_text"}


def look(server: Server, document_id: str, flags: dict[int, str]) -> str:
    """Let the document's pages be seen as pictures, and carry these flags."""
    width, height = A4
    with server.context.db.write() as tx:
        for number, flag in flags.items():
            place = (pages.c.document_id == document_id) & (pages.c.number == number)
            tx.execute(update(pages).where(place).values(flags=flag, width=width, height=height))
        tx.execute(
            update(documents)
            .where(documents.c.id == document_id)
            .values(
                pages_pictured=len(flags),
                pages_without_text=sum("no_text" in flag for flag in flags.values()),
                pages_blank=sum("blank" in flag for flag in flags.values()),
            )
        )
    return document_id


def scan(server: Server, folder: Path, *, title: str = "A", name: str = "scan.pdf") -> str:
    path = pdfs.text_pdf(folder / f"{title}.pdf", [[f"Page {n} of a scan."] for n in FLAGS], title=title)
    return look(server, server.add(name, path.read_bytes())["id"], FLAGS)


@pytest.fixture(scope="module")
def scanned(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a PDF of five pages, some of them scans."""
    return scan(server, tmp_path_factory.mktemp("scans"))


@pytest.fixture
def corpus(server: Server, harbour: str, scanned: str) -> str:
    """A corpus of a text and that PDF."""
    return server.corpus(harbour, scanned)


def whole(server: Server, corpus: str, **more: object) -> Json:
    return server.plans(corpus, question="What is to be seen?", **more)["whole"]


def shown_behind(parts: list[Json]) -> list[int]:
    """The page that stands right before each picture."""
    return [
        int(before["text"].rpartition('<page n="')[2].partition('"')[0])
        for before, part in pairwise(parts)
        if part["type"] == "image_url"
    ]


@pytest.mark.parametrize("detail", vision.DETAILS)
@pytest.mark.parametrize(("mode", "expected"), [("without_text", [2, 3]), ("scans", [2, 3, 4])])
def test_what_is_billed_lies_in_the_range(
    server: Server, upstream: Upstream, corpus: str, mode: str, expected: list[int], detail: str
) -> None:
    plan = whole(server, corpus, page_images=mode, image_detail=detail)
    fits(plan, PLAN)
    answer = server.ask(corpus, plan_id=plan["id"]).json()
    (request,) = upstream.requests
    parts = request.body["messages"][1]["content"]
    assert shown_behind(parts) == expected
    images = [part["image_url"] for part in parts if part["type"] == "image_url"]
    sent = "original" if detail == "auto" else detail  # what the model would make of it is said
    assert {image["detail"] for image in images} == {sent}
    fitted = vision.fit(*A4, detail)  # type: ignore[arg-type]
    assert {seen.size(image["url"]) for image in images} == {(fitted.width, fitted.height)}
    least, most = plan["images"]["tokens_min"], plan["images"]["tokens_max"]
    assert plan["images"] == {
        "pages": len(expected),
        "tokens_min": least,
        "tokens_max": most,
        "detail": sent,
    }
    assert (least, most) == tuple(len(expected) * each for each in vision.tokens(fitted.patches))
    text = counted(request.body)
    assert plan["input_tokens"] == plan["calls"][0]["max_input_tokens"] == text + most
    assert plan["calls"][0]["expected_input_tokens"] == text + least
    assert text + least <= upstream.invoice[0].prompt_tokens <= text + most
    assert answer["coverage"]["pages_as_images"] == len(expected)
    check_settled(server, answer, upstream)
    receipt = server.client.get(f"/v1/plans/{plan['id']}/pages").json()["data"]
    priced = [line["image_tokens"]["max"] for line in receipt if line["image_tokens"]]
    assert sum(priced) == most
    assert len(priced) == len(expected)


def test_each_choice_has_a_prefix_of_its_own(server: Server, corpus: str) -> None:
    def prefix(**chosen: str) -> str:
        return str(whole(server, corpus, **chosen)["calls"][0]["prefix_sha256"])

    chosen = [
        {},
        *({"page_images": m, "image_detail": d} for m in ("without_text", "scans") for d in ("low", "high")),
    ]
    found = [prefix(**one) for one in chosen]
    assert len(set(found)) == len(found)
    assert found == [prefix(**one) for one in chosen]
    assert prefix(page_images="none", image_detail="low") == found[0]


def test_other_scans_with_the_same_text_have_another_prefix(
    server: Server, tmp_path: Path, scanned: str
) -> None:
    other = scan(server, tmp_path, title="B")
    assert other != scanned
    plans = {
        mode: [whole(server, server.corpus(one), page_images=mode) for one in (scanned, other)]
        for mode in ("none", "without_text")
    }
    prefixes = {mode: {plan["calls"][0]["prefix_sha256"] for plan in of} for mode, of in plans.items()}
    assert {mode: len(of) for mode, of in prefixes.items()} == {"none": 1, "without_text": 2}


def test_the_same_text_beside_other_pictures_is_no_duplicate(
    server: Server, tmp_path: Path, scanned: str
) -> None:
    corpus = server.corpus(scanned, scan(server, tmp_path, title="C"))
    counts = {
        mode: len(
            whole(server, corpus, page_images=mode, leave_out=["duplicates"])["coverage"]["documents_in"]
        )
        for mode in ("none", "without_text")
    }
    assert counts == {"none": 1, "without_text": 2}


def test_unseen_pages_bring_the_way_to_see_them(server: Server, corpus: str) -> None:
    plan = whole(server, corpus, leave_out=["blank"], image_detail="low")
    warning = next(one for one in plan["warnings"] if one["code"] == "pages_without_text")
    assert warning["detail"].startswith("2 pages")
    (fix,) = warning["fixes"]
    assert (fix["do"], fix["pages"]) == ("send_page_images", 2)
    chosen = {name: fix[name] for name in ("page_images", "image_detail")}
    seeing = whole(server, corpus, leave_out=["blank"], **chosen)
    assert fix["adds_tokens"] == seeing["input_tokens"] - plan["input_tokens"]
    added = Decimal(seeing["cost"]["cold_usd"]) - Decimal(plan["cost"]["cold_usd"])
    assert added <= Decimal(fix["adds_usd"]) <= added * Decimal("1.2") + Decimal("0.001")
    assert "pages_without_text" not in {one["code"] for one in seeing["warnings"]}


def test_a_page_that_cannot_be_drawn_costs_nothing(server: Server, upstream: Upstream, harbour: str) -> None:
    other = server.add("undrawable.txt", b"Nobody can draw this.\n")["id"]
    corpus = server.corpus(look(server, other, {1: "no_text"}), harbour)
    response = server.ask(corpus, question="What?", page_images="without_text", strategies=["whole"])
    problem = problem_of(response, 422, "no_image")
    assert "undrawable.txt, page 1" in problem["detail"]
    assert upstream.requests == []
    assert not any(server.held(problem["answer"]["id"]).values())


def test_the_upper_end_decides_about_the_threshold(server: Server, upstream: Upstream, scanned: str) -> None:
    plan = whole(server, server.corpus(scanned), page_images="scans")
    text = plan["input_tokens"] - plan["images"]["tokens_max"]
    room = 272_000 - text - plan["images"]["tokens_min"]
    filler = store(server.context, "filler.txt", [Leaf("word " * (room - 60))])
    corpus = server.corpus(scanned, filler)
    plan = whole(server, corpus, page_images="scans")
    assert plan["calls"][0]["expected_input_tokens"] <= 272_000 < plan["input_tokens"]
    assert (plan["threshold"]["status"], plan["calls"][0]["price_band"]) == ("over", "long")
    assert Decimal(plan["threshold"]["extra_usd"]) > 1
    assert Decimal(plan["cost"]["max_usd"]) > 2 * Decimal(plan["cost"]["expected_usd"]) * Decimal("0.9")
    asked = server.ask(corpus, question="What?", page_images="scans", strategies=["whole"])
    problem_of(asked, 409, "over_threshold")
    assert upstream.requests == []


def test_what_is_unknown_is_refused(server: Server, corpus: str) -> None:
    for wrong in ({"page_images": "all"}, {"image_detail": "best"}):
        body = {"question": "x", **wrong}
        problem_of(server.client.post(f"/v1/corpora/{corpus}/plans", json=body), 422, "invalid_request")


def test_text_alone_has_no_pictures(server: Server, upstream: Upstream, corpus: str) -> None:
    plan = whole(server, corpus)
    assert plan["images"] == {"pages": 0, "tokens_min": 0, "tokens_max": 0, "detail": "high"}
    server.ask(corpus, plan_id=plan["id"])
    assert isinstance(upstream.requests[0].body["messages"][1]["content"], str)
    assert text_of(upstream.requests[0].body["messages"][1]).count("<page n=") == plan["coverage"]["pages_in"]


def test_a_replay_shows_the_same_pictures(server: Server, corpus: str, upstream: Upstream) -> None:
    how: Json = {
        "page_images": "without_text",
        "leave_out": ["blank"],
        "image_detail": "low",
    }
    first = server.ask(corpus, question="What is to be seen?", strategy="whole", **how).json()
    again = server.client.post(f"/v1/answers/{first['id']}/replay", json={"question": "What else?"}).json()
    assert (again["status"], again["prefix_sha256"]) == ("done", first["prefix_sha256"])
    one, other = (request.body["messages"][:-1] for request in upstream.requests)
    assert one == other
    assert again["coverage"] == first["coverage"]
    assert again["coverage"]["pages_as_images"] > 0
    plan = server.client.get(f"/v1/plans/{again['plan_id']}").json()
    assert plan["images"] == server.client.get(f"/v1/plans/{first['plan_id']}").json()["images"]
