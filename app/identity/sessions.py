"""Sessions: signed-in browsers. The server stores them, so that it can end them."""

import uuid
from typing import NamedTuple

from app.extensions import db
from app.identity import secrets
from app.models import Seller, Session
from app.queries.identity import sessions
from app.queries.identity.last_use import Key

_MAX_AGENT_LENGTH = 200


class SessionNotFound(Exception):
    """The seller has no such session, or it is over."""


class Renewed(NamedTuple):
    """A session under a new secret, after all others of its seller have ended."""

    #: What its browser must present from now on.
    secret: str
    #: How many other sessions were ended.
    ended: int


def begin(seller_id: int, user_agent: str = "") -> str:
    """Create a session and commit. Returns its secret, of which only the digest is stored.

    Also deletes the seller's expired sessions.
    """
    secret = secrets.make_secret()
    agent = "".join(character for character in user_agent if character.isprintable())[:_MAX_AGENT_LENGTH]
    sessions.delete_over(seller_id)
    db.session.add(Session(seller_id=seller_id, digest=secrets.digest(secret), user_agent=agent))
    db.session.commit()
    return secret


def find(secret: str, *, is_activity: bool) -> Seller | None:
    """The seller of a valid session, or None. ``is_activity`` records a use, which keeps the session from expiring."""
    found = sessions.find(secrets.digest(secret))
    if found is None:
        return None
    if is_activity and not found.is_noted:
        secrets.note_use(Session.seen_at, Key(found.seller.id, found.session_id))
    return found.seller


def list_active(seller_id: int, secret: str, *, at_most: int) -> list[Session]:
    """A seller's valid sessions: first that of this ``secret``, then the others, most recently used first."""
    return sessions.list_of(seller_id, first=secrets.digest(secret), at_most=at_most)


def find_user_agent(seller_id: int, public_id: uuid.UUID) -> str:
    """The User-Agent of a seller's session. Raises SessionNotFound."""
    found = sessions.find_by_id(seller_id, public_id)
    if found is None:
        raise SessionNotFound
    return found.user_agent


def renew(seller_id: int, secret: str) -> Renewed:
    """Give the session with this ``secret`` a new one, end all others of the seller, and commit.

    Raises SessionNotFound, and commits nothing, when the session has ended meanwhile.
    """
    renewed = secrets.make_secret()
    if not sessions.change_digest(seller_id, secrets.digest(secret), secrets.digest(renewed)):
        db.session.rollback()
        raise SessionNotFound
    return Renewed(renewed, end_all(seller_id, but=renewed))


def end(secret: str) -> None:
    """End a session at once, and commit. Does nothing for an unknown or expired one."""
    sessions.delete_one(secrets.digest(secret))
    db.session.commit()


def end_by_id(seller_id: int, public_id: uuid.UUID) -> None:
    """End one of a seller's sessions at once, and commit. Does nothing for an unknown or expired one."""
    sessions.delete_by_id(seller_id, public_id)
    db.session.commit()


def end_all(seller_id: int, *, but: str | None = None) -> int:
    """End a seller's sessions, except that with the secret ``but``, and commit. Returns how many were still valid."""
    sessions.delete_over(seller_id)
    count = sessions.delete_all_of(seller_id, but=None if but is None else secrets.digest(but))
    db.session.commit()
    return count
