"""The failed rows of an import, and of all imports together."""

import uuid
from typing import Any

from flask import request, url_for

from app.api.authentication import seller_id
from app.api.blueprint import asks, blueprint, can_fail
from app.api.schemas import ErrorsAsked, FoundErrors, RowErrors, RowsAsked
from app.api.serializers import show_failed_row
from app.http.downloads import need_errors
from app.http.error_filter import read_filter, read_text
from app.imports.reports import progress, row_errors, row_search
from app.queries import begin_repeatable_read


@blueprint.get("/imports/<uuid:public_id>/errors", tags=["Failed rows"])
@asks(ErrorsAsked)
@blueprint.response(200, RowErrors())
@can_fail(404)
def list_errors(asked: dict[str, Any], public_id: uuid.UUID) -> dict[str, Any]:
    """List the failed rows of an import, in the order of the file.

    A page ends after some megabytes, whatever the limit; “next” leads to the next one.
    All given filters must match.
    """
    begin_repeatable_read()
    one = progress.get(seller_id(), public_id)
    need_errors(one)
    wanted = read_filter(request.args)
    limit = asked["limit"]
    shown, after = row_errors.list_rows(one, after_line=asked["after"], limit=limit, wanted=wanted.wanted)
    here = {**wanted.values, "limit": limit, "after": after}
    return {
        "errors": [show_failed_row(row) for row in shown],
        "next": url_for("api.list_errors", public_id=public_id, **here) if after else None,
    }


@blueprint.get("/errors", tags=["Failed rows"])
@asks(RowsAsked)
@blueprint.response(200, FoundErrors())
@can_fail()
def find_errors(asked: dict[str, Any]) -> dict[str, Any]:
    """Search the failed rows of all your imports for a text.

    Rows of checks are left out. Listings are found by the same text with “own” and “urn”.
    """
    (text, _), limit = read_text(request.args), asked["limit"]
    page = row_search.find(seller_id(), text, after=asked.get("after", ""), limit=limit) if text else None
    return {
        "errors": page.rows if page else [],
        "next": url_for("api.find_errors", text=text, limit=limit, after=page.next) if page and page.next else None,
    }
