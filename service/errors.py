"""Everything that can go wrong, as a user meets it.

UnabridgedError
├── NotFound                        no such document, corpus, plan or answer
├── Invalid                         the request does not fit
│   ├── UnsupportedParameter        the model, or who serves it, does not take it
│   └── NoBatches                   who answers takes none
├── Conflict                        the state does not allow it now
│   ├── DocumentNotReady  DocumentFailed  IndexNotReady
│   ├── PlanChanged  ProviderChanged
│   └── OverThreshold               the long-context price was not accepted
├── PlanExpired
├── OverWindow                      more input than the model takes
├── OverMaxCost  BudgetExceeded     the ceiling does not fit the money
├── TooLarge                        an upload over the limit
├── NoImage                         a page that cannot be drawn
├── KeyNeeded                       no key was sent, or none that holds
├── SchemaOutdated  StoreUnavailable  NotAllowed     the installation does not allow it
└── ProviderError                   the model's side failed
    ├── ProviderUnsent              surely not billed: nothing reached the provider
    │   └── ProviderUnavailable
    ├── ProviderRefused             surely not billed: answered with an error
    │   ├── RateLimited  RequestExceedsProviderRate
    │   ├── OverProviderWindow
    │   └── QuotaExhausted
    └── ProviderInDoubt             may have been billed: sent, and no whole reply came
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Fix:
    """One concrete way out of an error: what to do, and what it takes or saves (all JSON-ready)."""

    do: str
    detail: str = ""
    values: tuple[tuple[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The JSON form of the REST contract."""
        return {"do": self.do, **({"detail": self.detail} if self.detail else {}), **dict(self.values)}


