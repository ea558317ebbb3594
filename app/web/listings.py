"""The seller's listings: a page to search, hide and show them, and an export to edit and upload again."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, NotFound

from app import listings
from app.csvfile.contract import Condition
from app.http import downloads
from app.http.listing_filter import read_filter
from app.listings import ListingNotFound
from app.web.filters import format_condition
from app.web.session import local_path, require_seller, seller_id

blueprint = Blueprint("listings", __name__, url_prefix="/listings")
blueprint.before_request(require_seller)

#: Number of listings on a page.
_PAGE_SIZE = 50


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The listings that match the filter, in the order of the catalog.

    ``after`` is where the previous page ended.
    """
    asked = read_filter(request.args)
    after = request.args.get("after", "")
    page = listings.search(seller_id(), asked.wanted, after=after, limit=_PAGE_SIZE)
    place: dict[str, Any] = {**asked.values, "after": after or None}
    is_empty = not (page.listings or asked.is_active or after)
    return render_template(
        "listings/index.html",
        asked=asked,
        page=page,
        after=after,
        has_listings=not is_empty,
        conditions=list(Condition),
        here=url_for("listings.index", **place),
    )


@blueprint.post("/hide")
def hide() -> ResponseReturnValue:
    """Hide a listing from buyers; ``urn``, ``condition`` and ``variants`` identify it."""
    return _set_hidden(hidden=True)


@blueprint.post("/show")
def show() -> ResponseReturnValue:
    """Show a listing to buyers; ``urn``, ``condition`` and ``variants`` identify it."""
    return _set_hidden(hidden=False)


def _set_hidden(*, hidden: bool) -> ResponseReturnValue:
    urn, condition, variants = (
        request.form.get(name, "").replace("\0", "") for name in ("urn", "condition", "variants")
    )
    try:
        changed = listings.set_hidden(seller_id(), urn, Condition[condition], variants, hidden=hidden)
    except (ListingNotFound, KeyError) as error:
        raise NotFound("You have no such listing.") from error
    what = ", ".join(filter(None, (changed.name, format_condition(changed.condition).lower(), changed.variants)))
    flash(f"{what}: {'hidden from buyers' if hidden else 'shown to buyers'}.", "success")
    return redirect(local_path(request.form.get("next")) or url_for("listings.index"), 303)


@blueprint.get("/export.csv")
def export_csv() -> ResponseReturnValue:
    """The listings under the header of an import, as UPDATE rows that change nothing when they are uploaded.

    Takes the filter of the page, but rejects an invalid one: a seller who has misspelt a condition does not want a file
    of all listings.
    """
    asked = read_filter(request.args)
    if asked.faults:
        raise BadRequest(" ".join(asked.faults.values()))
    return downloads.listings_export(seller_id(), asked.wanted)
