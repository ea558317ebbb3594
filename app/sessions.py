"""Who is signed in where: sessions that the server knows, so that it can end them."""

from __future__ import annotations

from flask import current_app

from app import bearer
from app.config import Settings
from app.extensions import db
from app.models import Seller, Session
from app.queries import sessions
from app.queries.last_use import Key
from app.queries.sessions import Limits

_MAX_AGENT_LENGTH = 200


def begin(seller_id: int, user_agent: str = "") -> str:
    """Make a session and commit it; the text that its browser has to show, which is nowhere else.

    The seller's sessions that are over are removed with it.
    """
    secret = bearer.make_secret()
    agent = "".join(character for character in user_agent if character.isprintable())[:_MAX_AGENT_LENGTH]
    sessions.delete_over(seller_id, _limits())
    db.session.add(Session(seller_id=seller_id, digest=bearer.digest(secret), user_agent=agent))
    db.session.commit()
    return secret


def find(secret: str, *, is_activity: bool) -> Seller | None:
    """Whose session this is, if it holds; ``is_activity`` keeps it from ending for want of use, within a minute."""
    found = sessions.find(bearer.digest(secret), _limits())
    if found is None:
        return None
    if is_activity and not found.is_noted:
        bearer.note_use(Session.seen_at, Key(found.seller.id, found.session_id))
    return found.seller


def end(secret: str) -> None:
    """End a session at once, and commit that; one that does not hold is none."""
    sessions.delete_one(bearer.digest(secret))
    db.session.commit()


def end_all(seller_id: int, *, but: str | None = None) -> int:
    """End the sessions of a seller, ``but`` perhaps one, and commit that; how many there were."""
    count = sessions.delete_all_of(seller_id, but=None if but is None else bearer.digest(but))
    db.session.commit()
    return count


def _limits() -> Limits:
    settings: Settings = current_app.extensions["sluice_settings"]
    return Limits(settings.session_idle_hours, settings.session_max_hours)
