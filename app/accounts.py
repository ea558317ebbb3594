"""Who may sign in: sellers, their passwords and their sessions."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask_login import LoginManager
from sqlalchemy import select

from app.extensions import db
from app.models import Seller
from app.statuses import EmailOnEnd

MIN_PASSWORD_LENGTH = 8

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
    email = _fold(email)
    name, at, domain = email.partition("@")
    if not (name and at and domain and email.isprintable()) or " " in email:
        raise AccountError(f"“{email}” is not an e-mail address.")
    if len(password) < MIN_PASSWORD_LENGTH:
        raise AccountError(f"The password is too short: it needs at least {MIN_PASSWORD_LENGTH} characters.")
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
    return db.session.scalar(select(Seller).where(Seller.email == _fold(email)))


def choose_email_on_end(seller_id: int, chosen: EmailOnEnd) -> None:
    """Note when a seller wants an e-mail at the end of an import, and commit it."""
    db.session.get_one(Seller, seller_id).email_on_end = chosen
    db.session.commit()


def list_sellers() -> list[Seller]:
    """All sellers by e-mail address."""
    return list(db.session.scalars(select(Seller).order_by(Seller.email)))


def check_password(email: str, password: str) -> Seller | None:
    """The seller who signs in with these, or None; it takes the same time either way."""
    seller = find_seller(email)
    try:
        _hasher.verify(seller.password_hash if seller else _NOBODYS_HASH, password)
    except (VerificationError, InvalidHashError):
        return None
    return seller


def _load(session_id: str) -> Seller | None:
    return db.session.get(Seller, int(session_id)) if session_id.isdecimal() else None


def _fold(email: str) -> str:
    return email.strip().lower()
