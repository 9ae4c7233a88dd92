"""An upstream that misbehaves in every way that has a name: how the answer ends, and what is booked.

What is expected of each is the table `ENDS`. Whatever happens, no request follows one that may have been
charged, the events end, and the books hold what the upstream charged, or hold back its ceiling.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

import pytest

from service.domain import pricing
from tests.support.impatient import impatient
from tests.support.misbehaving import BEHAVIOURS, KEY, Misbehaving
from tests.support.replying import TEXT
from tests.support.server import Json, SentEvent, Server, sent_events
from tests.support.shapes import ANSWER, fits

BUDGET_MICROS = 100_000_000
TWICE = "".join(f"{piece}{piece}" for piece in re.findall(r"\S+\s*", TEXT))

Books = Literal["exact", "estimated", "dearer", "released", "held", "whole"]
"""Exact: as charged. Estimated: the reply told no tokens. Released: nothing was charged. Held: nobody knows
yet. Whole: the price is unknown, and all that was held is booked."""


@dataclass(frozen=True, slots=True)
class Ends:
    """How an answer ends.

    Attributes:
        code: of its error.
        text: None where it depends on the moment.
        finish: its finish_reason.
        forms: the upstream answers in events, in one piece, or in both.
    """

    status: str
    books: Books
    code: str | None = None
    text: str | None = ""
    finish: str | None = None
    requests: int = 1
    forms: tuple[str, ...] = ("events", "whole")


DONE = Ends("done", "exact", text=TEXT, finish="stop")
ESTIMATED = Ends("done", "estimated", text=TEXT, finish="stop")
AGAIN = Ends("done", "exact", text=TEXT, finish="stop", requests=2)
IN_DOUBT = Ends("in_doubt", "held", "in_doubt", text=None)


def in_events(ends: Ends) -> Ends:
    return replace(ends, forms=("events",))


def refused(code: str, requests: int = 1) -> Ends:
    return Ends("failed", "released", code, requests=requests)


ENDS: dict[str, tuple[Ends, ...]] = {
    "well": (DONE,),
    # The reply does not come whole: it may have been charged, so it is never asked for again.
    "cut before the headers": (IN_DOUBT,),
    "cut after the headers": (IN_DOUBT,),
    "cut in the middle": (IN_DOUBT,),
    "ended early": (in_events(IN_DOUBT),),
    "slow headers": (IN_DOUBT,),
    "stalled": (IN_DOUBT,),
    "comments for ever": (in_events(IN_DOUBT),),
    "error inside": (IN_DOUBT,),
    "504 of a gateway": (IN_DOUBT,),
    "HTML": (IN_DOUBT,),
    "malformed JSON": (IN_DOUBT,),
    "gzip bomb": (IN_DOUBT,),
    "gzip bomb in a bomb": (IN_DOUBT,),
    "huge line": (IN_DOUBT,),
    "endless headers": (IN_DOUBT,),
    "null at the end, no [DONE]": (in_events(IN_DOUBT),),
    # An error answer was not charged: asked again where that can help, and never where it can't.
    "429, seconds": (AGAIN,),
    "429, a date": (AGAIN,),
    "429, no time": (AGAIN,),
    "500 once": (AGAIN,),
    "429 for ever": (refused("rate_limited", requests=3),),
    "503 for ever": (refused("provider_error", requests=3),),
    "429, an hour": (refused("rate_limited"),),
    "no quota": (refused("provider_error"),),
    "too large for the rate": (refused("request_exceeds_provider_rate"),),
    "context overflow": (refused("over_window"),),
    "wrong key": (refused("provider_error"),),
    "redirect": (refused("provider_error"),),
    # The reply is whole, however strangely it came.
    "no [DONE]": (in_events(DONE),),
    "usage beside an empty choice": (in_events(DONE),),
    "every chunk twice": (in_events(replace(DONE, text=TWICE)),),
    "comments for long": (in_events(DONE),),
    "three bytes at a time": (DONE,),
    "zipped unasked": (DONE,),
    "not UTF-8": (Ends("done", "exact", text=TEXT.replace("\u2013", "\ufffd"), finish="stop"),),
    "halves of characters": (DONE,),
    "NUL in the text": (Ends("done", "exact", text="The harbour\ufffd opened.", finish="stop"),),
    "null at the end": (Ends("done", "exact", text=TEXT),),
    # The reply is whole, and not what was hoped for.
    "empty with length": (Ends("done", "exact", finish="length"),),
    "refusal": (Ends("done", "exact", finish="stop"),),
    "content filter": (Ends("done", "exact", text="The harbour", finish="content_filter"),),
    "tool calls": (Ends("done", "exact", finish="tool_calls"),),
    # The bill is strange: what the reply tells is booked where it makes sense, also above the ceiling.
    "more than the ceiling": (DONE,),
    "another model": (DONE,),
    "a dearer model": (Ends("done", "dearer", text=TEXT, finish="stop"),),
    "a cheaper model": (DONE,),
    "flex instead of default": (DONE,),
    "a tier without a price": (Ends("done", "whole", text=TEXT, finish="stop"),),
    "more cached than read": (DONE,),
    "no usage": (ESTIMATED,),
    "negative usage": (ESTIMATED,),
    "usage of nothing": (ESTIMATED,),
    "absurd usage": (ESTIMATED,),
}
CASES = [
    pytest.param(name, form, ends, id=f"{name}-{form}")
    for name, several in ENDS.items()
    for ends in several
    for form in ends.forms
]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Misbehaving]:
    with Misbehaving() as running:
        yield running


@pytest.fixture(scope="module")
def server(upstream: Misbehaving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with impatient(tmp_path_factory.mktemp("misbehaving"), upstream.url, upstream.key) as running:
        yield running


@pytest.fixture(scope="module")
def document(server: Server) -> str:
    return str(
        server.add("harbour.txt", b"The harbour opened in 1871.\nIt was closed again in 1912.\n")["id"]
    )


@pytest.fixture
def corpus(server: Server, document: str) -> str:
    corpus_id = server.corpus(document)
    server.limit(f"corpus:{corpus_id}", BUDGET_MICROS)
    return corpus_id


def ask(server: Server, corpus_id: str, *, stream: bool) -> tuple[Json, list[SentEvent]]:
    """Ask, and return the answer and its events: streamed, or after the wait."""
    body = {"question": "When did it open?", "reasoning_effort": "low", "stream": stream}
    path = f"/v1/corpora/{corpus_id}/answers"
    if not stream:
        said = server.client.post(path, json=body).json()
        answer: Json = said.get("answer") or said
        return answer, server.events(answer["id"])
    with server.client.stream("POST", path, json=body) as response:
        assert response.status_code == 201
        events = list(sent_events(response))
    *_, last = events
    answer = last.data if last.name == "done" else last.data["answer"]
    return answer, events


def test_every_behaviour_is_expected_to_end_somehow() -> None:
    assert ENDS.keys() == BEHAVIOURS.keys()
    assert len(ENDS) >= 50


@pytest.mark.parametrize(("name", "form", "ends"), CASES)
def test_it_ends_so(
    server: Server, upstream: Misbehaving, corpus: str, name: str, form: str, ends: Ends
) -> None:
    upstream.behave(name, streamed=form == "events")
    answer, events = ask(server, corpus, stream=form == "events")
    fits(answer, ANSWER)
    assert (answer["status"], (answer["error"] or {}).get("code")) == (ends.status, ends.code)
    assert len(upstream.requests) == ends.requests
    assert len(upstream.invoice) <= 1, "never a second one that is paid"
    assert ends.text is None or (answer["text"], answer["finish_reason"]) == (ends.text, ends.finish)
    check_events(events, answer)
    check_books(server, upstream, answer, ends.books)
    named = [warning["replied_model"] for warning in answer["warnings"] if warning["code"] == "other_model"]
    assert len(named) == name.endswith(" model")
    assert server.client.get(f"/v1/answers/{answer['id']}").json() == answer
    assert KEY not in str(answer)
    assert upstream.elsewhere == []


def check_events(events: list[SentEvent], answer: Json) -> None:
    """The stream has one end, which is the answer; its words are the answer's."""
    ends = [event for event in events if event.name in {"done", "error"}]
    assert ends == events[-1:]
    assert ends[0].name == ("done" if answer["error"] is None else "error")
    assert "".join(event.data["text"] for event in events if event.name == "delta") == answer["text"]


