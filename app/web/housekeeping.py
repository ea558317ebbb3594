"""Sellers' housekeeping: an import's name and note, whether it is dealt with, and its deletion."""

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from app.imports import housekeeping
from app.imports.housekeeping import MAX_NAME, MAX_NOTE
from app.imports.reports import progress
from app.web.session import next_path, require_seller, seller_id

blueprint = Blueprint("housekeeping", __name__, url_prefix="/imports/<uuid:public_id>")
blueprint.before_request(require_seller)


@blueprint.get("/edit")
def edit(public_id: uuid.UUID) -> ResponseReturnValue:
    """The form for name and note."""
    one = progress.get(seller_id(), public_id)
    return _edit_page(public_id, name=one.given_name, note=one.note)


@blueprint.post("/edit")
def save(public_id: uuid.UUID) -> ResponseReturnValue:
    """Save name and note (``name``, ``note``)."""
    name, note = (request.form.get(field, "").strip() for field in ("name", "note"))
    # A line break travels as two characters, and counts as one.
    faults = {
        field: f"Enter at most {limit:,} characters."
        for field, value, limit in (("name", name, MAX_NAME), ("note", note.replace("\r\n", "\n"), MAX_NOTE))
        if len(value) > limit
    }
    if faults:
        return _edit_page(public_id, name=name, note=note, faults=faults), 422
    housekeeping.annotate(seller_id(), public_id, name=name, note=note)
    flash("Saved.", "success")
    return redirect(url_for("details.show", public_id=public_id), 303)


@blueprint.post("/dealt-with", endpoint="deal_with", defaults={"dealt_with": True})
@blueprint.post("/not-dealt-with", endpoint="reopen", defaults={"dealt_with": False})
def mark(public_id: uuid.UUID, dealt_with: bool) -> ResponseReturnValue:
    """Mark an import as dealt with, or take the mark away again."""
    housekeeping.set_dealt_with(seller_id(), public_id, dealt_with=dealt_with)
    one = progress.get(seller_id(), public_id)
    back = next_path(url_for("details.show", public_id=public_id))
    flash(Markup(render_template("my_imports/_marked.html", one=one, back=back)), "success")
    return redirect(back, 303)


@blueprint.get("/delete")
def confirm_delete(public_id: uuid.UUID) -> ResponseReturnValue:
    """Say what would be deleted and what stays, and ask for confirmation."""
    one = progress.get(seller_id(), public_id)
    if one.finished_at is None:
        flash(f"{one.name} hasn’t finished yet. Terminate it first, then delete it.", "info")
        return redirect(url_for("details.show", public_id=public_id), 303)
    return render_template("details/delete.html", one=one, related=progress.get_related(one))


@blueprint.post("/delete")
def delete(public_id: uuid.UUID) -> ResponseReturnValue:
    """Delete an import that is over; 303 to My Imports."""
    one = progress.get(seller_id(), public_id)
    housekeeping.delete(seller_id(), public_id)
    flash(f"Deleted {one.name}.{' Its listings stay.' if one.successful and not one.is_check else ''}", "success")
    return redirect(url_for("my_imports.index"), 303)


def _edit_page(public_id: uuid.UUID, *, name: str, note: str, faults: dict[str, str] | None = None) -> str:
    one = progress.get(seller_id(), public_id)
    limits = {"name": MAX_NAME, "note": MAX_NOTE}
    return render_template("details/edit.html", one=one, name=name, note=note, faults=faults or {}, limits=limits)
