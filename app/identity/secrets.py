"""Secrets that let in whoever shows them: made of chance, kept as digests, and their use noted to the minute."""

from __future__ import annotations

import hashlib
import logging
import secrets
import uuid

from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db
from app.queries.identity import last_use

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


def public_id_for(seller_id: int, form_key: uuid.UUID | None) -> uuid.UUID:
    """The public id of what a form makes: the same when it is sent again, and another than any other seller's."""
    return uuid.uuid4() if form_key is None else uuid.uuid5(form_key, str(seller_id))


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
