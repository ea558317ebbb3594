"""Downloads of an import."""

import uuid
from collections.abc import Callable
from typing import Any

from flask import Response

from app.api.authentication import seller_id
from app.api.blueprint import blueprint, can_fail, gives_csv
from app.api.schemas import FailedFileAsked, LeftOutAsked
from app.http import downloads
from app.imports.reports import progress

_TAG = ["Files"]


def _file(name: str) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Register a view that answers with the file ``name`` of an import."""

    def register(view: Callable[..., Response]) -> Callable[..., Response]:
        path = f"/imports/<uuid:public_id>/{name}.csv"
        registered: Callable[..., Response] = blueprint.get(path, tags=_TAG)(gives_csv(can_fail(404)(view)))
        return registered

    return register


@_file("failed")
@blueprint.arguments(FailedFileAsked, location="query")
def failed_csv(asked: dict[str, Any], public_id: uuid.UUID) -> Response:
    """Download the failed rows under their header, to be corrected and sent again.

    They are what they were in the file, byte for byte, unless reasons are asked for.
    """
    return downloads.failed_rows(progress.get(seller_id(), public_id), with_reasons=asked["reasons"])


@_file("errors")
def errors_csv(public_id: uuid.UUID) -> Response:
    """Download the report of the failed rows: line, code, columns, message, fix, and the row's values."""
    return downloads.error_report(progress.get(seller_id(), public_id))


@_file("as-updates")
def as_updates_csv(public_id: uuid.UUID) -> Response:
    """Download the rows whose listing already exists, as UPDATE rows."""
    return downloads.as_updates(progress.get(seller_id(), public_id))


@_file("remaining")
def remaining_csv(public_id: uuid.UUID) -> Response:
    """Download the rows that were not processed under their header, to be sent later."""
    return downloads.remaining_rows(progress.get(seller_id(), public_id))


@_file("succeeded")
def succeeded_csv(public_id: uuid.UUID) -> Response:
    """Download the line, listing and outcome of each successful row."""
    return downloads.succeeded_rows(progress.get(seller_id(), public_id))


@_file("kept")
def kept_csv(public_id: uuid.UUID) -> Response:
    """Download the listings that an undo has kept, and why."""
    return downloads.kept_listings(progress.get(seller_id(), public_id))


@_file("source")
def source_csv(public_id: uuid.UUID) -> Response:
    """Download the file as it was uploaded."""
    return downloads.source(progress.get(seller_id(), public_id))


@_file("converted")
def converted_csv(public_id: uuid.UUID) -> Response:
    """Download the converted file: a file from another tool in the import format."""
    return downloads.converted(progress.get(seller_id(), public_id))


@_file("left-out")
@blueprint.arguments(LeftOutAsked, location="query")
def left_out_csv(asked: dict[str, Any], public_id: uuid.UUID) -> Response:
    """Download the rows of a file from another tool that were left out, in its format, with the reasons."""
    return downloads.left_out_rows(progress.get(seller_id(), public_id), added=asked["added"])


@blueprint.get("/template.csv", tags=_TAG)
@gives_csv
@can_fail()
def template_csv() -> Response:
    """Download a template: the header and two example rows."""
    return downloads.template()
