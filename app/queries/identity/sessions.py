"""Looking up sessions by their secrets' digests, and ending them."""

import uuid
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, select, true, update

from app.config import current_settings
from app.extensions import db
from app.models import Seller, Session
from app.queries.identity import last_use


class Found(NamedTuple):
    """A valid session and its seller."""

    seller: Seller
    session_id: int
    #: Whether a use within this minute is already noted.
    is_noted: bool


def find(digest: bytes) -> Found | None:
    """The valid session whose secret has this digest."""
    found = db.session.execute(
        select(Seller, Session.id, last_use.is_noted(Session.seen_at))
        .join(Session, Session.seller_id == Seller.id)
        .where(Session.digest == digest, _holds())
    ).one_or_none()
    return None if found is None else Found(*found)


def list_of(seller_id: int, *, first: bytes, at_most: int) -> list[Session]:
    """A seller's valid sessions: that whose secret has the digest ``first``, then the most recently used."""
    query = select(Session).where(Session.seller_id == seller_id, _holds())
    order = (Session.digest == first).desc(), Session.seen_at.desc(), Session.id.desc()
    return list(db.session.scalars(query.order_by(*order).limit(at_most)))


def find_by_id(seller_id: int, public_id: uuid.UUID) -> Session | None:
    """The seller's session with this public id, if valid; another seller's is not found."""
    return db.session.scalar(select(Session).filter_by(seller_id=seller_id, public_id=public_id).where(_holds()))


def change_digest(seller_id: int, before: bytes, after: bytes) -> bool:
    """Continue a session of the seller under another secret. Returns false if the session has ended."""
    changed = update(Session).filter_by(seller_id=seller_id, digest=before).values(digest=after)
    return db.session.scalar(changed.returning(Session.id)) is not None


def delete_over(seller_id: int) -> None:
    """Delete a seller's expired sessions."""
    db.session.execute(delete(Session).where(Session.seller_id == seller_id, ~_holds()))


def delete_one(digest: bytes) -> None:
    """End the session whose secret has this digest, if there is one."""
    db.session.execute(delete(Session).filter_by(digest=digest))


def delete_by_id(seller_id: int, public_id: uuid.UUID) -> None:
    """End the seller's session with this public id, if there is one."""
    db.session.execute(delete(Session).filter_by(seller_id=seller_id, public_id=public_id))


def delete_all_of(seller_id: int, *, but: bytes | None = None) -> int:
    """End the sessions of a seller, but perhaps the one whose secret has the digest ``but``; how many there were."""
    others = Session.digest != but if but is not None else true()
    ended = db.session.execute(delete(Session).where(Session.seller_id == seller_id, others).returning(Session.id))
    return len(ended.all())


def _holds() -> ColumnElement[bool]:
    """SQL for: a session was used lately and did not begin too long ago."""
    settings = current_settings()
    idle, longest = timedelta(hours=settings.session_idle_hours), timedelta(hours=settings.session_max_hours)
    return (Session.seen_at > func.now() - idle) & (Session.created_at > func.now() - longest)
