"""Who is looking at a page, and where they go from there."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.extensions import login_manager


def require_seller() -> ResponseReturnValue | None:
    """Send whoever is not signed in to the sign-in page; a blueprint runs this before each of its views."""
    if current_user.is_authenticated:
        return None
    answer: ResponseReturnValue = login_manager.unauthorized()
    return answer


def seller_id() -> int:
    """The id of the signed-in seller."""
    return int(current_user.id)


def local_path(target: str | None) -> str | None:
    """``target`` if it is a path on this very site, else None: a form or a link must not lead people elsewhere."""
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
