"""The page of the API tokens: making one, seeing it once, and revoking it."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import tokens
from app.models import Seller
from app.statuses import TokenScope
from tests.conftest import sign_in
from tests.pages import csrf_token, page, read, submit, words

PATH = "/settings/tokens"


def make(client: FlaskClient, **values: str):
    (form,) = page(client, PATH).select(f'form[action="{PATH}"]')
    fields = {"scope": "read-write", "days": "90", "name": "Nightly stock"} | values
    return client.post(PATH, data={"csrf_token": form.select_one("[name=csrf_token]")["value"], **fields})


def test_a_token_is_made_and_shown_once(client: FlaskClient, seller: Seller) -> None:
    answer = make(client, scope="read")
    assert (answer.status_code, answer.location) == (303, PATH)
    shown = page(client, PATH)
    secret = words(shown.select_one("#token-text"))
    bearer = tokens.find_bearer(secret)
    assert (bearer.seller_id, bearer.may_write) == (seller.id, False)
    assert client.get(PATH).headers["Cache-Control"] == "no-store"
    again = client.get(PATH).text
    assert secret not in again
    assert f"…{secret[-4:]}" in again
    assert "Read only" in words(page(client, PATH).select_one(".token-list"))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": " "}, "Give the token a name"),
        ({"scope": "all"}, "Say what the token may do."),
        ({"days": "91"}, "Say how long the token holds."),
        ({"days": "x"}, "Say how long the token holds."),
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
