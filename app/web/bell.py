"""The bell in the frame of every page: which imports have ended since their seller last looked."""

import uuid
from typing import NamedTuple

from flask import Blueprint, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.extensions import db
from app.imports.reports import progress, summary
from app.imports.reports.progress import ImportProgress
from app.queries.imports import lookups
from app.queries.imports.lookups import ImportFilter
from app.web.live_page import is_fragment_request
from app.web.session import next_path, require_seller, seller_id

blueprint = Blueprint("bell", __name__, url_prefix="/bell")
blueprint.before_request(require_seller)

#: The bell names so many, and counts the others.
_MAX_NAMED = 5


class Bell(NamedTuple):
    """What the bell shows."""

    unseen: int
    #: The newest of them, each with its summary.
    named: list[tuple[ImportProgress, str]]
    #: Whether another import may end while the page is open.
    is_moving: bool


@blueprint.app_template_global()
def ring() -> Bell:
    """The bell of the signed-in seller."""
    unseen, is_moving = lookups.count_unseen(seller_id())
    found = progress.list_page(seller_id(), limit=_MAX_NAMED, wanted=ImportFilter(is_unseen=True)) if unseen else []
    # One that ended after the page around the bell read it still runs there, and is named by the next.
    named = [(one, summary.describe(one)) for one in found if one.finished_at]
    return Bell(unseen, named, is_moving)


@blueprint.get("")
def show() -> ResponseReturnValue:
    """The bell alone, for the script that refreshes it; anybody else finds it on every page."""
    if not is_fragment_request():
        return redirect(url_for("my_imports.index"), 303)
    return make_response(render_template("bell.html"))


@blueprint.post("/seen")
def mark_all() -> ResponseReturnValue:
    """Mark all imports as seen."""
    lookups.mark_seen(seller_id())
    db.session.commit()
    return redirect(next_path(url_for("my_imports.index")), 303)


@blueprint.post("/<uuid:public_id>/seen")
def open_import(public_id: uuid.UUID) -> ResponseReturnValue:
    """Mark an import as seen, and go to it."""
    progress.get(seller_id(), public_id)
    lookups.mark_seen(seller_id(), public_id)
    db.session.commit()
    return redirect(url_for("details.show", public_id=public_id), 303)
