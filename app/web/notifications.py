"""Notifications: when a seller gets an email."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.exceptions import BadRequest

from app.config import current_settings
from app.identity import sellers
from app.statuses import EmailOnEnd
from app.web.session import require_seller, seller_id

blueprint = Blueprint("notifications", __name__, url_prefix="/settings/notifications")
blueprint.before_request(require_seller)

_CHOICES = [
    (EmailOnEnd.NEVER, "Never", "My Imports shows the result of each import."),
    (EmailOnEnd.FAILED, "When rows failed", "Only when there’s something to fix."),
    (EmailOnEnd.ALWAYS, "Always", "After every import and every check, also when it was terminated."),
]


@blueprint.get("")
def form() -> ResponseReturnValue:
    """The form."""
    return render_template(
        "notifications/form.html",
        choices=_CHOICES,
        chosen=current_user.email_on_end,
        email=current_user.email,
        sends_mail=current_settings().sends_mail,
    )


@blueprint.post("")
def choose() -> ResponseReturnValue:
    """Save the choice (``email_on_end``)."""
    chosen = request.form.get("email_on_end", type=EmailOnEnd)
    if chosen is None:
        raise BadRequest("The request doesn’t say when to send an email.")
    sellers.choose_email_on_end(seller_id(), chosen)
    flash("Saved.", "success")
    return redirect(url_for("notifications.form"), 303)
