"""Undoing an import: the preview, the start, and the listings that an undo has kept."""

import uuid
from collections.abc import Iterable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.csvfile.columns import FIELDS, Column, as_cell
from app.csvfile.contract import Condition
from app.imports import undo
from app.imports.errors import TransitionRefused
from app.imports.reports import kept_listings, later_imports, progress, summary
from app.imports.reports.check_preview import CellChange, ChangeShown
from app.queries import begin_repeatable_read
from app.queries.imports import undo_listings
from app.queries.imports.undo_listings import Example
from app.statuses import TakenUpAs
from app.web.session import require_seller, seller_id

blueprint = Blueprint("undo", __name__, url_prefix="/imports/<uuid:public_id>")
blueprint.before_request(require_seller)

#: Examples of each kind in the preview, and kept listings on a page.
_EXAMPLES = 5
_PAGE_SIZE = 50


@blueprint.get("/undo")
def preview(public_id: uuid.UUID) -> ResponseReturnValue:
    """What undoing an import would do now; nothing is done yet."""
    begin_repeatable_read()
    one = progress.get(seller_id(), public_id)
    try:
        foreseen = undo.preview(seller_id(), public_id)
    except TransitionRefused as refused:
        flash(str(refused), "info")
        return redirect(url_for("details.show", public_id=public_id), 303)
    related = progress.get_related(one)
    return render_template(
        "undo/preview.html",
        one=one,
        foreseen=foreseen,
        name=summary.say_undo(related),
        undo_first=later_imports.list_undo_first(one, related, kept=foreseen.kept),
        # Where rows are that the seller has no file of.
        parent=related.parent if one.taken_up_as in {TakenUpAs.FIX, TakenUpAs.RETRY} else None,
        removed=_show(undo_listings.list_removed(one.key, limit=_EXAMPLES)) if foreseen.removed else [],
        put_back=_show(undo_listings.list_put_back(one.key, limit=_EXAMPLES)) if foreseen.put_back else [],
        kept=kept_listings.list_foreseen(one.key, limit=_EXAMPLES) if foreseen.kept else [],
        until=progress.undo_until(one.finished_at),
    )


@blueprint.post("/undo")
def start(public_id: uuid.UUID) -> ResponseReturnValue:
    """Undo an import; 303 to the undo."""
    started = undo.start(seller_id(), public_id)
    return redirect(url_for("details.show", public_id=started.public_id), 303)


@blueprint.get("/kept")
def kept(public_id: uuid.UUID) -> ResponseReturnValue:
    """The listings that an undo has kept, and why; ``after`` is a place on the page before."""
    one = progress.get(seller_id(), public_id)
    page = kept_listings.list_page(one.key, limit=_PAGE_SIZE, after=request.args.get("after", ""))
    return render_template("undo/kept.html", one=one, page=page)


def _show(examples: Iterable[Example]) -> list[ChangeShown]:
    return [
        ChangeShown(None, one.urn, one.name, Condition(one.condition), one.variants, _cells(one)) for one in examples
    ]


def _cells(one: Example) -> list[CellChange]:
    """What differs; of a listing that would be removed, its price and quantity."""
    if not one.then:
        shown = (Column.PRICE, Column.QUANTITY)
        return [CellChange(column, as_cell(one.now[FIELDS[column].name]), "") for column in shown]
    cells = ((column, as_cell(one.now[field.name]), as_cell(one.then[field.name])) for column, field in FIELDS.items())
    return [CellChange(column, now, then) for column, now, then in cells if now != then]
