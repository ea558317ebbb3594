"""Limits on password attempts."""

import logging
from enum import Enum
from typing import NamedTuple

from limits import RateLimitItem, parse
from limits.strategies import FixedWindowRateLimiter

from app import rate_limits
from app.identity import sellers
from app.models import Seller
from app.rate_limits import TooManyAttempts

log = logging.getLogger(__name__)

#: How many failures are too many: from one address for one account, against guessing; for one account from all
#: addresses, against guessing from many; and from one address for all accounts. Only with the second can attackers lock
#: out the owner of an account, and then for no longer than its period.
_OF_BOTH = parse("10 per 15 minutes")
_OF_ACCOUNT = parse("100 per hour")
_OF_ADDRESS = parse("100 per 15 minutes")


class Purpose(Enum):
    """Why a password is asked for: the name in the log, and the words in the error message."""

    SIGN_IN = ("sign-in", "to sign in")
    #: From within a session, which may be stolen: it must be no better place to guess than the sign-in page.
    CONFIRM = ("password check", "with a wrong password")


class _Count(NamedTuple):
    """A counter and its limit."""

    limit: RateLimitItem
    name: tuple[str, ...]


def check_password(email: str, password: str, *, address: str, purpose: Purpose = Purpose.SIGN_IN) -> Seller | None:
    """The seller with these credentials, or None. Raises TooManyAttempts.

    What is counted, what is answered and how long it takes do not depend on whether the account exists. All purposes
    share the counters.
    """
    counts = _counts(email, address)
    account, (log_name, words) = sellers.digest_of(email), purpose.value
    if seconds := rate_limits.count(lambda counter: _count_attempt(counter, counts)):
        log.warning("%s refused after too many: account %s, address %s", log_name, account, address)
        raise TooManyAttempts(f"There were too many attempts {words}.", seconds)
    seller = sellers.check_password(email, password)
    if seller is None:
        # The email is not logged: people often type their password there.
        log.warning("%s failed: account %s, address %s", log_name, account, address)
        return None
    log.info("%s: seller %d, address %s", log_name, seller.id, address)
    rate_limits.count(lambda counter: _uncount(counter, counts[1:]))
    forgive(email, address)
    return seller


def forgive(email: str, address: str) -> None:
    """Forget the failures of this account from this address: whoever is there has shown that it is theirs."""
    first = _counts(email, address)[0]
    rate_limits.count(lambda counter: counter.clear(first.limit, *first.name))


def _count_attempt(counter: FixedWindowRateLimiter, counts: list[_Count]) -> int:
    """Count an attempt as a failure until it succeeds, so that parallel attempts gain nothing over sequential ones.

    Returns the seconds to wait if that is one too many, which is not counted, and else 0.
    """
    full = [one for one in counts if not counter.hit(one.limit, *one.name)]
    if full:
        _uncount(counter, counts)
    return max((rate_limits.seconds_left(counter, one.limit, *one.name) for one in full), default=0)


def _uncount(counter: FixedWindowRateLimiter, counts: list[_Count]) -> None:
    for one in counts:
        counter.hit(one.limit, *one.name, cost=-1)


def _counts(email: str, address: str) -> list[_Count]:
    account = sellers.digest_of(email)
    return [
        _Count(_OF_BOTH, ("sign-in", account, address)),
        _Count(_OF_ACCOUNT, ("sign-in", account)),
        _Count(_OF_ADDRESS, ("sign-in", "from", address)),
    ]
