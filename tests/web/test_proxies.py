"""Behind a proxy: pages below a path of a site, addresses, and HTTPS."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from bs4 import BeautifulSoup
from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.extensions import db
from app.models import Seller
from tests.conftest import PASSWORD, sign_in
from tests.pages import ADDRESSES, csrf_token, page, words
from tests.states import STATES, State, make
from tests.web.test_isolation import address, all_routes

PATH = "/sluice"


@pytest.fixture
def below(environ: dict[str, str], app: Flask) -> Iterator[Flask]:
    """The application below a path of a site, over the same database."""
    below = create_app({**environ, "LEASE_SECONDS": "60", "PUBLIC_URL": f"https://www.example.com{PATH}/"})
    yield below
    with below.app_context():
        db.engine.dispose()


def addresses(answer: TestResponse) -> set[str]:
    """Every address on this site that an answer leads to."""
    found = {answer.headers.get("Location", ""), answer.headers.get("HX-Redirect", "")}
    if answer.mimetype == "text/html":
        elements = BeautifulSoup(answer.data, "html5lib").find_all()
        found |= {str(element[name]) for element in elements for name in ADDRESSES & element.attrs.keys()}
    answer.close()
    return {one for one in found if one.startswith("/")}


@pytest.mark.parametrize(("passed_on", "state"), [(PATH, STATES[5]), ("", STATES[1])], ids=["kept", "stripped"])
def test_below_a_path_every_address_is_below_it(below: Flask, seller: Seller, passed_on: str, state: State) -> None:
    seller.is_operator = True
    made = make(state, seller)
    db.session.commit()
    client = sign_in(below, seller)
    seen: set[str] = set()
    for rule, method in all_routes(below):
        if method == "GET" and rule.endpoint != "static":
            path = passed_on + address(rule, made.public_id)
            found = addresses(client.get(path)) | addresses(below.test_client().get(path))
            assert [one for one in found if not f"{one}/".startswith(f"{PATH}/")] == [], rule.rule
            seen |= found
    assert len(seen) > 50


def test_below_a_path_one_comes_back_to_where_one_was(below: Flask, seller: Seller) -> None:
    client = below.test_client()
    asked = client.get(f"{PATH}/listings?q=Pikachu")
    assert asked.location == f"{PATH}/login?next={PATH}/listings?q%3DPikachu"
    token = csrf_token(client)
    form = {"email": seller.email, "password": PASSWORD, "csrf_token": token}
    assert client.post(asked.location, data=form).location == f"{PATH}/listings?q=Pikachu"


def test_below_a_path_the_menu_tells_where_a_page_is_found(below: Flask, seller: Seller) -> None:
    soup = page(sign_in(below, seller), f"{PATH}/listings")
    marked = soup.select(".menu li:not(.is-lead) [aria-current]")
    assert [(words(one), one["aria-current"]) for one in marked] == [("My Listings", "page")]


def test_below_a_path_programs_are_told_where_the_api_is(below: Flask, seller: Seller) -> None:
    client = sign_in(below, seller)
    assert client.get(f"{PATH}/api/v1/openapi.json").get_json()["servers"] == [{"url": PATH}]
    help_page = client.get(f"{PATH}/help/api", base_url="https://www.example.com").text
    assert "https://www.example.com/sluice/api/v1" in help_page
    assert not re.search(r"example\.com/api", help_page)


def test_a_path_that_only_begins_like_ours_is_another(below: Flask) -> None:
    assert below.test_client().get(f"{PATH}s/healthz").status_code == 404
    assert below.test_client().get("/healthz").status_code == 200


@pytest.mark.parametrize(("proxies", "scheme"), [("0", "http"), ("1", "https"), ("2", "https")])
def test_https_is_what_the_last_proxy_of_ours_says(environ, app: Flask, proxies: str, scheme: str) -> None:
    behind = create_app({**environ, "LEASE_SECONDS": "60", "TRUSTED_PROXIES": proxies})
    behind.add_url_rule("/scheme", "scheme", lambda: request.scheme)
    client: FlaskClient = behind.test_client()
    assert client.get("/scheme", headers={"X-Forwarded-Proto": "https"}).text == scheme
