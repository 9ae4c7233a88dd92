"""The last message of a question's calls, and what a list asked together saves over one by one.

What is planned is what is sent: plan and prompt take the text from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from service.domain import packing, planner, prompts, repairs, shown_images
from service.domain.planner import CallKind, Plan, PlannedCall, Terms
from service.domain.pricing import Estimate
from service.domain.prompt_counts import PromptCounts
from service.domain.questions import Question

Count = Callable[[str], int]
"""Exact tokens of a text."""


def task_of(question: Question, kind: CallKind) -> str:
    """Return the last message of a call of that kind."""
    return _reminder(kind, is_list=bool(question.questions)) + _asked(question)


@lru_cache(maxsize=16)
def opening_of(kind: CallKind, system_prompt: str | None, *, is_list: bool) -> str:
    """Return what the last message begins with whatever is asked: up to the words of the first question."""
    own = packing.own_block(system_prompt)
    return _reminder(kind, is_list=is_list) + own + packing.question_opening(1 if is_list else None)


def counts_of(question: Question, count: Count) -> PromptCounts:
    """Count the texts around the documents, exactly: what is asked once, since a task's blocks add up."""
    asked, is_list = count(_asked(question)), bool(question.questions)
    return PromptCounts(
        instructions=_counted(count, prompts.ANSWERING),
        task=_counted(count, _reminder("answer", is_list=is_list)) + asked,
        part_task=_counted(count, _reminder("part", is_list=is_list)) + asked,
        merge_instructions=_counted(count, prompts.MERGING),
        merge_task=_counted(count, _reminder("merge", is_list=is_list)) + asked,
        repair_task=_counted(count, repairs.task(())),
        images=shown_images.images_of(question.images),
    )


def _reminder(kind: CallKind, *, is_list: bool) -> str:
    return (prompts.SEVERAL_REMINDERS if is_list else prompts.REMINDERS)[kind]


def _asked(question: Question) -> str:
    """Return the task behind its reminder: the same in every call."""
    own = question.system_prompt
    if question.questions:
        return packing.list_asked_text(question.questions, instructions=own)
    return packing.asked_text(question.text, instructions=own)


@lru_cache(maxsize=64)
def _counted(count: Count, text: str) -> int:
    """Count a text of ours once: it is the same for every question."""
    return count(text)


@dataclass(frozen=True, slots=True)
class Together:
    """Questions asked together in one call, and each of them by itself.

    Attributes:
        usual_output: tokens of a usual answer to all of them, whatever is reserved.
        together: the terms of the list.
        alone: those of a single question, but for its own tokens, which are left out of the counts.
        tokens: of each question's block, in order. Blocks add up.
    """

    usual_output: int
    together: Terms
    alone: Terms
    tokens: tuple[int, ...]

    @property
    def may_be_cut(self) -> bool:
        """Whether a usual answer to all of them passes what is reserved."""
        return self.usual_output > self.together.reserved_output_tokens

    @property
    def questions_that_fit(self) -> int:
        """How many of them a usual answer has room for, at least one."""
        return max(self.together.reserved_output_tokens * len(self.tokens) // self.usual_output, 1)

    def one_by_one(self, plan: Plan) -> Decimal | None:
        """What asking one after another costs over the same packs: the first cold, the others warm.

        Returns:
            None where a price is unknown.
        """
        priced = {tokens: self._single(plan, tokens) for tokens in set(self.tokens)}
        total = Decimal(0)
        for place, tokens in enumerate(self.tokens):
            one = priced[tokens]
            if one is None:
                return None
            total += one.warm_usd if place else one.cold_usd
        return total

    def _single(self, plan: Plan, tokens: int) -> Estimate | None:
        alone = replace(self.alone, counts=_longer(self.alone.counts, tokens))
        parts = sum(call.kind == "part" for call in plan.calls)
        return planner.price_calls([_moved(call, self.together, alone, parts) for call in plan.calls], alone)


def together(question: Question, terms: Terms, count: Count) -> Together | None:
    """Return the questions of a list with what each counts by itself; None where it is one question."""
    if not question.questions:
        return None
    around = counts_of(replace(question, text="", questions=()), count)
    effort, reserved = question.reasoning_effort, terms.reserved_output_tokens
    return Together(
        usual_output=planner.usual_output(effort, question.count),
        together=terms,
        alone=replace(
            terms,
            counts=_longer(around, -count(packing.question_block(""))),
            expected_output_tokens=planner.expected_output(effort, reserved),
            cached={},
        ),
        tokens=tuple(count(packing.question_block(one)) for one in question.questions),
    )


def _longer(counts: PromptCounts, tokens: int) -> PromptCounts:
    """Return the counts of tasks that are so many tokens longer."""
    return replace(
        counts,
        task=counts.task + tokens,
        part_task=counts.part_task + tokens,
        merge_task=counts.merge_task + tokens,
    )


def _moved(call: PlannedCall, before: Terms, after: Terms, parts: int) -> PlannedCall:
    """Return the same call with the task (and, where it merges, the usual findings) of other terms."""
    more = _task(call.kind, after.counts) - _task(call.kind, before.counts)
    usual = more
    if call.kind == "merge":
        usual += parts * (after.expected_output_tokens - before.expected_output_tokens)
    return replace(
        call,
        input_tokens=call.input_tokens + more,
        expected_input_tokens=call.expected_input_tokens + usual,
        expected_output_tokens=after.expected_output_tokens,
        expected_cached_tokens=0,
    )


def _task(kind: CallKind, counts: PromptCounts) -> int:
    return {"answer": counts.task, "part": counts.part_task, "merge": counts.merge_task}[kind]
