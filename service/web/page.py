"""The page at `/` and its files, with headers that let nothing but them run."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from service.errors import NotFound
from service.web import assets
from service.web.assets import Asset

router = APIRouter(include_in_schema=False)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types unabridged"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
FOR_GOOD = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"


@router.get("/")
def show_page(request: Request) -> Response:
    """Send the page."""
    return _sent(request, assets.load().page, ASK_AGAIN)


@router.get("/static/{path:path}")
def send_file(request: Request, path: str) -> Response:
    """Send one of the page's files; under the version's own address it may be kept for good.

    Raises:
        NotFound: the page has no such file, or not in that version.
    """
    known = assets.load()
    version, _, rest = path.partition("/")
    is_versioned = version == known.version
    asset = known.files.get(rest if is_versioned else path)
    if asset is None:
        raise NotFound("The page has no such file. Load the page again: a newer version may be running.")
    return _sent(request, asset, FOR_GOOD if is_versioned else ASK_AGAIN)


def _sent(request: Request, asset: Asset, caching: str) -> Response:
    headers = {**HEADERS, "Cache-Control": caching, "ETag": asset.tag}
    if asset.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.packed, media_type=asset.media_type, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)
