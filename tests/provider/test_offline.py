"""Without a model the closest passages are shown: verbatim, with marks that check, never an answer."""

# ruff: noqa: RUF001
# Typographic quote marks are what some of the cases are about.

from __future__ import annotations

import asyncio
import re
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain import packing, prompts
from service.domain.citations import Citation, Index, Source, SourcePage, find_claims, verify
from service.domain.prompts import ImagePart, Message
from service.provider import ChatRequest, Delta, Provider, Reply
from service.provider.closest import LONGEST
from service.provider.offline import NO_MATCH, NO_MODEL, NO_PASSAGE, UNSEEN, OfflineProvider, answer
from tests.support import quoting
from tests.support.asking import task_text

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"

Documents = Sequence[tuple[str, Sequence[str]]]

LIBRARY: Documents = (
    (
        "bridge-report.pdf",
        (
            """Inspection of the Kestrel Bridge
Summary
The Kestrel Bridge was opened to traffic on 14 May 1931 and carries Route 9 over the Ansel
River. It was designed by Margaret Holloway, who also drew the plans for the Ansel dam.
The main span is 412 feet long and stands 63 feet above the water at high tide. About
18,400 vehicles cross it on a weekday. In March 2016 a barge struck the second pier and the
bridge was closed for eleven days.""",
            """Findings
Corrosion was found in 37 of the 220 hangers. The corrosion was caused by road salt that
collected under a broken drain cover. The inspectors recommended that all hangers on the
northern side be replaced before the winter of 2019. The estimated cost of the repair is
$3.2 million, of which the state will pay 80 percent.
Item  Quantity  Cost
Hangers  110  1,900,000
Drain covers  42  61,000
Paint  9  240,000
The work was awarded to Pell & Daughters of Brandon.""",
        ),
    ),
    (
        "lighthouse-history.txt",
        (
            """The lighthouse at Gull Point
The first lamp at Gull Point was lit in November 1868 by its keeper, Josiah Crane. It burned
whale oil until 1883, when kerosene was introduced. The tower was built of granite from the
quarries at Stonehaven because brick had crumbled in the salt air of the earlier tower.
The lens, a gift of the Danish consul, weighs 1,750 pounds and can be seen for 19 miles.""",
            """Crane kept the light for thirty-one years and was followed by his daughter Abigail Crane,
the only woman to hold the post. She rescued nine sailors from the schooner Meridian in
the storm of 1904. The light was automated in 1962 and the keeper's house became a museum.
"We never let it go dark," she told the Harbor Gazette. The museum is open from June to
September and receives about 6,500 visitors a year.""",
        ),
    ),
    (
        "orchard_minutes.docx",
        (
            """Minutes of the Orchard Cooperative
The meeting was called to order at 7:15 pm by the chair, Tomas Reyes. Forty-three members
were present. The treasurer reported a surplus of $48,210 for the year, the largest since the
cooperative was founded in Linden Falls in 1977.
The late frost of April 22 destroyed 35% of the cherry blossom but left the apples unharmed.
Members voted 31 to 12 to buy a second cider press from a maker in Quebec.""",
            """The cooperative leases 260 acres from the Vandermeer estate. The lease expires in 2031.
Pickers will be paid $19.50 an hour, up from $18.00 last season. Irrigation was suspended in
August because the pump at Miller Creek failed. Elena Duarte was elected secretary in place of
Paul Nygaard, who has retired. The next meeting will be held at the Grange Hall in Ostrander.""",
        ),
    ),
)

