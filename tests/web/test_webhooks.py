"""The pages of webhooks and notifications: adding, the secret, the log, the buttons, and whose they are."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.deliveries import commands, job, webhook
from app.deliveries.webhook import SendResult
from app.extensions import db
from app.models import AuditEntry, Delivery, Seller, WebhookEndpoint
from tests.conftest import PASSWORD, sign_in
from tests.pages import buttons, csrf_token, fragment, page, press, read, submit, words
from tests.states import STATES, make
from tests.web.test_isolation import address, routes

URL = "https://shop.example.com/sluice"
EVENTS = ["import.completed", "import.failed"]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[SendResult]]:
    """What receivers answer, one after the other; nothing goes out."""
    answers: list[SendResult] = []
    monkeypatch.setattr(webhook, "send", lambda *_, **__: answers.pop(0))
    yield answers
    assert not answers


@pytest.fixture
def set_up(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def change(**values: object) -> None:
        settings = replace(app.extensions["sluice_settings"], **values)
        monkeypatch.setitem(app.extensions, "sluice_settings", settings)

    return change


def add(
    client: FlaskClient, url: str = URL, events: list[str] = EVENTS, password: str = PASSWORD, **values: str
) -> TestResponse:
    form = page(client, "/settings/webhooks").select_one("main form")
    hidden = {one["name"]: one["value"] for one in form.select("[type=hidden]")}
    data = {**hidden, "url": url, "events": events, "current_password": password, **values}
    return client.post(form["action"], data=data)


def the_one() -> WebhookEndpoint:
    db.session.rollback()
    return db.session.scalars(db.select(WebhookEndpoint)).one()


def show(client: FlaskClient) -> BeautifulSoup:
    return page(client, f"/settings/webhooks/{the_one().public_id}")


def log(soup: BeautifulSoup) -> list[tuple[str, str]]:
    return [(words(one.select_one("h3")), words(one.select_one(".pill"))) for one in soup.select(".delivery")]


def test_somebody_without_webhooks_is_told_what_they_are(client: FlaskClient) -> None:
    soup = page(client, "/settings/webhooks")
    assert words(soup.select_one(".empty h2")) == "No webhooks yet"
    assert [words(link) for link in soup.select("nav[aria-label=Main] .is-minor [aria-current]")] == ["Webhooks"]
    checked = soup.select("input[name=events][checked]")
    assert [one["value"] for one in checked] == [
        "import.paused",
        "import.completed",
        "import.failed",
        "import.terminated",
    ]


def test_the_secret_is_shown_once(client: FlaskClient) -> None:
    csrf_token(client)
    before = client.get_cookie("sluice_session").value
    answer = add(client, form_key="5b7c0b0a-6d0f-4d0e-8a35-0f5a5f2c9d11")
    soup = read(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    # Nothing of it is in the cookie, which anyone who has it can read.
    assert client.get_cookie("sluice_session").value == before
    secret = the_one().secret
    assert words(soup.select_one("#secret-text")) == secret
    assert soup.select("noscript meta") == []
    refused = read(add(client, form_key="5b7c0b0a-6d0f-4d0e-8a35-0f5a5f2c9d11"), 422)
    assert "already added this webhook" in words(refused.select_one(".field-error"))
    again = show(client)
    assert secret not in str(again)
    assert words(again.select_one("h1")) == URL
    assert words(again.select_one("#state-heading")) == "Listening for 2 events"
    assert words(page(client, "/settings/webhooks").select_one(".hook h2")) == URL


def test_a_new_secret_is_shown_once_too(client: FlaskClient) -> None:
    add(client)
    (link,) = (link for link in show(client).select("main a") if words(link) == "New secret")
    form = page(client, link["href"]).select_one("main form")
    old = the_one().secret
    soup = read(submit(client, form, current_password=PASSWORD))
    assert the_one().secret != old == the_one().old_secret
    assert words(soup.select_one("#secret-text")) == the_one().secret
    assert "The previous secret also signs deliveries until" in words(soup.select_one("main"))
    assert the_one().secret not in str(show(client))
    # A page that is loaded again does not take the day from the one before.
    assert "already been changed" in words(
        read(submit(client, form, current_password=PASSWORD), 409).select_one("main")
    )
    assert the_one().old_secret == old


@pytest.mark.parametrize(
    ("password", "sentence"), [("", "Enter your current password."), ("wrong", "That’s not your current password.")]
)
def test_a_stolen_session_gets_no_secret(client: FlaskClient, password: str, sentence: str) -> None:
    soup = read(add(client, password=password), 422)
    assert words(soup.select_one("#current_password-error")) == sentence
    assert db.session.scalars(db.select(WebhookEndpoint)).all() == []
    add(client)
    secret = the_one().secret
    form = page(client, f"/settings/webhooks/{the_one().public_id}/secret").select_one("main form")
    assert words(read(submit(client, form, current_password=password), 422).select_one(".field-error")) == sentence
    assert the_one().secret == secret


def test_nor_can_it_guess_the_password(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.identity.login_throttle.sellers.check_password", lambda email, password: None)
    for _ in range(10):
        assert add(client).status_code == 422
    refused = add(client)
    assert "There were too many attempts" in words(read(refused, 429).select_one("main"))
    assert int(refused.headers["Retry-After"]) > 0


def test_what_is_done_is_logged_and_in_the_audit_log(client: FlaskClient, seller: Seller, caplog) -> None:
    caplog.set_level(logging.INFO, "app.deliveries.commands")
    add(client)
    path, token = f"/settings/webhooks/{the_one().public_id}", csrf_token(client)
    form = page(client, f"{path}/secret").select_one("main form")
    submit(client, form, current_password=PASSWORD)
    for button in ("off", "on", "delete"):
        client.post(f"{path}/{button}", data={"csrf_token": token})
    done = ["add webhook", "change webhook secret", "switch webhook off", "switch webhook on", "delete webhook"]
    assert [message.partition(":")[0] for message in caplog.messages] == done
    entries = db.session.scalars(db.select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(one.actor, one.action, one.detail) for one in entries] == [
        (seller.email, action, "shop.example.com") for action in done
    ]


def test_only_so_many_messages_are_sent_by_hand(client: FlaskClient) -> None:
    add(client)
    path, form = f"/settings/webhooks/{the_one().public_id}/test", {"csrf_token": csrf_token(client)}
    assert [client.post(path, data=form).status_code for _ in range(20)] == [303] * 20
    refused = read(client.post(path, data=form), 409)
    assert "20 deliveries were sent by hand recently." in words(refused.select_one("main"))
    assert len(db.session.scalars(db.select(Delivery)).all()) == 20


@pytest.mark.parametrize(
    ("url", "events", "sentence"),
    [
        ("", EVENTS, "Enter your endpoint’s URL"),
        ("http://shop.example.com", EVENTS, "Use an https:// URL"),
        ("https://169.254.169.254/latest", EVENTS, "not an address on the internet"),
        ("https://2130706433/", EVENTS, "not an address on the internet"),
        ("https://localhost/", EVENTS, "on the internet"),
        (URL, [], "Choose at least one event."),
        (URL, ["import.exploded"], ""),
    ],
)
def test_what_will_not_do_comes_back_with_a_sentence(
    client: FlaskClient, url: str, events: list[str], sentence: str
) -> None:
    soup = read(add(client, url, events), 422)
    assert sentence in words(soup.select_one(".field-error"))
    assert soup.select_one("#url")["value"] == url
    assert [one["value"] for one in soup.select("input[name=events][checked]")] == [
        event for event in events if event in EVENTS
    ]
    assert db.session.scalars(db.select(WebhookEndpoint)).all() == []


def test_there_is_room_for_ten(client: FlaskClient, seller: Seller) -> None:
    for number in range(commands.MAX_ENDPOINTS):
        soup = page(client, "/settings/webhooks")
        assert add(client, f"{URL}/{number}").status_code == 200
    assert "the most you can have" in words(page(client, "/settings/webhooks").select_one("main"))
    form = soup.select_one("main form")
    data = {"csrf_token": form.select_one("[name=csrf_token]")["value"], "url": URL, "events": EVENTS}
    read(client.post("/settings/webhooks", data={**data, "current_password": PASSWORD}), 422)
    assert len(db.session.scalars(db.select(WebhookEndpoint)).all()) == 10


def test_a_test_and_what_came_of_it(client: FlaskClient, answers: list[SendResult]) -> None:
    add(client)
    soup = show(client)
    assert "No deliveries yet." in words(soup.select_one("#deliveries"))
    soup = read(client.get(press(client, soup.select_one("main"), "Send test").location))
    assert log(soup) == [("Test", "Waiting")]
    # The page looks again by itself, with a script or without.
    assert soup.select_one("#deliveries").has_attr("data-live-seconds")
    assert soup.select("noscript meta")
    answers.append(SendResult(False, 500, "Answered 500 Internal Server Error.", "<b>no</b>"))
    job.run()
    soup = show(client)
    assert log(soup) == [("Test", "Failed")]
    assert not soup.select_one("#deliveries").has_attr("data-live-seconds")
    (entry,) = soup.select(".delivery")
    assert "Answered 500 Internal Server Error." in words(entry)
    assert words(entry.select(".original")[-1]) == "<b>no</b>"
    part = fragment(client, f"/settings/webhooks/{the_one().public_id}")
    assert log(part) == [("Test", "Failed")]
    answers.append(SendResult(True, 200, "Accepted with 200 OK."))
    press(client, entry, "Send again: Test")
    job.run()
    assert log(show(client)) == [("Test", "Delivered")]


def test_what_is_to_be_tried_again_says_when(client: FlaskClient, seller: Seller, answers: list[SendResult]) -> None:
    add(client)
    answers.append(SendResult(False, None, "It refused the connection."))
    make(STATES[4], seller)
    job.run()
    soup = show(client)
    assert log(soup) == [("Import completed", "Retrying")]
    assert "It refused the connection. Next attempt:" in words(soup.select_one(".delivery"))
    assert words(page(client, "/settings/webhooks").select_one(".hook .pill")) == "On, but failing"
    answers.append(SendResult(True, 204, "Accepted."))
    press(client, soup.select_one(".delivery"), "Send now: Import completed")
    job.run()
    assert log(show(client)) == [("Import completed", "Delivered")]


def test_off_and_on_again(client: FlaskClient, seller: Seller, answers: list[SendResult]) -> None:
    add(client)
    press(client, show(client).select_one("main"), "Switch off")
    soup = show(client)
    assert words(soup.select_one("main .section-head .pill")) == "Off"
    assert buttons(soup.select_one("main")) == ["Switch on"]
    make(STATES[4], seller)
    assert log(soup) == []
    press(client, soup.select_one("main"), "Switch on")
    make(STATES[5], seller)
    answers.append(SendResult(True, 204, "Accepted."))
    job.run()
    assert log(show(client)) == [("Import finished with failed rows", "Delivered")]


@pytest.mark.parametrize(
    ("why", "sentence"), [("FAILING", "every delivery failed for about a day"), ("GONE", "410 Gone")]
)
def test_the_page_says_why_a_webhook_was_switched_off(client: FlaskClient, why: str, sentence: str) -> None:
    add(client)
    db.session.execute(
        text("update webhook_endpoints set switched_off_at = now(), switched_off_because = :why"), {"why": why}
    )
    db.session.commit()
    soup = show(client)
    assert sentence in words(soup.select_one("[role=alert]"))
    form = {"csrf_token": csrf_token(client)}
    refused = read(client.post(f"/settings/webhooks/{the_one().public_id}/test", data=form), 409)
    assert "Switch it on first." in words(refused.select_one("main"))


def test_deleting_asks_first(client: FlaskClient, seller: Seller) -> None:
    add(client)
    make(STATES[4], seller)
    (link,) = (link for link in show(client).select("main a") if words(link) == "Delete")
    soup = page(client, link["href"])
    assert URL in words(soup.select_one("main"))
    assert press(client, soup.select_one("main"), "Delete webhook").location == "/settings/webhooks"
    assert db.session.scalars(db.select(WebhookEndpoint)).all() == []
    assert db.session.scalars(db.select(Delivery)).all() == []


def test_the_log_goes_on_on_older_pages(client: FlaskClient, seller: Seller) -> None:
    add(client)
    key = (the_one().seller_id, the_one().id)
    for _ in range(60):
        db.session.add(Delivery(seller_id=key[0], channel="WEBHOOK", event="webhook.test", endpoint_id=key[1], body=""))
        db.session.flush()
    db.session.commit()
    path, seen = f"/settings/webhooks/{the_one().public_id}", []
    while path:
        soup = page(client, path)
        seen.append([one["id"] for one in soup.select(".delivery")])
        path = next((link["href"] for link in soup.select("nav[aria-label=Pages] a[rel=next]")), None)
    assert [len(ids) for ids in seen] == [25, 25, 10]
    newest_first = [
        f"message-{one.public_id}" for one in db.session.scalars(db.select(Delivery).order_by(Delivery.id.desc()))
    ]
    assert [one for ids in seen for one in ids] == newest_first


def test_anothers_webhook_is_not_there_on_any_route(
    app: Flask, client: FlaskClient, seller: Seller, other_seller: Seller
) -> None:
    make(STATES[4], other_seller)
    theirs = sign_in(app, other_seller)
    add(theirs)
    commands.send_test(commands.EndpointKey(other_seller.id, the_one().id))
    before = everything()
    form = {"csrf_token": csrf_token(client)}
    walked = 0
    for rule, method in routes(app):
        if rule.endpoint.startswith("webhooks.") and "endpoint_id" in rule.arguments:
            for public_id in (the_one().public_id, uuid.uuid4()):
                read(client.open(address(rule, public_id), method=method, data=form), 404)
            walked += 1
    assert walked == 9
    delivery = db.session.scalars(db.select(Delivery)).one()
    add(client)
    own = db.session.scalars(db.select(WebhookEndpoint).filter_by(seller_id=seller.id)).one()
    read(client.post(f"/settings/webhooks/{own.public_id}/{delivery.public_id}/again", data=form), 404)
    read(client.get(f"/settings/webhooks/{own.public_id}?before={delivery.public_id}"), 404)
    commands.delete(commands.EndpointKey(seller.id, own.id))
    assert everything() == before
    assert page(client, "/settings/webhooks").select(".hook") == []


def everything() -> list[list[tuple[object, ...]]]:
    db.session.rollback()
    return [[tuple(row) for row in db.session.execute(text(f"select * from {table}"))] for table in TABLES]


TABLES = ("webhook_endpoints", "deliveries")


def test_without_a_mail_server_no_choice_is_offered(client: FlaskClient) -> None:
    soup = page(client, "/settings/notifications")
    assert soup.select("main form") == []
    assert "Email isn’t set up" in words(soup.select_one("main"))


def test_a_seller_chooses_when_to_get_an_email(client: FlaskClient, seller: Seller, set_up) -> None:
    set_up(smtp_url="smtp://127.0.0.1", mail_from="sluice@example.com", public_url="https://sluice.example.com")

    def chosen(soup: BeautifulSoup) -> list[str]:
        return [str(one["value"]) for one in soup.select("input[type=radio][checked]")]

    soup = page(client, "/settings/notifications")
    assert chosen(soup) == ["NEVER"]
    assert seller.email in words(soup.select_one("legend"))
    form = soup.select_one("main form")
    assert isinstance(form, Tag)
    answer = submit(client, form, email_on_end="FAILED")
    assert (answer.status_code, answer.location) == (303, "/settings/notifications")
    assert chosen(page(client, "/settings/notifications")) == ["FAILED"]
    read(submit(client, form, email_on_end="SOMETIMES"), 400)
    assert chosen(page(client, "/settings/notifications")) == ["FAILED"]
