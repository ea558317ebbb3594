"""A file on its way in, through the form or through the API: what both have to heed before and after its bytes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flask import Response, current_app, request
from werkzeug.exceptions import BadRequest, ClientDisconnected, RequestTimeout, ServiceUnavailable

from app.config import Settings
from app.csvfile.rejected import FileTooLarge
from app.extensions import db
from app.web.multipart import FileForm

#: What a form with a file in it needs beside the file.
_FORM_BYTES = 1 << 20

#: After an early refusal the rest of the body is read and thrown away for so long and no further. A connection closed
#: in the middle of the client's sending would take the answer with it.
_LINGER_SECONDS = 5.0
_LINGER_BYTES = 64 << 20


def expect_file() -> None:
    """Get ready for a body with a file in it, which may be large and take minutes to arrive."""
    # The limit for other forms is not one for this: the file is never held as a whole, and is measured as it arrives.
    request.max_content_length = sys.maxsize
    # Nobody's connection to the database waits for it.
    db.session.rollback()


def check_length() -> None:
    """Raise FileTooLarge for a body that is announced as too long for a file that can be taken."""
    settings: Settings = current_app.extensions["sluice_settings"]
    if (request.content_length or 0) > settings.max_upload_bytes + _FORM_BYTES:
        raise FileTooLarge.beyond(settings.max_upload_bytes)


def pieces_of(body: FileForm, *, before_file: frozenset[str]) -> Iterator[bytes]:
    """The bytes of the file in a form. Raises BadRequest where a field of ``before_file`` stands behind it.

    Such a field decides what is done with the file, and behind it comes too late.
    """
    in_time = body.fields.keys() & before_file
    yield from body.pieces()
    late = (body.fields.keys() & before_file) - in_time
    if late:
        # Above all, what was to be checked only must not be imported.
        raise BadRequest(f"The form has {' and '.join(sorted(late))} after the file. Put it before the file.")


@contextmanager
def storing_trouble() -> Iterator[None]:
    """Answer with an error of its own when the file cannot be stored inside."""
    try:
        yield
    except ClientDisconnected:
        if not getattr(request.environ.get("gunicorn.socket"), "is_too_slow", False):
            raise
        # The connection is still there to be answered; only its sender's time is over.
        raise RequestTimeout(
            "The file came so slowly that Sluice gave it up, and nothing of it was kept. Send it again over a faster "
            "connection, or in smaller files."
        ) from None
    except OSError as error:
        current_app.logger.exception("upload not stored")
        raise ServiceUnavailable("The file could not be stored. Try again in a few minutes.") from error


def linger_after(response: Response) -> None:
    """Read on for a while when ``response``, a refusal, has been sent, so that the client comes to read it."""
    connection = request.environ.get("gunicorn.socket")
    if connection is None:
        return
    # However long the body is: nothing of it is kept.
    request.max_content_length = sys.maxsize
    stream = request.stream

    def linger() -> None:
        ends_at = time.monotonic() + _LINGER_SECONDS
        left = _LINGER_BYTES
        with suppress(OSError):
            connection.settimeout(1.0)
            while time.monotonic() < ends_at and left > 0 and (data := stream.read(1 << 16)):
                left -= len(data)

    response.call_on_close(linger)
