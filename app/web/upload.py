"""Uploading a file: the form, and the request, whose body is checked while it arrives."""

import uuid
from functools import partial

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.config import current_settings
from app.csvfile import scan
from app.csvfile.columns import HEADER
from app.csvfile.errors import FileRejected, FileTooLarge, ForeignFile, NoTable, OtherEncoding, round_size_down
from app.demo import sample
from app.extensions import csrf
from app.http.form_fields import is_on, read_form_key
from app.imports import commands, match_flow
from app.imports.creation import plain_name
from app.imports.errors import ImportedBefore, QuotaExceeded
from app.imports.foreign.shapes import NotStock
from app.imports.reports import progress
from app.statuses import ImportKind
from app.web import file_posts
from app.web.file_posts import PLAIN, is_script, lead_on, refuse, status_of
from app.web.session import require_seller, seller_id

blueprint = Blueprint("upload", __name__, url_prefix="/imports/upload")
blueprint.before_request(require_seller)

_BEFORE_FILE = ("check", "again", "form_key")
#: Tells the script of a refused file that its columns can be matched: OFFERED where they are others, SAVED if that
#: asks nothing; ENCODED where the file is read so as it is, and POSSIBLE where it was meant for the import format.
_MATCH_HEADER, _OFFERED, _SAVED, _ENCODED, _POSSIBLE = "Sluice-Match", "offered", "saved", "encoded", "possible"


@blueprint.get("")
def form() -> ResponseReturnValue:
    """The form to upload a file."""
    return _render()


@blueprint.post("")
@csrf.exempt
def receive() -> ResponseReturnValue:
    """Check the file while it arrives; 303 to its import, or the form again with what is wrong with the file.

    Beside the file the form has ``form_key``, so that it creates one import however often it is sent; ``check``, for a
    check, which may also stand in the address; and ``again``, for scripts, which imports a file that was imported
    before without asking. A script gets 201, or 409 if the seller has to be asked first, with the address in Location,
    and an error as plain text.
    """
    by = seller_id()
    try:
        with file_posts.receive(by, before_file=_BEFORE_FILE, missing="Choose a CSV file first.") as (body, pieces):
            is_check = is_on({**request.args, **body.fields}, "check")
            created = commands.upload(
                by,
                body.file_name,
                pieces,
                kind=ImportKind.of_switch(check=is_check),
                form_key=read_form_key(body.fields),
                refuse_repeated=not is_check and not is_on(body.fields, "again"),
            )
    except FileRejected as rejected:
        match = _how_to_match(rejected)
        refused = refuse(rejected, partial(_render, match=match))
        if match:
            refused.headers[_MATCH_HEADER] = match
        return refused
    except ImportedBefore as repeated:
        question = url_for("again.ask", public_id=repeated.earlier.public_id, name=plain_name(body.file_name))
        if is_script():
            return Response("You have already imported this file.", 409, {"Location": question}, content_type=PLAIN)
        return redirect(question, 303)
    told = f"Uploaded {created.file_name}. {'Check' if is_check else 'Import'} started."
    return lead_on(url_for("details.show", public_id=created.public_id), told)


@blueprint.post("/look")
def look() -> ResponseReturnValue:
    """Tell before a file is sent whether the upload check is certain to reject it.

    The body is its beginning, at most LOOK_BYTES, and ``size`` its length. Answers 204, or as the upload would; orders,
    which cannot be matched either, are refused by name.
    """
    settings = current_settings()
    start = request.get_data()
    size = request.args.get("size", default=len(start), type=int)
    try:
        scan.look(start, size=size, max_rows=settings.max_rows, max_bytes=settings.max_upload_bytes)
    except FileRejected as rejected:
        refused, match = rejected, _how_to_match(rejected)
        headers = {_MATCH_HEADER: match} if match else {}
        if isinstance(rejected, ForeignFile):
            try:
                if match_flow.asks_nothing(seller_id(), start):
                    headers = {_MATCH_HEADER: _SAVED}
            except NotStock as orders:
                refused, headers = orders, {}
        return Response(refused.message, status_of(refused), headers, content_type=PLAIN)
    return Response(status=204)


def _how_to_match(rejected: FileRejected) -> str:
    """What the page says about matching the columns of a refused file; empty if they cannot be matched."""
    match rejected:
        case ForeignFile():
            return _OFFERED
        case OtherEncoding():
            return _ENCODED
        case NoTable() | FileTooLarge() | QuotaExceeded():
            return ""
        case _:
            return _POSSIBLE


def _render(error: str | None = None, *, match: str = "") -> str:
    settings = current_settings()
    return render_template(
        "upload/form.html",
        error=error,
        match=match,
        form_key=uuid.uuid4(),
        is_first=not progress.list_page(seller_id(), limit=1),
        has_sample=sample.is_offered(),
        header=HEADER,
        max_rows=settings.max_rows,
        max_size=round_size_down(settings.max_upload_bytes),
        look_bytes=scan.LOOK_BYTES,
    )
