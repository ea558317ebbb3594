"""API tokens: the page on which sellers make and revoke them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from app import tokens
from app.statuses import TokenScope
from app.tokens import TokenError, TokenNotFound
from app.web.session import require_seller, seller_id

blueprint = Blueprint("tokens", __name__, url_prefix="/settings/tokens")
blueprint.before_request(require_seller)

#: How long a token holds, as the form offers it; 0: until it is revoked.
_DAYS = {30: "30 days", 90: "90 days", 365: "A year", 0: "Until I revoke it"}
_USUAL_DAYS = 90

_SCOPES = {TokenScope.READ: "Read only", TokenScope.READ_WRITE: "Read and write"}

#: Where a new token waits in the session for the page that shows it, once.
_MADE = "made_token"


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The seller's tokens, the form for another one, and a token that was just made, this once."""
    return _render(made=session.pop(_MADE, None))


@blueprint.post("")
def create() -> ResponseReturnValue:
    """Make a token; 303 to the page that shows it, or the form again with what is wrong."""
    scope = request.form.get("scope", type=TokenScope)
    days = request.form.get("days", type=int)
    if scope is None:
        return _render("Say what the token may do."), 422
    if days not in _DAYS:
        return _render("Say how long the token holds."), 422
    try:
        _, secret = tokens.create(seller_id(), request.form.get("name", ""), scope=scope, days=days or None)
    except TokenError as error:
        return _render(str(error)), 422
    session[_MADE] = secret
    return redirect(url_for("tokens.index"), 303)


@blueprint.post("/<uuid:public_id>/revoke")
def revoke(public_id: uuid.UUID) -> ResponseReturnValue:
    """Make a token worthless at once."""
    try:
        name = tokens.revoke(seller_id(), public_id)
    except TokenNotFound as error:
        raise NotFound from error
    flash(f"“{name}” is revoked. What uses it is refused from now on.", "success")
    return redirect(url_for("tokens.index"), 303)


def _render(error: str | None = None, *, made: str | None = None) -> Response:
    response = make_response(
        render_template(
            "settings/tokens.html",
            tokens=tokens.list_all(seller_id()),
            made=made,
            error=error,
            asked=request.form,
            scopes=_SCOPES,
            days=_DAYS,
            usual_days=_USUAL_DAYS,
            max_name_length=tokens.MAX_NAME_LENGTH,
            now=datetime.now(UTC),
        )
    )
    # Going back must not show a token again.
    response.headers["Cache-Control"] = "no-store"
    return response
