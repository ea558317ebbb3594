"""Who is signed in where: looking up sessions by what browsers show, and ending them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, select, true

from app.extensions import db
from app.models import Seller, Session
from app.queries import last_use


class Limits(NamedTuple):
    """How long a session holds, in hours: when nobody uses it, and at the most."""

    idle_hours: int
    max_hours: int


class Found(NamedTuple):
    """A session that holds, and whose it is."""

    seller: Seller
    session_id: int
    #: Whether its use need not be noted now.
    is_noted: bool


def find(digest: bytes, limits: Limits) -> Found | None:
    """The session that holds and whose secret has this digest."""
    found = db.session.execute(
        select(Seller, Session.id, last_use.is_noted(Session.seen_at))
        .join(Session, Session.seller_id == Seller.id)
        .where(Session.digest == digest, _holds(limits))
    ).one_or_none()
    return None if found is None else Found(*found)


def delete_over(seller_id: int, limits: Limits) -> None:
    """Remove those of a seller's sessions that do not hold any more."""
    db.session.execute(delete(Session).where(Session.seller_id == seller_id, ~_holds(limits)))


def delete_one(digest: bytes) -> None:
    """End the session whose secret has this digest, if there is one."""
    db.session.execute(delete(Session).where(Session.digest == digest))


def delete_all_of(seller_id: int, *, but: bytes | None = None) -> int:
    """End the sessions of a seller, but perhaps the one whose secret has the digest ``but``; how many there were."""
    others = Session.digest != but if but is not None else true()
    ended = db.session.execute(delete(Session).where(Session.seller_id == seller_id, others).returning(Session.id))
    return len(ended.all())


def _holds(limits: Limits) -> ColumnElement[bool]:
    """SQL for: a session was used lately and did not begin too long ago."""
    idle = func.make_interval(0, 0, 0, 0, limits.idle_hours)
    longest = func.make_interval(0, 0, 0, 0, limits.max_hours)
    return (Session.seen_at > func.now() - idle) & (Session.created_at > func.now() - longest)
