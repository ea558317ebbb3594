"""Error pages: a sentence, and what to do next; never a stack trace."""

import logging
import uuid
from typing import Any, NamedTuple

from flask import Flask, Response, current_app, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError

from app.extensions import login_manager
from app.http.failures import BROKEN_BODY, DATABASE_AWAY, RETRY_AFTER_SECONDS, is_database_away, why_in_part
from app.imports.errors import ImportNotFound, QuotaExceeded, TransitionRefused
from app.web.live_page import is_fragment_request
from app.web.session import local_path, requested_path

log = logging.getLogger(__name__)


class Trouble(NamedTuple):
    """A kind of error page."""

    title: str
    #: What happened, if the error itself does not say.
    sentence: str
    advice: str


TROUBLES: dict[int, Trouble] = {
    400: Trouble(
        "That didn’t work",
        "Sluice couldn’t understand the request.",
        "Go back, reload the page and try again.",
    ),
    403: Trouble(
        "This page is out of date",
        "The page was opened before you last signed in or changed your password, so its buttons no longer work. "
        "Nothing was changed.",
        "Go back, reload the page and try again.",
    ),
    404: Trouble(
        "Page not found",
        "This page doesn’t exist or isn’t yours.",
        "Check the address, or look for it in My Imports.",
    ),
    405: Trouble(
        "That didn’t work",
        "This address only works from a button on a page.",
        "Go to My Imports and press the button there.",
    ),
    409: Trouble(
        "That’s not possible now",
        "The import has changed since this page was loaded.",
        "Check its status now, then decide again.",
    ),
    408: Trouble(
        "That took too long",
        "The request took too long and nothing was saved.",
        "Try again over a faster connection.",
    ),
    429: Trouble(
        "Slow down",
        "Too many requests.",
        "Wait a minute and try again.",
    ),
    413: Trouble(
        "That’s too large",
        "The request is larger than Sluice accepts.",
        "Split the file into smaller ones, each with the header line, and upload them one by one.",
    ),
    500: Trouble(
        "Something went wrong",
        "Something went wrong on our side. We’ve logged it.",
        "Try again. Running imports aren’t affected.",
    ),
    503: Trouble(
        "Back in a moment",
        "Sluice can’t reach its database right now.",
        "Wait a moment and reload the page. Imports will carry on from where they stopped; nothing is lost.",
    ),
}


def init_app(app: Flask) -> None:
    """Answer errors with pages."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(CSRFError, _csrf_error)
    app.register_error_handler(ImportNotFound, lambda _: _answer(404))
    app.register_error_handler(
        TransitionRefused, lambda error: _answer(409, str(error), public_id=(request.view_args or {}).get("public_id"))
    )
    app.register_error_handler(QuotaExceeded, _quota_exceeded)
    app.register_error_handler(BROKEN_BODY, lambda _: _answer(400))
    for kind in DATABASE_AWAY:
        app.register_error_handler(kind, _database_away)


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if isinstance(error, InternalServerError) and is_database_away(error.original_exception):
        # It became unavailable while another error page was being drawn.
        return _database_away(error.original_exception)
    if error.code is None or error.code < 400:
        # Redirects are raised as exceptions too.
        return error
    own_words = error.description if error.description != type(error).description else None
    response = _answer(error.code, own_words)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _csrf_error(_: CSRFError) -> ResponseReturnValue:
    if current_user.is_authenticated:
        return _answer(403)
    # The session has ended, or the sign-in form was left open for too long.
    if not is_fragment_request():
        flash("The page had been open for too long. Please sign in.", "info")
    if request.endpoint == "accounts.sign_in":
        return redirect(url_for("accounts.login", next=local_path(request.args.get("next"))), 303)
    answer: ResponseReturnValue = login_manager.unauthorized()
    return answer


def _quota_exceeded(error: QuotaExceeded) -> ResponseReturnValue:
    response = _answer(429, error.message)
    response.headers["Retry-After"] = str(error.seconds)
    return response


def _database_away(error: BaseException) -> ResponseReturnValue:
    if not is_database_away(error):
        raise error
    log.warning("database unavailable", exc_info=error)
    response = _answer(503, why_in_part(error))
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _answer(code: int, sentence: str | None = None, public_id: uuid.UUID | None = None) -> Response:
    trouble = TROUBLES.get(code) or TROUBLES[500 if code >= 500 else 400]
    sentence = sentence or trouble.sentence
    if is_fragment_request():
        # The script shows it beside what is already on the page.
        response = Response(sentence, content_type="text/plain; charset=utf-8")
    else:
        response = make_response(_page(code, trouble, sentence, public_id))
    response.status_code = code
    response.headers["Cache-Control"] = "no-store"
    return response


def _page(code: int, trouble: Trouble, sentence: str, public_id: uuid.UUID | None) -> str:
    words: dict[str, Any] = {
        "code": code,
        "title": trouble.title,
        "sentence": sentence,
        "advice": trouble.advice,
        "public_id": public_id,
        # A link cannot repeat what a button has sent.
        "again": requested_path() if code >= 500 and request.method == "GET" else None,
    }
    if code < 500:
        return render_template("errors/error.html", layout="layout.html", **words)
    # Not render_template, which asks the database who is signed in, for the navigation: the database may be what is
    # unavailable.
    return current_app.jinja_env.get_template("errors/error.html").render(layout="bare.html", **words)
