"""Personal access tokens, which clients of the API present instead of a password."""

import logging
import uuid
from datetime import UTC, datetime, timedelta

from app import audit
from app.audit import Action
from app.extensions import db
from app.identity import secrets
from app.models import ApiToken
from app.queries.identity import sellers, tokens
from app.queries.identity.last_use import Key
from app.queries.identity.tokens import Bearer
from app.statuses import TokenScope

log = logging.getLogger(__name__)

#: Lets people and secret scanners recognise a token.
PREFIX = "sluice_"
_ENDING_LENGTH = 4

MAX_NAME_LENGTH = 100
MAX_DAYS = 3_650
#: One page shows them all, and no seller needs more.
MAX_TOKENS = 100


class TokenError(Exception):
    """A token cannot be created; the message is a sentence that says why."""


class TokenNotFound(Exception):
    """The seller has no such token."""


def create(
    seller_id: int, name: str, *, scope: TokenScope, days: int | None = None, form_key: uuid.UUID | None = None
) -> tuple[ApiToken, str]:
    """Create a token that is valid for this many ``days``, or until revoked, and commit.

    The text is the token itself; only its digest is stored. Raises TokenError, also when a form with this ``form_key``
    has created a token before.
    """
    name = " ".join("".join(character for character in name if character.isprintable()).split())
    if not name:
        raise TokenError("Give the token a name, so that you can tell later what it’s for.")
    if len(name) > MAX_NAME_LENGTH:
        raise TokenError(f"The name is too long: it can have {MAX_NAME_LENGTH} characters.")
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise TokenError(f"A token can expire after 1 to {MAX_DAYS:,} days, or never.")
    public_id = secrets.public_id_for(seller_id, form_key)
    sellers.lock(seller_id)
    there = list_all(seller_id)
    if any(one.public_id == public_id for one in there):
        db.session.rollback()
        raise TokenError(
            "This token has already been created and can’t be shown again. If you didn’t keep it, revoke it."
        )
    if len(there) >= MAX_TOKENS:
        db.session.rollback()
        raise TokenError(f"There are {MAX_TOKENS} tokens already. Revoke the ones you no longer use.")
    secret = PREFIX + secrets.make_secret()
    token = ApiToken(
        public_id=public_id,
        seller_id=seller_id,
        name=name,
        scope=scope,
        digest=secrets.digest(secret),
        ending=secret[-_ENDING_LENGTH:],
        expires_at=None if days is None else datetime.now(UTC) + timedelta(days=days),
    )
    db.session.add(token)
    until = "until it is revoked" if days is None else f"for {days} days"
    audit.record(Action.CREATE_TOKEN, seller_id, detail=f"{name} ({scope.value}, {until})")
    db.session.commit()
    log.info("token created: seller %d, token %s, %s, %s", seller_id, public_id, scope.value, until)
    return token, secret


def list_all(seller_id: int) -> list[ApiToken]:
    """The seller's tokens, newest first, including expired ones."""
    return tokens.list_of(seller_id)


def revoke(seller_id: int, public_id: uuid.UUID) -> str:
    """Revoke a token at once, and commit. Returns its name. Raises TokenNotFound."""
    name = tokens.delete_one(seller_id, public_id)
    if name is None:
        raise TokenNotFound
    audit.record(Action.REVOKE_TOKEN, seller_id, detail=name)
    db.session.commit()
    log.info("token revoked: seller %d, token %s", seller_id, public_id)
    return name


def find_bearer(secret: str) -> Bearer | None:
    """The bearer of this token, or None if it is not valid. Records its use, to the minute.

    Ends the transaction, because what follows may take long.
    """
    found = tokens.find(secrets.digest(secret))
    db.session.rollback()
    if found is not None and not found.is_noted:
        secrets.note_use(ApiToken.last_used_at, Key(found.seller_id, found.token_id))
    return found