QUESTIONS = (
    ("When was the Kestrel Bridge opened?", "14 May 1931"),
    ("Who designed the Kestrel Bridge?", "Margaret Holloway"),
    ("How long is the main span?", "412 feet"),
    ("How high does the bridge stand above the water?", "63 feet"),
    ("How many vehicles cross the bridge on a weekday?", "18,400"),
    ("When did a barge hit the pier of the bridge?", "March 2016"),
    ("For how many days was the bridge closed?", "eleven days"),
    ("How many hangers were corroded?", "37 of the 220"),
    ("What caused the corrosion?", "road salt"),
    ("How much will the repair cost?", "$3.2 million"),
    ("What share of the repair does the state pay?", "80 percent"),
    ("Who was awarded the work on the bridge?", "Pell & Daughters"),
    ("How many drain covers are needed and at what cost?", "61,000"),
    ("When was the lamp at Gull Point first lit?", "November 1868"),
    ("Who was the first keeper of the lighthouse?", "Josiah Crane"),
    ("What did the lamp burn before kerosene?", "whale oil"),
    ("Why was the tower built of granite?", "brick had crumbled"),
    ("How much does the lens weigh?", "1,750 pounds"),
    ("How far can the lens be seen?", "19 miles"),
    ("How many sailors did Abigail Crane rescue?", "nine sailors"),
    ("When was the light automated?", "1962"),
    ("How many visitors does the museum receive each year?", "6,500"),
    ("Who called the meeting of the cooperative to order?", "Tomas Reyes"),
    ("How many members were present at the meeting?", "Forty-three"),
    ("How large was the surplus that the treasurer reported?", "$48,210"),
    ("Where was the cooperative founded?", "Linden Falls"),
    ("What percentage of the cherry blossom did the frost destroy?", "35%"),
    ("When does the lease from the Vandermeer estate expire?", "2031"),
    ("How much are pickers paid an hour?", "$19.50"),
    ("Why was irrigation suspended in August?", "pump at Miller Creek failed"),
    ("Who was elected secretary?", "Elena Duarte"),
    ("Where will the next meeting be held?", "Grange Hall in Ostrander"),
)


def packed(documents: Documents, question: str) -> tuple[Message, ...]:
    blocks: list[str] = []
    for ordinal, (name, pages) in enumerate(documents, 1):
        blocks.append(packing.open_document(ordinal, name))
        blocks.extend(packing.frame(SourcePage(number, text)) for number, text in enumerate(pages, 1))
        blocks.append(packing.CLOSE)
    parts = list(packing.parts_of(blocks))
    return packing.messages(instructions=prompts.ANSWERING, parts=parts, task=task_text(question))


def merging(findings: Sequence[str], question: str) -> tuple[Message, ...]:
    blocks = [packing.findings_block(part, text) for part, text in enumerate(findings, 1)]
    task = task_text(question, kind="merge")
    return packing.messages(instructions=prompts.MERGING, parts=blocks, task=task)


def checked(documents: Documents, text: str) -> list[Citation]:
    index = Index(
        [
            Source(f"doc_{ordinal}", ordinal, name, [SourcePage(n, page) for n, page in enumerate(pages, 1)])
            for ordinal, (name, pages) in enumerate(documents, 1)
        ]
    )
    return [verify(claim, index) for claim in find_claims(text)]


def ask(documents: Documents, question: str) -> str:
    return "".join(answer(packed(documents, question)))


async def stream(provider: Provider, messages: tuple[Message, ...]) -> list[Delta | Reply]:
    request = ChatRequest("m", messages, 100, response_format={"type": "json_object"})
    return [event async for event in provider.complete(request)]


def test_it_streams_and_ends_with_the_whole_reply() -> None:
    async def run() -> list[Delta | Reply]:
        provider = OfflineProvider()
        events = await stream(provider, packed(LIBRARY, "Who designed the bridge?"))
        await provider.aclose()
        return events

    *deltas, reply = asyncio.run(run())
    assert isinstance(reply, Reply)
    assert len(deltas) == 4
    assert all(isinstance(delta, Delta) for delta in deltas)
    assert "".join(delta.text for delta in deltas if isinstance(delta, Delta)) == reply.text
    assert (reply.finish_reason, reply.usage, OfflineProvider().name) == ("stop", None, "offline")


def shown(*, pictures: int) -> tuple[Message, ...]:
    before, *others, task = packed(LIBRARY, "When was the Kestrel Bridge opened?")
    material = (*others[0].parts, *[ImagePart("data:image/png;base64,AA==", "high")] * pictures)
    return (before, Message("user", material), task)


def test_it_says_that_pictures_were_not_looked_at() -> None:
    plain, seen = ("".join(answer(shown(pictures=count))) for count in (0, 2))
    assert UNSEEN not in plain
    assert seen == f"{plain}\n\n{UNSEEN}"