class UnabridgedError(Exception):
    """Base of all errors of the service.

    Attributes:
        code: stable, snake_case, part of the REST contract.
        status: the HTTP status it maps to.
        exit_code: the command line's exit code (0 done, 1 failed, 2 usage, 3 price or window, 4 unreadable).
        fixes: concrete ways out.
    """

    code: ClassVar[str] = "failed"
    title: ClassVar[str] = "The request failed"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, detail: str, *, fixes: tuple[Fix, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fixes = fixes


class NotFound(UnabridgedError):
    """Nothing has that id (or it belongs to someone else, which looks the same)."""

    code = "not_found"
    title = "Not found"
    status = 404


class Invalid(UnabridgedError):
    """The request does not fit its form or its model."""

    code = "invalid_request"
    title = "The request does not fit"
    status = 422
    exit_code = 2


class UnsupportedParameter(Invalid):
    """A parameter, or its value, that the model or its provider is known not to take.

    Attributes:
        param: its name.
    """

    code = "unsupported_parameter"
    title = "The model does not take the parameter"

    def __init__(self, detail: str, *, param: str, fixes: tuple[Fix, ...] = ()) -> None:
        super().__init__(detail, fixes=fixes)
        self.param = param


class NoBatches(Invalid):
    """Whoever answers has no batches."""

    code = "batches_not_offered"
    title = "There are no batches here"


class Conflict(UnabridgedError):
    """The state of things does not allow it now."""

    code = "conflict"
    title = "Not possible in this state"
    status = 409


class DocumentNotReady(Conflict):
    """A document in the question is still being read."""

    code = "document_not_ready"
    title = "A document is not ready yet"


class DocumentFailed(Conflict):
    """A document in the question could not be read."""

    code = "document_failed"
    title = "A document could not be read"
    exit_code = 4


class IndexNotReady(Conflict):
    """The pages are still being indexed, and what is asked depends on it."""

    code = "index_building"
    title = "The pages are not indexed yet"


class PlanChanged(Conflict):
    """A document, a count or a price moved since the plan was made."""

    code = "plan_changed"
    title = "The plan no longer holds"


class ProviderChanged(Conflict):
    """The question was accepted for another engine than the one that is configured now."""

    code = "provider_changed"
    title = "The provider has changed since the question was accepted"


class OverThreshold(Conflict):
    """The input passes the long-context threshold and the caller did not accept its price."""

    code = "over_threshold"
    title = "The input passes the long-context threshold"
    exit_code = 3


class PlanExpired(UnabridgedError):
    """The plan's time is over."""

    code = "plan_expired"
    title = "The plan has expired"
    status = 410


class OverWindow(UnabridgedError):
    """More input than the model takes."""

    code = "over_window"
    title = "The input does not fit the model's window"
    status = 422
    exit_code = 3


class OverMaxCost(UnabridgedError):
    """The plan's ceiling is above the caller's limit."""

    code = "over_max_cost"
    title = "The ceiling is above max_cost_usd"
    status = 402
    exit_code = 3


class BudgetExceeded(UnabridgedError):
    """A budget cannot hold the plan's ceiling."""

    code = "budget_exceeded"
    title = "A budget can't hold the ceiling"
    status = 402
    exit_code = 3


class TooLarge(UnabridgedError):
    """An upload passes the size limit."""

    code = "too_large"
    title = "Too large"
    status = 413
    exit_code = 4


class NoImage(UnabridgedError):
    """A page can't be shown as a picture; its text can."""

    code = "no_image"
    title = "There is no picture of the page"
    status = 422
    exit_code = 4


class SchemaOutdated(UnabridgedError):
    """The store's schema is not the one this version works on."""

    code = "schema_outdated"
    title = "The store needs a migration"
    status = 503


class StoreUnavailable(UnabridgedError):
    """The database or the file store cannot be used just now: locked, full or out of reach."""

    code = "store_unavailable"
    title = "The store can't be used just now"
    status = 503


class KeyNeeded(UnabridgedError):
    """No key was sent, or none that holds: unknown, revoked and expired ones look the same."""

    code = "unauthorized"
    title = "A key is needed"
    status = 401


class NotAllowed(UnabridgedError):
    """The installation does not allow the request."""

    code = "not_allowed"
    title = "Not allowed"
    status = 403


class ProviderError(UnabridgedError):
    """The model's side failed.

    Attributes:
        provider_code: the provider's own code, where it sent one.
        raw: the provider's error body, for the record (never shown whole: it may echo the request).
    """

    code = "provider_error"
    title = "The provider failed"
    status = 502

    def __init__(
        self,
        detail: str,
        *,
        provider_code: str | None = None,
        raw: dict[str, Any] | None = None,
        fixes: tuple[Fix, ...] = (),
    ) -> None:
        super().__init__(detail, fixes=fixes)
        self.provider_code = provider_code
        self.raw = raw or {}


class ProviderUnsent(ProviderError):
    """Nothing reached the provider: surely not billed, safe to send again."""


class ProviderUnavailable(ProviderUnsent):
    """No connection could be made."""

    code = "provider_unavailable"
    title = "The provider can't be reached"
    status = 503


class ProviderRefused(ProviderError):
    """The provider answered with an error: surely not billed."""


class RateLimited(ProviderRefused):
    """The provider's rate limit, still there after the retries."""

    code = "rate_limited"
    title = "The provider's rate limit"
    status = 429


class RequestExceedsProviderRate(ProviderRefused):
    """The request is larger than the rate limit itself: no retry can cure it."""

    code = "request_exceeds_provider_rate"
    title = "The request is larger than the provider's rate limit"
    status = 422
    exit_code = 3


class OverProviderWindow(ProviderRefused):
    """The provider counted more input than the model takes: OverWindow, found on the other side."""

    code = "over_window"
    title = "The input does not fit the provider's window"
    status = 422
    exit_code = 3


class QuotaExhausted(ProviderRefused):
    """The provider account has no money or quota left."""

    title = "The provider account's quota is used up"


class ProviderInDoubt(ProviderError):
    """Sent, and no whole reply came: it may have been billed and is never repeated by itself.

    Attributes:
        partial_text: what had come of the answer.
    """

    title = "The provider's reply broke off"

    def __init__(self, detail: str, *, partial_text: str = "", **more: Any) -> None:  # noqa: ANN401 - passed on whole
        super().__init__(detail, **more)
        self.partial_text = partial_text
