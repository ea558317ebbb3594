"""The seller's listings: a page to search, edit, hide and show them, and an export to edit and upload again."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, NotFound

from app import listings
from app.csvfile.contract import Condition
from app.http import downloads
from app.http.listing_filter import read_filter, read_order
from app.http.query_filter import ParsedFilter
from app.imports.errors import ImportNotFound
from app.imports.reports import progress
from app.imports.reports.progress import ImportProgress
from app.listings import Edit, ListingNotFound, Page
from app.queries.listings.search import LOW_QUANTITY, ListingFilter, Order
from app.web.filters import format_condition
from app.web.listing_edits import Entered, read_form, write_pounds
from app.web.session import next_path, require_seller, seller_id

blueprint = Blueprint("listings", __name__, url_prefix="/listings")
blueprint.before_request(require_seller)

#: Number of listings on a page.
_PAGE_SIZE = 20


#: The orders, as the form offers them.
_ORDERS = {
    Order.CATALOG: "Catalog order",
    Order.NEWEST: "Last changed first",
    Order.CHEAPEST: "Lowest price first",
    Order.DEAREST: "Highest price first",
    Order.FEWEST: "Lowest quantity first",
}


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The listings that match the filter, in the order of the catalog or another one.

    ``after`` is where the previous page ended. With ``edit``, their prices and quantities are fields.
    """
    return _show(request.args)


def _show(args: Mapping[str, str], entered: Entered | None = None) -> str:
    """The page at ``args``; with ``entered``, the listings that are being edited, as they were sent."""
    asked, order = read_filter(args), read_order(args)
    after = args.get("after", "")
    searched, in_texts = asked, _move_to_texts(args)
    if entered is None:
        page = listings.search(seller_id(), asked.wanted, order=order, after=after, limit=_PAGE_SIZE)
        if in_texts and not (page.listings or page.broken_off_at or after):
            beside = listings.search(seller_id(), in_texts.wanted, order=order, after="", limit=_PAGE_SIZE)
            if beside.listings or beside.broken_off_at:
                searched, page = in_texts, beside
    else:
        page = Page(listings.get_all(seller_id(), [row.key for row in entered.rows]), None)
    here: dict[str, Any] = {**searched.values, "sort": order or None}
    is_empty = not (page.listings or asked.is_active or after)
    return render_template(
        "listings/index.html",
        asked=asked,
        searched=searched,
        in_texts=in_texts,
        page=page,
        after=after,
        has_listings=not is_empty,
        # It takes as long as the search, and is shown only beside listings.
        count=listings.count(seller_id(), searched.wanted) if page.listings else None,
        imported=_find_import(asked.wanted),
        conditions=[(condition.name, format_condition(condition)) for condition in Condition],
        order=order,
        orders=_ORDERS,
        here=here,
        is_editing=entered is not None or "edit" in args,
        entered=entered,
        rows={row.key: row for row in entered.rows} if entered else {},
        low_quantity=LOW_QUANTITY,
        write_pounds=write_pounds,
    )


def _move_to_texts(args: Mapping[str, str]) -> ParsedFilter[ListingFilter] | None:
    """The filter with its words as a text of the listings; None if it has no words, or such a text already.

    A search by words reads items and is fast. A REFERENCE is in no index: it costs a search of all listings, which is
    worth it where no item matches.
    """
    asked = read_filter(args)
    if not asked.wanted.words or asked.wanted.own_text:
        return None
    return read_filter({**args, "text": "", "own": asked.values["text"]})


def _find_import(wanted: ListingFilter) -> ImportProgress | None:
    """The import that the listings are filtered by, if any."""
    if wanted.import_id is None:
        return None
    try:
        return progress.get(seller_id(), wanted.import_id)
    except ImportNotFound:
        return None


@blueprint.post("/change")
def change() -> ResponseReturnValue:
    """Save what was entered in the fields of a page, and do the ``action`` with the selected listings."""
    try:
        entered = read_form(request.form)
    except (KeyError, ValueError) as error:
        raise BadRequest("The form is incomplete. Open My Listings again.") from error
    back = next_path(url_for("listings.index"))
    action = request.form.get("action", "")
    if action in {"set", "hide", "show"} and not any(row.is_selected for row in entered.rows):
        entered.faults[None, "selected"] = "Select at least one listing."
    edits = entered.find_edits(action)
    if entered.faults:
        return _show(dict(parse_qsl(urlsplit(back).query)), entered), 422
    try:
        changed = listings.change(seller_id(), edits)
    except ListingNotFound as error:
        raise NotFound(f"Nothing was saved: you no longer have the listing {error}.") from error
    if changed:
        flash(f"{changed} listing{'' if changed == 1 else 's'} changed.", "success")
    else:
        flash("Nothing has changed.", "info")
    return redirect(back, 303)


@blueprint.post("/hide", endpoint="hide", defaults={"hidden": True})
@blueprint.post("/show", endpoint="show", defaults={"hidden": False})
def set_hidden(hidden: bool) -> ResponseReturnValue:
    """Hide a listing from buyers, or show it to them; ``urn``, ``condition`` and ``variants`` identify it."""
    urn, condition, variants = (
        request.form.get(name, "").replace("\0", "") for name in ("urn", "condition", "variants")
    )
    try:
        listings.change(seller_id(), [Edit(urn, Condition[condition], variants, hidden=hidden)])
        changed = listings.get(seller_id(), urn, Condition[condition], variants)
    except (ListingNotFound, KeyError) as error:
        raise NotFound("You have no such listing.") from error
    what = ", ".join(filter(None, (changed.name, format_condition(changed.condition).lower(), changed.variants)))
    flash(f"{what}: {'hidden from buyers' if hidden else 'shown to buyers'}.", "success")
    return redirect(next_path(url_for("listings.index")), 303)


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
