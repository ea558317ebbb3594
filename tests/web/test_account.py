"""The page of the account: another password, and the sessions that its owner sees and ends."""

from __future__ import annotations

import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import argon2
import pytest
from argon2.exceptions import VerifyMismatchError
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from app.extensions import db
from app.identity import sellers, sessions, tokens
from app.identity.sessions import SessionNotFound
from app.models import AuditEntry, Seller
from app.statuses import TokenScope
from tests.conftest import PASSWORD, sign_in
from tests.pages import csrf_token, page, read, submit, words
from tests.web.test_sessions import age, copy_of
from tests.web.test_sign_in import fill_in, is_signed_in

PATH = "/settings/account"
BETTER = "quite another one"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"


def change(client: FlaskClient, current: str = PASSWORD, new: str = BETTER, **overrides: str) -> TestResponse:
    """Fill in the form for another password."""
    data = {"csrf_token": csrf_token(client), "current_password": current, "new_password": new}
    return client.post(PATH, data=data, environ_overrides=overrides)


def ids(client: FlaskClient) -> list[str]:
    """The addresses at which the page ends one session."""
    forms = page(client, PATH).select(".session-table form")
    return [str(form["action"]) for form in forms]


def end(client: FlaskClient, action: str, password: str = PASSWORD) -> TestResponse:
    (form,) = page(client, PATH).select(f'form[action="{action}"]')
    return submit(client, form, current_password=password)


def faults(soup: BeautifulSoup) -> dict[str, str]:
    """The errors below the fields, by field id; each field must refer to its error."""
    found = {}
    for field in soup.select("main input[aria-invalid=true]"):
        named = [soup.select_one(f"#{name}") for name in str(field["aria-describedby"]).split()]
        found[str(field["id"])] = " ".join(words(one) for one in named if "field-error" in one["class"])
    assert len(found) == len(soup.select(".field-error"))
    return found


def in_session(client: FlaskClient) -> str:
    with client.session_transaction() as session:
        return str(session["_user_id"])


# Another password -----------------------------------------------------------------------------------------------------


def test_it_says_whose_account_it_is_and_is_among_the_settings(client: FlaskClient, seller: Seller) -> None:
    soup = page(client, PATH)
    assert seller.email in words(soup.select_one(".lead-sentence"))
    for path in (PATH, "/settings/tokens"):
        assert page(client, path).select(f'.menu a[href="{PATH}"]')
    assert client.get(PATH).headers["Cache-Control"] == "no-store"


def test_its_fields_are_for_password_managers(client: FlaskClient) -> None:
    (form,) = page(client, PATH).select(f'form[action="{PATH}"]')
    kinds = {
        str(field.get("name")): (field["type"], field["autocomplete"])
        for field in form.select("[autocomplete]:not([type=checkbox])")
    }
    assert kinds == {
        "None": ("email", "username"),
        "current_password": ("password", "current-password"),
        "new_password": ("password", "new-password"),
    }
    # Nothing truncates a password, or prevents pasting it.
    assert not form.select("[maxlength], [pattern], [onpaste]")


def test_the_password_is_changed_and_the_others_are_out(app: Flask, client: FlaskClient, seller: Seller) -> None:
    others = [sign_in(app, seller), sign_in(app, seller)]
    answer = change(client)
    assert (answer.status_code, answer.location) == (303, PATH)
    note = words(page(client, PATH).select_one(".notes"))
    assert note == "Password changed. 2 other sessions were ended."
    assert not any(map(is_signed_in, others))
    assert fill_in(others[0], seller.email, PASSWORD).status_code == 422
    assert fill_in(others[0], seller.email, BETTER).status_code == 303


@pytest.mark.parametrize(
    ("others", "sentence"),
    [(0, "There were no other sessions."), (1, "One other session was ended."), (2, "2 other sessions were ended.")],
)
def test_it_says_how_many_were_ended(app: Flask, client: FlaskClient, seller: Seller, others: int, sentence) -> None:
    for _ in range(others):
        sign_in(app, seller)
    change(client)
    assert words(page(client, PATH).select_one(".notes")).endswith(sentence)


