"""The provider's files and batches: lines checked against the contract, counted, billed at batch prices.

    upstream.batches.hold = True          # batches stay in progress until they are told to go on
    upstream.batches.fates["Who"] = Fate(400, "bad")   # what becomes of the line that asks so

A batch is worked off when it is looked at, not by a clock: `steps` says how many looks it takes. What it
bills stands on the upstream's own invoice, each line with its custom_id.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support import contract
from tests.support.asgi import Send, send_body, send_json
from tests.support.contract import Violation

if TYPE_CHECKING:
    from tests.support.upstream import Upstream

MAX_LINES = 50_000
MAX_BYTES = 200_000_000
ENDPOINT = "/v1/chat/completions"
PATHS = ("/v1/files", "/v1/batches")

_LINE_FIELDS = {"custom_id", "method", "url", "body"}
_CREATE_FIELDS = {"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"}


class Dropped(Exception):
    """Raised on purpose: the reply is lost."""


@dataclass
class Made:
    """A batch as it stands here."""

    id: str
    input_id: str
    metadata: dict[str, str]
    status: str
    lines: list[dict[str, Any]]
    looks: int = 0
    completed: int = 0
    failed: int = 0
    output_id: str | None = None
    errors_id: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    created_at: int = 0

    def as_dict(self) -> dict[str, Any]:
        """OpenAI's batch object."""
        ended = self.status in {"completed", "failed", "expired", "cancelled"}
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": ENDPOINT,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.input_id,
            "completion_window": "24h",
            "status": self.status,
            "output_file_id": self.output_id,
            "error_file_id": self.errors_id,
            "created_at": self.created_at,
            "expires_at": self.created_at + 86_400,
            "completed_at": self.created_at + 60 if ended else None,
            "request_counts": {
                "total": len(self.lines),
                "completed": self.completed,
                "failed": self.failed,
            },
            "metadata": self.metadata or None,
        }


@dataclass(frozen=True)
class Fate:
    """What becomes of one line: an error, or a reply with something amiss.

    Attributes:
        status, code: it is refused, and not billed.
        left_out: it is answered and billed, and stands in no file.
        usage: whether its reply tells what was billed.
        garbled: its reply is billed, and can't be read.
    """

    status: int = 200
    code: str | None = None
    left_out: bool = False
    usage: bool = True
    garbled: bool = False


