"""The security headers of every answer: they allow a browser little."""

from collections.abc import Mapping

from flask import Flask, Response, g, request

#: Everything that pages load comes from this site, and nothing is inline, so a script that an attacker gets into a page
#: does not run. Bootstrap's style sheet draws its small signs with data: pictures.
SOURCES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "object-src": "'none'",
}


def content_security_policy(sources: Mapping[str, str]) -> str:
    """The header that allows these sources and no others."""
    return "; ".join(f"{kind} {allowed}" for kind, allowed in sources.items())


_HEADERS = {
    "Content-Security-Policy": content_security_policy(SOURCES),
    # An uploaded file is never interpreted as a page or a script.
    "X-Content-Type-Options": "nosniff",
    # Other sites get no Referer; this one does, because over HTTPS the CSRF check needs it.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: For two years the browser asks this host over HTTPS only. Other hosts of the domain are not ours to decide about.
_STRICT_TRANSPORT_SECURITY = "max-age=63072000"


#: Pages that are the same for all, besides static files: browsers may cache these, and no others.
_FOR_EVERYBODY = frozenset({"help", "api_reference"})


def init_app(app: Flask) -> None:
    """Set the headers on every answer of ``app``."""
    app.after_request(_add)


def _add(response: Response) -> Response:
    response.headers.update(_HEADERS)
    if request.endpoint != "static" and request.blueprint not in _FOR_EVERYBODY:
        # Above all, the Back button must bring back neither old counters nor what the next user must not see.
        response.headers.setdefault("Cache-Control", "no-store")
    # rq-dashboard's page has another policy: see queues.
    if policy := g.get("content_security_policy"):
        response.headers["Content-Security-Policy"] = policy
    # The router's redirects are absolute, with the Host header, which a client can forge.
    if response.location and response.location.startswith(request.host_url):
        response.location = "/" + response.location.removeprefix(request.host_url).lstrip("/")
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = _STRICT_TRANSPORT_SECURITY
    return response
