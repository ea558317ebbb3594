"""Requests with a file in a form: what the pages that take one share."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from flask import Response, make_response, redirect, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError, validate_csrf
from wtforms import ValidationError

from app.csvfile.errors import FileRejected
from app.http.failures import as_http
from app.http.multipart import FileForm
from app.http.uploads import check_length, expect_file, storage_errors_as_503
from app.imports import quotas
from app.imports.errors import QuotaExceeded

#: Set by a script that sends the file itself. It is answered with a status, a sentence and a Location instead of a
#: page: a script cannot see a redirect, and would follow it.
_SCRIPT_HEADER = "Sluice-Upload"
PLAIN = "text/plain; charset=utf-8"


def is_script() -> bool:
    """Whether a script has sent the file."""
    return _SCRIPT_HEADER in request.headers


@contextmanager
def receive(
    seller_id: int, *, before_file: Collection[str], missing: str
) -> Iterator[tuple[FileForm, Iterator[bytes]]]:
    """The form in the request, and the bytes of its file as they arrive.

    Flask-WTF would read the whole body to find the CSRF token, so it is checked here: before the file if the form has
    it there, and in any case before anything is stored. Raises FileRejected, with ``missing``, for a form without a
    file.
    """
    expect_file()
    body = FileForm(request, before_file=before_file, anywhere=("csrf_token",))
    with storage_errors_as_503(), quotas.one_of_few(seller_id) as counted:
        if not body.open_file():
            _check_csrf(body)
            raise FileRejected(missing)
        check_length()
        if _csrf_token(body):
            _check_csrf(body)
        yield body, counted(_checked_pieces(body))


def _checked_pieces(body: FileForm) -> Iterator[bytes]:
    yield from body.pieces()
    _check_csrf(body)


def _csrf_token(body: FileForm) -> str | None:
    """The CSRF token that has arrived so far."""
    return body.fields.get("csrf_token") or request.headers.get("X-CSRFToken")


def _check_csrf(body: FileForm) -> None:
    """Raise CSRFError unless a valid token has arrived."""
    try:
        validate_csrf(_csrf_token(body))
    except ValidationError as error:
        raise CSRFError(error.args[0]) from None


def lead_on(place: str, told: str) -> ResponseReturnValue:
    """The answer for a file that is stored: on to ``place``, or for a script 201 with a sentence."""
    if is_script():
        return Response(told, 201, {"Location": place}, content_type=PLAIN)
    return redirect(place, 303)


def status_of(rejected: FileRejected) -> int:
    """The status with which a file is refused."""
    return as_http(rejected).code or 422


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
