"""Random secrets of sessions and tokens: only their digests are stored, and their last use to the minute."""

import hashlib
import logging
import secrets
import uuid

from app.extensions import DATABASE_ERRORS, db
from app.queries.identity import last_use

log = logging.getLogger(__name__)

_SECRET_BYTES = 32


def make_secret() -> str:
    """256 random bits as 43 characters that are safe in headers, cookies and URLs."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def digest(secret: str) -> bytes:
    """The SHA-256 of a presented secret, whatever it is. Only the digest is stored, and it is the key of the look-up.

    With so many random bits no slower hash is needed, and the time of a look-up reveals nothing about the secret.
    """
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()


def public_id_for(seller_id: int, form_key: uuid.UUID | None) -> uuid.UUID:
    """The public id of what a form creates: the same when the form is sent again, and different for each seller."""
    return uuid.uuid4() if form_key is None else uuid.uuid5(form_key, str(seller_id))


def note_use(used_at: last_use.Column, key: last_use.Key) -> None:
    """Note in the column ``used_at`` that the row ``key`` of its table is used now, and commit.

    A failure, or a lock held by another request, is ignored: the request that uses the secret goes on.
    """
    try:
        last_use.note(used_at, key)
        db.session.commit()
    except DATABASE_ERRORS:
        log.warning("last use not recorded: %s", used_at, exc_info=True)
        db.session.rollback()
