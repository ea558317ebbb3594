"""Error pages: a sentence, and what to do next; never a stack trace."""

from typing import Any, NamedTuple

from flask import Flask, Response, current_app, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import Forbidden, HTTPException

from app.http import failures
from app.web.live_page import is_fragment_request
from app.web.session import local_path, requested_path, send_to_sign_in


class Trouble(NamedTuple):
    """A kind of error page."""

    title: str
    #: What happened, if the error itself does not say.
    sentence: str
    advice: str


TROUBLES: dict[int, Trouble] = {
    400: Trouble(
        "That didn’t work", "Sluice couldn’t understand the request.", "Go back, reload the page and try again."
    ),
    403: Trouble(
        "This page is out of date",
        "The page was opened before you last signed in or changed your password, so its buttons no longer work. "
        "Nothing was changed.",
        "Go back, reload the page and try again.",
    ),
    404: Trouble(
        "Page not found", "This page doesn’t exist or isn’t yours.", "Check the address, or look for it in My Imports."
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
        "That took too long", "The request took too long and nothing was saved.", "Try again over a faster connection."
    ),
    429: Trouble("Slow down", "Too many requests.", "Wait a minute and try again."),
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

#: A form without a file that is too large; what is too large about a file is said by the error itself.
_LARGE_FORM = Trouble(
    "That’s too much at once",
    "The page has sent more than Sluice accepts at once, and nothing was changed.",
    "Go back, where what you typed may still be there, and send less of it at a time: fewer rows, or shorter texts.",
)


def init_app(app: Flask) -> None:
    """Answer errors with pages."""
    failures.handle(app, _draw)
    app.register_error_handler(CSRFError, _csrf_error)


def _csrf_error(_: CSRFError) -> ResponseReturnValue:
    if current_user.is_authenticated:
        return _draw(Forbidden())
    if request.endpoint == "accounts.sign_in":
        flash("The page had been open for too long. Please sign in.", "info")
        return redirect(url_for("accounts.login", next=local_path(request.args.get("next"))), 303)
    return send_to_sign_in()


def _draw(error: HTTPException, sentence: str | None = None) -> Response:
    code = error.code or 500
    trouble = TROUBLES.get(code) or TROUBLES[500 if code >= 500 else 400]
    if code == 413 and sentence is None:
        trouble = _LARGE_FORM
    sentence = sentence or trouble.sentence
    if is_fragment_request():
        # The script shows it beside what is already on the page.
        response = Response(sentence, content_type="text/plain; charset=utf-8")
    else:
        response = make_response(_page(code, trouble, sentence))
    response.status_code = code
    response.headers["Cache-Control"] = "no-store"
    return response


def _page(code: int, trouble: Trouble, sentence: str) -> str:
    words: dict[str, Any] = {
        "code": code,
        "title": trouble.title,
        "sentence": sentence,
        "advice": trouble.advice,
        # The import whose status does not allow what was asked for.
        "public_id": (request.view_args or {}).get("public_id") if code == 409 else None,
        # A link cannot repeat what a button has sent.
        "again": requested_path() if code >= 500 and request.method == "GET" else None,
    }
    if code < 500:
        return render_template("errors/error.html", layout="layout.html", **words)
    # Not render_template, which asks the database who is signed in, for the navigation: the database may be what is
    # unavailable.
    return current_app.jinja_env.get_template("errors/error.html").render(layout="bare.html", **words)
