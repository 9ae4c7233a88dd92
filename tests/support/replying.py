"""What a chat completion says, in one piece or in events, and what it costs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingest.tokens import count_tokens
from tests.support.billing import Billed, asked, price, prompt_tokens

TEXT = 'It says: "The harbour opened in 1871." [D1 p.1] \u2013 na\u00efvely, \U0001f6a2 first.'
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says; the defaults are an answer that cites its page.

    Attributes:
        usage: changes what is told of the tokens, never what is charged; None tells nothing.
        reasoning: tokens; None takes the whole allowance.
        model: as the reply names it.
        service_tier: as the reply names it, and as it is charged unless `priced` says otherwise.
        tools: calls a tool that nobody offered.
        halves: writes each character beyond U+FFFF as two halves, in a stream in two chunks.
    """

    text: str = TEXT
    finish_reason: str | None = "stop"
    refusal: str | None = None
    usage: Callable[[Json], Json] | None = lambda told: told
    reasoning: int | None = 64
    model: str = "gpt-5.5-2026-04-23"
    service_tier: str = "default"
    priced: str | None = None
    tools: bool = False
    halves: bool = False


class Said:
    """A reply to one request, in bytes.

    Attributes:
        billed: what it costs.
    """

    def __init__(self, reply: Reply, body: Json, request_id: str) -> None:
        self._reply = reply
        self.billed = _billed(reply, body, request_id)

    def whole(self) -> bytes:
        """The reply as one JSON object."""
        reply = self._reply
        message: Json = {"role": "assistant", "content": reply.text or None, "refusal": reply.refusal}
        if reply.tools:
            message["tool_calls"] = [_tool()]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
        told = {} if reply.usage is None else {"usage": reply.usage(self.billed.usage())}
        return self._bytes(self._named("chat.completion") | {"choices": [choice]} | told)

    def events(self) -> list[bytes]:
        """The reply as server-sent events: the role, the words, the end, the usage, `[DONE]`."""
        reply = self._reply
        deltas: list[Json] = [{"role": "assistant", "content": ""}]
        deltas += [{"refusal": reply.refusal}] if reply.refusal else []
        deltas += [{"content": piece} for piece in self._pieces()]
        deltas += [{"tool_calls": [{"index": 0, **_tool()}]}] if reply.tools else []
        chunks = [self._chunk([_choice(delta)]) for delta in deltas]
        chunks.append(self._chunk([_choice({}, reply.finish_reason)]))
        if reply.usage is not None:
            chunks.append(self._chunk([]) | {"usage": reply.usage(self.billed.usage())})
        return [b"data: " + self._bytes(chunk) + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]

    def joined(self) -> bytes:
        """All events."""
        return b"".join(self.events())

    def _pieces(self) -> list[str]:
        pieces = re.findall(r"\S+\s*", self._reply.text)
        if not self._reply.halves:
            return pieces
        cut = "\udead"  # stands nowhere else
        return cut.join(pieces).replace("\U0001f6a2", f"\ud83d{cut}\udea2").split(cut)

    def _bytes(self, value: Json) -> bytes:
        """As JSON; Python's escapes are halves of characters already where only ASCII may be written."""
        return json.dumps(value, ensure_ascii=self._reply.halves).encode()

    def _chunk(self, choices: list[Json]) -> Json:
        more = {} if self._reply.usage is None else {"usage": None}
        return self._named("chat.completion.chunk") | {"choices": choices} | more

    def _named(self, kind: str) -> Json:
        reply = self._reply
        return {
            "id": f"chatcmpl-{self.billed.request_id}",
            "object": kind,
            "created": 1_790_000_000,
            "model": reply.model,
            "service_tier": reply.service_tier,
            "system_fingerprint": None,
        }


def _choice(delta: Json, finish_reason: str | None = None) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _tool() -> Json:
    return {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": "{}"}}


def _billed(reply: Reply, body: Json, request_id: str) -> Billed:
    allowed = body["max_completion_tokens"]
    reasoning = allowed if reply.reasoning is None else reply.reasoning
    completion = reasoning + count_tokens(reply.text + (reply.refusal or ""))
    prompt = prompt_tokens(body)
    tier = reply.priced or reply.service_tier
    usd = price(tier, prompt=prompt, cached=0, completion=completion)
    return Billed(request_id, body["model"], tier, prompt, 0, completion, reasoning, usd, asked(body))