def check_books(server: Server, upstream: Misbehaving, answer: Json, books: Books) -> None:
    """Call, ledger, budget and answer say the same, and that is what the upstream charged."""
    charged = sum((line.usd for line in upstream.invoice), Decimal(0))
    (call,) = server.calls(answer["id"])
    (lines,) = server.entries(answer["id"]).values()
    budget = server.budget(f"corpus:{answer['corpus_id']}")
    left = sum(line.micros for line in lines)
    actual = answer["cost"]["actual_usd"]
    assert actual == (None if call.actual_usd is None else pricing.usd(call.actual_usd))
    if books == "held":
        assert [line.kind for line in lines] == ["reserve"]
        assert (budget.spent_micros, budget.reserved_micros) == (0, call.reserved_micros)
        assert pricing.to_micros_up(charged) <= call.reserved_micros
        resolved(server, upstream, answer)
    elif books == "released":
        assert (int(charged), actual, left) == (0, None, 0)
        assert [line.kind for line in lines] == ["reserve", "release"]
        assert (budget.spent_micros, budget.reserved_micros) == (0, 0)
    else:
        assert [line.kind for line in lines] == ["reserve", "release", "settle"]
        assert (budget.spent_micros, budget.reserved_micros) == (left, 0)
        assert answer["usage"]["estimated"] is (books == "estimated")
        assert answer["cost"]["actual_is"] == {"exact": "exact", "whole": None}.get(books, "at_most")
    if books == "exact":
        assert (call.actual_usd, left) == (charged, pricing.to_micros_up(charged))
    elif books in {"estimated", "dearer"}:
        assert charged <= Decimal(actual)
        assert books == "dearer" or Decimal(actual) <= Decimal(answer["cost"]["max_usd"])
        assert left == pricing.to_micros_up(Decimal(actual))
    elif books == "whole":
        assert (actual, left) == (None, call.reserved_micros)


