"""Pieces of the page that are made here rather than in the browser: a model's text as HTML."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from service.api.access import tenant
from service.api.schemas import Body
from service.web.rendering import render

MAX_CHARS = 100_000
"""Of one request; who has more sends what is not settled, again and again."""

NEVER_A_PAGE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

router = APIRouter(prefix="/web", include_in_schema=False)


class Text(Body):
    """What is to be shown: an answer, or what of it follows the lines that are settled."""

    text: str = Field(max_length=MAX_CHARS)
    first_mark: int = Field(default=0, ge=0, le=10**6)


class Fragment(BaseModel):
    """What it looks like, in two pieces: what stays as it is, and what may change with what follows.

    Attributes:
        lines: of the text that the settled piece takes.
        marks: of citations in them.
    """

    settled: str
    open: str
    lines: int
    marks: int


@router.post("/markdown")
async def show_markdown(response: Response, owner: Annotated[str, Depends(tenant)], body: Text) -> Fragment:
    """Return Markdown as HTML that holds no script, no picture and no style; nothing is kept."""
    del owner
    response.headers.update(NEVER_A_PAGE)
    made = await asyncio.to_thread(render, body.text, first_mark=body.first_mark)
    return Fragment(settled=made.settled, open=made.open, lines=made.lines, marks=made.marks)
