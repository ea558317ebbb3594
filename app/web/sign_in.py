"""Signing in and out."""

import logging

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user

from app.identity import login_throttle, sessions
from app.rate_limits import TooManyAttempts
from app.web.forms import SignInForm
from app.web.session import carry, local_path, next_path, seller_id

log = logging.getLogger(__name__)
blueprint = Blueprint("accounts", __name__)


@blueprint.get("/login")
def login() -> ResponseReturnValue:
    """The sign-in page; ``next`` in the query says where to go afterwards."""
    if current_user.is_authenticated:
        return redirect(_after_sign_in(), 303)
    return _render(SignInForm())


@blueprint.post("/login")
def sign_in() -> ResponseReturnValue:
    """Sign in and redirect, or show the form again (422) with the same sentence for every mistake."""
    form = SignInForm()
    if not form.validate_on_submit():
        return _render(form), 422
    email, address = form.email.data or "", request.remote_addr or ""
    try:
        seller = login_throttle.check_password(email, form.password.data or "", address=address)
    except TooManyAttempts as refused:
        return _render(form, str(refused)), 429, {"Retry-After": str(refused.seconds)}
    if seller is None:
        return _render(form, "Wrong email or password. Try again."), 422
    before = session.get("_user_id")
    if before:
        sessions.end(str(before))
    carry(seller, sessions.begin(seller.id, request.user_agent.string))
    return redirect(_after_sign_in(), 303)


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
    """Sign out. The session ends on the server too, so a copy of the cookie is useless."""
    secret = session.get("_user_id")
    if secret:
        if current_user.is_authenticated:
            log.info("sign-out: seller %d, address %s", seller_id(), request.remote_addr or "")
        sessions.end(str(secret))
    logout_user()
    session.clear()
    flash("You are signed out.", "success")
    return redirect(url_for("accounts.login"), 303)


def _after_sign_in() -> str:
    return next_path(url_for("my_imports.index"))


def _render(form: SignInForm, error: str | None = None) -> str:
    return render_template("accounts/login.html", form=form, error=error, next=local_path(request.args.get("next")))