class Batches:
    """What an upstream keeps of files and batches.

    Attributes:
        offered: whether there are any; else every address of theirs is unknown.
        hold: batches stay `in_progress`.
        steps: looks until a batch is completed.
        expire_after, cancel_after: lines that are done when it expires, or is cancelled.
        expires: batches end as expired.
        too_much_above: so many lines, and more, are too much waiting.
        fates: of lines, by what their question holds.
        strays: lines in the output that nobody asked for.
        before: called before an address does its work, and `after` behind it, before its reply; each with
            the method and path. `Dropped` from either loses the connection there.
        made: every batch, by its id.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._numbers = itertools.count(1)
        self._working = threading.Lock()
        self.offered = True
        self.hold = False
        self.steps = 2
        self.expires = False
        self.expire_after = 1
        self.cancel_after = 1
        self.too_much_above: int | None = None
        self.fates: dict[str, Fate] = {}
        self.strays: list[str] = []
        self.before: Callable[[str, str], None] = lambda _method, _path: None
        self.after: Callable[[str, str], None] = lambda _method, _path: None
        self.files: dict[str, bytes] = {}
        self.uploads = 0
        self.made: dict[str, Made] = {}
        self.asked: list[tuple[str, str]] = []

    def answer(self, method: str, path: str, query: dict[str, str], content: bytes) -> tuple[int, Any]:
        """Return the status and the JSON, or the bytes, of a reply."""
        self.asked.append((method, path))
        if not self.offered:
            return _refused(Violation(f"Invalid URL ({method} {path})", status=404))
        self.before(method, path)
        with self._working:
            reply = self._answered(method, path, query, content)
        self.after(method, path)
        return reply

    def _answered(self, method: str, path: str, query: dict[str, str], content: bytes) -> tuple[int, Any]:
        parts = path.removeprefix("/v1/").split("/")
        kind, name, more = (*parts, "", "")[:3]
        routes: dict[tuple[str, str, bool, str], Callable[[], tuple[int, Any]]] = {
            ("POST", "files", False, ""): lambda: self._upload(content),
            ("DELETE", "files", True, ""): lambda: self._delete(name),
            ("GET", "files", True, "content"): lambda: self._content(name),
            ("POST", "batches", False, ""): lambda: self._create(content),
            ("GET", "batches", False, ""): lambda: self._list(query),
            ("GET", "batches", True, ""): lambda: self._get(name),
            ("POST", "batches", True, "cancel"): lambda: self._cancel(name),
        }
        route = routes.get((method, kind, bool(name), more))
        return route() if route else _refused(Violation(f"Invalid URL ({method} {path})", status=404))

    def _delete(self, file_id: str) -> tuple[int, Any]:
        known = self.files.pop(file_id, None) is not None
        return (200, {"id": file_id, "deleted": True}) if known else _missing(file_id)

    def _content(self, file_id: str) -> tuple[int, Any]:
        return (200, self.files[file_id]) if file_id in self.files else _missing(file_id)

    def _upload(self, content: bytes) -> tuple[int, Any]:
        fields = _multipart(content)
        if fields.get("purpose") != b"batch":
            return _refused(self._broken(f"Invalid purpose: {fields.get('purpose')!r}"))
        self.uploads += 1
        file_id = f"file-{next(self._numbers)}"
        self.files[file_id] = fields["file"]
        size = len(fields["file"])
        return 200, {
            "id": file_id,
            "object": "file",
            "bytes": size,
            "purpose": "batch",
            "status": "processed",
        }

    def _create(self, content: bytes) -> tuple[int, Any]:
        body = json.loads(content)
        if set(body) - _CREATE_FIELDS or body["endpoint"] != ENDPOINT or body["completion_window"] != "24h":
            return _refused(self._broken(f"Invalid batch: {body}"))
        if body["input_file_id"] not in self.files:
            return _refused(Violation(f"No such File object: {body['input_file_id']}", param="input_file_id"))
        source = self.files[body["input_file_id"]]
        lines = [json.loads(line) for line in source.splitlines()]
        made = Made(
            id=f"batch_{next(self._numbers)}",
            input_id=body["input_file_id"],
            metadata=body.get("metadata") or {},
            status="validating",
            lines=lines,
            created_at=int(time.time()),
        )
        self._validate(made, len(source))
        self.made[made.id] = made
        return 200, made.as_dict()

    def _validate(self, made: Made, size: int) -> None:
        found: list[dict[str, Any]] = []
        names = [line["custom_id"] for line in made.lines]
        if len(made.lines) > MAX_LINES or size > MAX_BYTES or len(set(names)) < len(names):
            found.append(
                {"code": "invalid_file", "message": f"{len(names)} lines, {size} bytes", "line": None}
            )
        for number, line in enumerate(made.lines, 1):
            against = self._against(line)
            if against is not None:
                found.append({"code": "invalid_request", "message": against.message, "line": number})
                self._broken(against.message)
        if len({line["body"]["model"] for line in made.lines}) > 1:
            found.append({"code": "mismatched_model", "message": "One model a file.", "line": None})
        if self.too_much_above is not None and len(made.lines) > self.too_much_above:
            text = f"Enqueued token limit reached for {made.lines[0]['body']['model']}."
            found.append({"code": "token_limit_exceeded", "message": text, "line": None})
        for code in {fate.code for fate in self.fates.values() if fate.status == 0}:
            bad = [n for n, line in enumerate(made.lines, 1) if self._fate(line).code == code]
            found += [{"code": code, "message": "This line is bad.", "line": n} for n in bad]
        if found:
            made.status, made.errors = "failed", found

    def _against(self, line: dict[str, Any]) -> Violation | None:
        body = line.get("body")
        if set(line) != _LINE_FIELDS or line["method"] != "POST" or line["url"] != ENDPOINT:
            return Violation(f"Invalid line: {sorted(line)}")
        if not isinstance(body, dict) or body.get("stream") or "service_tier" in body:
            return Violation("A line is neither streamed nor of another tier.")
        against = contract.check(body, models=("gpt-5.5", "gpt-5.5-2026-04-23"))
        schema = None if against else contract.check_schema(body)
        return against or (Violation(f"Against the published schema: {schema}") if schema else None)

    def _list(self, query: dict[str, str]) -> tuple[int, Any]:
        newest = list(reversed(self.made.values()))
        ids = [one.id for one in newest]
        start = ids.index(query["after"]) + 1 if query.get("after") in ids else 0
        shown = newest[start : start + min(int(query.get("limit", 20)), 2)]  # short pages, to be followed
        more = start + len(shown) < len(newest)
        return 200, {"object": "list", "data": [one.as_dict() for one in shown], "has_more": more}

    def _get(self, batch_id: str) -> tuple[int, Any]:
        made = self.made.get(batch_id)
        if made is None:
            return _missing(batch_id)
        made.looks += 1
        if made.status in {"validating", "in_progress", "finalizing"}:
            made.status = "in_progress" if made.looks < self.steps or self.hold else "finalizing"
            if made.status == "finalizing" and made.looks > self.steps:
                self._finish(made)
        elif made.status == "cancelling":
            self._end(made, "cancelled", self.cancel_after)
        return 200, made.as_dict()

    def _finish(self, made: Made) -> None:
        if self.expires:
            self._end(made, "expired", self.expire_after)
        else:
            self._end(made, "completed", len(made.lines))

    def _cancel(self, batch_id: str) -> tuple[int, Any]:
        made = self.made.get(batch_id)
        if made is None:
            return _missing(batch_id)
        if made.status not in {"validating", "in_progress", "finalizing", "cancelling"}:
            text = f"Cannot cancel a batch with status '{made.status}'."
            return _refused(Violation(text, status=409))
        made.status = "cancelling"
        return 200, made.as_dict()

    def _end(self, made: Made, status: str, done: int) -> None:
        """Answer and bill so many lines, refuse the others, and write both files in an order of their own."""
        order = list(made.lines)
        random.Random(made.id).shuffle(order)  # noqa: S311 - made up
        output: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        for number, line in enumerate(order):
            fate = self._fate(line)
            if number >= done:
                if status != "cancelled":  # of a cancelled batch some lines stand nowhere
                    refused.append(_error(line, f"batch_{status}", "It was not executed in time."))
            elif fate.status != 200:
                refused.append(_refusal(line, fate))
                made.failed += 1
            else:
                made.completed += 1
                written = self._reply(line, fate)
                output += [] if fate.left_out else [written]
        made.status = status
        stray = [json.dumps({**output[0], "custom_id": name}) if output else "{}" for name in self.strays]
        made.output_id = self._written([*stray, *map(json.dumps, output)])
        made.errors_id = self._written(list(map(json.dumps, refused)))

    def _fate(self, line: dict[str, Any]) -> Fate:
        said = json.dumps(line["body"]["messages"][-1])
        return next((fate for words, fate in self.fates.items() if words in said), Fate())

    def _reply(self, line: dict[str, Any], fate: Fate) -> dict[str, Any]:
        payload, billed = self._upstream.batch_reply(line["body"])
        self._upstream.invoice.append(billed)
        if not fate.usage:
            del payload["usage"]
        if fate.garbled:
            payload = {"id": payload["id"], "object": "chat.completion", "choices": []}
        return {
            "id": f"batch_req_{next(self._numbers)}",
            "custom_id": line["custom_id"],
            "response": {"status_code": 200, "request_id": billed.request_id, "body": payload},
            "error": None,
        }

    def _written(self, lines: list[str]) -> str | None:
        if not lines:
            return None
        file_id = f"file-{next(self._numbers)}"
        self.files[file_id] = "".join(f"{line}\n" for line in lines).encode()
        return file_id

    def _broken(self, text: str) -> Violation:
        self._upstream.violations.append(text)
        return Violation(text)


async def send(reply: tuple[int, Any], send: Send) -> None:
    """Send a reply: JSON, or the bytes of a file."""
    status, payload = reply
    if isinstance(payload, bytes):
        await send_body(send, status, payload, (("content-type", "application/octet-stream"),))
    else:
        await send_json(send, status, payload)


def _refused(violation: Violation) -> tuple[int, Any]:
    return violation.status, violation.envelope()


def _missing(name: str) -> tuple[int, Any]:
    return _refused(Violation(f"No such object: {name}", status=404))


def _refusal(line: dict[str, Any], fate: Fate) -> dict[str, Any]:
    body = {"error": {"message": "This line was refused.", "type": "error", "code": fate.code}}
    response = {"status_code": fate.status, "request_id": "req_refused", "body": body}
    return {"id": "batch_req_0", "custom_id": line["custom_id"], "response": response, "error": None}


def _error(line: dict[str, Any], code: str, message: str) -> dict[str, Any]:
    error = {"code": code, "message": message}
    return {"id": "batch_req_0", "custom_id": line["custom_id"], "response": None, "error": error}


def _multipart(content: bytes) -> dict[str, bytes]:
    """The fields of a multipart body, read as it is framed."""
    boundary = content.partition(b"\r\n")[0]
    assert content.endswith(boundary + b"--\r\n"), "the body has its end"
    found: dict[str, bytes] = {}
    for part in content.split(boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = re.search(rb' name="([^"]+)"', head)
        assert name is not None
        found[name[1].decode()] = value.removesuffix(b"\r\n")
    return found
