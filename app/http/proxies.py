"""Restores what a proxy changes about a request: the client's address, the scheme, and the path."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app.config import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def init_app(app: Flask) -> None:
    """Have ``app`` see requests as their clients sent them."""
    settings: Settings = app.extensions["sluice_settings"]
    if path := settings.public_path:
        app.wsgi_app = _under(path, app.wsgi_app)  # type: ignore[assignment,method-assign]
    if settings.trusted_proxies:
        # Every proxy adds an address to X-Forwarded-For. X-Forwarded-Proto is one word, which the last proxy decides.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies, x_proto=1)  # type: ignore[method-assign]


def _under(path: str, application: WSGIApplication) -> WSGIApplication:
    """``application`` below ``path`` of a site, whether the proxy passes the path on or strips it."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        requested = environ["PATH_INFO"]
        if f"{requested}/".startswith(f"{path}/"):
            environ["PATH_INFO"] = requested.removeprefix(path)
        environ["SCRIPT_NAME"] = path
        return application(environ, start_response)

    return serve
