"""A new password by a link in an email."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.deliveries import job
from app.extensions import db
from app.identity import sessions
from app.models import Delivery, PasswordReset, Seller
from tests.conftest import PASSWORD, make_token, sign_in
from tests.mail_server import MailServer, mail_server
from tests.pages import csrf_token, page, read, submit, words
from tests.web.test_sign_in import fill_in, is_signed_in

FORGOT = "/password/forgot"
NEW = "quite another one"


@pytest.fixture
def mails(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as server:
        values = {"smtp_url": server.url, "mail_from": "s@example.com", "public_url": "https://sluice.example.com"}
        settings = replace(app.extensions["sluice_settings"], **values)
        monkeypatch.setitem(app.extensions, "sluice_settings", settings)
        yield server


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """A browser without a session."""
    return app.test_client()


def ask(client: FlaskClient, email: str) -> TestResponse:
    return submit(client, page(client, FORGOT).select_one("main form"), email=email)


def ask_and_open(client: FlaskClient, mails: MailServer, email: str) -> str:
    """Ask for a link. Returns its path."""
    read(ask(client, email))
    job.run()
    return re.search(r"https://sluice\.example\.com(/password/reset\S+)", mails.mails[-1].get_content())[1]


def test_a_link_sets_a_new_password_once_and_signs_out_everywhere(
    app: Flask, stranger: FlaskClient, client: FlaskClient, seller: Seller, mails: MailServer
) -> None:
    make_token(seller)
    # As typed: an address has no case.
    path = ask_and_open(stranger, mails, " Seller@Example.com")
    assert [(mail["To"], mail["Subject"]) for mail in mails.mails] == [(seller.email, "Set a new password for Sluice")]
    # Another link stays valid until one of them is used.
    other = ask_and_open(stranger, mails, seller.email)
    soup = page(stranger, path)
    assert seller.email in words(soup.select_one("main"))
    answer = submit(stranger, soup.select_one("main form"), new_password=NEW, revoke_tokens="")
    assert (answer.status_code, answer.location) == (303, "/login")
    assert "Password changed." in words(page(stranger, "/login").select_one(".notes"))
    assert not is_signed_in(client)
    assert fill_in(stranger, seller.email, PASSWORD).status_code == 422
    assert fill_in(stranger, seller.email, NEW).status_code == 303
    for used in (path, other):
        assert words(page(app.test_client(), used, 404).select_one("h1")) == "This link no longer works"
        form = {"csrf_token": csrf_token(stranger), "token": used.partition("token=")[2], "new_password": "a third one"}
        read(stranger.post("/password/reset", data=form), 404)
    entry = db.session.execute(text("select actor, via, address, action from audit_log order by id desc limit 1")).one()
    assert tuple(entry) == ("seller@example.com", "web", "127.0.0.1", "reset password by email")
    assert db.session.scalar(text("select count(*) from api_tokens")) == 1


def test_its_tokens_are_revoked_with_it_on_request(stranger: FlaskClient, seller: Seller, mails: MailServer) -> None:
    make_token(seller)
    form = page(stranger, ask_and_open(stranger, mails, seller.email)).select_one("main form")
    assert submit(stranger, form, new_password=NEW, revoke_tokens="y").status_code == 303
    assert db.session.scalar(text("select count(*) from api_tokens")) == 0


def test_a_bad_password_leaves_the_link_valid(stranger: FlaskClient, seller: Seller, mails: MailServer) -> None:
    path = ask_and_open(stranger, mails, seller.email)
    for bad, sentence in (("", "Enter a new password."), ("password1", "too common"), (seller.email, "easy to guess")):
        again = read(submit(stranger, page(stranger, path).select_one("main form"), new_password=bad), 422)
        assert sentence in words(again.select_one(".field-error"))
    assert submit(stranger, page(stranger, path).select_one("main form"), new_password=NEW).status_code == 303


def test_the_answer_is_the_same_for_an_account_that_is_not_there(
    stranger: FlaskClient, seller: Seller, mails: MailServer
) -> None:
    answers = {email: ask(stranger, email) for email in (seller.email, "nobody@example.com", "sel\0ler@example.com")}
    plain = {
        re.sub(r'name="csrf_token" value="[^"]+"', "", answer.text).replace(email.replace("\0", "␀"), "")
        for email, answer in answers.items()
    }
    assert len(plain) == 1
    assert {answer.status_code for answer in answers.values()} == {200}
    job.run()
    assert [mail["To"] for mail in mails.mails] == [seller.email]


def test_the_secret_is_in_the_email_and_nowhere_else(stranger: FlaskClient, seller: Seller, mails: MailServer) -> None:
    secret = ask_and_open(stranger, mails, seller.email).partition("token=")[2]
    assert len(secret) == 43
    for table in ("password_resets", "deliveries", "audit_log"):
        assert secret not in str(db.session.execute(text(f"select * from {table}")).all())


def test_a_link_expires_an_hour_after_it_was_asked_for(
    stranger: FlaskClient, seller: Seller, mails: MailServer
) -> None:
    path = ask_and_open(stranger, mails, seller.email)
    form = page(stranger, path).select_one("main form")
    db.session.execute(text("update password_resets set expires_at = now()"))
    db.session.commit()
    assert submit(stranger, form, new_password=NEW).status_code == 404
    read(ask(stranger, seller.email))
    db.session.execute(text("update deliveries set created_at = created_at - interval '1 hour'"))
    db.session.commit()
    job.run()
    assert len(mails.mails) == 1
    last = db.session.scalars(db.select(Delivery).order_by(Delivery.id.desc())).first()
    assert (last.status, last.answer) == ("GIVEN_UP", "Its link expired before it could be sent.")
    # What has expired is deleted with the next.
    assert db.session.scalars(db.select(PasswordReset)).all() == []


@pytest.mark.parametrize("email", ["seller@example.com", "nobody@example.com"])
def test_only_so_many_emails_are_sent(stranger: FlaskClient, seller: Seller, mails: MailServer, email: str) -> None:
    assert [ask(stranger, email).status_code for _ in range(6)] == [200] * 5 + [429]
    refused = ask(stranger, email)
    assert "too many emails" in words(read(refused, 429).select_one("[role=alert]"))
    assert 1 <= int(refused.headers["Retry-After"]) <= 3600


def test_without_a_mail_server_the_page_says_what_to_do(app: Flask, stranger: FlaskClient, seller: Seller) -> None:
    assert page(stranger, "/login").select_one(f"a[href='{FORGOT}']")
    soup = page(stranger, FORGOT)
    assert soup.select("main form") == []
    assert "sellers set-password" in words(soup.select_one("main"))
    token = page(stranger, "/login").select_one("input[name=csrf_token]")["value"]
    read(stranger.post(FORGOT, data={"csrf_token": token, "email": seller.email}), 422)
    assert db.session.scalars(db.select(Delivery)).all() == []


def test_who_is_signed_in_may_have_forgotten_it_too(app: Flask, seller: Seller, mails: MailServer) -> None:
    here = sign_in(app, seller)
    assert page(here, FORGOT).select_one("#email")["value"] == seller.email
    path = ask_and_open(here, mails, seller.email)
    assert submit(here, page(here, path).select_one("main form"), new_password=NEW).location == "/login"
    # The browser is at the sign-in page, and not on the page of one who is signed in.
    assert "Password changed." in words(page(here, "/login").select_one(".notes"))
    assert sessions.list_active(seller.id, "", at_most=10) == []
