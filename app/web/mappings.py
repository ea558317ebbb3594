"""Saved mappings: the page on which sellers rename, delete, export and import them."""

import uuid

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.imports import mappings
from app.imports.creation import plain_name
from app.imports.foreign.mapping import Mapping, MappingInvalid
from app.imports.foreign.matching import LABELS
from app.web.session import require_seller, seller_id

blueprint = Blueprint("mappings", __name__, url_prefix="/settings/mappings")
blueprint.before_request(require_seller)


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The seller's mappings, and the form that imports one."""
    return _render()


@blueprint.post("")
def import_text() -> ResponseReturnValue:
    """Save the mapping whose text is in the form; 303 to the list, or the form again with what is wrong."""
    try:
        made = mappings.import_text(seller_id(), request.form.get("name", ""), request.form.get("text", ""))
    except (mappings.NameRefused, MappingInvalid) as wrong:
        return _render(str(wrong)), 422
    flash(f"“{made.name}” is saved.", "success")
    return redirect(url_for("mappings.index"), 303)


@blueprint.post("/<uuid:public_id>/rename")
def rename(public_id: uuid.UUID) -> ResponseReturnValue:
    """Give a mapping another name."""
    mappings.get(seller_id(), public_id)
    try:
        mappings.rename(seller_id(), public_id, request.form.get("name", ""))
    except mappings.NameRefused as refused:
        return _render(str(refused)), 422
    flash("Mapping renamed.", "success")
    return redirect(url_for("mappings.index"), 303)


@blueprint.post("/<uuid:public_id>/delete")
def delete(public_id: uuid.UUID) -> ResponseReturnValue:
    """Delete a mapping; imports that used it stay."""
    name = mappings.get(seller_id(), public_id).name
    mappings.delete(seller_id(), public_id)
    flash(f"Deleted “{name}”. You’ll be asked again what its columns are.", "success")
    return redirect(url_for("mappings.index"), 303)


@blueprint.get("/<uuid:public_id>/mapping.json")
def export(public_id: uuid.UUID) -> ResponseReturnValue:
    """A mapping as a text, to be kept or imported elsewhere."""
    found = mappings.get(seller_id(), public_id)
    response = Response(mappings.export_text(seller_id(), public_id), content_type="application/json; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"{plain_name(found.name)}.json")
    return response


def _render(error: str | None = None) -> str:
    saved = [(one, _fields(Mapping.from_json(one.mapping))) for one in mappings.list_saved(seller_id())]
    return render_template(
        "settings/mappings.html", saved=saved, error=error, asked=request.form, max_name=mappings.MAX_NAME
    )


def _fields(mapping: Mapping) -> list[tuple[str, str]]:
    """What each field of a mapping is taken from, for people."""
    return [
        (LABELS[to], ", ".join(source.columns) or f"always {source.constant}") for to, source in mapping.sources.items()
    ]
