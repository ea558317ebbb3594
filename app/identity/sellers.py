"""Seller accounts and their passwords."""

import hashlib

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
#: Verified when there is no such seller, so that the time of the answer does not reveal which accounts exist.
#: Written instead of computed, which would take every process 64 MiB and a tenth of a second at its start.
_DUMMY_HASH = (
    f"$argon2id$v=19$m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}${'A' * 22}${'A' * 43}"
)


class AccountError(Exception):
    """An account cannot be created; the message is a sentence that says why."""


def init_app(login_manager: LoginManager) -> None:
    """Have Flask-Login load the seller of a session, and redirect clients without one to the sign-in page."""
    login_manager.login_view = "accounts.login"
    login_manager.login_message = None
    login_manager.user_loader(_load)


def create_seller(email: str, password: str, *, is_operator: bool = False) -> Seller:
    """Create an account and commit. Raises AccountError and WeakPassword when the email or the password will not do."""
    email = fold(email)
    name, at, domain = email.partition("@")
    if not (name and at and domain and email.isprintable()) or " " in email:
        raise AccountError(f"“{email}” is not an email address.")
    passwords.check(password, email=email)
    if find_seller(email) is not None:
        raise AccountError(f"There is already a seller {email}.")
    seller = Seller(email=email, password_hash=_hasher.hash(password), is_operator=is_operator)
    db.session.add(seller)
    db.session.commit()
    return seller


def find_seller(email: str) -> Seller | None:
    """The seller with this email address, in any case."""
    if "\0" in email:
        # PostgreSQL stores no NUL, and rejects a query that has one.
        return None
    return sellers.find(fold(email))


def choose_email_on_end(seller_id: int, chosen: EmailOnEnd) -> None:
    """Set when a seller gets an email at the end of an import, and commit."""
    db.session.get_one(Seller, seller_id).email_on_end = chosen
    db.session.commit()


def list_sellers() -> list[Seller]:
    """All sellers, ordered by email address."""
    return sellers.list_all()


def check_password(email: str, password: str) -> Seller | None:
    """The seller with these credentials, or None. Takes the same time either way."""
    seller = find_seller(email)
    try:
        _hasher.verify(seller.password_hash if seller else _DUMMY_HASH, password)
    except (VerificationError, InvalidHashError):
        return None
    return seller


def set_password(seller: Seller, password: str) -> None:
    """Set a seller's password, end all their sessions, and commit. Raises WeakPassword."""
    passwords.check(password, email=seller.email)
    seller.password_hash = _hasher.hash(password)
    sessions.end_all(seller.id)


def change_password(seller: Seller, password: str, *, secret: str, revoke_tokens: bool = False) -> Renewed:
    """Change a seller's password from within the session with this ``secret``, and commit.

    The session continues under a new secret and all others end, so an attacker who knew the old password is signed
    out; ``revoke_tokens`` also revokes the API tokens that such an attacker may have created. Raises WeakPassword, and
    SessionNotFound when the session has ended meanwhile.
    """
    replace_password(seller, password, Action.CHANGE_PASSWORD, revoke_tokens=revoke_tokens)
    return sessions.renew(seller.id, secret)


def replace_password(seller: Seller, password: str, action: Action, *, revoke_tokens: bool) -> None:
    """Replace a seller's password in the current transaction, and record the ``action``. Raises WeakPassword."""
    passwords.check(password, email=seller.email)
    seller.password_hash = _hasher.hash(password)
    # Locks the seller's row first: two sessions that do this at once then wait instead of deadlocking.
    db.session.flush()
    audit.record(action, seller.id)
    for name in tokens.delete_all_of(seller.id) if revoke_tokens else ():
        audit.record(Action.REVOKE_TOKEN, seller.id, detail=name)


def _load(secret: str) -> Seller | None:
    # A page polls by itself: that must not keep an idle session alive.
    is_poll = request.method == "GET" and request.headers.get("HX-Request") == "true"
    return sessions.find(secret, is_activity=not is_poll)


def fold(email: str) -> str:
    """An email address as stored: trimmed and in lower case."""
    return email.strip().lower()


def digest_of(email: str) -> str:
    """A digest of an email address as entered, which may be any text, for counters and logs."""
    return hashlib.sha256(fold(email).encode(errors="replace")).hexdigest()[:16]