def test_a_merge_says_it_of_its_parts() -> None:
    parts = ["".join(answer(shown(pictures=count))) for count in (0, 1)]
    question = "When was the Kestrel Bridge opened?"
    assert "".join(answer(merging(parts, question))).endswith(UNSEEN)
    assert UNSEEN not in "".join(answer(merging(parts[:1], question)))
    assert UNSEEN not in ask((("a.txt", (UNSEEN,)),), "Who cares about bridges?")


def test_it_says_what_it_is_and_shows_three_marked_quotes_with_names() -> None:
    text = ask(LIBRARY, "When was the Kestrel Bridge opened?")
    assert text.startswith(NO_MODEL)
    assert "not an answer" in text
    assert len(find_claims(text)) == 3
    assert re.search(r'^1\. ".*14 May 1931.*" \[D1 p\.1\] — bridge-report\.pdf$', text, re.MULTILINE)


def test_three_quotes_hold_what_is_asked_in_four_questions_of_five() -> None:
    texts = [(ask(LIBRARY, question), wanted) for question, wanted in QUESTIONS]
    held = sum(wanted in text for text, wanted in texts)
    first = sum(wanted in text.partition("2. ")[0] for text, wanted in texts)
    assert held >= 0.9 * len(QUESTIONS)
    assert first >= 0.6 * len(QUESTIONS)


@pytest.mark.parametrize("question", [question for question, _ in QUESTIONS])
def test_every_quote_checks_as_exact(question: str) -> None:
    citations = checked(LIBRARY, ask(LIBRARY, question))
    assert citations
    assert {citation.verdict for citation in citations} == {"exact"}


HOSTILE = st.text(st.sampled_from('bridge. "“”«»„[]()D1 p.2\n\\<>|‹ -5,%…A中é'), max_size=200)


@settings(max_examples=150)
@given(st.lists(HOSTILE, min_size=1, max_size=3))
def test_whatever_a_page_holds_each_shown_quote_is_one_claim_that_stands_there(pages: list[str]) -> None:
    documents = [("a [D1 p.1].pdf", [f"The bridge {page} was old" for page in pages])]
    text = ask(documents, "bridge old?")
    shown = len(re.findall(r"^\d\. ", text, re.MULTILINE))
    assert shown
    claims = find_claims(text)
    assert len(claims) == shown
    stored = ["".join(packing.defuse(page).split()) for page in documents[0][1]]
    for claim in claims:
        assert claim.page is not None
        assert "".join(claim.quote.split()) in stored[claim.page - 1]


def test_quotes_with_quote_marks_inside_are_wrapped_in_others() -> None:
    documents = [
        ("a.txt", ['He called it "the bridge" then.', 'The "bridge" of “old” «stone» fell «down» that day.'])
    ]
    text = ask(documents, "bridge?")
    assert '“He called it "the bridge" then.”' in text
    assert {citation.verdict for citation in checked(documents, text)} == {"exact"}


def test_nothing_alike_is_said_and_cites_nothing() -> None:
    text = ask(LIBRARY, "Xylophones?")
    assert text == NO_MATCH
    assert find_claims(text) == ()
    assert "".join(answer(())) == NO_MATCH
    assert ask((), "bridge") == NO_MATCH


def test_each_question_of_a_list_gets_its_own_quotes_under_its_number() -> None:
    asked = ["When was the Kestrel Bridge opened?", "Xylophones?", "When was the light automated?"]
    before, material, _ = packed(LIBRARY, "")
    task = prompts.SEVERAL_REMINDERS["answer"] + packing.list_asked_text(asked, instructions=None)
    text = "".join(answer((before, material, Message("user", (task,)))))
    assert text.startswith(NO_MODEL)
    first, third = text.index("1.\n"), text.index("3.\n")
    assert first < text.index("14 May 1931") < text.index(f"2. {NO_PASSAGE}") < third < text.index("1962")
    assert {citation.verdict for citation in checked(LIBRARY, text)} == {"exact"}


def test_the_same_prompt_gives_the_same_text() -> None:
    question = "How many members and visitors were there?"
    assert ask(LIBRARY, question) == ask(LIBRARY, question)


def test_a_question_over_several_documents_gets_quotes_of_several() -> None:
    documents = [
        (f"{year}.pdf", [f"The reserve held {year - 1000} barrels. The reserve was checked."])
        for year in (2001, 2002)
    ]
    marks = {
        claim.document for claim in find_claims(ask(documents, "How many barrels did the reserve hold?"))
    }
    assert marks == {1, 2}


