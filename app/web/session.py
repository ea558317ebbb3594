"""The signed-in seller of a request, and safe redirects."""

import hashlib
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, flash, redirect, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user
from itsdangerous import Signer

from app import audit
from app.audit import Actor
from app.extensions import login_manager
from app.models import Seller
from app.web.live_page import is_fragment_request


class _Sessions(SecureCookieSessionInterface):
    """Flask's session interface, but signing with SHA-256 instead of SHA-1."""

    digest_method = staticmethod(hashlib.sha256)


def init_app(app: Flask) -> None:
    """Sign the cookie and CSRF tokens with SHA-256, and send clients that are not signed in to the sign-in page."""
    login_manager.unauthorized_handler(send_to_sign_in)
    app.session_interface = _Sessions()
    # Flask-WTF creates its own signers and has no setting for this.
    Signer.default_digest_method = staticmethod(hashlib.sha256)


def require_seller(back: str | None = None) -> ResponseReturnValue | None:
    """Redirect clients that are not signed in to the sign-in page; a blueprint runs this before each of its views.

    ``back`` is the page that a button of this address is on.
    """
    if current_user.is_authenticated:
        audit.act_as(Actor(seller_id(), current_user.email, "web", request.remote_addr or ""))
        return None
    return send_to_sign_in(back)


def require_operator() -> ResponseReturnValue | None:
    """Redirect clients that are not signed in to the sign-in page, and answer 404 to sellers who are not operators."""
    answer = require_seller()
    if answer is None and not current_user.is_operator:
        abort(404)
    return answer


def send_to_sign_in(back: str | None = None) -> ResponseReturnValue:
    """The answer to a client that is not signed in: the sign-in page, which leads back to this one.

    Where this one only takes what a button sends, it leads ``back`` to the page of the button.
    """
    if not is_fragment_request():
        if request.method != "GET":
            flash("You were signed out before you pressed the button, so nothing was changed. Please sign in.", "info")
        wanted = requested_path() if _is_page() else back
        return redirect(url_for("accounts.login", next=wanted))
    # A script would follow a redirect and insert the sign-in page into the middle of another; htmx takes
    # the whole browser there when it is told so.
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    wanted = f"{page.path}?{page.query}" if page.query else page.path
    return Response(status=401, headers={"HX-Redirect": url_for("accounts.login", next=local_path(wanted))})


def _is_page() -> bool:
    """Whether the address of this request shows a page, whatever its method."""
    adapter = current_app.create_url_adapter(request)
    return adapter is not None and adapter.test(method="GET")


def seller_id() -> int:
    """The id of the signed-in seller."""
    return int(current_user.id)


def secret() -> str:
    """The session secret that this browser presents."""
    return str(session["_user_id"])


def carry(seller: Seller, shown: str) -> None:
    """Store the secret ``shown`` of a session of ``seller`` in this browser's cookie.

    Everything that was in the cookie before is dropped, the CSRF token included: an attacker may have put it there.
    """
    session.clear()
    seller.session_secret = shown
    login_user(seller)
    session.permanent = True


def requested_path() -> str:
    """The path and query of this request as its browser knows them, including the path of ``PUBLIC_URL``."""
    return request.script_root + request.full_path.removesuffix("?")


def next_path(otherwise: str) -> str:
    """Where the request says to go next (``next``), if that is on this site."""
    return local_path(request.values.get("next")) or otherwise


def local_path(target: str | None) -> str | None:
    """``target`` if it is a path on this site, else None: a redirect must not lead to another site."""
    if not target or not target.startswith("/") or not target.isprintable():
        return None
    # Browsers read a backslash as a slash, and two slashes as the beginning of a host.
    if target.replace("\\", "/").startswith("//"):
        return None
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    return None if parts.scheme or parts.netloc else target
