"""Make the calls of a split: side by side, but one alone first where the others find it cached then."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from service.domain import caching, progress
from service.domain.answers import AnswerStatus, Call
from service.domain.parts import lack_of
from service.domain.progress import State
from service.errors import UnabridgedError
from service.usecases.forecast_cache import Asking, holder_of, pack_of
from service.usecases.make_call import make_call
from service.usecases.running import Cancelled, Run, Stopped


async def make_parts(run: Run, parts: Sequence[int]) -> list[Call]:
    """Make these calls; after a failure none is begun, and those under way end.

    Raises:
        Cancelled, Stopped, UnabridgedError: the first of what went wrong.
    """
    awaited = await asyncio.to_thread(_awaited, run, parts)
    limit = asyncio.Semaphore(run.ctx.terms.concurrent_calls)
    ended = {part: asyncio.Event() for part in parts}
    done: list[int] = []
    failed: list[BaseException] = []

    async def one(part: int) -> Call | None:
        first = awaited[part]
        try:
            if first is not None:
                await ended[first].wait()
            async with limit:
                if failed:
                    return None
                return await _made(run, part, done)
        except (Cancelled, Stopped, UnabridgedError) as error:
            failed.append(error)
            return None
        finally:
            ended[part].set()

    found = await asyncio.gather(*(one(part) for part in parts))
    if failed:
        raise failed[0]
    return [call for call in found if call is not None]


async def make_merge(run: Run, found: Sequence[Call]) -> Call:
    """Make the call that puts the parts' findings together; its text is the answer's."""
    done = [call.part for call in found if lack_of(call) is None]
    return await _made(run, len(found), done, findings=[call.text for call in found], aloud=True)


async def _made(
    run: Run, part: int, done: list[int], *, findings: Sequence[str] = (), aloud: bool = False
) -> Call:
    """Make a call, and tell that it begins and how it ends."""

    def tell(state: State) -> None:
        run.tell_progress(progress.event(run.planned, part, state, done=len(done)))

    kept = run.planned[part].kept
    if not kept:
        tell("started")
    try:
        call = await make_call(run, part, findings=findings, aloud=aloud)
    except Cancelled:
        tell("cancelled")
        raise
    except Stopped as stopped:
        tell("in_doubt" if stopped.status is AnswerStatus.IN_DOUBT else "failed")
        raise
    except UnabridgedError:
        tell("failed")
        raise
    reads = run.planned[part].kind == "part"
    if reads and lack_of(call):
        tell("incomplete")
        return call
    if reads:
        done.append(part)
    tell("kept" if kept else "done")
    return call


def _awaited(run: Run, parts: Sequence[int]) -> dict[int, int | None]:
    """Return of each part the one that leaves its beginning in the cache, where that is worth awaiting."""
    nothing: dict[int, int | None] = dict.fromkeys(parts)
    if not run.ctx.provider.charges:
        return nothing
    answer = run.answer
    asking = Asking(
        answer.tenant,
        answer.corpus_id,
        run.ctx.catalog.model(answer.model),
        run.question.system_prompt,
        run.history.chain(),
        is_list=bool(run.question.questions),
    )
    holder = holder_of(run.ctx, asking)
    missing = [part for part in parts if not run.planned[part].kept]
    packs = [pack_of(run.planned[part], asking, compared=True) for part in missing]
    with run.ctx.db.read() as tx:
        live = holder.live(holder.sent(tx, {pack.chain.head for pack in packs}))
    first = caching.awaited(packs, live, at_breakpoint=asking.model.caches_at_breakpoints)
    return nothing | {
        part: None if place is None else missing[place] for part, place in zip(missing, first, strict=True)
    }
