"""Requests with a file in a form: what the pages that take one share."""

from collections.abc import Callable, Iterator

from flask import Response, make_response, request
from flask_wtf.csrf import CSRFError, validate_csrf
from wtforms import ValidationError

from app.csvfile.errors import FileRejected, FileTooLarge
from app.http.multipart import FileForm
from app.http.uploads import pieces_of
from app.imports.errors import QuotaExceeded

#: Set by a script that sends the file itself. It is answered with a status, a sentence and a Location instead of a
#: page: a script cannot see a redirect, and would follow it.
_SCRIPT_HEADER = "Sluice-Upload"
PLAIN = "text/plain; charset=utf-8"


def is_script() -> bool:
    """Whether a script has sent the file."""
    return _SCRIPT_HEADER in request.headers


def checked_pieces(body: FileForm, *, before_file: frozenset[str]) -> Iterator[bytes]:
    """The bytes of the file; the CSRF token may come after them. Raises CSRFError, and as ``pieces_of`` does."""
    yield from pieces_of(body, before_file=before_file)
    check_csrf(body)


def csrf_token(body: FileForm) -> str | None:
    """The CSRF token that has arrived so far."""
    return body.fields.get("csrf_token") or request.headers.get("X-CSRFToken")


def check_csrf(body: FileForm) -> None:
    """Raise CSRFError unless a valid token has arrived."""
    try:
        validate_csrf(csrf_token(body))
    except ValidationError as error:
        raise CSRFError(error.args[0]) from None


def status_of(rejected: FileRejected) -> int:
    """The status with which a file is refused."""
    if isinstance(rejected, QuotaExceeded):
        return 429
    return 413 if isinstance(rejected, FileTooLarge) else 422


def refuse(rejected: FileRejected, render: Callable[[str], str]) -> Response:
    """Refuse a file: a sentence for a script, else the page that ``render`` draws with it."""
    if is_script():
        response = Response(rejected.message, content_type=PLAIN)
    else:
        response = make_response(render(rejected.message))
    response.status_code = status_of(rejected)
    if isinstance(rejected, QuotaExceeded):
        response.headers["Retry-After"] = str(rejected.seconds)
    return response
