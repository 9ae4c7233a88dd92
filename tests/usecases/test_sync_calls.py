"""Nothing that waits for the store is called on the event loop: held by reading the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
USE_CASES = "service.usecases"
HANDLES = {"ctx", "tx", "run"}
"""First parameters of functions that work on the store."""

WORLDS = {"db", "queue"}
WAITING_BLOBS = {"keep", "discard", "as_path", "hold", "delete", "sweep"}


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _sources() -> dict[str, ast.Module]:
    paths = [path for folder in ("api", "usecases") for path in (ROOT / "service" / folder).glob("*.py")]
    return {_module(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(paths)}


def _waiting(tree: ast.Module) -> set[str]:
    """The module's functions that are no coroutines and take the store's handle first."""
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.args.args and node.args.args[0].arg in HANDLES
    }


def _known(tree: ast.Module, waiting: dict[str, set[str]]) -> set[str]:
    """How the module calls those functions: its own, imported by name, or by their module."""
    known = set(_waiting(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            called = alias.asname or alias.name
            if alias.name in waiting.get(node.module or "", set()):
                known.add(called)
            known.update(f"{called}.{name}" for name in waiting.get(f"{node.module}.{alias.name}", set()))
    return known


def _on_the_loop(function: ast.AsyncFunctionDef) -> Iterator[ast.Call]:
    """The calls of a coroutine's own body, not those of functions within it."""
    inside: list[ast.AST] = list(function.body)
    while inside:
        node = inside.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call):
            yield node
        inside.extend(ast.iter_child_nodes(node))


def _waits(call: ast.Call, known: set[str]) -> bool:
    name = ast.unparse(call.func)
    *path, last = name.split(".")
    world = path[-1] if path else ""
    return name in known or world in WORLDS or (world == "blobs" and last in WAITING_BLOBS)


def offences(module: str, tree: ast.Module, waiting: dict[str, set[str]]) -> list[str]:
    known = _known(tree, waiting)
    return [
        f"{module}:{call.lineno} {ast.unparse(call.func)} in {function.name}: use asyncio.to_thread"
        for function in ast.walk(tree)
        if isinstance(function, ast.AsyncFunctionDef)
        for call in _on_the_loop(function)
        if _waits(call, known)
    ]


def test_no_coroutine_waits_for_the_store() -> None:
    sources = _sources()
    waiting = {name: _waiting(tree) for name, tree in sources.items() if name.startswith(USE_CASES)}
    assert "append" in waiting["service.usecases.arrange_corpus"]
    assert [found for name, tree in sources.items() for found in offences(name, tree, waiting)] == []


@pytest.mark.parametrize(
    "line",
    [
        "with ctx.db.read() as tx: pass",
        "with run.ctx.db.write() as tx: pass",
        "ctx.blobs.discard(received)",
        "arrange_corpus.append(ctx, owner, placed, one)",
        "remove(ctx, 'one')",
        "_own(ctx)",
        "return [_own(ctx) for _ in range(2)]",
    ],
)
def test_what_waits_is_found(line: str) -> None:
    source = (
        "from service.usecases import arrange_corpus\n"
        "from service.usecases.remove_document import remove_document as remove\n"
        "def _own(ctx): ...\n"
        f"async def handler(ctx):\n    {line}\n"
    )
    waiting = {
        "service.usecases.arrange_corpus": {"append"},
        "service.usecases.remove_document": {"remove_document"},
    }
    (found,) = offences("service.api.made_up", ast.parse(source), waiting)
    assert found.startswith("service.api.made_up:5 ")


@pytest.mark.parametrize(
    "line",
    [
        "await asyncio.to_thread(arrange_corpus.append, ctx, owner, placed, one)",
        "await receive(ctx.blobs.receive(chunks))",
        "work = lambda: _own(ctx)",
    ],
)
def test_what_does_not_wait_is_let_be(line: str) -> None:
    source = f"def _own(ctx): ...\nasync def handler(ctx):\n    {line}\n"
    waiting = {"service.usecases.arrange_corpus": {"append"}}
    assert offences("service.api.made_up", ast.parse(source), waiting) == []
