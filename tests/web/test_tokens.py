"""The page of the API tokens: making one, seeing it once, and revoking it."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.identity import tokens
from app.identity.tokens import TokenError
from app.models import ApiToken, AuditEntry, Seller
from app.statuses import TokenScope
from tests.conftest import PASSWORD, sign_in
from tests.pages import csrf_token, page, read, submit, words

PATH = "/settings/tokens"


def make(client: FlaskClient, **values: str):
    return client.post(PATH, data=filled_in(client, **values))


def filled_in(client: FlaskClient, **values: str) -> dict[str, str]:
    """What the form sends, with ``values`` typed into it."""
    (form,) = page(client, PATH).select(f'form[action="{PATH}"]')
    hidden = {one["name"]: one["value"] for one in form.select("[type=hidden]")}
    fields = {"scope": "read-write", "days": "90", "name": "Nightly stock", "current_password": PASSWORD}
    return hidden | fields | values


def test_a_token_is_made_and_shown_once(client: FlaskClient, seller: Seller) -> None:
    csrf_token(client)
    before = client.get_cookie("sluice_session").value
    answer = make(client, scope="read")
    shown = read(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    # Nothing of it is in the cookie, which anyone who has it can read.
    assert client.get_cookie("sluice_session").value == before
    secret = words(shown.select_one("#token-text"))
    bearer = tokens.find_bearer(secret)
    assert (bearer.seller_id, bearer.may_write) == (seller.id, False)
    again = client.get(PATH).text
    assert secret not in again
    assert f"…{secret[-4:]}" in again
    assert "Read only" in words(page(client, PATH).select_one(".token-list"))


def test_a_form_that_is_sent_again_makes_no_other_token(client: FlaskClient, seller: Seller) -> None:
    form = filled_in(client)
    read(client.post(PATH, data=form))
    shown = read(client.post(PATH, data=form), 422)
    assert "has already been created and can’t be shown again" in words(shown.select_one("[role=alert]"))
    assert len(tokens.list_all(seller.id)) == 1


@pytest.mark.parametrize(
    ("password", "sentence"), [("", "Enter your current password."), ("wrong", "That’s not your current password.")]
)
def test_a_stolen_session_makes_no_token(client: FlaskClient, seller: Seller, password: str, sentence: str) -> None:
    shown = read(make(client, current_password=password), 422)
    assert words(shown.select_one("#current_password-error")) == sentence
    assert shown.select_one("#name")["value"] == "Nightly stock"
    assert tokens.list_all(seller.id) == []


def test_nor_can_it_guess_the_password(client: FlaskClient, seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.identity.login_throttle.sellers.check_password", lambda email, password: None)
    for _ in range(10):
        assert make(client).status_code == 422
    refused = make(client)
    assert "There were too many attempts" in words(read(refused, 429).select_one("[role=alert]"))
    assert int(refused.headers["Retry-After"]) > 0


def test_there_is_room_for_a_hundred_however_many_are_made_at_once(app: Flask, seller: Seller) -> None:
    seller_id = seller.id
    db.session.add_all(
        ApiToken(seller_id=seller_id, name="x", scope="read", digest=bytes([number]) * 32, ending="x")
        for number in range(tokens.MAX_TOKENS - 1)
    )
    db.session.commit()

    def make_one(_: int) -> bool:
        with app.app_context():
            try:
                tokens.create(seller_id, "one more", scope=TokenScope.READ)
            except TokenError:
                return False
            return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(make_one, range(8))) == 1
    assert len(tokens.list_all(seller_id)) == tokens.MAX_TOKENS


def test_it_is_logged_and_in_the_audit_log_without_the_token(client: FlaskClient, seller: Seller, caplog) -> None:
    caplog.set_level(logging.INFO, "app.identity.tokens")
    secret = words(read(make(client)).select_one("#token-text"))
    (form,) = page(client, PATH).select(".revoke form")
    submit(client, form)
    assert [message.partition(":")[0] for message in caplog.messages] == ["token created", "token revoked"]
    entries = [
        (one.actor, one.action, one.detail) for one in db.session.scalars(select(AuditEntry).order_by(AuditEntry.id))
    ]
    assert entries == [
        (seller.email, "create token", "Nightly stock (read-write, for 90 days)"),
        (seller.email, "revoke token", "Nightly stock"),
    ]
    assert secret not in caplog.text


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": " "}, "Give the token a name"),
        ({"scope": "all"}, "Choose the token’s permissions."),
        ({"days": "91"}, "Choose when the token expires."),
        ({"days": "x"}, "Choose when the token expires."),
    ],
)
def test_what_is_wrong_is_said_and_the_rest_is_kept(client: FlaskClient, seller: Seller, values, sentence) -> None:
    shown = read(make(client, **{"days": "365", **values}), 422)
    assert sentence in words(shown.select_one("[role=alert]"))
    assert shown.select_one("#name")["value"] == values.get("name", "Nightly stock")
    assert tokens.list_all(seller.id) == []


def test_a_token_is_revoked(client: FlaskClient, seller: Seller) -> None:
    _, secret = tokens.create(seller.id, "Old one", scope=TokenScope.READ)
    (form,) = page(client, PATH).select(".revoke form")
    assert submit(client, form).status_code == 303
    shown = page(client, PATH)
    assert "“Old one” is revoked." in words(shown.select_one("body"))
    assert not shown.select(".token-list")
    assert tokens.find_bearer(secret) is None


def test_it_says_when_a_token_was_used_and_that_one_is_over(client: FlaskClient, seller: Seller) -> None:
    _, secret = tokens.create(seller.id, "In use", scope=TokenScope.READ_WRITE, days=1)
    assert "never used" in words(page(client, PATH).select_one(".token-list"))
    tokens.find_bearer(secret)
    assert "last used" in words(page(client, PATH).select_one(".token-list"))


def test_anothers_tokens_are_neither_shown_nor_revoked(app: Flask, client: FlaskClient, other_seller: Seller) -> None:
    token, secret = tokens.create(other_seller.id, "Theirs", scope=TokenScope.READ)
    assert "Theirs" not in client.get(PATH).text
    data = {"csrf_token": csrf_token(client)}
    read(client.post(f"{PATH}/{token.public_id}/revoke", data=data), 404)
    assert tokens.find_bearer(secret) is not None
    assert "Theirs" in sign_in(app, other_seller).get(PATH).text


def test_without_its_token_the_form_makes_nothing(client: FlaskClient, seller: Seller) -> None:
    assert client.post(PATH, data={"name": "x", "scope": "read", "days": "30"}).status_code == 403
    assert tokens.list_all(seller.id) == []
