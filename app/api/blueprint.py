"""The blueprint of all resources, and what their views share."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from flask_smorest import Blueprint
from marshmallow import RAISE

from app.api import limits, problems
from app.api.authentication import require_token
from app.api.schemas import ImportInFull, Problem

#: The answer for what a request has created: the import or its like, the status 201, and its address.
Created = tuple[dict[str, Any], int, dict[str, str]]

#: Describes its address.
LOCATION = {"Location": {"description": "The path of the import.", "schema": {"type": "string"}}}

blueprint = Blueprint("api", __name__, url_prefix=f"{problems.ROOT}v1")
blueprint.before_request(require_token)
blueprint.after_request(limits.add_headers)
problems.handle_errors(blueprint)

#: Parses the query of a URL and describes it; unknown parameters are refused.
asks = partial(blueprint.arguments, location="query", unknown=RAISE)


def can_fail(
    *statuses: int, refuses: Sequence[problems.ProblemType] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Document the problems that a view can answer with, by their ``statuses``, besides those of every view.

    ``refuses`` are the view's own problems with status 422.
    """

    def document(view: Callable[..., Any]) -> Callable[..., Any]:
        for kind in reversed(problems.KINDS):
            if kind in refuses or kind.status not in {*statuses, *problems.ALWAYS}:
                continue
            titles = [kind.title]
            if kind is problems.INVALID_REQUEST:
                titles += [own.title for own in refuses]
            elif kind.status == problems.INVALID_REQUEST.status:
                continue
            view = blueprint.alt_response(
                kind.status, schema=Problem(), content_type=problems.CONTENT_TYPE, description="; ".join(titles)
            )(view)
        return view

    return document


def creates(description: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Document that a view creates an import, and answers with it."""
    created: Callable[[Callable[..., Any]], Callable[..., Any]] = blueprint.response(
        201, ImportInFull(), description=description, headers=LOCATION
    )
    return created


def gives_csv(view: Callable[..., Any]) -> Callable[..., Any]:
    """Document that a view answers with a CSV file."""
    is_csv = blueprint.response(200, {"type": "string"}, content_type="text/csv", description="A CSV file.")
    documented: Callable[..., Any] = is_csv(view)
    return documented