def test_those_that_were_over_are_not_counted(client: FlaskClient, seller: Seller) -> None:
    sessions.begin(seller.id, FIREFOX)
    db.session.execute(
        text("update sessions set seen_at = now() - interval '13 hours' where user_agent = :of"), {"of": FIREFOX}
    )
    db.session.commit()
    change(client)
    assert "no other sessions" in words(page(client, PATH).select_one(".notes"))


def test_this_session_goes_on_under_another_secret(app: Flask, client: FlaskClient) -> None:
    thief, token, before = copy_of(app, client), csrf_token(client), in_session(client)
    change(client)
    assert is_signed_in(client)
    assert not is_signed_in(thief)
    assert in_session(client) != before
    # A form from before is out of date too.
    assert client.post("/logout", data={"csrf_token": token}).status_code == 403
    # It is the same session all the same: a change does not put off its end.
    assert db.session.scalar(text("select count(*) from sessions")) == 1
    age("created_at", 168.1)
    assert not is_signed_in(client)


def test_tokens_are_revoked_with_it_where_that_is_asked(
    client: FlaskClient, seller: Seller, other_seller: Seller
) -> None:
    _, mine = tokens.create(seller.id, "Nightly stock", scope=TokenScope.READ)
    _, theirs = tokens.create(other_seller.id, "Theirs", scope=TokenScope.READ)
    form = page(client, PATH).select_one(f'form[action="{PATH}"]')
    submit(client, form, current_password=PASSWORD, new_password=BETTER, revoke_tokens="y")
    assert "All API tokens are revoked." in words(page(client, PATH).select_one(".notes"))
    assert tokens.find_bearer(mine) is None
    assert tokens.find_bearer(theirs) is not None
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.via == "web").order_by(AuditEntry.id)).all()
    assert [(one.action, one.detail) for one in entries] == [("change password", ""), ("revoke token", "Nightly stock")]


def test_other_sellers_and_tokens_stay_as_they_are(
    app: Flask, client: FlaskClient, seller: Seller, other_seller: Seller
) -> None:
    stranger = sign_in(app, other_seller)
    _, token = tokens.create(seller.id, "Nightly stock", scope=TokenScope.READ)
    assert page(client, PATH).select_one('main a[href="/settings/tokens"]')
    change(client)
    assert is_signed_in(stranger)
    assert tokens.find_bearer(token) is not None


@pytest.mark.parametrize(
    ("current", "new", "sentences"),
    [
        ("", "", {"current_password": "Enter your current password.", "new_password": "Enter a new password."}),
        ("", BETTER, {"current_password": "Enter your current password."}),
        (PASSWORD, "", {"new_password": "Enter a new password."}),
        ("wrong", BETTER, {"current_password": "That’s not your current password."}),
        (f"{PASSWORD} ", BETTER, {"current_password": "That’s not your current password."}),
        (PASSWORD, "short", {"new_password": "The password is too short"}),
        (PASSWORD, "x" * 1_001, {"new_password": "The password is too long"}),
        (PASSWORD, "password123", {"new_password": "too common"}),
        (PASSWORD, "seller@example.com1", {"new_password": "too easy to guess"}),
        # All errors are shown at once.
        (
            "wrong",
            "short",
            {"current_password": "That’s not your current password.", "new_password": "The password is too short"},
        ),
    ],
)
def test_each_fault_is_said_under_its_field(
    app: Flask, client: FlaskClient, seller: Seller, current: str, new: str, sentences: dict[str, str]
) -> None:
    other = sign_in(app, seller)
    soup = read(change(client, current, new), 422)
    found = faults(soup)
    assert found.keys() == sentences.keys()
    assert all(sentences[name] in found[name] for name in found)
    # Passwords are not sent back.
    assert not any(field.get("value") for field in soup.select("input[type=password]"))
    assert is_signed_in(client)
    assert is_signed_in(other)
    assert sellers.check_password(seller.email, PASSWORD) is not None


def test_the_password_of_no_seller_is_verified_at_the_same_cost(seller: Seller) -> None:
    assert argon2.extract_parameters(sellers._DUMMY_HASH) == argon2.extract_parameters(seller.password_hash)
    # A hash that cannot be read is refused without any cost.
    with pytest.raises(VerifyMismatchError):
        sellers._hasher.verify(sellers._DUMMY_HASH, PASSWORD)


