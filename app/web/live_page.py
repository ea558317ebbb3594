"""Pages with a live part, for which a script polls the page's own address while something moves."""

from typing import Any

from flask import Response, make_response, render_template, request


def is_fragment_request() -> bool:
    """Whether a script asks for the live part alone, to insert it into a page that is already there."""
    return request.headers.get("HX-Request") == "true"


def render_live(page: str, part: str, **context: Any) -> Response:
    """The template ``page``, or only its live ``part`` when a script asks, with the waiting messages.

    Both are drawn from the same ``context``, so a refreshed page and a loaded one never differ.
    """
    is_fragment = is_fragment_request()
    # A poll is a request by a script, and not by a press of a button.
    is_poll = request.headers.get("Sluice-Poll") == "1"
    context |= {"part": part, "is_fragment": is_fragment, "is_poll": is_poll}
    response = make_response(render_template("fragment.html" if is_fragment else page, **context))
    response.vary.add("HX-Request")
    return response
