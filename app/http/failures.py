"""What clients are told of the failures of any request: those of commands, and of a database that cannot be used."""

import logging
from collections.abc import Callable
from typing import TypeGuard

import psycopg
from flask import Response
from flask.sansio.scaffold import Scaffold
from gunicorn.http.errors import ParseException
from sqlalchemy import exc
from werkzeug.exceptions import (
    BadRequest,
    Conflict,
    HTTPException,
    InternalServerError,
    NotFound,
    RequestEntityTooLarge,
    ServiceUnavailable,
    TooManyRequests,
    UnprocessableEntity,
)

from app import diagnosis
from app.csvfile.errors import FileRejected, FileTooLarge
from app.deliveries.commands import EndpointRefused
from app.identity.sessions import SessionNotFound
from app.identity.tokens import TokenNotFound
from app.imports.errors import ImportNotFound, QuotaExceeded, TransitionRefused
from app.listings import ListingNotFound
from app.rate_limits import TooManyAttempts

log = logging.getLogger(__name__)

#: Seconds after which to try again after a 503.
_RETRY_AFTER_SECONDS = 5

#: What the database raises when it cannot be used; COPY and bulk statements raise the driver's own. Some of these may
#: have another cause, see ``is_database_away``.
_DATABASE_AWAY = (
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

#: The headers of an error that its answer keeps.
_HEADERS = frozenset({"Allow", "Retry-After", "WWW-Authenticate"})

#: Draws an error, with the sentence that it says about itself, if any.
Draw = Callable[[HTTPException, str | None], Response]


def handle(scaffold: Scaffold, draw: Draw) -> None:
    """Answer the errors of the views of ``scaffold`` with what ``draw`` makes of them."""
    scaffold.register_error_handler(HTTPException, lambda error: answer(error, draw))
    scaffold.register_error_handler(Exception, lambda error: answer(as_http(error), draw))


def answer(error: HTTPException, draw: Draw) -> Response | HTTPException:
    """The answer to a request that has failed."""
    if error.code is None or error.code < 400:
        # Redirects travel as exceptions too.
        return error
    if isinstance(error, InternalServerError) and is_database_away(error.original_exception):
        # It became unavailable while another answer was being drawn.
        error = as_http(error.original_exception)
    response = draw(error, error.description if error.description != type(error).description else None)
    response.headers.update({name: value for name, value in error.get_headers() if name in _HEADERS})
    return response


def as_http(error: BaseException) -> HTTPException:
    """What ``error`` means in HTTP; raises it again if it means nothing but a mistake in Sluice."""
    match error:
        case ImportNotFound() | ListingNotFound() | SessionNotFound() | TokenNotFound():
            return NotFound()
        case TransitionRefused() | EndpointRefused():
            return Conflict(str(error))
        case QuotaExceeded() | TooManyAttempts():
            return TooManyRequests(str(error), retry_after=error.seconds)
        case FileTooLarge():
            return RequestEntityTooLarge(error.message)
        case FileRejected():
            return UnprocessableEntity(error.message)
        case ParseException():
            # A body that breaks HTTP itself: a chunk of a wrong size, an extension or a trailer that is none.
            return BadRequest()
    if not is_database_away(error):
        raise error
    log.warning("database unavailable", exc_info=error)
    return ServiceUnavailable(why_in_part(error), retry_after=_RETRY_AFTER_SECONDS)


def is_database_away(error: BaseException | None) -> TypeGuard[BaseException]:
    """Whether ``error`` means that the database cannot be used, and not a mistake in Sluice."""
    return isinstance(error, _DATABASE_AWAY) and diagnosis.of_database(error) is not None


def why_in_part(error: BaseException) -> str | None:
    """The sentence about a database of which a part can be used; None for any other error."""
    fault = diagnosis.of_database(error)
    return None if fault is None else _IN_PART.get(fault.state)
