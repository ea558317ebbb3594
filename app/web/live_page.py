"""Pages with a live part, for which a script polls the page's own address while something moves."""

from typing import Any

from flask import Response, make_response, render_template, request


def is_fragment_request() -> bool:
    """Whether a script asks for the live part alone, to insert it into a page that is already there."""
    return request.headers.get("HX-Request") == "true"


def is_poll() -> bool:
    """Whether this is a poll: a request by a script, and not by a press of a button."""
    return request.headers.get("Sluice-Poll") == "1"


def render_live(page: str, part: str, **context: Any) -> Response:
    """The template ``page``, or only its live ``part`` when a script asks, with the waiting messages.

    Both are drawn from the same ``context``, so a refreshed page and a loaded one never differ.
    """
    if is_fragment_request():
        response = make_response(render_template("fragment.html", part=part, is_poll=is_poll(), **context))
    else:
        response = make_response(render_template(page, part=part, **context))
    response.vary.add("HX-Request")
    return response
