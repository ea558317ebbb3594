"""Who is signed in where: sessions that the server knows, so that it can end them."""

from __future__ import annotations

import hashlib
import logging
import secrets

from flask import current_app
from sqlalchemy import ColumnElement, delete, func, select, true, update
from sqlalchemy.exc import SQLAlchemyError

from app.config import Settings
from app.extensions import db
from app.models import Seller, Session

log = logging.getLogger(__name__)

_SECRET_BYTES = 32
_MAX_AGENT_LENGTH = 200
#: The last sign of life is told to the minute, so that not every request writes.
_SEEN_TOLD_EVERY_SECONDS = 60


def begin(seller_id: int, user_agent: str = "") -> str:
    """Make a session and commit it; the text that its browser has to show, which is nowhere else.

    The seller's sessions that are over are removed with it.
    """
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    agent = "".join(character for character in user_agent if character.isprintable())[:_MAX_AGENT_LENGTH]
    db.session.execute(delete(Session).where(Session.seller_id == seller_id, ~_holds()))
    db.session.add(Session(seller_id=seller_id, digest=_digest(secret), user_agent=agent))
    db.session.commit()
    return secret


def find(secret: str, *, is_activity: bool) -> Seller | None:
    """Whose session this is, if it holds; ``is_activity`` keeps it from ending for want of use, within a minute."""
    is_noted = Session.seen_at > func.now() - func.make_interval(0, 0, 0, 0, 0, 0, _SEEN_TOLD_EVERY_SECONDS)
    found = db.session.execute(
        select(Seller, Session.id, is_noted)
        .join(Session, Session.seller_id == Seller.id)
        .where(Session.digest == _digest(secret), _holds())
    ).one_or_none()
    if found is None:
        return None
    seller, session_id, was_noted = found
    if is_activity and not was_noted:
        _note_activity(seller.id, session_id)
    return seller


def end(secret: str) -> None:
    """End a session at once, and commit that; one that does not hold is none."""
    db.session.execute(delete(Session).where(Session.digest == _digest(secret)))
    db.session.commit()


def end_all(seller_id: int, *, but: str | None = None) -> int:
    """End the sessions of a seller, ``but`` perhaps one, and commit that; how many there were."""
    others = Session.digest != _digest(but) if but is not None else true()
    ended = db.session.execute(delete(Session).where(Session.seller_id == seller_id, others).returning(Session.id))
    count = len(ended.all())
    db.session.commit()
    return count


def _holds() -> ColumnElement[bool]:
    """SQL for: a session was used lately and did not begin too long ago."""
    settings: Settings = current_app.extensions["sluice_settings"]
    idle = func.make_interval(0, 0, 0, 0, settings.session_idle_hours)
    longest = func.make_interval(0, 0, 0, 0, settings.session_max_hours)
    return (Session.seen_at > func.now() - idle) & (Session.created_at > func.now() - longest)


def _note_activity(seller_id: int, session_id: int) -> None:
    """Note that a session is used now; that this fails, or that others are at it, keeps nobody from anything."""
    mine = (Session.seller_id == seller_id) & (Session.id == session_id)
    free = select(Session.id).where(mine).with_for_update(skip_locked=True).scalar_subquery()
    try:
        db.session.execute(
            update(Session).where(Session.seller_id == seller_id, Session.id == free).values(seen_at=func.now())
        )
        db.session.commit()
    except SQLAlchemyError:
        log.warning("use of a session not noted", exc_info=True)
        db.session.rollback()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()
