"""The command that says what is wrong with an installation, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from service import console, opening
from service.domain.findings import Finding
from service.errors import Invalid

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
_WIDEST = 11


def doctor(
    host: Annotated[str, typer.Option(help="Where the service is to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port it is to listen on.")] = 8000,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check the installation: packages, store, reader, tokenizer, OCR, provider and key, port. Costs nothing.

    Ends with 1 where something does not work.

    Example: unabridged doctor --host 0.0.0.0
    """
    found: list[Finding] = []
    for one in _findings(host, port):
        found.append(one)
        if not json:
            _show(one)
    is_well = all(one.state != "fail" for one in found)
    if json:
        console.as_json({"ok": is_well, "checks": [one.as_dict() for one in found]})
    sys.exit(0 if is_well else 1)


def _findings(host: str, port: int) -> Iterator[Finding]:
    from service import examination  # noqa: PLC0415 - its libraries would slow every other command

    try:
        settings = opening.settings()
    except Invalid as error:
        yield Finding("settings", "fail", error.detail, "docs/settings.md has what each may be.")
        return
    yield Finding("settings", "ok", "They can be read.")
    yield from examination.examine(settings, host=host, port=port)


def _show(one: Finding) -> None:
    """Print a check's line, with what to do next behind it."""
    next_step = f" → {one.do}" if one.do else ""
    out = console.results()
    out.print(f"{one.state:4}", style=_COLOURS[one.state], end="  ")
    out.print(f"{one.check:{_WIDEST}}  {one.detail}{next_step}", markup=False)
