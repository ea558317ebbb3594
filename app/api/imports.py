"""Imports: uploading, listing, showing, changing and deleting one."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Response, jsonify, request, url_for
from werkzeug.exceptions import BadRequest, UnprocessableEntity, UnsupportedMediaType

from app.api import limits
from app.api.authentication import bearer, seller_id
from app.api.blueprint import LOCATION, Created, asks, blueprint, can_fail, creates
from app.api.conversions import show
from app.api.problems import FILE_REFUSED, KEY_TAKEN
from app.api.schemas import (
    Changes,
    FileAsked,
    ImportChange,
    ImportInFull,
    Imports,
    ImportsAsked,
    RequestKey,
    StatusOnly,
)
from app.api.schemas import Conversion as ConversionSchema
from app.api.serializers import show_import, show_in_full
from app.csvfile.errors import FileRejected
from app.http.form_fields import is_on
from app.http.multipart import FileForm
from app.http.uploads import check_length, expect_file, storage_errors_as_503
from app.imports import commands, conversion_job, conversions, housekeeping, quotas
from app.imports.reports import check_preview, progress
from app.imports.reports.progress import ImportProgress
from app.jobs import queue
from app.queries import begin_repeatable_read
from app.queries.imports import lookups
from app.statuses import ACTIVE_CONVERSION_STATUSES, ImportKind

_TAG = ["Imports"]
_READ_BYTES = 64 * 1024
#: A foreign file of at most this many bytes is converted while its client waits.
_CONVERTED_AT_ONCE = 1 << 20

_BODY = {
    "required": True,
    "description": "The file, in UTF-8. The upload page says how large it may be and how many rows it may have.",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "additionalProperties": False,
                "properties": {
                    "check": {
                        "type": "string",
                        "enum": ["true", "false", "1", "0", "on", "off"],
                        "description": "The same as “check” in the address. It must come before the file.",
                    },
                    "mapping": {
                        "type": "string",
                        "description": "The same as “mapping” in the address. It must come before the file.",
                    },
                    "file": {"type": "string", "format": "binary", "description": "The file."},
                },
            }
        },
        "text/csv": {"schema": {"type": "string"}},
    },
}


@blueprint.get("/imports", tags=_TAG)
@asks(ImportsAsked)
@blueprint.response(200, Imports())
@can_fail(404)
def list_imports(asked: dict[str, Any]) -> dict[str, Any]:
    """List imports and checks, newest first."""
    begin_repeatable_read()
    before = asked.get("before")
    key = lookups.get_key(seller_id(), before) if before else None
    found = progress.list_page(seller_id(), limit=asked["limit"] + 1, before=key and key.import_id)
    shown = found[: asked["limit"]]
    goes_on = len(found) > len(shown)
    here = {"limit": asked["limit"], "before": shown[-1].public_id} if goes_on else {}
    return {
        "imports": [show_import(one) for one in shown],
        "next": url_for("api.list_imports", **here) if goes_on else None,
    }


@blueprint.post("/imports", tags=_TAG)
@blueprint.doc(requestBody=_BODY)
@asks(FileAsked)
@blueprint.arguments(RequestKey, location="headers")
@creates("The new import.")
@blueprint.alt_response(
    202,
    schema=ConversionSchema(),
    description="The conversion of a large file with a mapping, in progress. The import starts automatically after it.",
    headers=LOCATION,
)
@can_fail(400, 403, 413, 415, refuses=[FILE_REFUSED, KEY_TAKEN])
def create_import(asked: dict[str, Any], headers: dict[str, Any]) -> Created | Response:
    """Import a file, or with check=true only find out what would come of it.

    Send it in the field “file” of a form, or as it is with Content-Type: text/csv. A file that cannot be imported at
    all is refused at once and nothing of it is kept; in any other, each row stands for itself. The answer comes when
    the file is there; the rows are worked on from then on. Ask for its status (“links.status”) until that is
    COMPLETED, FAILED or TERMINATED.

    With “mapping”, the file is one of another tool, in whatever encoding and with whatever separator, or a workbook. It
    is converted with the mapping of that name that you have saved. A small file is converted at once, and the answer is
    the import (201). For a large one the answer is the conversion (202): ask for it until “importId” is there.

    Bytes that were imported before are imported again; “earlier” tells of it. So that a request can be sent again
    without importing twice, give it an Idempotency-Key.
    """
    limits.count_upload(bearer())
    expect_file()
    with storage_errors_as_503(), quotas.one_of_few(seller_id()) as counted:
        file_name, pieces, fields = _open_body()
        file_name, pieces = asked.get("file_name") or file_name, counted(pieces)
        kind = ImportKind.of_switch(check=is_on(fields, "check") or asked["check"])
        mapping = asked.get("mapping") or fields.get("mapping")
        if mapping:
            return _convert(file_name, pieces, mapping, kind, headers.get("key"))
        created = commands.upload(seller_id(), file_name, pieces, kind=kind, idempotency_key=headers.get("key"))
    return answer_created(created.public_id)


def _convert(
    file_name: str, pieces: Iterator[bytes], mapping: str, kind: ImportKind, key: str | None
) -> Created | Response:
    """Convert a foreign file and start it: at once if it is small, else by a worker. Raises FileRejected."""
    brought = conversions.bring(seller_id(), file_name, pieces, mapping_name=mapping, kind=kind, idempotency_key=key)
    if brought.file_size <= _CONVERTED_AT_ONCE:
        conversion_job.run(seller_id(), brought.id, brought.attempt)
        brought = conversions.get(seller_id(), brought.public_id)
    else:
        queue.send_waiting_jobs()
    started = conversions.find_import(brought)
    if started is not None:
        return answer_created(started.public_id)
    if brought.status not in ACTIVE_CONVERSION_STATUSES and brought.reason:
        reason = brought.reason
        conversions.delete(seller_id(), brought.public_id)
        raise FileRejected(reason)
    answer = jsonify(ConversionSchema().dump(show(brought)))
    answer.status_code = 202
    answer.headers["Location"] = url_for("api.show_conversion", public_id=brought.public_id)
    return answer


def answer_created(public_id: uuid.UUID) -> Created:
    """The answer for a created import, with its address."""
    return show_in_full(seller_id(), public_id), 201, {"Location": url_for("api.show_one", public_id=public_id)}


def _open_body() -> tuple[str, Iterator[bytes], Mapping[str, str]]:
    """The name of the file in the request, its bytes while they arrive, and the fields of a form that stand before it.

    Raises FileTooLarge, BadRequest, UnprocessableEntity and UnsupportedMediaType.
    """
    if request.content_encoding:
        raise UnsupportedMediaType("A compressed file cannot be read. Send it without Content-Encoding.")
    if request.mimetype == "text/csv":
        check_length()
        return "", _whole_body(), {}
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType
    body = FileForm(request, before_file=("check", "mapping"))
    if not body.open_file():
        raise UnprocessableEntity("The form has no file. Put it into the field “file”, with a file name.")
    check_length()
    return body.file_name, body.pieces(), body.fields


def _whole_body() -> Iterator[bytes]:
    """The body unchanged. Raises BadRequest if it ends early, so that half a file is never taken for a whole one."""
    count = 0
    while piece := request.stream.read(_READ_BYTES):
        count += len(piece)
        yield piece
    if request.content_length is not None and count < request.content_length:
        raise BadRequest("The connection ended before the whole file had arrived.")


@blueprint.get("/imports/<uuid:public_id>", tags=_TAG)
@blueprint.response(200, ImportInFull())
@can_fail(404)
def show_one(public_id: uuid.UUID) -> dict[str, Any]:
    """Show an import with its batches and the first of its failed rows."""
    return show_in_full(seller_id(), public_id)


@blueprint.patch("/imports/<uuid:public_id>", tags=_TAG)
@asks(ImportChange)
@blueprint.response(200, ImportInFull())
@can_fail(403, 404, 409)
def change_import(asked: dict[str, Any], public_id: uuid.UUID) -> dict[str, Any]:
    """Name an import, note something about it, or mark it as dealt with.

    What is not given stays as it is. Its rows and its status do not change.
    """
    one = progress.get(seller_id(), public_id)
    if "dealt_with" in asked:
        housekeeping.set_dealt_with(seller_id(), public_id, dealt_with=asked["dealt_with"])
    if asked.keys() & {"name", "note"}:
        name, note = asked.get("name", one.given_name), asked.get("note", one.note)
        housekeeping.annotate(seller_id(), public_id, name=name, note=note)
    return show_in_full(seller_id(), public_id)


@blueprint.delete("/imports/<uuid:public_id>", tags=_TAG)
@blueprint.response(204, description="It is deleted.")
@can_fail(403, 404, 409)
def delete_import(public_id: uuid.UUID) -> None:
    """Delete an import that is over, with its failed rows and, unless another import uses it, its file.

    Its listings stay. Rows of another import that it has retried can be retried once more.
    """
    housekeeping.delete(seller_id(), public_id)


@blueprint.get("/imports/<uuid:public_id>/status", tags=_TAG)
@blueprint.response(200, StatusOnly())
@can_fail(404)
def show_status_only(public_id: uuid.UUID) -> ImportProgress:
    """Show the status and the counters of an import, and nothing else.

    Poll this while an import runs: unlike the import itself it costs one look at the database.
    """
    return progress.get(seller_id(), public_id)


@blueprint.get("/imports/<uuid:public_id>/changes", tags=_TAG)
@blueprint.response(200, Changes())
@can_fail(404)
def list_changes(public_id: uuid.UUID) -> dict[str, Any]:
    """List the most striking changes that a check foresees.

    At most twenty, those whose price would move most first.
    """
    begin_repeatable_read()
    return {"changes": check_preview.list_changes(progress.get(seller_id(), public_id))}
