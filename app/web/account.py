"""The account: the page on which sellers change their password, and see and end their sessions."""

import logging
import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.identity import passwords, secrets, sellers, sessions
from app.identity.sessions import SessionNotFound
from app.models import Seller
from app.rate_limits import TooManyAttempts
from app.web.forms import ConfirmForm, PasswordForm
from app.web.session import carry, require_seller, secret, seller_id, send_to_sign_in
from app.web.user_agents import describe_browser

log = logging.getLogger(__name__)
blueprint = Blueprint("my_account", __name__, url_prefix="/settings/account")
blueprint.before_request(require_seller)

#: Longest list of sessions on the page; all can be ended at once.
_MAX_SHOWN = 100
#: Means all other sessions, where a form could name one.
_OTHERS = "others"


@blueprint.get("")
def show() -> ResponseReturnValue:
    """The account, the form to change the password, and the sessions."""
    return _render()


@blueprint.post("")
def change_password() -> ResponseReturnValue:
    """Change the password, end all other sessions and renew this one; or the form again with its errors."""
    form = PasswordForm()
    if not form.validate():
        return _render(form), 422
    seller: Seller = current_user._get_current_object()
    try:
        renewed = sellers.change_password(
            seller, form.new_password.data or "", secret=secret(), revoke_tokens=form.revoke_tokens.data
        )
    except SessionNotFound:
        # Another request has just changed it, or has ended this session.
        return send_to_sign_in()
    carry(seller, renewed.secret)
    log.info("password changed: seller %d, address %s, %d sessions ended", seller.id, _address(), renewed.ended)
    revoked = " All API tokens are revoked." if form.revoke_tokens.data else ""
    flash(f"Password changed. {_say_ended(renewed.ended)}{revoked}", "success")
    return _back()


@blueprint.post("/sessions/<uuid:public_id>/end")
def end_session(public_id: uuid.UUID) -> ResponseReturnValue:
    """Sign out one browser; requires the password."""
    browser = describe_browser(sessions.find_user_agent(seller_id(), public_id))
    form = ConfirmForm()
    if not form.validate():
        return _render(ending=form, whom=str(public_id)), 422
    sessions.end_by_id(seller_id(), public_id)
    log.info("session ended: seller %d, address %s", seller_id(), _address())
    flash(f"“{browser}” is signed out.", "success")
    return _back()


@blueprint.post("/sessions/end")
def end_other_sessions() -> ResponseReturnValue:
    """Sign out every browser but this one; requires the password."""
    form = ConfirmForm()
    if not form.validate():
        return _render(ending=form, whom=_OTHERS), 422
    ended = sessions.end_all(seller_id(), but=secret())
    log.info("sessions ended: seller %d, address %s, %d of them", seller_id(), _address(), ended)
    flash(_say_ended(ended), "success")
    return _back()


@blueprint.errorhandler(TooManyAttempts)
def refuse(refused: TooManyAttempts) -> ResponseReturnValue:
    """The page again, after too many attempts at the password."""
    return _render(error=str(refused)), 429, {"Retry-After": str(refused.seconds)}


def _say_ended(count: int) -> str:
    if count == 0:
        return "There were no other sessions."
    return "One other session was ended." if count == 1 else f"{count} other sessions were ended."


def _address() -> str:
    return request.remote_addr or ""


def _back() -> ResponseReturnValue:
    return redirect(url_for("my_account.show"), 303)


def _render(
    form: PasswordForm | None = None, *, ending: ConfirmForm | None = None, whom: str = "", error: str | None = None
) -> str:
    """The page with errors: of the password form, of the form that ends ``whom``, or general ones."""
    active = sessions.list_active(seller_id(), secret(), at_most=_MAX_SHOWN)
    return render_template(
        "settings/account.html",
        # Built without the submitted fields: an error in one form is none in another.
        form=form or PasswordForm(formdata=None),
        faults={whom: ending.current_password.errors} if ending else {},
        error=error,
        active=active,
        this=secrets.digest(secret()),
        max_shown=_MAX_SHOWN,
        min_length=passwords.MIN_LENGTH,
        good_length=passwords.GOOD_LENGTH,
        describe_browser=describe_browser,
    )
