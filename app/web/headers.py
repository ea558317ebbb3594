"""The headers that every answer carries: what a browser may do with a page of Sluice, which is little."""

from __future__ import annotations

from flask import Flask, Response, g, request

#: All that pages need comes from this site, and nothing of it stands inline, so a script that somebody manages to get
#: into a page does not run. Bootstrap's style sheet draws its small signs with data: pictures.
_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "object-src 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    # A file that somebody uploaded is never taken for a page or a script.
    "X-Content-Type-Options": "nosniff",
    # Other sites learn no address; this one does, because over HTTPS the CSRF check reads where a form came from.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: For two years the browser asks this host over HTTPS only. Other hosts of the domain are not ours to decide about.
_STRICT_TRANSPORT_SECURITY = "max-age=63072000"


#: What everybody gets the same, beside static files: browsers may keep these pages, and no others.
_FOR_EVERYBODY = frozenset({"help", "api_reference"})


def init_app(app: Flask) -> None:
    """Give every answer of ``app`` the headers."""
    app.after_request(_add)


def _add(response: Response) -> Response:
    response.headers.update(_HEADERS)
    if request.endpoint != "static" and request.blueprint not in _FOR_EVERYBODY:
        response.headers.setdefault("Cache-Control", "no-store")
    # The one page that is not ours has one of its own: see queues.
    if policy := g.get("content_security_policy"):
        response.headers["Content-Security-Policy"] = policy
    # Redirects of the router's are absolute, by a Host that whoever asks may have made up.
    if response.location and response.location.startswith(request.host_url):
        response.location = "/" + response.location.removeprefix(request.host_url).lstrip("/")
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = _STRICT_TRANSPORT_SECURITY
    return response