def test_a_stolen_session_cannot_guess(client: FlaskClient, seller: Seller, monkeypatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "app.identity.login_throttle.sellers.check_password", lambda email, password: asked.append(password)
    )
    # Wherever it asks, it is counted together.
    others = f"{PATH}/sessions/end"
    for _ in range(5):
        assert change(client, "wrong").status_code == 422
        data = {"csrf_token": csrf_token(client), "current_password": "wrong"}
        assert client.post(others, data=data).status_code == 422
    assert len(asked) == 10
    for answer in (
        change(client),
        client.post(others, data={"csrf_token": csrf_token(client), "current_password": PASSWORD}),
    ):
        alert = words(read(answer, 429).select_one("[role=alert]"))
        assert alert.startswith("There were too many attempts with a wrong password. Try again in ")
        assert 1 <= int(answer.headers["Retry-After"]) <= 900
    assert len(asked) == 10
    # It is the limit of signing in, which is full for this account and address now.
    stranger = client.application.test_client()
    assert fill_in(stranger, seller.email, PASSWORD).status_code == 429


def test_failures_at_the_sign_in_page_count_here(app: Flask, client: FlaskClient, seller: Seller, monkeypatch) -> None:
    monkeypatch.setattr("app.identity.login_throttle.sellers.check_password", lambda email, password: None)
    stranger = app.test_client()
    for _ in range(10):
        assert fill_in(stranger, seller.email, "wrong password").status_code == 422
    assert change(client).status_code == 429
    assert change(client, REMOTE_ADDR="192.0.2.9").status_code == 422


def test_it_is_logged_without_the_passwords(client: FlaskClient, seller: Seller, caplog) -> None:
    caplog.set_level(logging.INFO)
    change(client, "a wrong guess", BETTER)
    change(client)
    logged = [one for one in caplog.messages if "password" in one]
    assert logged[0].startswith("password check failed: account ")
    assert logged[-1] == f"password changed: seller {seller.id}, address 127.0.0.1, 0 sessions ended"
    assert not any(secret in caplog.text for secret in ("a wrong guess", BETTER, PASSWORD))


def test_a_session_that_was_ended_meanwhile_changes_nothing(client: FlaskClient, seller: Seller) -> None:
    secret = in_session(client)
    sessions.end_all(seller.id)
    with pytest.raises(SessionNotFound):
        sellers.change_password(seller, BETTER, secret=secret)
    assert sellers.check_password(seller.email, PASSWORD) is not None


def test_of_two_sessions_that_change_it_at_once_one_does(app: Flask, seller: Seller) -> None:
    seller_id = seller.id
    secrets = [sessions.begin(seller_id), sessions.begin(seller_id)]

    def change_from(secret: str) -> bool:
        with app.app_context():
            try:
                sellers.change_password(db.session.get_one(Seller, seller_id), f"in {secret}", secret=secret)
            except SessionNotFound:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        changed = list(pool.map(change_from, secrets))
    assert sorted(changed) == [False, True]
    db.session.rollback()
    assert sellers.check_password(seller.email, f"in {secrets[changed.index(True)]}") is not None


# Sessions -------------------------------------------------------------------------------------------------------------


def test_it_shows_where_one_is_signed_in(app: Flask, client: FlaskClient, seller: Seller, other_seller: Seller) -> None:
    sign_in(app, other_seller)
    sessions.begin(seller.id, FIREFOX)
    age("created_at", 1)
    rows = page(client, PATH).select(".session-table tbody tr")
    assert [words(row.select_one("th")) for row in rows] == ["a browser", "Firefox on Windows"]
    assert [bool(row.select("form")) for row in rows] == [False, True]
    assert "This device" in words(rows[0])
    for row in rows:
        began, used = (datetime.fromisoformat(str(time["datetime"])) for time in row.select("time"))
        assert used - began > timedelta(minutes=59)


