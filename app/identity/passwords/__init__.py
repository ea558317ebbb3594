"""The rules for passwords.

``common.txt`` has the 10,000 most common passwords of at least eight characters, the most common first. They are taken
from data/passwords.txt of https://github.com/dropbox/zxcvbn (commit 67c4ece9), whose licence stands beside them.
"""

from functools import cache
from pathlib import Path

MIN_LENGTH = 8
#: What people are advised to use.
GOOD_LENGTH = 15
#: A longer one is no safer, and an attacker must not be able to make hashing arbitrarily expensive.
MAX_LENGTH = 1_000

_COMMON = Path(__file__).with_name("common.txt")
#: Words that come to mind first in this place.
_OF_THIS_PLACE = ("sluice", "password", "listings", "imports")


class WeakPassword(ValueError):
    """A password will not do; the message is a sentence that says why."""


def check(password: str, *, email: str = "") -> None:
    """Raise WeakPassword for a ``password`` that is too short, too long, common, or made of the account's ``email``.

    Nothing is asked about kinds of characters, and nothing is cut off: spaces and any letters count as they are.
    """
    if len(password) < MIN_LENGTH:
        raise WeakPassword(
            f"The password is too short: it needs at least {MIN_LENGTH} characters, and {GOOD_LENGTH} are better."
        )
    if len(password) > MAX_LENGTH:
        raise WeakPassword(f"The password is too long: it can have {MAX_LENGTH:,} characters.")
    folded = password.casefold()
    if folded in _common() or len(set(folded)) <= 2:
        raise WeakPassword("That password is too common. Choose a different one.")
    bare = folded.strip("0123456789!?.,-_ ")
    if bare and (bare in {email.casefold(), email.casefold().partition("@")[0]} or bare in _OF_THIS_PLACE):
        raise WeakPassword("That password is too easy to guess. Choose one that has nothing to do with you or Sluice.")


@cache
def _common() -> frozenset[str]:
    return frozenset(_COMMON.read_text().casefold().split())
