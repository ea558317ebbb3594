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
from app.imports.reports.progress import ImportProgress

_TAG = ["Files"]
#: What the reference says of the files that take no options.
_MEANINGS = {
    "errors": "Download the report of the failed rows: line, code, columns, message, fix, and the row's values.",
    "as-updates": "Download the rows whose listing already exists, as UPDATE rows.",
    "remaining": "Download the rows that were not processed under their header, to be sent later.",
    "succeeded": "Download the line, listing and outcome of each successful row.",
    "kept": "Download the listings that an undo has kept, and why.",
    "source": "Download the file as it was uploaded.",
    "converted": "Download the converted file: a file from another tool in the import format.",
}


def _file(name: str) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Register a view that answers with the file ``name`` of an import."""

    def register(view: Callable[..., Response]) -> Callable[..., Response]:
        path, endpoint = f"/imports/<uuid:public_id>/{name}.csv", f"{name.replace('-', '_')}_csv"
        registered: Callable[..., Response] = blueprint.get(path, tags=_TAG, endpoint=endpoint)(
            gives_csv(can_fail(404)(view))
        )
        return registered

    return register


@_file("failed")
@blueprint.arguments(FailedFileAsked, location="query")
def failed_csv(asked: dict[str, Any], public_id: uuid.UUID) -> Response:
    """Download the failed rows under their header, to be corrected and sent again.

    They are what they were in the file, byte for byte, unless reasons are asked for.
    """
    return downloads.failed_rows(progress.get(seller_id(), public_id), with_reasons=asked["reasons"])


def _add_file(name: str, send: Callable[[ImportProgress], Response]) -> None:
    def take(public_id: uuid.UUID) -> Response:
        return send(progress.get(seller_id(), public_id))

    take.__doc__ = _MEANINGS[name]
    _file(name)(take)


_add_file("errors", downloads.error_report)
for _name, _send in downloads.PLAIN_FILES.items():
    _add_file(_name, _send)


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
