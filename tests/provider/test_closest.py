"""Pages fall into sentences and rows without loss, and the sentence that holds the answer ranks first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.provider.closest import Passage, closest, sentences


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("Mr. Poe met J. Doe. They left.", ["Mr. Poe met J. Doe.", "They left."]),
        ("Total  5  7\nNext  6  8\nAll done here.", ["Total 5 7", "Next 6 8", "All done here."]),
        ("It fell by 3.5 percent\nin a year. Yes!", ["It fell by 3.5 percent in a year.", "Yes!"]),
        (
            "Summary\nThe bridge was opened to traffic long ago.",
            ["Summary", "The bridge was opened to traffic long ago."],
        ),
        ("橋は古い。川は長い。", ["橋は古い。", "川は長い。"]),
        ("", []),
    ],
)
def test_sentences(page: str, expected: list[str]) -> None:
    assert sentences(page) == expected


@given(st.text(max_size=400))
def test_sentences_lose_no_word(page: str) -> None:
    assert "".join("".join(sentences(page)).split()) == "".join(page.split())


def first(question: str, *texts: str) -> str:
    passages = [Passage(number, f"{number}.pdf", 1, text) for number, text in enumerate(texts, 1)]
    return closest(passages, question, 1)[0].text


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        (
            "When did the mill burn?",
            "The mill burned on May 4, 1911, at dawn.",
            "The mill burned with a terrible noise.",
        ),
        (
            "How many looms did the mill have?",
            "The mill had ninety looms.",
            "The mill had looms from England.",
        ),
        ("Who owned the mill?", "The mill was owned by Ada Quill.", "The mill was owned by nobody at all."),
        ("Where is the mill?", "The mill is near Easton today.", "The mill is a ruin today, sadly."),
        ("Why did the mill close?", "The mill closed because of debt.", "The mill closed in the autumn."),
        ("What did the mill cost?", "The mill cost $40,000 to build.", "The mill cost its builder dearly."),
    ],
)
def test_what_the_question_asks_for_ranks_higher(question: str, right: str, wrong: str) -> None:
    assert first(question, wrong, right) == right
    assert first(question, right, wrong) == right


def test_a_rare_term_outweighs_a_common_one() -> None:
    texts = ["The bridge is old and grey."] * 5 + ["The caisson is old and grey."]
    assert first("bridge caisson", *texts) == texts[-1]


def test_words_are_found_in_other_forms() -> None:
    assert first(
        "Which companies were closing?", "Nothing of note here at all.", "The company closed its door."
    )
    assert first("planning", "Her plans were laid early on.") == "Her plans were laid early on."


def test_a_sentence_profits_from_its_passage() -> None:
    texts = [
        "Zebra census of the park. The count was taken in June.",
        "Lion census of the park. The count was taken in May.",
    ]
    passages = [Passage(number, f"{number}.pdf", 1, text) for number, text in enumerate(texts, 1)]
    ranked = [sentence.text for sentence in closest(passages, "When was the lion count taken?", 4)]
    assert ranked.index("The count was taken in May.") < ranked.index("The count was taken in June.")


def test_nothing_shared_gives_nothing() -> None:
    assert closest([Passage(1, "a", 1, "The mill burned down.")], "xylophone", 3) == []
    assert closest([], "mill", 3) == []
    assert closest([Passage(1, "a", 1, "The mill burned down.")], "", 3) == []
