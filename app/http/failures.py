"""Failures of any request: an unavailable or read-only database, and a body that breaks HTTP."""

from typing import TypeGuard

import psycopg
from gunicorn.http.errors import ParseException
from sqlalchemy import exc

from app import diagnosis

#: What reading a body raises that breaks HTTP itself: a chunk of a wrong size, an extension or a trailer that is none.
BROKEN_BODY = ParseException

#: Seconds after which to try again after a 503.
RETRY_AFTER_SECONDS = 5

#: What the database raises when it cannot be used; COPY and bulk statements raise the driver's own. Some of these may
#: have another cause, see ``is_database_away``.
DATABASE_AWAY = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.TimeoutError,
    exc.InternalError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
)

#: What is wrong with the database, in words for users, where it is not all of it.
_IN_PART = {
    "disk full": "Sluice’s database is full. You can read pages, but nothing can be uploaded or changed until an "
    "operator has made room.",
    "read-only": "Sluice’s database accepts no changes right now. You can read pages, but nothing can be uploaded or "
    "changed.",
    "node unreachable": "The part of Sluice’s database with your listings and failed rows does not answer right now.",
}


def is_database_away(error: BaseException | None) -> TypeGuard[BaseException]:
    """Whether ``error`` means that the database cannot be used, and not a mistake in Sluice."""
    return isinstance(error, DATABASE_AWAY) and diagnosis.of_database(error) is not None


def why_in_part(error: BaseException) -> str | None:
    """The sentence about a database of which a part can be used; None for any other error."""
    fault = diagnosis.of_database(error)
    return None if fault is None else _IN_PART.get(fault.state)