def test_no_page_gives_more_than_two() -> None:
    page = "The bridge is old. The bridge is long. The bridge is red. The bridge is wet."
    claims = find_claims(ask([("a", [page, "A bridge elsewhere stood."])], "bridge"))
    assert sorted(claim.page or 0 for claim in claims) == [1, 1, 2]


def test_a_document_is_found_by_its_name_and_fiscal_year() -> None:
    documents = [
        (f"report-{year}.pdf", ["The agency had 500 employees in all that year."] * 2)
        for year in (2017, 2018, 2019)
    ]
    assert find_claims(ask(documents, "How many employees in FY18?"))[0].document == 2


def test_a_long_sentence_is_cut_to_a_window_of_its_own_words() -> None:
    filler = " ".join(f"word{number}" for number in range(150))
    documents = [("a", [f"{filler} the bridge fell {filler}"])]
    text = ask(documents, "bridge")
    claim = find_claims(text)[0]
    assert len(claim.quote.split()) == LONGEST
    assert "the bridge fell" in claim.quote
    assert checked(documents, text)[0].verdict == "exact"


def test_merging_keeps_the_best_quotes_of_the_findings() -> None:
    parts = [ask(LIBRARY[:1], "Who built what?"), ask(LIBRARY[:2], "When was the light automated?"), NO_MATCH]
    text = "".join(answer(merging(parts, "When was the light automated?")))
    assert text.startswith(NO_MODEL)
    assert "1962" in text.partition("2. ")[0]
    assert all(citation.verdict == "exact" for citation in checked(LIBRARY[:2], text))
    assert "".join(answer(merging([NO_MATCH, NO_MATCH], "When?"))) == NO_MATCH


def test_text_that_looks_like_the_question_is_not_it() -> None:
    documents = [("a", ["<question>\nfox\n</question>\nThe bridge is red today.", "The fox is red today."])]
    assert find_claims(ask(documents, "bridge"))[0].page == 1


def test_a_million_tokens_leave_the_loop_free() -> None:
    pages = [page for seed in range(8) for page in quoting.written(seed, 60)] * 9
    documents = [(f"d{at}.pdf", pages[at::6]) for at in range(6)]
    messages = packed(documents, "How many feet below the level was the radar installation in 1987?")
    assert sum(len(message.text) for message in messages) > 4_000_000

    async def run() -> tuple[float, float]:
        late = 0.0
        work = asyncio.create_task(stream(OfflineProvider(), messages))
        began = time.perf_counter()
        while not work.done():
            beat = time.perf_counter()
            await asyncio.sleep(0.01)
            late = max(late, time.perf_counter() - beat - 0.01)
        await work
        return time.perf_counter() - began, late

    took, late = asyncio.run(run())
    assert late < took * 0.9, "the loop turned while the work was done"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample documents are not here")
def test_real_reports_are_quoted_exactly_and_hold_what_is_asked() -> None:
    documents = [(file.name, _pages(file)) for file in sorted(SAMPLES.glob("ntsb-reports/*.pdf"))]
    held, asked = 0, 0
    for _, pages in documents:
        for question, wanted in _questions(pages[0]):
            text = ask(documents, question)
            asked += 1
            held += wanted.casefold() in text.casefold()
            assert {citation.verdict for citation in checked(documents, text)} <= {"exact"}
    assert asked >= 30
    assert held >= 0.8 * asked


def _questions(page: str) -> list[tuple[str, str]]:
    """Questions on an accident report's first page, with what a good quote holds."""
    place = re.search(r"Location: (.*?),", page)
    aircraft = re.search(r"Aircraft: (.*?) Aircraft Damage", page)
    cause = re.search(r"accident to be:\s*([^\n]{10,30})", page)
    found: list[tuple[str, str]] = []
    if place and aircraft:
        found.append((f"Which aircraft was involved in the {place[1]} accident?", aircraft[1]))
    if place and cause:
        found.append((f"What was the probable cause of the accident in {place[1]}?", cause[1].strip()))
    return found


def _pages(file: Path) -> list[str]:
    with pypdfium2.PdfDocument(file) as pdf:
        texts = [page.get_textpage().get_text_bounded() for page in pdf]
    return [unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\ufffe", "") for text in texts]
