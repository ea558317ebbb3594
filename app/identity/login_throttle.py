"""How often a password may be tried."""

from __future__ import annotations

import hashlib
import logging
from enum import Enum
from typing import NamedTuple

from limits import RateLimitItem, parse
from limits.strategies import FixedWindowRateLimiter

from app import rate_limits
from app.humanize import counted
from app.identity import sellers
from app.models import Seller

log = logging.getLogger(__name__)

#: Failures that are too many: of one address for one account, which is what somebody who guesses runs into; for one
#: account from everywhere, which many addresses together run into; and of one address for whatever accounts. The owner
#: of an account can be kept out by others only with the second, and then for no longer than its time.
_OF_BOTH = parse("10 per 15 minutes")
_OF_ACCOUNT = parse("100 per hour")
_OF_ADDRESS = parse("100 per 15 minutes")


class Purpose(Enum):
    """What a password is asked for: as the log says it, and as whoever tries too often is told."""

    SIGN_IN = ("sign-in", "to sign in")
    #: From within a session, which may be stolen: it must be no better place to guess than the sign-in page.
    CONFIRM = ("password check", "with a wrong password")


class TooManyAttempts(Exception):
    """There were too many attempts lately; the message is a sentence for whoever tries."""

    def __init__(self, seconds: int, purpose: Purpose) -> None:
        wait = counted(-(-seconds // 60), "minute")
        super().__init__(f"There were too many attempts {purpose.value[1]}. Try again in {wait}.")
        #: How long to wait.
        self.seconds = seconds


class _Count(NamedTuple):
    """What is counted, against which limit."""

    limit: RateLimitItem
    name: tuple[str, ...]


def check_password(email: str, password: str, *, address: str, purpose: Purpose = Purpose.SIGN_IN) -> Seller | None:
    """The seller who shows these from ``address``, or None. Raises TooManyAttempts.

    Whether there is such an account changes neither what is counted nor what is answered, nor how long that takes.
    What it is asked for does not change what is counted either.
    """
    counts = _counts(email, address)
    log_name = purpose.value[0]
    _count_attempt(counts, address, purpose)
    seller = sellers.check_password(email, password)
    if seller is None:
        # What was typed is not told: it is a password often enough.
        log.warning("%s failed: account %s, address %s", log_name, counts[0].name[1], address)
        return None
    log.info("%s: seller %d, address %s", log_name, seller.id, address)

    def forgive(counter: FixedWindowRateLimiter) -> None:
        _take_back(counter, counts[1:])
        counter.clear(counts[0].limit, *counts[0].name)

    rate_limits.count(forgive)
    return seller


def _count_attempt(counts: list[_Count], address: str, purpose: Purpose) -> None:
    """Count an attempt as a failure until it has succeeded, so that many at once are no more than many in turn.

    Raises TooManyAttempts, and that is not counted.
    """

    def wait(counter: FixedWindowRateLimiter) -> int:
        full = [one for one in counts if not counter.hit(one.limit, *one.name)]
        if full:
            _take_back(counter, counts)
        return max((rate_limits.seconds_left(counter, one.limit, *one.name) for one in full), default=0)

    seconds = rate_limits.count(wait)
    if seconds > 0:
        log.warning("%s refused after too many: account %s, address %s", purpose.value[0], counts[0].name[1], address)
        raise TooManyAttempts(seconds, purpose)


def _take_back(counter: FixedWindowRateLimiter, counts: list[_Count]) -> None:
    for one in counts:
        counter.hit(one.limit, *one.name, cost=-1)


def _counts(email: str, address: str) -> list[_Count]:
    # A digest: what is typed may be anything, and long.
    account = hashlib.sha256(sellers.fold(email).encode(errors="replace")).hexdigest()[:16]
    return [
        _Count(_OF_BOTH, ("sign-in", account, address)),
        _Count(_OF_ACCOUNT, ("sign-in", account)),
        _Count(_OF_ADDRESS, ("sign-in", "from", address)),
    ]