def test_sessions_that_are_over_are_not_among_them(app: Flask, client: FlaskClient, seller: Seller) -> None:
    sessions.begin(seller.id, FIREFOX)
    db.session.execute(
        text("update sessions set seen_at = now() - interval '13 hours' where user_agent <> 'a browser'")
    )
    db.session.commit()
    soup = page(client, PATH)
    assert len(soup.select(".session-table tbody tr")) == 1
    assert "No other sessions." in words(soup.select_one("main"))
    assert not soup.select(f'form[action^="{PATH}/sessions"]')


def test_a_browser_is_shown_as_it_calls_itself_and_never_run(client: FlaskClient, seller: Seller) -> None:
    sessions.begin(seller.id, '"><script>alert(1)</script>')
    assert '"><script>alert(1)</script>' in words(page(client, PATH).select_one(".session-table"))


def test_no_page_shows_more_of_them_than_fit(client: FlaskClient, seller: Seller) -> None:
    for _ in range(101):
        sessions.begin(seller.id, FIREFOX)
    soup = page(client, PATH)
    rows = soup.select(".session-table tbody tr")
    assert len(rows) == 100
    assert "This device" in words(rows[0])
    assert "Only the 100 most recently used are shown." in words(soup.select_one("main"))


def test_one_of_them_is_ended(app: Flask, client: FlaskClient, seller: Seller) -> None:
    another, third = sign_in(app, seller), sign_in(app, seller)
    # The one that was used last stands first.
    db.session.execute(text("update sessions set seen_at = now() - id * interval '1 minute'"))
    db.session.commit()
    answer = end(client, ids(client)[0])
    assert (answer.status_code, answer.location) == (303, PATH)
    assert "“a browser” is signed out." in words(page(client, PATH).select_one(".notes"))
    assert [is_signed_in(one) for one in (client, another, third)] == [True, False, True]


def test_all_others_are_ended(app: Flask, client: FlaskClient, seller: Seller, other_seller: Seller) -> None:
    others, stranger = [sign_in(app, seller), sign_in(app, seller)], sign_in(app, other_seller)
    assert end(client, f"{PATH}/sessions/end").status_code == 303
    assert "2 other sessions were ended." in words(page(client, PATH).select_one(".notes"))
    assert [is_signed_in(one) for one in (client, *others, stranger)] == [True, False, False, True]


@pytest.mark.parametrize(
    ("password", "sentence"), [("", "Enter your current password."), ("wrong", "That’s not your current password.")]
)
@pytest.mark.parametrize("whom", ["one", "others"])
def test_without_the_password_none_is_ended(
    app: Flask, client: FlaskClient, seller: Seller, whom: str, password: str, sentence: str
) -> None:
    others = [sign_in(app, seller), sign_in(app, seller)]
    action = ids(client)[0] if whom == "one" else f"{PATH}/sessions/end"
    soup = read(end(client, action, password), 422)
    (found,) = faults(soup).values()
    assert found == sentence
    # What was opened is open again, and nothing else is.
    (opened,) = soup.select("details[open]")
    assert opened.select_one("form")["action"] == action
    assert all(map(is_signed_in, others))


def test_anothers_session_is_not_there(app: Flask, client: FlaskClient, other_seller: Seller) -> None:
    stranger = sign_in(app, other_seller)
    theirs = db.session.scalar(text("select public_id from sessions where seller_id = :id"), {"id": other_seller.id})
    form = {"csrf_token": csrf_token(client), "current_password": PASSWORD}
    nowhere = client.post(f"{PATH}/sessions/{uuid.uuid4()}/end", data=form)
    answer = client.post(f"{PATH}/sessions/{theirs}/end", data=form)
    assert words(read(answer, 404)) == words(read(nowhere, 404))
    assert is_signed_in(stranger)


def test_without_their_token_the_forms_do_nothing(app: Flask, client: FlaskClient, seller: Seller) -> None:
    another = sign_in(app, seller)
    fields = {"current_password": PASSWORD, "new_password": BETTER}
    for action in (PATH, f"{PATH}/sessions/end", *ids(client)):
        assert client.post(action, data=fields).status_code == 403
        assert client.post(action, data={**fields, "csrf_token": "x"}).status_code == 403
    assert is_signed_in(another)
    assert sellers.check_password(seller.email, PASSWORD) is not None
