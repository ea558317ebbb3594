"""Who may sign in: sellers, their passwords and their sessions."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import request
from flask_login import LoginManager

from app import audit
from app.audit import Action
from app.extensions import db
from app.identity import passwords, sessions
from app.identity.sessions import Renewed
from app.models import Seller
from app.queries.identity import sellers, tokens
from app.statuses import EmailOnEnd

_hasher = PasswordHasher()
#: Checked when there is no such seller, so that the answer takes as long and does not tell which e-mails exist.
_NOBODYS_HASH = _hasher.hash("nobody's password")


class AccountError(Exception):
    """An account cannot be made; the message is a sentence that says why."""


def init_app(login_manager: LoginManager) -> None:
    """Let Flask-Login find the seller of a session, and send strangers to the sign-in page."""
    login_manager.login_view = "accounts.login"
    login_manager.login_message = None
    login_manager.user_loader(_load)


def create_seller(email: str, password: str, *, is_operator: bool = False) -> Seller:
    """Make an account and commit it. Raises AccountError when the e-mail or the password will not do."""
    email = fold(email)
    name, at, domain = email.partition("@")
    if not (name and at and domain and email.isprintable()) or " " in email:
        raise AccountError(f"“{email}” is not an e-mail address.")
    _check_strength(password, email)
    if find_seller(email) is not None:
        raise AccountError(f"There is already a seller {email}.")
    seller = Seller(email=email, password_hash=_hasher.hash(password), is_operator=is_operator)
    db.session.add(seller)
    db.session.commit()
    return seller


def find_seller(email: str) -> Seller | None:
    """The seller with this e-mail address, whatever its case."""
    if "\0" in email:
        # PostgreSQL has no such text, and refuses to be asked for it.
        return None
    return sellers.find(fold(email))


def choose_email_on_end(seller_id: int, chosen: EmailOnEnd) -> None:
    """Note when a seller wants an e-mail at the end of an import, and commit it."""
    db.session.get_one(Seller, seller_id).email_on_end = chosen
    db.session.commit()


def list_sellers() -> list[Seller]:
    """All sellers by e-mail address."""
    return sellers.list_all()


def check_password(email: str, password: str) -> Seller | None:
    """The seller who signs in with these, or None; it takes the same time either way."""
    seller = find_seller(email)
    try:
        _hasher.verify(seller.password_hash if seller else _NOBODYS_HASH, password)
    except (VerificationError, InvalidHashError):
        return None
    return seller


def set_password(seller: Seller, password: str) -> None:
    """Give a seller another password, end all their sessions, and commit that. Raises AccountError."""
    _check_strength(password, seller.email)
    seller.password_hash = _hasher.hash(password)
    sessions.end_all(seller.id)


def change_password(seller: Seller, password: str, *, secret: str, revoke_tokens: bool = False) -> Renewed:
    """Give a seller another password from within the session of this ``secret``, and commit that.

    The session goes on under another secret, and all others end: whoever knew the password before is out, and with
    ``revoke_tokens`` the API tokens that they may have made are worthless. Raises AccountError when the password will
    not do, and SessionNotFound when the session has ended meanwhile.
    """
    _check_strength(password, seller.email)
    seller.password_hash = _hasher.hash(password)
    # Two sessions that do this at once meet at the seller's row, and not each at what the other one holds.
    db.session.flush()
    audit.record(Action.CHANGE_PASSWORD, seller.id)
    for name in tokens.delete_all_of(seller.id) if revoke_tokens else ():
        audit.record(Action.REVOKE_TOKEN, seller.id, detail=name)
    return sessions.renew(seller.id, secret)


def _check_strength(password: str, email: str) -> None:
    try:
        passwords.check(password, email=email)
    except passwords.WeakPassword as weak:
        raise AccountError(str(weak)) from None


def _load(secret: str) -> Seller | None:
    # A page that refreshes its live part does so by itself: it must not keep a session alive that nobody uses.
    is_by_itself = request.method == "GET" and request.headers.get("HX-Request") == "true"
    return sessions.find(secret, is_activity=not is_by_itself)


def fold(email: str) -> str:
    """An e-mail address as it is kept: whoever types it may vary its case."""
    return email.strip().lower()
