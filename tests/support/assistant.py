"""An AI assistant's program: the official client of the Model Context Protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

SECONDS = 60.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Given:
    """What a tool gave.

    Attributes:
        data: the structured result; of an error its code, detail and fixes.
        text: what a model reads.
        progress: what was said while it ran.
    """

    data: dict[str, Any]
    text: str
    is_error: bool
    progress: tuple[tuple[float, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Assistant:
    """A session under way."""

    client: Client

    async def use(self, tool: str, **arguments: Any) -> Given:  # noqa: ANN401 - any JSON value
        """Call a tool; the client itself holds what comes against the tool's schema."""
        told: list[tuple[float, str | None]] = []

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            assert total is None
            told.append((progress, message))

        result = await self.client.call_tool(tool, arguments, progress_callback=hear)
        return _given(result, told)


def _given(result: CallToolResult, told: list[tuple[float, str | None]]) -> Given:
    (content,) = result.content
    assert isinstance(content, TextContent)
    data = result.structured_content or {}
    return Given(data.get("error", data), content.text, bool(result.is_error), tuple(told))


def talk(
    where: str | StdioServerParameters,
    work: Callable[[Assistant], Awaitable[T]],
    *,
    mode: str = "auto",
    key: str | None = None,
) -> T:
    """Open a session, do that in it, and close it.

    Args:
        where: an address, or the command to start.
        work: what to do.
        mode: `legacy` is as clients did before 2026.
        key: sent with every request to an address.
    """

    async def session() -> T:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with httpx2.AsyncClient(headers=headers, timeout=SECONDS, trust_env=False) as http:
            to = streamable_http_client(where, http_client=http) if isinstance(where, str) else where
            return await held(to)

    async def held(to: Any) -> T:  # noqa: ANN401 - the client's own choice
        async with asyncio.timeout(SECONDS), Client(to, mode=mode) as client:
            return await work(Assistant(client))

    return asyncio.run(session())


def use(where: str | StdioServerParameters, tool: str, **arguments: Any) -> Given:  # noqa: ANN401 - any JSON value
    """Call one tool in a session of its own."""
    return talk(where, lambda assistant: assistant.use(tool, **arguments))
