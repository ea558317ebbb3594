"""Streaming uploads: what the form and the API share."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, current_app, request
from werkzeug.exceptions import ClientDisconnected, RequestTimeout, ServiceUnavailable

from app.config import current_settings
from app.csvfile.errors import FileTooLarge
from app.extensions import db

#: Room for the form around the file, in bytes.
_FORM_BYTES = 1 << 20

#: Seconds after which to send a refused file again.
_PLACE_AFTER_SECONDS = 10


def init_app(app: Flask) -> None:
    """Refuse, before anything is read, uploads for which the web server has no thread."""
    app.before_request(_refuse_one_too_many)


def _refuse_one_too_many() -> None:
    if getattr(request.environ.get("gunicorn.socket"), "is_one_too_many", False):
        raise ServiceUnavailable(
            "Too many files are arriving at once, and nothing of this one was saved. Send it again in a few seconds.",
            retry_after=_PLACE_AFTER_SECONDS,
        )


def expect_file() -> None:
    """Prepare for a body with a file, which may be large and take minutes to arrive."""
    # The limit of other forms does not apply: the file is never held as a whole, and is measured as it arrives.
    request.max_content_length = sys.maxsize
    # No connection to the database is held while it arrives.
    db.session.rollback()


def check_length() -> None:
    """Raise FileTooLarge for a body whose announced length exceeds the limit of files."""
    settings = current_settings()
    if (request.content_length or 0) > settings.max_upload_bytes + _FORM_BYTES:
        raise FileTooLarge.beyond(settings.max_upload_bytes)


@contextmanager
def storage_errors_as_503() -> Iterator[None]:
    """Answer 503 when the file cannot be stored inside."""
    try:
        yield
    except ClientDisconnected:
        if not getattr(request.environ.get("gunicorn.socket"), "is_too_slow", False):
            raise
        # The connection can still be answered; only the client's time is over.
        raise RequestTimeout(
            "The upload timed out and nothing was saved. Send the file again over a faster connection, or split it."
        ) from None
    except OSError as error:
        current_app.logger.exception("upload not stored")
        raise ServiceUnavailable("The file could not be stored. Try again in a few minutes.") from error
