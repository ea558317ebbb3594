"""Sessions: new at each sign-in, stored on the server, and ended there."""

from __future__ import annotations

import hashlib
import logging
import re

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient
from itsdangerous.encoding import base64_decode
from sqlalchemy import text

from app import create_app
from app.extensions import db
from app.identity import sellers, sessions
from app.identity.passwords import WeakPassword
from app.models import Seller
from tests.conftest import PASSWORD, sign_in
from tests.pages import HTMX, csrf_token, page, press
from tests.web.conftest import Browser
from tests.web.test_sign_in import fill_in, is_signed_in

COOKIE = "sluice_session"


def copy_of(app: Flask, client: FlaskClient) -> FlaskClient:
    """Another browser with the cookie of ``client``: what a thief has."""
    thief = app.test_client()
    thief.set_cookie(COOKIE, client.get_cookie(COOKIE).value)
    return thief


def age(column: str, hours: float) -> None:
    db.session.execute(text(f"update sessions set {column} = now() - make_interval(secs => {hours * 3600})"))
    db.session.commit()


def seen_seconds_ago() -> float:
    db.session.rollback()
    return float(db.session.scalar(text("select extract(epoch from now() - seen_at) from sessions")))


def test_signing_out_ends_the_session_for_whoever_has_its_cookie(app: Flask, client: FlaskClient) -> None:
    thief = copy_of(app, client)
    assert is_signed_in(thief)
    press(client, page(client, "/imports").select_one("header"), "Sign out")
    assert not is_signed_in(thief)
    assert db.session.scalar(text("select count(*) from sessions")) == 0


def test_signing_in_begins_another_session_and_another_token(app: Flask, seller: Seller) -> None:
    browser = app.test_client()
    before = csrf_token(browser)
    planted = copy_of(app, browser)
    assert fill_in(browser, seller.email, PASSWORD).status_code == 303
    assert is_signed_in(browser)
    # Neither the cookie from before nor the token that went with it is worth anything.
    assert not is_signed_in(planted)
    assert browser.post("/logout", data={"csrf_token": before}).status_code == 403
    assert is_signed_in(browser)


def test_signing_in_again_in_the_same_browser_ends_the_session_before(app: Flask, seller: Seller) -> None:
    browser = sign_in(app, seller)
    form = {"csrf_token": csrf_token(browser), "email": seller.email, "password": PASSWORD}
    thief = copy_of(app, browser)
    assert browser.post("/login", data=form).status_code == 303
    assert is_signed_in(browser)
    assert not is_signed_in(thief)


def test_the_server_keeps_no_secret(app: Flask, client: FlaskClient) -> None:
    with client.session_transaction() as session:
        secret = session["_user_id"]
    assert len(secret) >= 43
    assert secret not in str(db.session.execute(text("select digest, user_agent from sessions")).all())


@pytest.mark.parametrize(("hours", "holds"), [(11.9, True), (12.1, False)])
def test_a_session_that_is_not_used_ends(client: FlaskClient, hours: float, holds: bool) -> None:
    age("seen_at", hours)
    assert is_signed_in(client) == holds


@pytest.mark.parametrize(("hours", "holds"), [(167.9, True), (168.1, False)])
def test_a_session_ends_however_much_it_is_used(client: FlaskClient, hours: float, holds: bool) -> None:
    age("created_at", hours)
    assert is_signed_in(client) == holds


def test_what_somebody_does_keeps_a_session(client: FlaskClient) -> None:
    age("seen_at", 11)
    page(client, "/imports")
    assert seen_seconds_ago() < 60


def test_a_page_that_refreshes_itself_does_not_keep_a_session(client: FlaskClient) -> None:
    age("seen_at", 11)
    for path in ("/imports", "/listings"):
        assert client.get(path, headers=HTMX).status_code == 200
    assert seen_seconds_ago() > 10 * 3600


def test_a_sign_of_life_is_written_once_a_minute_at_most(client: FlaskClient) -> None:
    db.session.execute(text("update sessions set seen_at = now() - interval '50 seconds'"))
    db.session.commit()
    page(client, "/imports")
    assert seen_seconds_ago() >= 50


def test_sessions_that_are_over_are_removed_at_the_next(app: Flask, client: FlaskClient, seller: Seller) -> None:
    age("seen_at", 13)
    sign_in(app, seller)
    assert db.session.scalar(text("select count(*) from sessions")) == 1


def test_what_a_browser_calls_itself_is_kept_short_and_printable(app: Flask, seller: Seller) -> None:
    sessions.begin(seller.id, "x\r\n\0" * 1_000)
    assert db.session.scalar(text("select user_agent from sessions")) == "x" * 200


def test_another_password_ends_all_sessions(app: Flask, client: FlaskClient, seller: Seller) -> None:
    another = sign_in(app, seller)
    with pytest.raises(WeakPassword, match="too short"):
        sellers.set_password(seller, "short")
    assert is_signed_in(client)
    sellers.set_password(seller, "quite another one")
    assert not is_signed_in(client)
    assert not is_signed_in(another)
    assert fill_in(another, seller.email, PASSWORD).status_code == 422
    assert fill_in(another, seller.email, "quite another one").status_code == 303


def test_over_https_the_cookie_is_of_this_host_alone(app: Flask, seller: Seller, environ: dict[str, str]) -> None:
    secure = create_app({**environ, "LEASE_SECONDS": "60", "SESSION_COOKIE_SECURE": "1"})
    secure.test_client_class = Browser
    browser = secure.test_client()
    own = {"base_url": "https://localhost", "headers": {"Referer": "https://localhost/login"}}
    token = re.search('name="csrf_token" value="([^"]+)"', browser.get("/login", **own).text)[1]
    form = {"csrf_token": token, "email": seller.email, "password": PASSWORD}
    answer = browser.post("/login", data=form, **own)
    assert answer.status_code == 303
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-sluice_session=")
    parts = set(cookie.split("; "))
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= parts
    assert not any(part.startswith("Domain") for part in parts)
    assert browser.get("/imports", **own).status_code == 200
    with secure.app_context():
        db.engine.dispose()


def test_cookies_and_tokens_of_forms_are_signed_with_sha_256(app: Flask, client: FlaskClient) -> None:
    token, cookie = csrf_token(client), client.get_cookie(COOKIE).value
    for signed in (token, cookie):
        assert len(base64_decode(signed.rpartition(".")[2])) == hashlib.sha256().digest_size
    # A cookie signed by an earlier release gives no access.
    content = app.session_interface.get_signing_serializer(app).loads(cookie)
    client.set_cookie(COOKIE, SecureCookieSessionInterface().get_signing_serializer(app).dumps(content))
    assert not is_signed_in(client)


def test_signing_out_is_logged(client: FlaskClient, seller: Seller, caplog) -> None:
    caplog.set_level(logging.INFO, "app.web.sign_in")
    client.post("/logout", data={"csrf_token": csrf_token(client)})
    client.post("/logout", data={"csrf_token": csrf_token(client)})
    assert caplog.messages == [f"sign-out: seller {seller.id}, address 127.0.0.1"]
