"""My Imports: the list of a seller's imports, and the actions of their buttons."""

import uuid
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest

from app.demo import sample
from app.http.downloads import source_errors_as_404
from app.http.import_filter import read_filter
from app.humanize import counted
from app.imports import commands
from app.imports.reports import progress, summary
from app.queries.imports import lookups
from app.statuses import RetriedRows
from app.web.live_page import render_live
from app.web.session import next_path, require_seller, seller_id

blueprint = Blueprint("my_imports", __name__)
blueprint.before_request(require_seller)

#: Number of imports on a page.
_PAGE_SIZE = 20


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """Redirect the address without a path to My Imports."""
    return redirect(url_for("my_imports.index"))


@blueprint.get("/imports")
def index() -> ResponseReturnValue:
    """The imports that match the filter, newest first.

    ``before`` is the public id of the last one on the previous page. ``panel`` is the public id of the import whose
    details are open beside the list; without scripts, the address leads to its own page.
    """
    asked = read_filter(request.args)
    before, panel = (request.args.get(name, type=uuid.UUID) for name in ("before", "panel"))
    _position(panel)
    found = progress.list_page(seller_id(), limit=_PAGE_SIZE + 1, before=_position(before), wanted=asked.wanted)
    shown = found[:_PAGE_SIZE]
    relations = progress.list_related(shown)
    place: dict[str, Any] = {**asked.values, "before": before}
    return render_live(
        "my_imports/index.html",
        "my_imports/_live.html",
        asked=asked,
        imports=[
            (one, related, summary.describe(one, related=related))
            for one, related in zip(shown, relations, strict=True)
        ],
        needing_attention=lookups.count_needing_attention(seller_id()) if shown or asked.is_active else 0,
        has_imports=bool(shown or asked.is_active or before),
        before=before,
        older=shown[-1].public_id if len(found) > _PAGE_SIZE else None,
        panel=panel,
        here=url_for("my_imports.index", **place),
        # An import that does not match the filter now may match it once it is over.
        is_moving=any(one.is_moving for one in shown) or (asked.is_active and lookups.has_running(seller_id())),
        has_sample=not shown and sample.is_offered(),
    )


@blueprint.post("/imports/<uuid:public_id>/pause")
def pause(public_id: uuid.UUID) -> ResponseReturnValue:
    """Pause an import at the end of the running chunks."""
    commands.pause(seller_id(), public_id)
    paused = progress.get(seller_id(), public_id)
    flash(f"{'Pausing' if paused.is_pausing else 'Paused'} {paused.name}.", "success")
    return _back(public_id)


@blueprint.post("/imports/<uuid:public_id>/resume")
def resume(public_id: uuid.UUID) -> ResponseReturnValue:
    """Resume a paused import."""
    commands.resume(seller_id(), public_id)
    flash(f"Resumed {progress.get(seller_id(), public_id).name}.", "success")
    return _back(public_id)


@blueprint.get("/imports/<uuid:public_id>/terminate")
def confirm_terminate(public_id: uuid.UUID) -> ResponseReturnValue:
    """Ask for confirmation before an import is terminated; with scripts, a dialog on the page asks instead."""
    asked = progress.get(seller_id(), public_id)
    if not asked.can_terminate:
        flash(f"{asked.name} has already finished.", "info")
        return _back(public_id)
    action = url_for("my_imports.terminate", public_id=public_id)
    return render_template("confirm_terminate.html", one=asked, action=action, back=_next(public_id))


@blueprint.post("/imports/<uuid:public_id>/terminate")
def terminate(public_id: uuid.UUID) -> ResponseReturnValue:
    """Terminate an import."""
    commands.terminate(seller_id(), public_id)
    ended = progress.get(seller_id(), public_id)
    flash(f"Terminated {ended.name} after {ended.processed:,} of {counted(ended.total, ended.rows_word)}.", "success")
    return _back(public_id)


@blueprint.post("/imports/<uuid:public_id>/retry")
def retry(public_id: uuid.UUID) -> ResponseReturnValue:
    """Retry the failed or the remaining rows (``rows`` says which); 303 to the retry."""
    # Another seller's import is not found, whatever else is wrong with the request.
    progress.get(seller_id(), public_id)
    rows = request.form.get("rows", type=RetriedRows)
    if rows not in (RetriedRows.FAILED, RetriedRows.REMAINING):
        raise BadRequest("The request does not say which rows to retry.")
    with source_errors_as_404():
        retried = commands.retry(seller_id(), public_id, rows)
    return redirect(url_for("details.show", public_id=retried.public_id), 303)


def _position(before: uuid.UUID | None) -> int | None:
    """Where the page begins. Addresses contain only public ids, because internal ids reveal the number of imports."""
    if before is None:
        return None
    return lookups.get_key(seller_id(), before).import_id


def _back(public_id: uuid.UUID) -> ResponseReturnValue:
    return redirect(_next(public_id), 303)


def _next(public_id: uuid.UUID) -> str:
    """The page that the form was sent from."""
    return next_path(url_for("details.show", public_id=public_id))
