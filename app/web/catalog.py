"""The catalog: a page that finds items, and their rows for a file."""

from itertools import groupby

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest

from app.csvfile.write import csv_lines
from app.http import downloads
from app.http.catalog_filter import read_filter
from app.http.query_filter import read_page
from app.queries import item_search
from app.queries.listings import search as listing_search
from app.web.session import require_seller, seller_id

blueprint = Blueprint("catalog", __name__, url_prefix="/catalog")
blueprint.before_request(require_seller)

#: Number of items on a page, and of all pages of a search.
_PAGE_SIZE = 20
_MOST_FOUND = 1_000
#: Maximum number of sets that are listed where nothing is searched for.
_MOST_SETS = 400


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The items that match, or the sets of the catalog. ``page`` counts from 1."""
    asked = read_filter(request.args)
    page = read_page(request.args)
    found = item_search.find(asked.wanted, limit=_MOST_FOUND + 1)
    shown = found[:_MOST_FOUND][(page - 1) * _PAGE_SIZE : page * _PAGE_SIZE]
    cells = {item.id: downloads.create_row(item) for item in shown}
    sets = [] if asked.is_active else item_search.list_sets(limit=_MOST_SETS + 1)
    return render_template(
        "catalog/index.html",
        asked=asked,
        items=shown,
        count=min(len(found), _MOST_FOUND),
        is_too_many=len(found) > _MOST_FOUND,
        rows={item_id: next(csv_lines([row])).rstrip("\n") for item_id, row in cells.items()},
        cells={item_id: "\t".join(row) for item_id, row in cells.items()},
        listed=listing_search.count_by_item(seller_id(), [item.id for item in shown]),
        page=page,
        has_next=page * _PAGE_SIZE < min(len(found), _MOST_FOUND),
        games=[(game, [*of_game]) for game, of_game in groupby(sets[:_MOST_SETS], key=lambda one: one.game)],
        has_more_sets=len(sets) > _MOST_SETS,
    )


@blueprint.get("/rows.csv")
def rows_csv() -> ResponseReturnValue:
    """A template with a CREATE row for each item that matches, for the seller to complete."""
    asked = read_filter(request.args)
    if not asked.is_active:
        raise BadRequest("Search for something first: a file of the whole catalog would be too long.")
    return downloads.catalog_rows(asked.wanted)
