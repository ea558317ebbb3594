"""Pages with a live part, which htmx fetches again from the page's own address while something moves."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, render_template, request


def is_fragment_request() -> bool:
    """Whether a script asks for the live part alone, to put it into a page that is already there."""
    return request.headers.get("HX-Request") == "true"


def render_live(page: str, part: str, **context: Any) -> Response:
    """The template ``page``, or only its live ``part`` and waiting messages when a script asks.

    Both are drawn from the same ``context``, so a refreshed page and a loaded one never differ.
    """
    if is_fragment_request():
        response = make_response(render_template("fragment.html", part=part, **context))
    else:
        response = make_response(render_template(page, part=part, **context))
    # The Back button must not bring back counters from before, nor a fragment instead of the page.
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("HX-Request")
    return response
