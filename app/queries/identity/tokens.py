"""The API tokens of sellers."""

import uuid
from typing import NamedTuple

from sqlalchemy import delete, func, or_, select

from app.extensions import db
from app.models import ApiToken
from app.queries.identity import last_use
from app.statuses import TokenScope


class Bearer(NamedTuple):
    """The seller of a valid token, and what the token allows."""

    seller_id: int
    token_id: int
    #: The seller's name for the token.
    name: str
    may_write: bool
    #: Whether a use within this minute is already noted; None: never used.
    is_noted: bool | None


def list_of(seller_id: int) -> list[ApiToken]:
    """A seller's tokens, newest first, including expired ones."""
    return list(db.session.scalars(select(ApiToken).filter_by(seller_id=seller_id).order_by(ApiToken.id.desc())))


def find(digest: bytes) -> Bearer | None:
    """The bearer of the valid token with this digest, or None."""
    is_valid = or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > func.now())
    is_noted = last_use.is_noted(ApiToken.last_used_at)
    may_write = ApiToken.scope == TokenScope.READ_WRITE
    query = select(ApiToken.seller_id, ApiToken.id, ApiToken.name, may_write, is_noted)
    found = db.session.execute(query.where(ApiToken.digest == digest, is_valid)).one_or_none()
    return None if found is None else Bearer(*found)


def delete_one(seller_id: int, public_id: uuid.UUID) -> str | None:
    """Remove the seller's token with this public id; its name, or None where there is none."""
    token = delete(ApiToken).filter_by(seller_id=seller_id, public_id=public_id)
    name: str | None = db.session.scalar(token.returning(ApiToken.name))
    return name


def delete_all_of(seller_id: int) -> list[str]:
    """Remove all tokens of a seller; their names."""
    return list(db.session.scalars(delete(ApiToken).where(ApiToken.seller_id == seller_id).returning(ApiToken.name)))
