"""What helps sellers to build a file: a template to start from."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from app.csvfile.contract import HEADER
from app.web.downloads import csv_response
from app.web.session import require_seller

blueprint = Blueprint("help", __name__)
blueprint.before_request(require_seller)

#: Items of the demo catalog, one named by its URN and one by GAME, SET and NAME.
_EXAMPLE_ROWS = (
    "CREATE,urn:demo:pricklewend:court-of-the-hedge-king/card/002,,,,,,NM,890,1,holo,,Pack fresh,Box 1,EXAMPLE-1",
    "CREATE,,Pricklewend,Court of the Hedge King,Snail Cavalry,,,EX,25,10,reverse|de,false,"
    '"Two have soft corners, see photos",,EXAMPLE-2',
)


@blueprint.get("/imports/template.csv")
def template_csv() -> ResponseReturnValue:
    """The header and two example rows."""
    text = "\n".join((HEADER, *_EXAMPLE_ROWS, "")).encode()
    return csv_response("sluice-template.csv", [text], size=len(text))
