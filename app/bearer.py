"""Secrets that let in whoever shows them: made of chance, kept as digests, and their use noted to the minute."""

from __future__ import annotations

import hashlib
import logging
import secrets

from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db
from app.queries import last_use

log = logging.getLogger(__name__)

_SECRET_BYTES = 32


def make_secret() -> str:
    """256 bits of chance as 43 characters that are fit for headers, cookies and addresses."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def digest(secret: str) -> bytes:
    """The SHA-256 of what was shown, whatever it is; all that is kept of a secret, and by which it is found.

    With that much chance in it nothing slower is needed, and how long a look-up takes tells nothing about the secret.
    """
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()


def note_use(used_at: last_use.Column, key: last_use.Key) -> None:
    """Note in the column ``used_at`` that the row ``key`` of its table is used now, and commit that.

    That this fails, or that others are at it, keeps nobody from anything.
    """
    try:
        last_use.note(used_at, key)
        db.session.commit()
    except SQLAlchemyError:
        log.warning("%s not noted", used_at, exc_info=True)
        db.session.rollback()
