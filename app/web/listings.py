"""The seller's listings as a file that can be changed and uploaded again."""

from __future__ import annotations

from itertools import chain

from flask import Blueprint
from flask.typing import ResponseReturnValue

from app.csvfile.contract import COLUMNS, Column, Condition, Mode
from app.csvfile.write import csv_lines, in_pieces
from app.queries import listings, without_transaction
from app.queries.listings import ExportedListing
from app.web.downloads import csv_response, dated_name
from app.web.session import require_seller, seller_id

blueprint = Blueprint("listings", __name__, url_prefix="/listings")
blueprint.before_request(require_seller)


@blueprint.get("/export.csv")
def export_csv() -> ResponseReturnValue:
    """All listings under the header of an import, as UPDATE rows that change nothing when they are uploaded."""
    found = without_transaction(listings.iter_pages(seller_id()))
    lines = csv_lines(chain([COLUMNS], map(_update_row, found)))
    return csv_response(dated_name("listings"), in_pieces(lines))


def _update_row(listing: ExportedListing) -> list[str | int]:
    values: dict[Column, str | int] = {
        Column.MODE: Mode.UPDATE.value,
        Column.URN: listing.urn,
        Column.CONDITION: Condition(listing.condition).name,
        Column.PRICE: listing.price,
        Column.QUANTITY: listing.quantity,
        Column.VARIANTS: listing.variants,
        Column.HIDDEN: "true" if listing.hidden else "false",
        Column.COMMENT: listing.comment or "",
        Column.NOTES: listing.notes or "",
        Column.REFERENCE: listing.reference or "",
    }
    return [values.get(column, "") for column in Column]
