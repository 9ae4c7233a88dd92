r"""The packed prompt: its format, its exact token arithmetic, its identity.

A packed prompt is a chain of blocks. Every block starts with `<` and ends with a line feed. The encoder's
pre-tokenizer never joins across such a cut, so the count of the chain is the sum of its blocks' counts: if A
ends with `\n` and B starts with neither white space nor `/`, then tokens(A + B) = tokens(A) + tokens(B). A
page is counted with its tag, since a tag and a text counted apart are not additive.

Order: instructions, documents, history, the task with the question last. What comes before the task is the
same for every question, byte for byte, which keeps a provider's prefix cache warm.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, overload

from service.domain.prompts import ImagePart, Message, Part

FORMAT = "1"
"""Changes whenever the bytes of a packed prompt would."""

MAX_PART_CHARS = 10_485_760
"""The longest string that one request may hold, in characters (OpenAI: 400 `string_above_max_length`)."""

CLOSE = "</document>\n"

_TAGS = ("document", "page", "findings", "task", "question", "instructions")
_UNSEEN = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
"""Characters that are drawn as nothing (Unicode's Default_Ignorable_Code_Point)."""
_NAME = "(?:" + "|".join(f"[{_UNSEEN}]*".join(tag) for tag in _TAGS) + rf")(?![^\W{_UNSEEN}])"
_GAP = rf"[\s{_UNSEEN}]"
_LOOKALIKE = re.compile(
    rf"[<\uff1c\ufe64](?=[{_UNSEEN}]*(?:[|\uff5c]|{_NAME})"
    rf"|{_GAP}*/{_GAP}*{_NAME}"
    rf"|{_GAP}+{_NAME}{_GAP}*(?:/?{_GAP}*[>\uff1e]|[\w:-]+{_GAP}*=))",
    re.IGNORECASE,
)
"""`<|`, an open tag, a closing tag; behind a blank only what goes on as a tag does: `x < page` compares."""
_UNSAFE_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class Numbered(Protocol):
    """A page: its number and its text."""

    @property
    def number(self) -> int:
        """1-based."""
        ...

    @property
    def text(self) -> str:
        """Normalised."""
        ...


def frame(page: Numbered) -> str:
    """Return a page's block: its open tag, its text with look-alikes of our tags defused, a line feed."""
    return block(page.number, defuse(page.text))


def block(number: int, text: str) -> str:
    """Return the block of a page whose text is defused already, as every stored one is."""
    return f'<page n="{number}">\n{text}\n'


def defuse(text: str) -> str:
    """Replace the `<` of what looks like one of our tags, or like `<|…|>`, by U+2039.

    One character for one, and one that quote checking passes over: offsets and quotes stay true.
    """
    return _LOOKALIKE.sub("\u2039", text)


@lru_cache(maxsize=1 << 14)
def open_document(ordinal: int, filename: str) -> str:
    """Return a document's opening block; the name is made one line and escaped."""
    name = filename if filename.isprintable() else _UNSAFE_NAME.sub(" ", filename)
    name = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return f'<document id="D{ordinal}" name="{name}">\n'


def wrapper(ordinal: int, filename: str) -> str:
    """Return both tags of a document, for counting: they are blocks, so their counts add up."""
    return open_document(ordinal, filename) + CLOSE


def asked_text(question: str, *, instructions: str | None) -> str:
    """Return what is asked in any call of a question, behind the reminder: a chain of blocks."""
    return f"{own_block(instructions)}{question_block(question)}"


def list_asked_text(questions: Sequence[str], *, instructions: str | None) -> str:
    """Return the same of questions asked together: each is a block of its own, numbered from 1."""
    asked = "".join(question_block(question, number) for number, question in enumerate(questions, 1))
    return f"{own_block(instructions)}{asked}"


def question_block(question: str, number: int | None = None) -> str:
    """Return one question's block, with its number in a list."""
    return f"{question_opening(number)}{defuse(question)}\n</question>\n"


def question_opening(number: int | None = None) -> str:
    """Return what a question's block begins with."""
    return "<question>\n" if number is None else f'<question n="{number}">\n'


def own_block(instructions: str | None) -> str:
    """Return the block of the caller's own instructions; nothing where there are none."""
    return f"<instructions>\n{defuse(instructions)}\n</instructions>\n" if instructions else ""


def findings_block(part: int, text: str) -> str:
    """Return one part's findings, for merging."""
    return f'<findings part="{part}">\n{defuse(text.strip())}\n</findings>\n'


@overload
def parts_of(blocks: Iterable[str], *, max_chars: int = ...) -> Iterator[str]: ...
@overload
def parts_of(blocks: Iterable[Part], *, max_chars: int = ...) -> Iterator[Part]: ...
def parts_of(blocks: Iterable[Part], *, max_chars: int = MAX_PART_CHARS) -> Iterator[Part]:
    """Join blocks into strings of at most `max_chars` characters, cut between blocks only.

    A picture is a part of its own, between the strings of what stands before and after it.

    Raises:
        ValueError: one block alone is longer.
    """
    held: list[str] = []
    size = 0
    for block in blocks:
        length = 0 if isinstance(block, ImagePart) else len(block)
        if length > max_chars:
            raise ValueError(f"a block of {length} characters does not fit one string of {max_chars}")
        if held and (isinstance(block, ImagePart) or size + length > max_chars):
            yield "".join(held)
            held, size = [], 0
        if isinstance(block, ImagePart):
            yield block
            continue
        held.append(block)
        size += length
    if held:
        yield "".join(held)


def messages(
    *,
    instructions: str,
    parts: Sequence[Part],
    task: str,
    history: Sequence[Message] = (),
    shown: Sequence[Part] = (),
) -> tuple[Message, ...]:
    """Return the messages of one call: instructions, material, what was said before, task.

    What the question shows stands behind it, at the very end: whatever comes before is cached as ever.
    """
    return (
        Message(role="system", parts=(instructions,)),
        Message(role="user", parts=tuple(parts)),
        *history,
        Message(role="user", parts=(task, *shown)),
    )


@dataclass(frozen=True, slots=True)
class ChatOverhead:
    """Tokens that the chat format adds around contents, fitted on recorded replies of OpenAI's models."""

    per_message: int = 4
    per_assistant_message: int = 6
    per_request: int = 2

    def of(self, *, messages: int, assistant_messages: int = 0) -> int:
        """Return the overhead of a request with so many system or user and so many assistant messages."""
        return (
            self.per_message * messages + self.per_assistant_message * assistant_messages + self.per_request
        )


OVERHEAD = ChatOverhead()
CALL_OVERHEAD = OVERHEAD.of(messages=3)
"""Of every call that `messages` builds, a history aside: its messages are counted with their share."""


def pack_sha256(blocks: Iterable[str]) -> str:
    """Return the identity of a document's framed pages."""
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def prefix_sha256(*, instructions: str, documents: Iterable[tuple[str, str]], history: str = "") -> str:
    """Return the identity of a prefix without reading its text.

    Args:
        instructions: the system message.
        documents: per document, in order, its opening block and the hash of its framed pages that are sent.
        history: identity of what was said before; empty where nothing was.
    """
    told = "".join([f"{opening}{pages}\n" for opening, pages in documents])
    told += f"\x00{history}" if history else ""
    return hashlib.sha256(f"{FORMAT}\n{instructions}\x00{told}".encode("utf-8", "surrogatepass")).hexdigest()
