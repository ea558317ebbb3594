"""API tokens: the page on which sellers create and revoke them."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.http.form_fields import read_form_key
from app.identity import tokens
from app.identity.tokens import TokenError
from app.rate_limits import TooManyAttempts
from app.statuses import TokenScope
from app.web.forms import ConfirmForm
from app.web.session import require_seller, seller_id

blueprint = Blueprint("tokens", __name__, url_prefix="/settings/tokens")
blueprint.before_request(require_seller)

#: The validities that the form offers, in days; 0: until revoked.
_DAYS = {30: "30 days", 90: "90 days", 365: "A year", 0: "Never"}
_USUAL_DAYS = 90

_SCOPES = {TokenScope.READ: "Read only", TokenScope.READ_WRITE: "Read and write"}


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The seller's tokens, and the form that creates one."""
    return _render()


@blueprint.post("")
def create() -> ResponseReturnValue:
    """Create a token, which requires the password; answers with the token, or the form again with its errors.

    The token is shown in this answer and nowhere else: a session's cookie is signed, but not encrypted.
    """
    form = ConfirmForm()
    try:
        if not form.validate():
            return _render(faults=form.current_password.errors), 422
        return _render(made=_create())
    except TooManyAttempts as refused:
        return _render(str(refused)), 429, {"Retry-After": str(refused.seconds)}
    except TokenError as error:
        return _render(str(error)), 422


def _create() -> str:
    """Create the token that the form describes. Raises TokenError."""
    scope = request.form.get("scope", type=TokenScope)
    days = request.form.get("days", type=int)
    if scope is None:
        raise TokenError("Choose the token’s permissions.")
    if days not in _DAYS:
        raise TokenError("Choose when the token expires.")
    key, name = read_form_key(request.form), request.form.get("name", "")
    return tokens.create(seller_id(), name, scope=scope, days=days or None, form_key=key)[1]


@blueprint.post("/<uuid:public_id>/revoke")
def revoke(public_id: uuid.UUID) -> ResponseReturnValue:
    """Revoke a token at once."""
    name = tokens.revoke(seller_id(), public_id)
    flash(f"“{name}” is revoked. Requests that use it are refused from now on.", "success")
    return redirect(url_for("tokens.index"), 303)


def _render(error: str | None = None, *, made: str | None = None, faults: Sequence[str] = ()) -> str:
    return render_template(
        "settings/tokens.html",
        tokens=tokens.list_all(seller_id()),
        made=made,
        error=error,
        faults=faults,
        form_key=uuid.uuid4(),
        # After success the form is empty again.
        asked={} if made else request.form,
        scopes=_SCOPES,
        days=_DAYS,
        usual_days=_USUAL_DAYS,
        max_name_length=tokens.MAX_NAME_LENGTH,
        now=datetime.now(UTC),
    )
