"""Signing in and out."""

from __future__ import annotations

import re

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.extensions import db
from app.models import Seller
from app.web.session import local_path
from tests.conftest import PASSWORD, sign_in
from tests.pages import HTMX, csrf_token, page, press, read, submit, words
from tests.states import STATES, make

WRONG = "Wrong email or password. Try again."


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """A browser without a session."""
    return app.test_client()


def fill_in(client: FlaskClient, email: str, password: str, path: str = "/login") -> TestResponse:
    """Send the sign-in form."""
    return submit(client, page(client, path).select_one("form"), email=email, password=password)


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/imports").status_code == 200


@pytest.mark.parametrize("email", ["seller@example.com", "Seller@EXAMPLE.com", "  seller@example.com "])
def test_a_seller_signs_in_and_comes_to_their_imports(stranger: FlaskClient, seller: Seller, email: str) -> None:
    answer = fill_in(stranger, email, PASSWORD)
    assert (answer.status_code, answer.location) == (303, "/imports")
    assert "seller@example.com" in words(page(stranger, "/imports").select_one("header"))


def test_the_session_cookie_is_for_this_site_and_for_no_script(stranger: FlaskClient, seller: Seller) -> None:
    (cookie,) = fill_in(stranger, seller.email, PASSWORD).headers.getlist("Set-Cookie")
    assert cookie.startswith("sluice_session=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    # It outlives the browser's window, and not for ever.
    assert re.search(r"Expires=\w+, \d\d \w+ \d{4}", cookie)


def test_a_polling_page_does_not_renew_the_cookie(stranger: FlaskClient, seller: Seller) -> None:
    fill_in(stranger, seller.email, PASSWORD)
    page(stranger, "/imports")
    for headers in ({}, HTMX):
        assert "Set-Cookie" not in stranger.get("/imports", headers=headers).headers


def without_what_differs(answer: TestResponse) -> str:
    """A page without the token and the address that was typed."""
    plain = re.sub(r'name="csrf_token" value="[^"]+"', "", answer.text)
    return re.sub(r'required value="[^"]*"', "", plain)


def test_whatever_is_wrong_the_answer_is_the_same(stranger: FlaskClient, seller: Seller) -> None:
    page(stranger, "/login")
    wrong_password = fill_in(stranger, seller.email, "wrong password")
    soup = read(wrong_password, 422)
    assert words(soup.select_one("[role=alert]")) == WRONG
    # The address need not be typed again, the password must be.
    assert soup.select_one("#email")["value"] == seller.email
    assert not soup.select_one("#password").get("value")
    for email, password in (
        ("nobody@example.com", PASSWORD),
        ("nobody@example.com", "nobody's password"),
        ("seller@example.com\0", PASSWORD),
        ("\0", "\0"),
        ("' or 1=1 --", PASSWORD),
        ("%", PASSWORD.upper()),
        (seller.email, f"{PASSWORD}\0"),
        (seller.email, f"{PASSWORD} "),
        ("x" * 10_000, "x" * 10_000),
    ):
        answer = fill_in(stranger, email, password)
        assert answer.status_code == 422
        assert without_what_differs(answer) == without_what_differs(wrong_password)
        assert dict(answer.headers).keys() == dict(wrong_password.headers).keys()
        assert not is_signed_in(stranger)


def test_an_account_that_is_not_there_takes_as_long(stranger: FlaskClient, seller: Seller, monkeypatch) -> None:
    verified: list[str] = []
    verify = PasswordHasher.verify

    def count(self: PasswordHasher, known: str, password: str) -> bool:
        verified.append(known)
        return verify(self, known, password)

    monkeypatch.setattr(PasswordHasher, "verify", count)
    for email in (seller.email, "nobody@example.com"):
        assert fill_in(stranger, email, "wrong password").status_code == 422
    # One hash each, and as hard a one.
    real, nobodys = (known.rsplit("$", 2)[0] for known in verified)
    assert real == nobodys


@pytest.mark.parametrize(
    ("email", "password", "sentences"),
    [
        ("", "", ["Enter your email address.", "Enter your password."]),
        ("seller@example.com", "", ["Enter your password."]),
        ("", PASSWORD, ["Enter your email address."]),
    ],
)
def test_an_empty_field_is_named(
    stranger: FlaskClient, seller: Seller, email: str, password: str, sentences: list[str]
) -> None:
    soup = read(fill_in(stranger, email, password), 422)
    assert [words(problem) for problem in soup.select(".field-error")] == sentences
    for field in soup.select("[aria-invalid=true]"):
        assert words(soup.select_one(f"#{field['aria-describedby']}")) in sentences
    assert len(soup.select("[aria-invalid=true]")) == len(sentences)
    assert not is_signed_in(stranger)


@pytest.mark.parametrize("path", ["/login", "/logout", "/imports/00000000-0000-4000-8000-000000000000/pause"])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"])
def test_a_form_is_not_read_into_memory_whatever_its_size(
    stranger: FlaskClient, client: FlaskClient, path: str, kind: str
) -> None:
    for browser in (stranger, client):
        read(browser.post(path, data=b"x=" + b"y" * 70_000, content_type=kind), 413)


# Where signing in leads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target", ["/imports/upload", "/imports?before=00000000-0000-4000-8000-000000000000", "/imports?a=%26&b=%C3%A9"]
)
def test_signing_in_leads_back_to_where_one_was(stranger: FlaskClient, seller: Seller, target: str) -> None:
    sent = stranger.get(target)
    assert sent.status_code == 302
    assert sent.location.startswith("/login?next=")
    # A first mistake does not lose the place.
    again = read(fill_in(stranger, seller.email, "", sent.location), 422)
    answer = submit(stranger, again.select_one("form"), email=seller.email, password=PASSWORD)
    assert (answer.status_code, answer.location) == (303, target)


