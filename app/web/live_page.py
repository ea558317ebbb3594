"""Pages with a live part, which a script fetches again from the page's own address while something moves."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, render_template, request


def is_fragment_request() -> bool:
    """Whether a script asks for the live part alone, to put it into a page that is already there."""
    return request.headers.get("HX-Request") == "true"


def is_look() -> bool:
    """Whether a script looks by itself for what has changed, without anybody having pressed anything."""
    return request.headers.get("Sluice-Look") == "1"


def render_live(page: str, part: str, **context: Any) -> Response:
    """The template ``page``, or only its live ``part`` when a script asks, with the messages that wait.

    Both are drawn from the same ``context``, so a refreshed page and a loaded one never differ.
    """
    if is_fragment_request():
        response = make_response(render_template("fragment.html", part=part, is_look=is_look(), **context))
    else:
        response = make_response(render_template(page, part=part, **context))
    # The Back button must not bring back counters from before, nor a fragment instead of the page.
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("HX-Request")
    return response
