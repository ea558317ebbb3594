"""Listings: searching and exporting them, and changing one."""

from typing import Any

from flask import Response, request, url_for

from app import listings
from app.api.authentication import seller_id
from app.api.blueprint import asks, blueprint, can_fail, gives_csv
from app.api.schemas import Listing, ListingChange, ListingNamed, Listings, ListingsAsked, ListingsPageAsked
from app.api.serializers import show_listing
from app.csvfile.contract import Condition
from app.http import downloads
from app.http.listing_filter import read_filter, read_order
from app.listings import Edit

_TAG = ["Listings"]


@blueprint.get("/listings", tags=_TAG)
@asks(ListingsPageAsked)
@blueprint.response(200, Listings())
@can_fail()
def list_listings(asked: dict[str, Any]) -> dict[str, Any]:
    """Search your listings.

    All given filters must match.
    """
    wanted = read_filter(request.args)
    order = read_order(request.args)
    after, limit = asked.get("after", ""), asked["limit"]
    page = listings.search(seller_id(), wanted.wanted, order=order, after=after, limit=limit)
    here = {**wanted.values, "sort": order or None, "limit": limit, "after": page.next}
    return {
        "listings": [show_listing(one) for one in page.listings],
        "next": url_for("api.list_listings", **here) if page.next else None,
    }


@blueprint.get("/listings/export.csv", tags=_TAG)
@asks(ListingsAsked)
@gives_csv
@can_fail()
def export_listings(_: dict[str, Any]) -> Response:
    """Export your listings as a file that can be edited and uploaded again.

    It has the header of an import, and UPDATE in each row. Uploaded unchanged, it changes nothing.
    """
    return downloads.listings_export(seller_id(), read_filter(request.args).wanted)


@blueprint.post("/listings/hide", tags=_TAG)
@asks(ListingNamed)
@blueprint.response(200, Listing())
@can_fail(403, 404)
def hide_listing(asked: dict[str, Any]) -> dict[str, Any]:
    """Hide a listing from buyers."""
    return _set_hidden(asked, hidden=True)


@blueprint.post("/listings/show", tags=_TAG)
@asks(ListingNamed)
@blueprint.response(200, Listing())
@can_fail(403, 404)
def show_listing_to_buyers(asked: dict[str, Any]) -> dict[str, Any]:
    """Show a listing to buyers."""
    return _set_hidden(asked, hidden=False)


def _set_hidden(asked: dict[str, Any], *, hidden: bool) -> dict[str, Any]:
    return _change(Edit(asked["urn"], Condition[asked["condition"]], asked["variants"], hidden=hidden))


@blueprint.post("/listings/change", tags=_TAG)
@asks(ListingChange)
@blueprint.response(200, Listing())
@can_fail(403, 404)
def change_listing(asked: dict[str, Any]) -> dict[str, Any]:
    """Change the price, the quantity or the visibility of a listing.

    What is not given stays as it is. To change many listings, send a file of UPDATE rows.
    """
    values = {name: asked.get(name) for name in ("price", "quantity", "hidden")}
    return _change(Edit(asked["urn"], Condition[asked["condition"]], asked["variants"], **values))


def _change(edit: Edit) -> dict[str, Any]:
    listings.change(seller_id(), [edit])
    return show_listing(listings.get(seller_id(), edit.urn, edit.condition, edit.variants))
