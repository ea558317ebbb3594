"""A new password for sellers who have forgotten theirs: asking for a link by email, and the page that it leads to."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user

from app.config import current_settings
from app.identity import password_reset, passwords
from app.identity.password_reset import LinkExpired
from app.jobs import queue
from app.models import Seller
from app.rate_limits import TooManyAttempts
from app.web.forms import EmailForm, NewPasswordForm

blueprint = Blueprint("password_reset", __name__, url_prefix="/password")


@blueprint.get("/forgot")
def forgot() -> ResponseReturnValue:
    """The form that asks for a link, or what to do where no emails are sent."""
    return _render_forgot(EmailForm(data={"email": current_user.email} if current_user.is_authenticated else None))


@blueprint.post("/forgot")
def ask() -> ResponseReturnValue:
    """Send a link, and answer the same whether or not there is an account."""
    form = EmailForm()
    if not current_settings().sends_mail or not form.validate_on_submit():
        return _render_forgot(form), 422
    email = form.email.data or ""
    try:
        password_reset.ask(email, address=request.remote_addr or "")
    except TooManyAttempts as refused:
        return _render_forgot(form, str(refused)), 429, {"Retry-After": str(refused.seconds)}
    queue.wake_deliverer()
    return render_template("accounts/asked.html", email=email.strip())


@blueprint.get("/reset")
def show() -> ResponseReturnValue:
    """The form for the new password, which a link (``token``) in an email leads to."""
    secret = request.args.get("token", "")
    return _render_reset(password_reset.find_seller(secret), secret, NewPasswordForm())


@blueprint.post("/reset")
def reset() -> ResponseReturnValue:
    """Set the new password, sign out every browser, and go to the sign-in page; or the form again with its errors."""
    secret = request.form.get("token", "")
    seller = password_reset.find_seller(secret)
    form = NewPasswordForm()
    form.owner = seller.email
    if not form.validate_on_submit():
        return _render_reset(seller, secret, form), 422
    password_reset.set_password(
        secret, form.new_password.data or "", address=request.remote_addr or "", revoke_tokens=form.revoke_tokens.data
    )
    logout_user()
    flash("Password changed. Sign in with your new password.", "success")
    return redirect(url_for("accounts.login"), 303)


@blueprint.errorhandler(LinkExpired)
def refuse(_: LinkExpired) -> ResponseReturnValue:
    """The page for a link that does not work any more."""
    return render_template("accounts/link_expired.html"), 404


def _render_forgot(form: EmailForm, error: str | None = None) -> str:
    return render_template("accounts/forgot.html", form=form, error=error, sends_mail=current_settings().sends_mail)


def _render_reset(seller: Seller, secret: str, form: NewPasswordForm) -> str:
    return render_template(
        "accounts/reset.html",
        form=form,
        email=seller.email,
        secret=secret,
        min_length=passwords.MIN_LENGTH,
        good_length=passwords.GOOD_LENGTH,
    )
