"""The operators' pages: overview, any import, and the audit log. Sellers get 404."""

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.humanize import counted
from app.imports import commands
from app.imports.errors import ImportNotFound
from app.imports.reports import progress
from app.operators import overview
from app.queries import ImportKey
from app.queries import operations as asked
from app.queries.operations import ImportSeen
from app.version import VERSION
from app.web.live_page import render_live
from app.web.session import next_path, require_operator

blueprint = Blueprint("ops", __name__, url_prefix="/ops")
blueprint.before_request(require_operator)

_ENTRIES_IN_OVERVIEW = 15
_ENTRIES_ON_A_PAGE = 100
_TROUBLES_OF_AN_IMPORT = 50
#: The highest possible id of an entry.
_MAX_ID = 2**63 - 1


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The overview: what is wrong, and everything that is running, waiting, or failed recently."""
    seen = overview.look()
    return render_live(
        "ops/index.html",
        "ops/_live.html",
        seen=seen,
        alarms=overview.find_alarms(seen),
        entries=asked.list_audit(limit=_ENTRIES_IN_OVERVIEW),
        here=url_for("ops.index"),
        version=VERSION,
    )


@blueprint.get("/imports/<uuid:public_id>")
def show(public_id: uuid.UUID) -> ResponseReturnValue:
    """An import of any seller: its batches and their workers, its errors, and its audit log."""
    one = _find(public_id)
    key = ImportKey(one.seller_id, one.import_id)
    return render_live(
        "ops/show.html",
        "ops/_show_live.html",
        one=one,
        batches=asked.list_batches(key),
        troubles=asked.list_troubles(limit=_TROUBLES_OF_AN_IMPORT, key=key),
        entries=asked.list_audit(limit=_ENTRIES_ON_A_PAGE, public_id=public_id),
        here=url_for("ops.show", public_id=public_id),
    )


@blueprint.get("/audit")
def audit_log() -> ResponseReturnValue:
    """The audit log, newest first; ``import`` selects an import, ``before`` is the last entry of the previous page."""
    of_import = request.args.get("import", type=uuid.UUID)
    before = request.args.get("before", type=int)
    found = asked.list_audit(
        limit=_ENTRIES_ON_A_PAGE + 1,
        before=None if before is None else max(0, min(before, _MAX_ID)),
        public_id=of_import,
    )
    shown = found[:_ENTRIES_ON_A_PAGE]
    return render_template(
        "ops/audit.html",
        entries=shown,
        of_import=of_import,
        older=shown[-1].id if len(found) > _ENTRIES_ON_A_PAGE else None,
    )


@blueprint.post("/imports/<uuid:public_id>/pause")
def pause(public_id: uuid.UUID) -> ResponseReturnValue:
    """Pause the import at the end of the running chunks."""
    one = _find(public_id)
    commands.pause(one.seller_id, public_id)
    return _done(f"Pausing {one.file_name} of {one.email}.")


@blueprint.post("/imports/<uuid:public_id>/resume")
def resume(public_id: uuid.UUID) -> ResponseReturnValue:
    """Resume the import."""
    one = _find(public_id)
    commands.resume(one.seller_id, public_id)
    return _done(f"Resumed {one.file_name} of {one.email}.")


@blueprint.get("/imports/<uuid:public_id>/terminate")
def confirm_terminate(public_id: uuid.UUID) -> ResponseReturnValue:
    """Ask for confirmation before a seller's import is terminated."""
    one = _find(public_id)
    shown = progress.get(one.seller_id, public_id)
    if not shown.can_terminate:
        flash(f"{shown.file_name} has already finished.", "info")
        return redirect(_next(), 303)
    return render_template(
        "confirm_terminate.html",
        one=shown,
        owner=one.email,
        action=url_for("ops.terminate", public_id=public_id),
        back=_next(),
    )


@blueprint.post("/imports/<uuid:public_id>/terminate")
def terminate(public_id: uuid.UUID) -> ResponseReturnValue:
    """Terminate the import."""
    one = _find(public_id)
    commands.terminate(one.seller_id, public_id)
    ended = progress.get(one.seller_id, public_id)
    return _done(f"Terminated {one.file_name} of {one.email} after {ended.processed:,} of {ended.total:,} rows.")


@blueprint.post("/imports/<uuid:public_id>/reopen")
def reopen(public_id: uuid.UUID) -> ResponseReturnValue:
    """Retry the given-up batches of the import."""
    one = _find(public_id)
    count = commands.reopen(one.seller_id, public_id)
    return _done(f"{counted(count, 'batch', 'batches')} of {one.file_name} tried again.")


def _find(public_id: uuid.UUID) -> ImportSeen:
    one = asked.find_import(public_id)
    if one is None:
        raise ImportNotFound
    return one


def _done(sentence: str) -> ResponseReturnValue:
    flash(sentence, "success")
    return redirect(_next(), 303)


def _next() -> str:
    return next_path(url_for("ops.index"))
