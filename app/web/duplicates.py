"""Repeated files: the question what to do with a file that was imported before, and the import of a stored file."""

import uuid

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.http.downloads import source_errors_as_404
from app.http.form_fields import is_on, read_form_key
from app.imports import commands
from app.imports.reports import progress, summary
from app.queries import begin_repeatable_read
from app.statuses import ImportKind
from app.web.session import require_seller, seller_id

blueprint = Blueprint("again", __name__, url_prefix="/imports/<uuid:public_id>")
blueprint.before_request(require_seller)

#: Maximum number of earlier imports shown.
_EARLIER_SHOWN = 5


@blueprint.get("/again")
def ask(public_id: uuid.UUID) -> ResponseReturnValue:
    """Show when the file of this import was imported and with what result, and ask what to do with it now.

    ``name`` is the name under which the same file has just been uploaded.
    """
    # The figures must be consistent while workers go on writing.
    begin_repeatable_read()
    one = progress.get(seller_id(), public_id)
    if one.is_check:
        # Its page has the same button.
        return redirect(url_for("details.show", public_id=public_id))
    count, earlier = progress.list_same_file(one.key, limit=_EARLIER_SHOWN)
    return render_template(
        "again/ask.html",
        one=one,
        name=request.args.get("name") or one.file_name,
        count=count,
        earlier=[
            (each, summary.describe(each, related=related))
            for each, related in zip(earlier, progress.list_related(earlier), strict=True)
        ],
        # Each button has its own key, so that it creates one import however often it is pressed.
        form_keys={"import": uuid.uuid4(), "check": uuid.uuid4()},
    )


@blueprint.post("/again")
def start(public_id: uuid.UUID) -> ResponseReturnValue:
    """Import the stored file again, or check it with ``check``; 303 to the new import or check."""
    progress.get(seller_id(), public_id)
    kind = ImportKind.of_switch(check=is_on(request.form, "check"))
    form_key = read_form_key(request.form)
    with source_errors_as_404():
        started = commands.import_again(
            seller_id(), public_id, file_name=request.form.get("name"), kind=kind, form_key=form_key
        )
    return redirect(url_for("details.show", public_id=started.public_id), 303)


@blueprint.post("/import")
def import_checked(public_id: uuid.UUID) -> ResponseReturnValue:
    """Import the file of a check that is over; 303 to the import."""
    with source_errors_as_404():
        started = commands.import_checked(seller_id(), public_id)
    return redirect(url_for("details.show", public_id=started.public_id), 303)