ELSEWHERE = [
    "https://evil.example/",
    "http:evil.example",
    "HTTPS://evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\r\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    " https://evil.example",
    "/\u2028/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "@evil.example",
    "//evil.example\\@localhost",
    "//localhost@evil.example",
    "//[",
    "/\0",
    "",
]


def test_signing_in_does_not_lead_to_another_site(stranger: FlaskClient, client: FlaskClient) -> None:
    # The target is checked when the form is shown, when it is sent, and when the seller is already signed in.
    for target in ELSEWHERE:
        form = read(stranger.get("/login", query_string={"next": target})).select_one("form")
        assert form["action"] == "/login", target
        assert local_path(target) is None, target
        answer = client.get("/login", query_string={"next": target})
        assert (answer.status_code, answer.location) == (303, "/imports"), target


def test_a_place_that_was_put_into_the_form_is_looked_at_again(stranger: FlaskClient, seller: Seller) -> None:
    for target in ("https://evil.example/", "/\\evil.example", "//evil.example"):
        form = {"csrf_token": csrf_token(stranger), "email": seller.email, "password": PASSWORD}
        answer = stranger.post("/login", query_string={"next": target}, data=form)
        assert (answer.status_code, answer.location) == (303, "/imports")


def test_a_press_of_a_button_is_not_repeated_after_signing_in(stranger: FlaskClient, seller: Seller) -> None:
    made = make(STATES[0], seller)
    answer = stranger.post(f"/imports/{made.public_id}/pause", data={"csrf_token": csrf_token(stranger)})
    assert (answer.status_code, answer.location) == (302, "/login")


@pytest.mark.parametrize(
    ("current", "target"),
    [
        ("http://localhost/imports?before=x", "/login?next=/imports?before%3Dx"),
        ("http://localhost/imports", "/login?next=/imports"),
        ("https://evil.example/x", "/login?next=/x"),
        ("https://evil.example//evil.example", "/login"),
        ("javascript:alert(1)", "/login"),
        ("", "/login"),
    ],
)
def test_a_script_is_told_to_take_the_browser_to_the_sign_in_page(
    stranger: FlaskClient, current: str, target: str
) -> None:
    answer = stranger.get("/imports", headers={**HTMX, "HX-Current-URL": current})
    assert (answer.status_code, answer.text) == (401, "")
    assert answer.headers["HX-Redirect"] == target


# The form that has been lying around ----------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "", "x"])
def test_a_form_without_its_token_is_asked_for_again(stranger: FlaskClient, seller: Seller, token: str | None) -> None:
    data = {"email": seller.email, "password": PASSWORD} | ({} if token is None else {"csrf_token": token})
    answer = stranger.post("/login?next=/imports/upload", data=data)
    assert (answer.status_code, answer.location) == (303, "/login?next=/imports/upload")
    assert not is_signed_in(stranger)
    assert "open for too long" in words(page(stranger, answer.location).select_one(".notes"))


def test_the_form_is_for_strangers(client: FlaskClient) -> None:
    answer = client.get("/login")
    assert (answer.status_code, answer.location) == (303, "/imports")
    assert client.get("/login?next=/imports/upload").location == "/imports/upload"


# Signing out ----------------------------------------------------------------------------------------------------------


def test_signing_out_ends_the_session(client: FlaskClient) -> None:
    answer = press(client, page(client, "/imports").select_one("header"), "Sign out")
    assert (answer.status_code, answer.location) == (303, "/login")
    assert "You are signed out." in words(page(client, "/login").select_one(".notes"))
    assert not is_signed_in(client)


def test_only_the_button_signs_out(client: FlaskClient) -> None:
    csrf_token(client)
    page(client, "/logout", 405)
    read(client.post("/logout"), 403)
    read(client.post("/logout", data={"csrf_token": "x"}), 403)
    assert is_signed_in(client)


def test_two_browsers_have_two_sessions(app: Flask, client: FlaskClient, seller: Seller) -> None:
    another = sign_in(app, seller)
    press(client, page(client, "/imports").select_one("header"), "Sign out")
    assert is_signed_in(another)


# Sessions that are none -----------------------------------------------------------------------------------------------


def test_a_cookie_that_was_tampered_with_is_nobodys(app: Flask, client: FlaskClient) -> None:
    page(client, "/imports")
    value = client.get_cookie("sluice_session").value
    payload, _, signature = value.partition(".")
    for forged in (f"{payload}x.{signature}", f"{value[:-3]}abc", payload, "x", "..", ""):
        browser = app.test_client()
        browser.set_cookie("sluice_session", forged)
        assert not is_signed_in(browser)


@pytest.mark.parametrize("user_id", ["0", "-1", "999999", "x", "1 ", "1.0", "²", "", None])
def test_a_session_of_nobody_is_none(app: Flask, seller: Seller, user_id: object) -> None:
    browser = app.test_client()
    with browser.session_transaction() as session:
        session["_user_id"] = user_id
    answer = browser.get("/imports")
    assert (answer.status_code, answer.location) == (302, "/login?next=/imports")


def test_the_session_of_a_seller_who_is_gone_is_over(client: FlaskClient, seller: Seller) -> None:
    assert is_signed_in(client)
    db.session.execute(text("delete from sellers"))
    db.session.commit()
    assert not is_signed_in(client)
