"""A provider's batches: a file of lines goes up, a batch is made over it, its replies come down as files."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import httpx

from service.errors import ProviderError, ProviderInDoubt, ProviderRefused, ProviderUnavailable
from service.provider import BatchLine, ChatRequest, ProviderBatch, Reply, errors, wire
from service.provider.profiles import Profile
from service.provider.redaction import Redaction

ENDPOINT = "/v1/chat/completions"
MARK = "unabridged"
"""Names our own file in a batch's metadata: how a batch is found whose creation was never confirmed."""

_PAGE = 100
_MOST_PAGES = 1000
_ERROR_BYTES = 64 * 1024
_NOT_THERE = frozenset({404, 405, 501})
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_REFUSED_BELOW = 500


class HttpBatches:
    """Batches over HTTP, in OpenAI's form. Nothing here is tried again: who asks knows when to."""

    def __init__(self, client: httpx.AsyncClient, profile: Profile, key: str) -> None:
        self._client = client
        self._profile = profile
        self._redaction = Redaction(key)

    @property
    def file_bytes(self) -> int:
        """The most bytes of a file."""
        return self._profile.batch_file_bytes

    @property
    def file_lines(self) -> int:
        """The most lines of a file."""
        return self._profile.batch_file_lines

    def line(self, call_id: str, request: ChatRequest) -> bytes:
        """Return a request as a line; its tier is the batch's own.

        Raises:
            Invalid: no provider would take it.
        """
        body = wire.body(replace(request, stream=False, service_tier=None), self._profile)
        del body["stream"]
        fields = {"custom_id": call_id, "method": "POST", "url": ENDPOINT, "body": body}
        return wire.encoded(fields) + b"\n"

    async def offered(self) -> bool:
        """Whether the provider has batches at all.

        Raises:
            ProviderError: it can't be told.
        """
        try:
            await self._asked("GET", "batches", params={"limit": "1"})
        except _Status as error:
            if error.status in _NOT_THERE:
                return False
            raise error.meaning() from error
        return True

    async def upload(self, name: str, content: AsyncIterator[bytes], size: int) -> str:
        """Upload a file of lines; return its id. Costs nothing, and may be done again.

        Raises:
            ProviderError: it did not arrive.
        """
        boundary = secrets.token_hex(16)
        head, tail = _around(boundary, name)
        headers = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "content-length": str(len(head) + size + len(tail)),
        }
        payload = await self._said("POST", "files", content=_framed(head, content, tail), headers=headers)
        return _text_of(payload, "id")

    async def create(self, input_id: str, mark: str) -> ProviderBatch:
        """Make a batch over an uploaded file: the paid act.

        Raises:
            ProviderUnavailable, ProviderRefused: surely none was made.
            ProviderInDoubt: one may have been made; `find` tells.
        """
        fields = {
            "input_file_id": input_id,
            "endpoint": ENDPOINT,
            "completion_window": "24h",
            "metadata": {MARK: mark},
        }
        try:
            return _batch(await self._asked("POST", "batches", content=wire.encoded(fields)))
        except _Status as error:
            if error.status < _REFUSED_BELOW:
                raise error.meaning() from error
            raise ProviderInDoubt(f"The provider failed ({error.status}); a batch may exist.") from error
        except ProviderUnavailable:
            raise
        except ProviderError as error:
            raise ProviderInDoubt(error.detail) from error

    async def get(self, provider_id: str) -> ProviderBatch:
        """Return a batch as it stands.

        Raises:
            ProviderError: it can't be told.
        """
        return _batch(await self._said("GET", f"batches/{provider_id}"))

    async def find(self, mark: str, *, since: datetime) -> ProviderBatch | None:
        """Return the batch that was made with that mark; None where there is none since then.

        Raises:
            ProviderError: the list can't be read to its end.
        """
        after: str | None = None
        for _ in range(_MOST_PAGES):
            params = {"limit": str(_PAGE)} | ({"after": after} if after else {})
            page = await self._said("GET", "batches", params=params)
            listed = [one for one in page.get("data") or () if isinstance(one, dict)]
            for one in listed:
                if (one.get("metadata") or {}).get(MARK) == mark:
                    return _batch(one)
            oldest = min((_moment(one.get("created_at")) or since for one in listed), default=since)
            if not page.get("has_more") or not listed or oldest < since:
                return None
            after = _text_of(listed[-1], "id")
        raise ProviderRefused("The provider's list of batches does not end.")

    async def cancel(self, provider_id: str) -> None:
        """Ask for a batch to be stopped; what is done by then is kept and billed.

        Raises:
            ProviderError: it did not take that.
        """
        await self._said("POST", f"batches/{provider_id}/cancel")

    async def delete(self, file_id: str) -> None:
        """Delete a file; one that is gone already is fine.

        Raises:
            ProviderError: it can't be told whether it is gone.
        """
        try:
            await self._asked("DELETE", f"files/{file_id}")
        except _Status as error:
            if error.status != httpx.codes.NOT_FOUND:
                raise error.meaning() from error

    async def download(self, file_id: str) -> AsyncGenerator[bytes, None]:
        """Yield a file's bytes as they come.

        Raises:
            ProviderError: it broke off.
        """
        request = self._client.build_request("GET", f"files/{file_id}/content")
        try:
            response = await self._client.send(request, stream=True)
            try:
                await _check(response, self._redaction)
                source = cast("AsyncGenerator[bytes, None]", response.aiter_bytes())
                async with aclosing(source) as chunks:
                    async for chunk in chunks:
                        yield chunk
            finally:
                await response.aclose()
        except _Status as error:
            raise error.meaning() from error
        except httpx.RequestError as error:
            raise _broken(error) from error

    def read(self, text: bytes | str) -> BatchLine | None:
        """Return a line of an output or error file; None for what is no line at all."""
        try:
            fields = wire.decoded(text)
        except wire.Malformed:
            return None
        custom_id, response = fields.get("custom_id"), fields.get("response")
        if not isinstance(custom_id, str):
            return None
        if isinstance(response, dict) and response.get("status_code") == httpx.codes.OK:
            return BatchLine(custom_id, reply=_reply(response))
        status = response.get("status_code") if isinstance(response, dict) else None
        source = response.get("body") if isinstance(response, dict) else fields
        failure = errors.read_failure(source)
        said = self._redaction.shown(failure.message) or f"The provider refused the line ({status})."
        return BatchLine(custom_id, code=failure.code or "provider_error", detail=said)

    async def _said(self, method: str, path: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - httpx's own
        try:
            return await self._asked(method, path, **more)
        except _Status as error:
            raise error.meaning() from error

    async def _asked(self, method: str, path: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - the same
        """Return the JSON of a reply.

        Raises:
            _Status: it is an error.
            ProviderError: none came whole.
        """
        try:
            response = await self._client.request(method, path, **more)
        except httpx.RequestError as error:
            raise _broken(error) from error
        await _check(response, self._redaction)
        try:
            return wire.decoded(response.content)
        except wire.Malformed as error:
            raise ProviderError(f"The provider's reply can't be read ({error}).") from error


class _Status(Exception):
    """A reply that is an error."""

    def __init__(self, status: int, error: ProviderError) -> None:
        super().__init__(error.detail)
        self.status = status
        self._error = error

    def meaning(self) -> ProviderError:
        """What it means to a user."""
        return self._error


async def _check(response: httpx.Response, redaction: Redaction) -> None:
    if response.is_success:
        return
    body = (await response.aread())[:_ERROR_BYTES]
    headers = {name.lower(): value for name, value in response.headers.items()}
    now = datetime.now(UTC)
    error = errors.refusal(response.status_code, body, headers, redaction=redaction, now=now).error
    if response.status_code >= _REFUSED_BELOW:
        error = ProviderUnavailable(error.detail)
    raise _Status(response.status_code, error)


def _broken(error: httpx.RequestError) -> ProviderError:
    why = type(error).__name__
    if isinstance(error, _UNSENT):
        return ProviderUnavailable(f"No connection to the provider ({why}). Nothing was sent.")
    return ProviderError(f"The connection to the provider broke ({why}).")


def _reply(response: dict[str, Any]) -> Reply | None:
    """The reply of a line; None where it can't be read, so that nobody knows what was billed."""
    try:
        reply = wire.reply(response.get("body") or {})
    except wire.Malformed:
        return None
    request_id = response.get("request_id")
    return replace(reply, request_id=request_id if isinstance(request_id, str) else None)


def _batch(fields: dict[str, Any]) -> ProviderBatch:
    counts = fields.get("request_counts") or {}
    found = _errors_of(fields)
    return ProviderBatch(
        id=_text_of(fields, "id"),
        status=_text_of(fields, "status"),
        done=int(counts.get("completed") or 0),
        failed=int(counts.get("failed") or 0),
        output_id=fields.get("output_file_id") or None,
        errors_id=fields.get("error_file_id") or None,
        expires_at=_moment(fields.get("expires_at")),
        code=str(found[0].get("code") or "") or None if found else None,
        detail=str(found[0].get("message") or "") if found else "",
        bad_lines=tuple(one["line"] for one in found if isinstance(one.get("line"), int)),
    )


def _errors_of(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Return why a batch failed as a whole."""
    told = fields.get("errors")
    data = told.get("data") if isinstance(told, dict) else None
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []


def _text_of(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise ProviderError(f"The provider's reply names no {name}.")
    return value


def _moment(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    return datetime.fromtimestamp(value, UTC)


def _around(boundary: str, name: str) -> tuple[bytes, bytes]:
    """What stands before and behind the file in a multipart body (RFC 7578)."""
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    )
    return head.encode(), f"\r\n--{boundary}--\r\n".encode()


async def _framed(head: bytes, content: AsyncIterator[bytes], tail: bytes) -> AsyncGenerator[bytes, None]:
    yield head
    async for chunk in content:
        yield chunk
    yield tail
