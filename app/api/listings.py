"""Listings: searching and exporting them, hiding and showing one."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for
from marshmallow import RAISE

from app import listings
from app.api.authentication import seller_id
from app.api.blueprint import blueprint, can_fail, gives_csv
from app.api.schemas import Listing, ListingNamed, Listings, ListingsAsked, ListingsPageAsked
from app.api.serializers import show_listing
from app.csvfile.contract import Condition
from app.http import downloads
from app.http.listing_filter import read_filter

_TAG = ["Listings"]


@blueprint.get("/listings", tags=_TAG)
@blueprint.arguments(ListingsPageAsked, location="query", unknown=RAISE)
@blueprint.response(200, Listings())
@can_fail()
def list_listings(asked: dict[str, Any]) -> dict[str, Any]:
    """Search your listings.

    All given filters must match.
    """
    wanted = read_filter(request.args)
    page = listings.search(seller_id(), wanted.wanted, after=asked.get("after", ""), limit=asked["limit"])
    here = {**wanted.values, "limit": asked["limit"], "after": page.next}
    return {
        "listings": [show_listing(one) for one in page.listings],
        "next": url_for("api.list_listings", **here) if page.next else None,
    }


@blueprint.get("/listings/export.csv", tags=_TAG)
@blueprint.arguments(ListingsAsked, location="query", unknown=RAISE)
@gives_csv
@can_fail()
def export_listings(_: dict[str, Any]) -> Response:
    """Export your listings as a file that can be edited and uploaded again.

    It has the header of an import, and UPDATE in each row. Uploaded unchanged, it changes nothing.
    """
    return downloads.listings_export(seller_id(), read_filter(request.args).wanted)


@blueprint.post("/listings/hide", tags=_TAG)
@blueprint.arguments(ListingNamed, location="query", unknown=RAISE)
@blueprint.response(200, Listing())
@can_fail(403, 404)
def hide_listing(asked: dict[str, Any]) -> dict[str, Any]:
    """Hide a listing from buyers."""
    return _set_hidden(asked, hidden=True)


@blueprint.post("/listings/show", tags=_TAG)
@blueprint.arguments(ListingNamed, location="query", unknown=RAISE)
@blueprint.response(200, Listing())
@can_fail(403, 404)
def show_listing_to_buyers(asked: dict[str, Any]) -> dict[str, Any]:
    """Show a listing to buyers."""
    return _set_hidden(asked, hidden=False)


def _set_hidden(asked: dict[str, Any], *, hidden: bool) -> dict[str, Any]:
    condition = Condition[asked["condition"]]
    return show_listing(listings.set_hidden(seller_id(), asked["urn"], condition, asked["variants"], hidden=hidden))
