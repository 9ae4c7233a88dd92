"""The person at the terminal: the amounts they type, what they agree to, and what their Ctrl-C means."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, NoReturn

from service import console
from service.domain.questions import Question, check_together, numbered
from service.errors import Fix, Invalid, OverMaxCost
from service.usecases.keep_conversation import LAST

STOPPED = 130
"""The exit code after Ctrl-C, as shells have it."""

MOST_USD = 1_000_000_000
STDERR = 2
CLEAR_LINE_AND_SHOW_CURSOR = "\r\x1b[2K\x1b[?25h"


class StrategyName(StrEnum):
    """The plans that a question to whole documents can take."""

    WHOLE = "whole"
    SPLIT = "split"
    RANKED = "ranked"


class TierName(StrEnum):
    """The catalog's tiers."""

    STANDARD = "standard"
    FLEX = "flex"
    BATCH = "batch"
    PRIORITY = "priority"


class EffortName(StrEnum):
    """How long a model may think."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"


class WasteName(StrEnum):
    """What can be left out of a question."""

    DUPLICATES = "duplicates"
    NEAR_DUPLICATES = "near_duplicates"
    REPEATED = "repeated"
    BLANK = "blank"


class PageImagesName(StrEnum):
    """Which pages are sent as pictures too."""

    NONE = "none"
    WITHOUT_TEXT = "without_text"
    SCANS = "scans"


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be spent without asking, and at all, in USD."""

    max_cost: Decimal | None
    confirm_above: Decimal
    yes: bool


class NotAgreed(OverMaxCost):
    """Nobody agreed to the price."""

    title = "The price was not agreed to"


def confirm(chosen: dict[str, Any], limits: Limits, *, engine: str) -> None:
    """Ask before money above the limit is spent on a described plan.

    Raises:
        NotAgreed: nobody agreed.
    """
    if limits.yes or limits.max_cost is not None:
        return
    cost = chosen["cost"]
    if cost is not None and Decimal(cost["max_usd"]) <= limits.confirm_above:
        return
    ceiling = console.dollars(cost["max_usd"]) if cost else "an unknown amount"
    usual = f" (most likely {console.dollars(cost['expected_usd'])})" if cost else ""
    amount = f"up to {ceiling}{usual} on {engine}"
    if not agrees(f"Spend {amount}?"):
        raise NotAgreed(
            f"Nothing was spent: it would have been {amount}.",
            fixes=(Fix("agree", "Say --yes, --max-cost USD, or --confirm-above USD."),),
        )


def strategies(strategy: StrategyName | None, budget_tokens: int | None) -> tuple[str, ...]:
    """Return the plans that are wanted; none named means all that apply. A budget is of a ranked plan.

    Raises:
        Invalid: the two contradict each other.
    """
    if budget_tokens is None:
        return (strategy.value,) if strategy else ()
    if strategy not in {None, StrategyName.RANKED}:
        raise Invalid("--budget-tokens is of a ranked plan: leave it out, or --strategy.")
    return (StrategyName.RANKED.value,)


def packed(question: Question, leave_out: Sequence[WasteName], page_images: PageImagesName) -> Question:
    """Return the question with what of its documents is sent."""
    names = tuple(name.value for name in WasteName if name in leave_out)
    return replace(question, leave_out=names, page_images=page_images.value)


def together(question: Question, others: Sequence[str]) -> Question:
    """Return the question with others that are asked in the same call.

    Raises:
        Invalid: one of them is empty, or there are too many.
    """
    if not others:
        return question
    questions = (question.text, *others)
    check_together(questions)
    return replace(question, text=numbered(questions), questions=questions)


def conversation(name: str | None, *, go_on: bool) -> str | None:
    """Return the conversation that was named: an id, `last` or `new`; None where the question stands alone.

    Raises:
        Invalid: it was named twice.
    """
    if name is not None and go_on:
        raise Invalid("Say --continue or --conversation, not both.")
    return LAST if go_on else name


def usd(text: str, *, option: str) -> Decimal:
    """Return the amount that was typed.

    Raises:
        Invalid: it is none, or none that could be spent.
    """
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= MOST_USD:
        raise Invalid(f"{option}: “{text[:40]}” is no amount in dollars; write it like 2.50.")
    return amount


def agrees(question: str) -> bool:
    """Ask yes or no. Where nobody is at the terminal nobody agrees; Ctrl-C and Ctrl-D are a no."""
    stdin: object = sys.stdin  # None where the shell closed it
    if stdin is None or not sys.stdin.isatty():
        return False
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        said = console.errors().input(f"{question} [y/N] ", markup=False)
    except (EOFError, KeyboardInterrupt):
        return False
    finally:
        signal.signal(signal.SIGINT, before)
    return said.strip().casefold() in {"y", "yes"}


@contextmanager
def stopping_at_once(said: str) -> Iterator[None]:
    """Have Ctrl-C end the process at once with that line: for work whose every step is kept already."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: leave(said))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def stopping_on_request() -> Iterator[asyncio.Event]:
    """Have the first Ctrl-C set the event, and the second end the process at once."""
    loop, asked, pressed = asyncio.get_running_loop(), asyncio.Event(), 0

    def press(*_: object) -> None:
        nonlocal pressed
        pressed += 1
        if pressed > 1:
            leave()
        loop.call_soon_threadsafe(asked.set)

    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield asked
        return
    before = signal.signal(signal.SIGINT, press)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def leave(said: str = "") -> NoReturn:
    """End the process here and now, waiting for nothing.

    May run in a signal handler, in the middle of a print: it writes past the stream's buffer and its lock.
    """
    with suppress(OSError, RuntimeError, ValueError, AttributeError):
        sys.stdout.flush()
    shown = CLEAR_LINE_AND_SHOW_CURSOR if os.isatty(STDERR) else ""
    with suppress(OSError):
        os.write(STDERR, f"{shown}{said}\n".encode() if said else shown.encode())
    os._exit(STOPPED)
