"""One import: the side panel, the full details, its failed rows, and its files to download."""

from __future__ import annotations

import uuid

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.imports import files, outcome, progress
from app.queries import ImportKey, begin_snapshot, row_errors
from app.queries.row_errors import RecordedError
from app.web.downloads import csv_response, name_for
from app.web.live import render_live
from app.web.session import require_seller, seller_id

blueprint = Blueprint("details", __name__, url_prefix="/imports/<uuid:public_id>")
blueprint.before_request(require_seller)
# Counters, batches and failed rows stand on one page, and must agree while workers go on writing.
blueprint.before_request(begin_snapshot)

#: Failed rows on one page.
_PAGE_SIZE = 50
#: No line is higher, and the database cannot be asked for one.
_MAX_LINE = 2**31 - 1


@blueprint.get("")
def show(public_id: uuid.UUID) -> ResponseReturnValue:
    """Everything about an import: counters, batches, and the first of the failed rows."""
    one = progress.get(seller_id(), public_id)
    family = progress.get_family(one)
    failed, goes_on = _failed_after(one.key, 0) if one.failed else ([], False)
    return render_live(
        "details/show.html",
        "details/_live.html",
        one=one,
        family=family,
        outcome=outcome.describe(one, retried=family.retries),
        batches=progress.list_batches(one.key),
        errors=failed,
        has_more_errors=goes_on,
        here=url_for("details.show", public_id=public_id),
    )


@blueprint.get("/panel")
def panel(public_id: uuid.UUID) -> ResponseReturnValue:
    """The summary that My Imports opens at its side; a page of its own where there are no scripts."""
    one = progress.get(seller_id(), public_id)
    family = progress.get_family(one)
    return render_live(
        "details/panel.html",
        "details/_panel.html",
        one=one,
        family=family,
        outcome=outcome.describe(one, retried=family.retries),
        here=url_for("details.panel", public_id=public_id),
    )


@blueprint.get("/errors")
def errors(public_id: uuid.UUID) -> ResponseReturnValue:
    """The failed rows in the order of the file; ``after`` is the line of the last one on the page before."""
    one = progress.get(seller_id(), public_id)
    after = min(max(request.args.get("after", default=0, type=int), 0), _MAX_LINE)
    failed, goes_on = _failed_after(one.key, after)
    return render_template("details/errors.html", one=one, errors=failed, has_more_errors=goes_on, after=after)


@blueprint.get("/failed.csv")
def failed_csv(public_id: uuid.UUID) -> ResponseReturnValue:
    """The failed rows under their header, ready to be corrected and uploaded."""
    one = progress.get(seller_id(), public_id)
    return csv_response(name_for("failed-rows", one), files.failed(one.key))


@blueprint.get("/errors.csv")
def errors_csv(public_id: uuid.UUID) -> ResponseReturnValue:
    """The error report, for people who sort and filter it in a spreadsheet."""
    one = progress.get(seller_id(), public_id)
    return csv_response(name_for("error-report", one), files.report(one.key))


@blueprint.get("/remaining.csv")
def remaining_csv(public_id: uuid.UUID) -> ResponseReturnValue:
    """The rows that were not processed under their header, ready to be uploaded another time."""
    one = progress.get(seller_id(), public_id)
    return csv_response(name_for("remaining-rows", one), files.remaining(one.key))


@blueprint.get("/succeeded.csv")
def succeeded_csv(public_id: uuid.UUID) -> ResponseReturnValue:
    """Which line made or changed which listing."""
    one = progress.get(seller_id(), public_id)
    return csv_response(name_for("succeeded-rows", one), files.succeeded(one.key))


@blueprint.get("/source.csv")
def source_csv(public_id: uuid.UUID) -> ResponseReturnValue:
    """The file as it was uploaded."""
    one = progress.get(seller_id(), public_id)
    return csv_response(one.file_name, files.source(one.key), size=one.file_size)


def _failed_after(key: ImportKey, line: int) -> tuple[list[RecordedError], bool]:
    """A page of failed rows below ``line``, and whether there are more after it."""
    found = row_errors.list_after(key, after_line=line, limit=_PAGE_SIZE + 1)
    return found[:_PAGE_SIZE], len(found) > _PAGE_SIZE
