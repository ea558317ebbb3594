"""The actions on an import: pause, resume, terminate, retry, import again."""

import uuid
from typing import Any

from flask import url_for

from app.api import limits
from app.api.authentication import bearer, seller_id
from app.api.blueprint import Created, asks, blueprint, can_fail, creates
from app.api.imports import answer_created
from app.api.problems import KEY_TAKEN
from app.api.schemas import AgainAsked, ImportInFull, KeptAsked, KeptListings, RequestKey, RetryAsked, UndoPreview
from app.api.serializers import show_in_full, show_kept
from app.http.downloads import source_errors_as_404
from app.imports import commands, undo
from app.imports.reports import kept_listings, progress
from app.queries import begin_repeatable_read
from app.statuses import ImportKind, RetriedRows

_TAG = ["What to do with an import"]


@blueprint.post("/imports/<uuid:public_id>/pause", tags=_TAG)
@blueprint.response(200, ImportInFull())
@can_fail(403, 404, 409)
def pause(public_id: uuid.UUID) -> dict[str, Any]:
    """Pause an import.

    Rows in progress are finished first, which takes less than a second; until then “pausing” is true. While the status
    is PAUSED, no row is written.
    """
    commands.pause(seller_id(), public_id)
    return show_in_full(seller_id(), public_id)


@blueprint.post("/imports/<uuid:public_id>/resume", tags=_TAG)
@blueprint.response(200, ImportInFull())
@can_fail(403, 404, 409)
def resume(public_id: uuid.UUID) -> dict[str, Any]:
    """Resume a paused import where it stopped."""
    commands.resume(seller_id(), public_id)
    return show_in_full(seller_id(), public_id)


@blueprint.post("/imports/<uuid:public_id>/terminate", tags=_TAG)
@blueprint.response(200, ImportInFull())
@can_fail(403, 404, 409)
def terminate(public_id: uuid.UUID) -> dict[str, Any]:
    """Terminate an import.

    Once this is answered, no further row is written. Rows already written stay.
    """
    commands.terminate(seller_id(), public_id)
    return show_in_full(seller_id(), public_id)


@blueprint.post("/imports/<uuid:public_id>/retry", tags=_TAG)
@asks(RetryAsked)
@creates("The import that takes them up.")
@can_fail(403, 404, 409)
def retry(asked: dict[str, Any], public_id: uuid.UUID) -> Created:
    """Retry the failed or the remaining rows of an import that is over.

    The retry is a new import. Repeated, the request answers with the same import: each row is retried once.
    """
    with source_errors_as_404():
        made = commands.retry(seller_id(), public_id, RetriedRows(asked["rows"]))
    return answer_created(made.public_id)


@blueprint.post("/imports/<uuid:public_id>/import", tags=_TAG)
@creates("The import of the file.")
@can_fail(403, 404, 409)
def import_checked(public_id: uuid.UUID) -> Created:
    """Import the file of a check that is over.

    The stored file is used. Repeated, the request answers with the same import.
    """
    with source_errors_as_404():
        made = commands.import_checked(seller_id(), public_id)
    return answer_created(made.public_id)


@blueprint.get("/imports/<uuid:public_id>/undo", tags=_TAG)
@blueprint.response(200, UndoPreview())
@can_fail(404, 409)
def preview_undo(public_id: uuid.UUID) -> dict[str, int]:
    """Preview the undo of an import that is over. Nothing is changed.

    It may take some seconds for an import of a million rows.
    """
    begin_repeatable_read()
    return undo.preview(seller_id(), public_id)._asdict()


@blueprint.post("/imports/<uuid:public_id>/undo", tags=_TAG)
@creates("The new undo.")
@can_fail(403, 404, 409)
def undo_import(public_id: uuid.UUID) -> Created:
    """Undo an import that is over: remove the listings that it created, and put back those that it updated.

    Listings that anything has changed since are kept. The undo is a run of its own, which can be paused, resumed and
    terminated. Repeated, the request answers with the same undo; if that was terminated, the rest is undone.
    If listings that it has kept are as the import left them again, those are undone.
    """
    started = undo.start(seller_id(), public_id)
    return answer_created(started.public_id)


@blueprint.get("/imports/<uuid:public_id>/kept", tags=_TAG)
@asks(KeptAsked)
@blueprint.response(200, KeptListings())
@can_fail(404)
def list_kept(asked: dict[str, Any], public_id: uuid.UUID) -> dict[str, Any]:
    """List the listings that an undo has kept, and why."""
    begin_repeatable_read()
    one = progress.get(seller_id(), public_id)
    page = kept_listings.list_page(one.key, limit=asked["limit"], after=asked.get("after", ""))
    here = {"limit": asked["limit"], "after": page.after}
    return {
        "kept": [show_kept(each) for each in page.rows],
        "next": url_for("api.list_kept", public_id=public_id, **here) if page.after else None,
    }


@blueprint.post("/imports/<uuid:public_id>/again", tags=_TAG)
@asks(AgainAsked)
@blueprint.arguments(RequestKey, location="headers")
@creates("The new import, or check.")
@can_fail(403, 404, 409, refuses=[KEY_TAKEN])
def again(asked: dict[str, Any], headers: dict[str, Any], public_id: uuid.UUID) -> Created:
    """Import the stored file of an import again, or check it with check=true."""
    limits.count_upload(bearer())
    with source_errors_as_404():
        made = commands.import_again(
            seller_id(),
            public_id,
            file_name=asked.get("file_name"),
            kind=ImportKind.of_switch(check=asked["check"]),
            idempotency_key=headers.get("key"),
        )
    return answer_created(made.public_id)
