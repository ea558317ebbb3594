"""Personal access tokens: what programs show in the place of a password."""

from __future__ import annotations

import hashlib
import logging
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db
from app.models import ApiToken
from app.statuses import TokenScope

log = logging.getLogger(__name__)

#: By which people, and programs that look for secrets in code, know a token when they see one.
PREFIX = "sluice_"
_SECRET_BYTES = 32
_ENDING_LENGTH = 4

MAX_NAME_LENGTH = 100
MAX_DAYS = 3_650
#: More are not of use to anybody, and a page has to show them all.
MAX_TOKENS = 100

#: The last use is told to the minute, so that not every request writes.
_USE_TOLD_EVERY = timedelta(minutes=1)


class TokenError(Exception):
    """A token cannot be made; the message is a sentence that says why."""


class TokenNotFound(Exception):
    """The seller has no such token."""


class Bearer(NamedTuple):
    """Who shows a token that holds, and what it is good for."""

    seller_id: int
    token_id: int
    #: What the seller has called it.
    name: str
    may_write: bool


def create(seller_id: int, name: str, *, scope: TokenScope, days: int | None = None) -> tuple[ApiToken, str]:
    """Make a token that holds for so many ``days``, or until it is revoked, and commit it.

    The text is the token itself: it is nowhere else and cannot be had again. Raises TokenError.
    """
    name = " ".join("".join(character for character in name if character.isprintable()).split())
    if not name:
        raise TokenError("Give the token a name, so that you know later what it is for.")
    if len(name) > MAX_NAME_LENGTH:
        raise TokenError(f"The name is too long: it can have {MAX_NAME_LENGTH} characters.")
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise TokenError(f"A token can hold for 1 to {MAX_DAYS:,} days, or until it is revoked.")
    if len(list_all(seller_id)) >= MAX_TOKENS:
        raise TokenError(f"There are {MAX_TOKENS} tokens already. Revoke those that nothing uses any more.")
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    token = ApiToken(
        seller_id=seller_id,
        name=name,
        scope=scope,
        digest=_digest(secret),
        ending=secret[-_ENDING_LENGTH:],
        expires_at=None if days is None else datetime.now(UTC) + timedelta(days=days),
    )
    db.session.add(token)
    db.session.commit()
    return token, secret


def list_all(seller_id: int) -> list[ApiToken]:
    """The seller's tokens, newest first; those that have expired are among them."""
    query = select(ApiToken).where(ApiToken.seller_id == seller_id).order_by(ApiToken.id.desc())
    return list(db.session.scalars(query))


def revoke(seller_id: int, public_id: uuid.UUID) -> str:
    """Make a token worthless at once, and commit that; its name. Raises TokenNotFound."""
    is_it = (ApiToken.seller_id == seller_id) & (ApiToken.public_id == public_id)
    name: str | None = db.session.scalar(delete(ApiToken).where(is_it).returning(ApiToken.name))
    if name is None:
        raise TokenNotFound
    db.session.commit()
    return name


def find_bearer(secret: str) -> Bearer | None:
    """Who may show this token, if it holds; that it was used is noted, within a minute.

    Ends the transaction, because what comes next may take its time.
    """
    # A digest is compared, by the index, and it tells whoever times that nothing about the token.
    is_it = ApiToken.digest == _digest(secret)
    holds = or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > func.now())
    is_noted = ApiToken.last_used_at > func.now() - _USE_TOLD_EVERY
    found = db.session.execute(
        select(ApiToken.seller_id, ApiToken.id, ApiToken.name, ApiToken.scope, is_noted).where(is_it, holds)
    ).one_or_none()
    db.session.rollback()
    if found is None:
        return None
    bearer = Bearer(found.seller_id, found.id, found.name, found.scope == TokenScope.READ_WRITE)
    if not found[4]:
        _note_use(bearer)
    return bearer


def _note_use(bearer: Bearer) -> None:
    """Note that a token is used now; that this fails, or that others are at it, keeps nobody from anything."""
    mine = (ApiToken.seller_id == bearer.seller_id) & (ApiToken.id == bearer.token_id)
    free = select(ApiToken.id).where(mine).with_for_update(skip_locked=True).scalar_subquery()
    try:
        db.session.execute(
            update(ApiToken).where(ApiToken.seller_id == bearer.seller_id, ApiToken.id == free),
            {"last_used_at": datetime.now(UTC)},
        )
        db.session.commit()
    except SQLAlchemyError:
        log.warning("use of a token not noted", exc_info=True)
        db.session.rollback()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()
