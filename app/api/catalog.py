"""The catalog: finding items, and rows for a file."""

from typing import Any

from flask import Response, request

from app.api.blueprint import asks, blueprint, can_fail, gives_csv
from app.api.schemas import CatalogAsked, CatalogItems, CatalogPageAsked
from app.http import downloads
from app.http.catalog_filter import read_filter
from app.queries import item_search

_TAG = ["Catalog"]


@blueprint.get("/catalog", tags=_TAG)
@asks(CatalogPageAsked)
@blueprint.response(200, CatalogItems())
@can_fail()
def search_catalog(asked: dict[str, Any]) -> dict[str, Any]:
    """Search the catalog for items.

    Without “text” and without “game” and “set”, nothing is found.
    """
    limit = asked["limit"]
    found = item_search.find(read_filter(request.args).wanted, limit=limit + 1)
    return {"items": found[:limit], "complete": len(found) <= limit}


@blueprint.get("/catalog/rows.csv", tags=_TAG)
@asks(CatalogAsked)
@gives_csv
@can_fail()
def catalog_rows(_: dict[str, Any]) -> Response:
    """Download a template with a CREATE row for each item that matches.

    CONDITION, PRICE and QUANTITY are empty: rows are complete once you have filled them in.
    """
    return downloads.catalog_rows(read_filter(request.args).wanted)