def resolved(server: Server, upstream: Misbehaving, answer: Json) -> None:
    """The user looks the bill up: then the books hold what was charged, and nothing is held any more."""
    body: Json = {"billed": bool(upstream.invoice)}
    for line in upstream.invoice:
        body["usage"] = {"prompt_tokens": line.prompt_tokens, "completion_tokens": line.completion_tokens}
    response = server.client.post(f"/v1/answers/{answer['id']}/resolve", json=body)
    assert response.status_code == 200, response.text
    charged = sum((line.usd for line in upstream.invoice), Decimal(0))
    budget = server.budget(f"corpus:{answer['corpus_id']}")
    assert (budget.spent_micros, budget.reserved_micros) == (pricing.to_micros_up(charged), 0)
    answer |= server.client.get(f"/v1/answers/{answer['id']}").json()


@pytest.mark.parametrize("name", ["429, seconds", "429, a date"])
def test_it_waits_as_long_as_it_is_asked(
    server: Server, upstream: Misbehaving, corpus: str, name: str
) -> None:
    upstream.behave(name)
    ask(server, corpus, stream=True)
    first, second = upstream.times
    assert second - first >= 1.0


def test_an_address_that_leads_elsewhere_is_said(server: Server, upstream: Misbehaving, corpus: str) -> None:
    upstream.behave("redirect")
    answer, _ = ask(server, corpus, stream=False)
    assert "leads elsewhere, where the key does not follow (302)" in answer["error"]["detail"]


def test_a_bill_above_the_ceiling_is_booked_in_full(
    server: Server, upstream: Misbehaving, corpus: str
) -> None:
    upstream.behave("more than the ceiling")
    answer, _ = ask(server, corpus, stream=True)
    assert Decimal(answer["cost"]["actual_usd"]) > Decimal(answer["cost"]["max_usd"])
    assert server.budget(f"corpus:{corpus}").spent_micros > server.calls(answer["id"])[0].reserved_micros


def test_a_limit_that_a_refusal_named_is_known_afterwards(
    server: Server, upstream: Misbehaving, corpus: str
) -> None:
    upstream.behave("too large for the rate")
    ask(server, corpus, stream=False)
    large = server.add("large.txt", b"word " * 40_000)["id"]
    plan = server.plans(server.corpus(large), question="When?", strategies=["whole"])["whole"]
    assert (plan["feasible"], plan["infeasible_because"] is None) == (False, False)
    server.client.delete(f"/v1/models/{answer_model(plan)}/limits")


def answer_model(plan: Json) -> str:
    return str(plan["model"])
