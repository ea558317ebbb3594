"""A seller sees and changes only what is theirs, and a stranger nothing: on every route there is."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from app.extensions import db
from app.models import Import, Seller
from tests.conftest import make_token, sign_in
from tests.factories import csv_bytes, listed, row
from tests.pages import HTMX, csrf_token, page, read
from tests.states import STATES, everything, make
from tests.web.test_upload import upload

#: All that a stranger may do.
PUBLIC = {
    ("static", "GET"),
    ("accounts.login", "GET"),
    ("accounts.sign_in", "POST"),
    ("password_reset.forgot", "GET"),
    ("password_reset.ask", "POST"),
    ("password_reset.show", "GET"),
    ("password_reset.reset", "POST"),
    ("help.csv", "GET"),
    ("help.errors", "GET"),
    ("help.matching", "GET"),
    ("health.healthz", "GET"),
    ("health.readyz", "GET"),
    ("api_reference.show", "GET"),
    ("api_reference.openapi", "GET"),
    # With its own token, or else a page that does not exist.
    ("metrics.show", "GET"),
}


def all_routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Every route with every method that it takes."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method


def routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Those of the pages."""
    return ((rule, method) for rule, method in all_routes(app) if not rule.endpoint.startswith("api."))


def api_routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Those of the API, where a token stands for who asks."""
    return ((rule, method) for rule, method in all_routes(app) if rule.endpoint.startswith("api."))


def address(rule: Rule, public_id: uuid.UUID) -> str:
    """A path that ``rule`` matches."""
    values = {name: public_id if f"uuid:{name}>" in rule.rule else 1 for name in rule.arguments}
    domain_and_path = rule.build(values)
    assert domain_and_path is not None
    return domain_and_path[1]


def test_there_are_routes_to_walk(app: Flask) -> None:
    of_an_import = [rule.endpoint for rule, _ in routes(app) if "public_id" in rule.arguments]
    assert {"details.show", "details.source_csv", "my_imports.pause", "my_imports.terminate"} <= set(of_an_import)
    # Whatever names an import in its path calls it so, and is walked. Webhooks are walked in their own tests.
    others = {rule.endpoint for rule, _ in routes(app) if "uuid" in rule.rule} - set(of_an_import)
    assert all(endpoint.startswith("webhooks.") for endpoint in others)
    assert len(list(api_routes(app))) >= 20
    assert all(("uuid" in rule.rule) == ("public_id" in rule.arguments) for rule, _ in api_routes(app))


# A running one can be paused and terminated, a paused one resumed, and a failed one has files to download.
@pytest.mark.parametrize("state", [STATES[1], STATES[3], STATES[5]], ids=lambda state: state.name)
def test_anothers_import_is_not_there_on_any_route(
    app: Flask, client: FlaskClient, other_seller: Seller, state, storage_files
) -> None:
    theirs = make(state, other_seller, file_name="secret.csv")
    form = {"csrf_token": csrf_token(client)}
    before, files = everything(), storage_files()
    walked = 0
    for rule, method in routes(app):
        if "public_id" not in rule.arguments:
            continue
        nowhere = client.open(address(rule, uuid.uuid4()), method=method, data=form)
        read(nowhere, 404)
        answer = client.open(address(rule, theirs.public_id), method=method, data=form)
        read(answer, 404)
        # Another seller's import looks no different from one that never existed.
        assert without_token(answer.text) == without_token(nowhere.text)
        assert dict(answer.headers).keys() == dict(nowhere.headers).keys()
        script = client.open(address(rule, theirs.public_id), method=method, data=form, headers=HTMX)
        assert (script.status_code, "secret" in script.text) == (404, False)
        walked += 1
    assert walked >= 10
    assert everything() == before
    assert storage_files() == files


def without_token(html: str) -> str:
    """A page without what is another one every second."""
    return re.sub(r'(csrf_token" value|data-csrf-token)="[^"]+"', "", html)


def test_its_owner_finds_the_same_import_on_all_of_them(app: Flask, other_seller: Seller) -> None:
    theirs = make(STATES[1], other_seller)
    owner = sign_in(app, other_seller)
    # Only an import of a foreign file has these; see test_foreign_imports.
    of_foreign_files = {"details.converted_csv", "details.left_out_csv"}
    for rule, method in routes(app):
        # Operators alone have theirs; drafts and mappings are no imports.
        others = rule.endpoint.startswith(("ops.", "match.", "mappings.")) or rule.endpoint in of_foreign_files
        if "public_id" in rule.arguments and method == "GET" and not others:
            # What asks before a deletion leads back to an import that is not over; its rows cannot be corrected yet.
            expected = 409 if rule.endpoint.startswith("fixes.") else 200
            assert owner.get(address(rule, theirs.public_id), follow_redirects=True).status_code == expected


def test_a_stranger_is_sent_to_the_sign_in_page_from_every_route(app: Flask, seller: Seller, storage_files) -> None:
    made = make(STATES[1], seller, file_name="confidential.csv")
    stranger = app.test_client()
    form = {"csrf_token": csrf_token(stranger)}
    before, files = everything(), storage_files()
    walked = set()
    for rule, method in routes(app):
        if (rule.endpoint, method) in PUBLIC:
            continue
        path = address(rule, made.public_id)
        answer = stranger.open(path, method=method, data=form)
        assert (answer.status_code, answer.location.partition("?")[0]) in {(302, "/login"), (303, "/login")}, path
        assert "confidential" not in answer.text
        script = stranger.open(path, method=method, data=form, headers=HTMX)
        if (rule.endpoint, method) != ("accounts.logout", "POST"):
            assert (script.status_code, script.text) == (401, ""), path
            assert script.headers["HX-Redirect"].startswith("/login")
        walked.add((rule.endpoint, method))
    assert len(walked) >= 15
    assert everything() == before
    assert storage_files() == files


def test_what_is_public_is_there(app: Flask) -> None:
    assert {(rule.endpoint, method) for rule, method in routes(app)} >= PUBLIC


def test_lists_and_exports_have_only_what_is_ones_own(
    client: FlaskClient, seller: Seller, other_seller: Seller
) -> None:
    make(STATES[4], other_seller, file_name="secret.csv")
    assert len(listed(other_seller)) == 2
    assert page(client, "/imports").select("[data-import-id]") == []
    assert client.get("/listings/export.csv").data == csv_bytes([])


def test_an_upload_belongs_to_whoever_sent_it(client: FlaskClient, seller: Seller, other_seller: Seller) -> None:
    assert upload(client, csv_bytes([row()])).status_code == 303
    assert db.session.scalars(db.select(Import.seller_id)).all() == [seller.id]


def test_two_browsers_see_two_sellers_turn_by_turn(app: Flask, seller: Seller, other_seller: Seller) -> None:
    mine, theirs = make(STATES[4], seller), make(STATES[0], other_seller)
    browsers = [(sign_in(app, seller), mine, theirs), (sign_in(app, other_seller), theirs, mine)]
    for browser, own, others in browsers * 2:
        assert [one["data-import-id"] for one in page(browser, "/imports").select("[data-import-id]")] == [
            str(own.public_id)
        ]
        assert browser.get(f"/imports/{own.public_id}").status_code == 200
        assert browser.get(f"/imports/{others.public_id}").status_code == 404


#: What some routes of the API require beside the address.
NEEDED = {
    "api.retry": "?rows=FAILED",
    "api.hide_listing": "?urn=x&condition=MINT",
    "api.take_answer_back": "?number=1",
}
#: The same in a body of JSON.
NEEDED_JSON = {
    "api.give_answer": {"rule": "leave-out", "cause": "price-in-pounds"},
    "api.correct_rows": {"rows": [{"line": 2, "cells": {"PRICE": "199"}}]},
}


@pytest.mark.parametrize("state", [STATES[1], STATES[3], STATES[5]], ids=lambda state: state.name)
def test_a_token_finds_nothing_of_another_sellers(
    app: Flask, seller: Seller, other_seller: Seller, state, storage_files
) -> None:
    theirs = make(state, other_seller, file_name="secret.csv")
    mine = {"Authorization": f"Bearer {make_token(seller)}"}
    client = app.test_client()
    before, files = everything(), storage_files()
    walked = 0
    for rule, method in api_routes(app):
        query = NEEDED.get(rule.endpoint, "")
        if "public_id" not in rule.arguments:
            if method == "GET":
                answer = client.open(address(rule, theirs.public_id) + query, method=method, headers=mine)
                assert "secret" not in answer.text
                assert "urn:test:" not in answer.text or rule.endpoint == "api.template_csv"
            continue
        sent = {"method": method, "headers": mine, "json": NEEDED_JSON.get(rule.endpoint)}
        nowhere = client.open(address(rule, uuid.uuid4()) + query, **sent)
        answer = client.open(address(rule, theirs.public_id) + query, **sent)
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json"), rule.rule
        assert answer.data == nowhere.data
        assert dict(answer.headers).keys() == dict(nowhere.headers).keys()
        walked += 1
    assert walked >= 12
    assert everything() == before
    assert storage_files() == files


def test_without_a_token_the_api_tells_and_does_nothing(app: Flask, seller: Seller, storage_files) -> None:
    made = make(STATES[1], seller, file_name="secret.csv")
    # A session does not count here: no other site may make the seller's browser send requests.
    signed_in, stranger = sign_in(app, seller), app.test_client()
    before, files = everything(), storage_files()
    for rule, method in api_routes(app):
        for browser in (signed_in, stranger):
            answer = browser.open(address(rule, made.public_id), method=method, data={})
            assert (answer.status_code, answer.mimetype) == (401, "application/problem+json"), rule.rule
            assert "secret" not in answer.text
    assert everything() == before
    assert storage_files() == files
