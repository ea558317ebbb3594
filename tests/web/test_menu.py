"""The menu: where a page is found in it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.extensions import db
from app.models import Seller
from tests.pages import page, words
from tests.states import STATES, make


@pytest.mark.parametrize(
    ("path", "entry", "said"),
    [
        ("/imports", "My Imports", "page"),
        ("/imports/upload", "Upload CSV", "page"),
        ("/imports/{}", "My Imports", "true"),
        ("/imports/{}/errors", "My Imports", "true"),
        ("/imports/{}/terminate", "My Imports", "true"),
        ("/catalog", "Catalog", "page"),
        ("/imports/rows", "Find a row", "page"),
        ("/settings/account", "Account", "page"),
        ("/ops", "Operations", "page"),
        ("/ops/imports/{}", "Operations", "true"),
        ("/ops/audit", "Operations", "true"),
    ],
)
def test_the_menu_tells_where_a_page_is_found(
    client: FlaskClient, seller: Seller, path: str, entry: str, said: str
) -> None:
    seller.is_operator = True
    made = make(STATES[1], seller)
    db.session.commit()
    soup = page(client, path.format(made.public_id))
    marked = soup.select(".menu li:not(.is-lead) [aria-current]")
    assert [(words(one), one["aria-current"]) for one in marked] == [(entry, said)]


def test_the_menu_of_sellers_leads_to_no_page_of_operators(client: FlaskClient) -> None:
    soup = page(client, "/imports")
    assert [words(one) for one in soup.select(".menu-heading")] == ["Imports", "Listings", "Settings", "Help"]
