"""The engine without a model: reads the packed prompt and shows the passages closest to the question.

It cannot tell that nothing is there, so it never claims to answer.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator, Iterator, Sequence

from service.domain.citations import find_claims
from service.domain.prompts import Message
from service.provider import Anything, ChatRequest, Delta, OnWire, Parameters, Reply
from service.provider.closest import Passage, closest

SHOWN = 3
"""Quotes in an answer: three hold what is asked far oftener than one."""

NO_MODEL = (
    "No model is configured, so this is not an answer: these are the passages closest to the question, "
    "word for word."
)
NO_MATCH = (
    "No model is configured, so the question is not answered; no passage shares a word with the question."
)
NO_PASSAGE = "No passage shares a word with this question."
UNSEEN = "Pages that are sent as pictures were not looked at: that takes a model."

_PASSAGE = 4000
_TAG = re.compile(
    r'^<(?:document id="D(?P<document>\d+)"(?: name="(?P<name>[^"\n]*)")?[^>\n]*'
    r'|page n="(?P<page>\d+)"[^>\n]*|/document)>\n',
    re.MULTILINE,
)
_FINDINGS = re.compile(r'^<findings part="\d+">\n(.*?)^</findings>\n', re.MULTILINE | re.DOTALL)
_QUESTION = re.compile(r"^<question>\n(.*)\n</question>\s*\Z", re.MULTILINE | re.DOTALL)
_NUMBERED = re.compile(r'^<question n="(\d+)">\n(.*?)\n</question>$', re.MULTILINE | re.DOTALL)
_WRAPPERS = (('"', '"'), ("“", "”"), ("«", "»"))


class OfflineProvider:
    """Shows the three closest passages instead of an answer; the same prompt always gives the same text.

    It reads the prompt alone and counts no tokens (its usage is None). `response_format` and all parameters
    of sampling are ignored: what it yields is prose whose quotes and marks check as `exact`.
    """

    @property
    def name(self) -> str:
        """The answer's engine."""
        return "offline"

    @property
    def charges(self) -> bool:
        """Never."""
        return False

    @property
    def takes_tiers(self) -> bool:
        """It shows the price of any."""
        return True

    @property
    def samples_while_reasoning(self) -> bool:
        """It reasons never."""
        return True

    @property
    def parameters(self) -> Parameters:
        """It passes over what asks for a model."""
        return Anything()

    @property
    def batches(self) -> None:
        """It has none: it answers at once, for nothing."""
        return None

    async def complete(
        self, request: ChatRequest, on_wire: OnWire | None = None
    ) -> AsyncIterator[Delta | Reply]:
        """Yield one delta a paragraph, then the Reply; the work is done in a thread."""
        del on_wire  # nothing ever is
        paragraphs = await asyncio.to_thread(answer, request.messages)
        for paragraph in paragraphs:
            yield Delta(paragraph)
            await asyncio.sleep(0)
        yield Reply(text="".join(paragraphs), finish_reason="stop", usage=None, model="offline")

    async def aclose(self) -> None:
        """Nothing is held."""


def answer(messages: Sequence[Message]) -> list[str]:
    """The paragraphs for a packed prompt: what this is, then each quote with its mark and document name."""
    material = [message.text for message in messages if message.role == "user"]
    questions = _questions(material[-1]) if material else [""]
    passages = [passage for text in material for passage in _passages(text)]
    passages += [passage for text in material for passage in _found(text)]
    if len(questions) == 1:
        shown = _shown(passages, questions[0], "{}. ")
        lines = [NO_MODEL, *shown] if shown else [NO_MATCH]
    else:
        lines = [NO_MODEL, *_each(passages, questions)]
    if _shows_pictures(messages):
        lines.append(UNSEEN)
    return [f"{line}\n\n" for line in lines[:-1]] + lines[-1:]


def _shown(passages: Sequence[Passage], question: str, numbered: str) -> list[str]:
    """The quotes closest to one question, each with its mark and document name."""
    return [
        f"{numbered.format(number)}{_quoted(sentence.text)} "
        f"[D{sentence.passage.document} p.{sentence.passage.page}]"
        + (f" — {sentence.passage.name}" if sentence.passage.name else "")
        for number, sentence in enumerate(closest(passages, question, SHOWN), 1)
    ]


def _each(passages: Sequence[Passage], questions: Sequence[str]) -> Iterator[str]:
    """Of each question of a list its number and its quotes."""
    for number, question in enumerate(questions, 1):
        found = _shown(passages, question, "")
        yield "\n".join([f"{number}.", *found]) if found else f"{number}. {NO_PASSAGE}"


def _shows_pictures(messages: Sequence[Message]) -> bool:
    """Whether pictures stand in the prompt, or stood in the parts that it merges."""
    findings = (found for message in messages for found in _FINDINGS.findall(message.text))
    return any(message.images for message in messages) or any(UNSEEN in found for found in findings)


def _questions(text: str) -> list[str]:
    """The questions of the last message, mostly one; all of it where it has no tags."""
    if several := _NUMBERED.findall(text):
        return [question for _, question in several]
    found = _QUESTION.search(text)
    return [found.group(1) if found else text]


def _passages(text: str) -> Iterator[Passage]:
    """The pages of a message's documents, long ones in parts."""
    document, name, page, begin = 0, "", 0, 0
    for tag in _TAG.finditer(text):
        if page:
            yield from (Passage(document, name, page, part) for part in _parts(text[begin : tag.start()]))
        page, begin = 0, tag.end()
        if tag["document"]:
            document, name = int(tag["document"]), _shown_name(tag["name"] or "")
        elif tag["page"] and document:
            page = int(tag["page"])


def _found(text: str) -> Iterator[Passage]:
    """The quotes of earlier findings, each as a passage of its own."""
    for findings in _FINDINGS.finditer(text):
        for claim in find_claims(findings.group(1)):
            if claim.quote and claim.page:
                yield Passage(claim.document, "", claim.page, " ".join(claim.quote.split()))


def _parts(text: str) -> Iterator[str]:
    """Stretches of at most _PASSAGE characters, cut where a sentence, a line or at least a word ends."""
    begin = 0
    while len(text) - begin > _PASSAGE:
        low, high = begin + _PASSAGE // 2, begin + _PASSAGE
        cuts = (text.rfind(mark, low, high) for mark in ("\n\n", ".\n", ". ", "\n", " "))
        cut = next((at for at in cuts if at > 0), high - 1) + 1
        yield text[begin:cut]
        begin = cut
    yield text[begin:]


def _quoted(text: str) -> str:
    """The text between quote marks that do not stand in it.

    What could be read as a mark is kept out, and where every kind of quote mark stands in the text, the
    longest stretch without.
    """
    marks = find_claims(text)
    if marks:
        bounds = [0, *(at for mark in marks for at in (mark.start, mark.end)), len(text)]
        text = max((text[a:b] for a, b in zip(bounds[::2], bounds[1::2], strict=True)), key=len)
    for opening, closing in _WRAPPERS:
        if opening not in text and closing not in text:
            return opening + text.strip().rstrip("\\") + closing
    return '"' + max(text.split('"'), key=len).strip().rstrip("\\") + '"'


def _shown_name(name: str) -> str:
    """A document's name, its entities resolved, without brackets that could be read as a mark."""
    return html.unescape(name).replace("[", "(").replace("]", ")")
