"""What became of a row: one search over the listings and the failed rows of all imports."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from app import listings
from app.http.error_filter import read_text
from app.imports.reports import row_search
from app.web.session import require_seller, seller_id

blueprint = Blueprint("row_search", __name__, url_prefix="/imports/rows")
blueprint.before_request(require_seller)

#: Number of failed rows on a page, and of listings on the first one.
_PAGE_SIZE = 20
_MOST_LISTINGS = 10


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The listings and failed rows with a text; ``after`` is where the previous page of rows ended."""
    text, fault = read_text(request.args)
    after = request.args.get("after", "")
    page = row_search.find(seller_id(), text, after=after, limit=_PAGE_SIZE) if text else None
    found = listings.find_by_text(seller_id(), text, limit=_MOST_LISTINGS + 1) if text and not after else []
    return render_template(
        "row_search/index.html",
        text=text or request.args.get("text", ""),
        fault=fault,
        after=after,
        page=page,
        listings=found[:_MOST_LISTINGS],
        has_more_listings=len(found) > _MOST_LISTINGS,
    )
