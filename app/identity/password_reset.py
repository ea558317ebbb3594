"""New passwords for sellers who have forgotten theirs, by a link in an email.

A request writes nothing but a message into the outbox. Its deliverer makes the link when it writes the email, so that
the secret is in the email and nowhere else: the database has its digest.
"""

import logging
from datetime import datetime

from limits import parse

from app import audit, rate_limits
from app.audit import Action, Actor
from app.extensions import db
from app.identity import login_throttle, secrets, sellers, sessions
from app.identity.passwords import WeakPassword
from app.models import Seller
from app.queries.deliveries import outbox
from app.queries.identity import password_resets
from app.rate_limits import TooManyAttempts

log = logging.getLogger(__name__)

#: How long a link is valid, counted from the request.
VALID_SECONDS = 3600.0
#: How many emails may be asked for: for one account, which need not exist, and from one network address.
_OF_ACCOUNT = parse("5 per hour")
_OF_ADDRESS = parse("20 per hour")


class LinkExpired(Exception):
    """The link is not valid: it has expired, or has been used, or never was one."""


def ask(email: str, *, address: str) -> None:
    """Have a link emailed to the seller with this ``email``, if there is one, and commit. Raises TooManyAttempts.

    What is counted, what is answered and which statements run do not depend on whether the account exists.
    """
    account = sellers.digest_of(email)
    seconds = rate_limits.hit(_OF_ADDRESS, "reset", "from", address) or rate_limits.hit(_OF_ACCOUNT, "reset", account)
    if seconds:
        log.warning("password reset refused after too many: account %s, address %s", account, address)
        raise TooManyAttempts("You’ve asked for too many emails.", seconds)
    folded = sellers.fold(email)
    # PostgreSQL rejects a NUL; no account has an empty address.
    outbox.add_password_reset_mail("" if "\0" in folded else folded)
    db.session.commit()
    log.info("password reset asked for: account %s, address %s", account, address)


def make_link_secret(seller_id: int, asked_at: datetime) -> str:
    """The secret of a new link for this seller, and commit. Raises LinkExpired if it was asked for too long ago.

    Links made before stay valid: the email with the first may arrive after that with the second.
    """
    secret = secrets.make_secret()
    is_valid = password_resets.add(seller_id, secrets.digest(secret), asked_at, valid_seconds=VALID_SECONDS)
    db.session.commit()
    if not is_valid:
        raise LinkExpired
    return secret


def find_seller(secret: str) -> Seller:
    """The seller of a valid link. Raises LinkExpired."""
    found = password_resets.find(secrets.digest(secret))
    if found is None:
        raise LinkExpired
    return found


def set_password(secret: str, password: str, *, address: str, revoke_tokens: bool = False) -> Seller:
    """Set the password of a link's seller, end all their sessions and links, and commit.

    Raises LinkExpired, and WeakPassword; the link then stays valid.
    """
    seller = password_resets.take(secrets.digest(secret))
    if seller is None:
        raise LinkExpired
    try:
        audit.act_as(Actor(seller.id, seller.email, "web", address))
        sellers.replace_password(seller, password, Action.RESET_PASSWORD, revoke_tokens=revoke_tokens)
    except WeakPassword:
        db.session.rollback()
        raise
    password_resets.delete_all_of(seller.id)
    ended = sessions.end_all(seller.id)
    login_throttle.forgive(seller.email, address)
    log.info("password reset: seller %d, address %s, %d sessions ended", seller.id, address, ended)
    return seller
