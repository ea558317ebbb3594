"""Rules that every address keeps, found by walking the URL map: a new route cannot be forgotten."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app.deliveries import commands
from app.extensions import db
from app.identity import sessions, tokens
from app.models import Seller
from app.statuses import TokenScope
from tests.conftest import make_token
from tests.pages import HTMX, csrf_token
from tests.states import STATES, make
from tests.web.test_isolation import address, all_routes, routes

#: Tables that record when a seller was active, but not what they did.
_SIGNS_OF_LIFE = {"sessions", "api_tokens", "reconciler"}
_METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"]


def whole_database() -> dict[str, list[str]]:
    db.session.rollback()
    names = sorted(set(db.metadata.tables) - _SIGNS_OF_LIFE)
    found = {name: sorted(map(str, db.session.execute(text(f"select * from {name}")))) for name in names}
    # Who has downloaded something is recorded, and changes nothing else.
    found["audit_log"] = [entry for entry in found["audit_log"] if "'download'" not in entry]
    # Walking all routes may take longer than a transaction may be idle.
    db.session.rollback()
    return found


@pytest.fixture
def bearer(app: Flask, seller: Seller) -> dict[str, str]:
    """The header of a program that may do everything."""
    return {"Authorization": f"Bearer {make_token(seller)}"}


def test_reading_changes_nothing(
    app: Flask, client: FlaskClient, seller: Seller, bearer: dict[str, str], storage_files
) -> None:
    made = [make(state, seller).public_id for state in (STATES[1], STATES[5])]
    paths = sorted({address(rule, public_id) for rule, _ in all_routes(app) for public_id in made})
    query = "?rows=FAILED&check=true&urn=urn:test:1&condition=MINT"
    before, files = whole_database(), storage_files()
    for path in paths:
        for method, asked in (("GET", path), ("GET", path + query), ("HEAD", path), ("OPTIONS", path)):
            client.open(asked, method=method, headers=bearer)
    assert whole_database() == before
    assert storage_files() == files


def test_a_button_cannot_be_pressed_by_a_link(app: Flask, client: FlaskClient, seller: Seller) -> None:
    made = make(STATES[1], seller)
    only_posted = {rule.rule for rule, method in all_routes(app) if method == "POST"} - {
        rule.rule for rule, method in all_routes(app) if method == "GET"
    }
    assert len(only_posted) >= 15
    for rule, method in all_routes(app):
        if rule.rule in only_posted and method == "POST":
            assert client.get(address(rule, made.public_id)).status_code in {401, 405}, rule.rule


def test_every_form_needs_its_token(app: Flask, client: FlaskClient, seller: Seller, storage_files) -> None:
    made = make(STATES[1], seller)
    before, files = whole_database(), storage_files()
    walked = 0
    for rule, method in routes(app):
        if method != "POST" or rule.endpoint == "accounts.sign_in":
            continue
        path = address(rule, made.public_id)
        for data in ({}, {"csrf_token": ""}, {"csrf_token": "IjEi.x.y"}):
            for kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
                answer = client.post(path, data=data, content_type=kind)
                # Uploads read their forms by themselves, and refuse one without a file in it before they look further.
                is_upload = rule.endpoint in {"upload.receive", "match.receive"}
                assert answer.status_code in ({400, 403} if is_upload else {403}), path
        walked += 1
    assert walked >= 10
    assert client.get("/imports").status_code == 200
    assert whole_database() == before
    assert storage_files() == files


#: What needs a parameter or a body besides.
_NEED_MORE = {"api.retry", "api.give_answer", "api.correct_rows", "api.take_answer_back"}


def test_every_id_in_an_address_is_of_a_seller_s_own(
    app: Flask, client: FlaskClient, other_seller: Seller, bearer: dict[str, str]
) -> None:
    # test_isolation walks those of imports; here is whatever else an address names, with all that others have.
    hook = commands.add(other_seller.id, "https://example.com/hook", ["import.completed"])
    theirs = make(STATES[5], other_seller, file_name="secret.csv").public_id
    token = tokens.create(other_seller.id, "theirs", scope=TokenScope.READ)[0].public_id
    sessions.begin(other_seller.id)
    session = db.session.scalar(
        text("select public_id from sessions where seller_id = :seller_id"), {"seller_id": other_seller.id}
    )
    ids = [theirs, token, hook.public_id, session, uuid.uuid4()]
    form = {"csrf_token": csrf_token(client)}
    before = whole_database()
    walked = 0
    for rule, method in all_routes(app):
        if "uuid" not in rule.rule:
            continue
        in_address = rule.arguments - {*(rule.defaults or ())}
        assert all(f"uuid:{name}>" in rule.rule for name in in_address), f"{rule.rule} is not walked here"
        for one in ids:
            answer = client.open(address(rule, one), method=method, data=form, headers=bearer)
            # What lacks a parameter is refused before it is looked for.
            assert answer.status_code in ({404, 422} if rule.endpoint in _NEED_MORE else {404}), rule.rule
            assert "secret" not in answer.text
        walked += 1
    assert walked >= 35
    assert whole_database() == before
    # These two are not among what is compared, because their last use is noted in them.
    for table in ("sessions", "api_tokens"):
        query = text(f"select count(*) from {table} where seller_id = :seller_id")
        assert db.session.scalar(query, {"seller_id": other_seller.id}) == 1


def test_no_address_answers_a_method_that_it_does_not_name(app: Flask, client: FlaskClient, seller: Seller) -> None:
    made = make(STATES[1], seller)
    taken: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        taken.setdefault(address(rule, made.public_id), set()).update(rule.methods or ())
    for path, methods in taken.items():
        for method in set(_METHODS) - methods:
            # A script is told the same without a page around it.
            answer = client.open(path, method=method, headers=HTMX)
            assert answer.status_code in {401, 405}, (method, path)


def test_every_answer_of_every_address_has_the_headers(app: Flask, client: FlaskClient, seller: Seller, bearer) -> None:
    made = make(STATES[5], seller)
    for rule, _ in all_routes(app):
        for headers in ({}, bearer):
            answer = client.get(address(rule, made.public_id), headers=headers)
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"], rule.rule
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "same-origin"
            assert "charset=utf-8" in answer.content_type or answer.mimetype in {
                "application/json",
                "application/problem+json",
                "image/svg+xml",
            }, rule.rule
            # A seller's data is stored by no cache and no browser.
            if rule.endpoint.partition(".")[0] not in {"static", "help", "api_reference"}:
                assert answer.headers["Cache-Control"] == "no-store", rule.rule
