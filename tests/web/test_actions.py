"""Pause, Resume and Terminate over HTTP: where they are allowed, where they lead, and what they never do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.models import Import, Seller
from tests.conftest import sign_in
from tests.factories import look
from tests.pages import HTMX, buttons, csrf_token, page, press, read, submit, words
from tests.states import STATES, State, each_state, everything, make

PARTICIPLES = {"Pause": "paused", "Resume": "resumed", "Terminate": "terminated"}
each_button = pytest.mark.parametrize("button", PARTICIPLES)
#: A state in which each button may be pressed.
FITTING = {"Pause": STATES[0], "Resume": STATES[3], "Terminate": STATES[0]}
#: The message when the status does not allow an action.
SAID = {
    "queued": "is running",
    "running": "is running",
    "pausing": "is pausing at the moment",
    "paused": "is paused",
    "completed": "is already completed",
    "failed": "has already ended",
    "given up": "has already ended",
    "terminated": "has already been terminated",
}
#: What each button comes to: the status, and whether the import is pausing.
OUTCOMES = {
    ("queued", "Pause"): ("PAUSED", False),
    ("running", "Pause"): ("RUNNING", True),
    ("paused", "Resume"): ("RUNNING", False),
}


def post(client: FlaskClient, one: Import, button: str, headers: dict[str, str] | None = None, **fields: str):
    """Press a button, whether it is on the page or not."""
    data = {"csrf_token": csrf_token(client), **fields}
    return client.post(f"/imports/{one.public_id}/{button.lower()}", data=data, headers=headers)


def messages(soup: BeautifulSoup) -> list[str]:
    return [words(note) for note in soup.select(".notes [data-note-text]")]


@each_button
@each_state
def test_a_button_does_what_it_says_where_it_is_offered_and_nothing_elsewhere(
    client: FlaskClient, seller: Seller, state: State, button: str
) -> None:
    made = make(state, seller)
    before = everything()
    answer = post(client, made, button)
    after = look(made)
    if button in state.buttons:
        assert (answer.status_code, answer.location) == (303, f"/imports/{made.public_id}")
        assert (after.status, after.is_pausing) == OUTCOMES.get((state.name, button), ("TERMINATED", False))
        # No row was touched by it.
        assert (after.total, after.successful, after.failed) == state.counters
    else:
        soup = read(answer, 409)
        now = " now" if state.name == "pausing" else ""
        assert words(soup.select_one(".lead-sentence")) == (
            f"This import {SAID[state.name]}, so it cannot be {PARTICIPLES[button]}{now}."
        )
        assert soup.select(f"main a[href='/imports/{made.public_id}']")
        assert everything() == before


@each_button
def test_a_script_is_told_the_same_in_a_plain_sentence(client: FlaskClient, seller: Seller, button: str) -> None:
    made = make(STATES[4], seller)
    answer = post(client, made, button, headers=HTMX)
    assert answer.status_code == 409
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.text == f"This import is already completed, so it cannot be {PARTICIPLES[button]}."


@pytest.mark.parametrize("path", ["/imports", "/imports/{}/panel", "/imports/{}"])
@each_button
def test_a_button_leads_back_to_the_page_that_it_is_on(
    client: FlaskClient, seller: Seller, path: str, button: str
) -> None:
    made = make(FITTING[button], seller)
    here = path.format(made.public_id)
    part = page(client, here).select_one("[data-live]")
    answer = press(client, part, button)
    if button == "Terminate":
        question = read(answer)
        assert words(question.select_one("h1")) == "Terminate this import?"
        assert question.find("a", string="Keep importing")["href"] == here
        assert look(made).status == "RUNNING"
        answer = press(client, question.select_one("main"), "Terminate import")
    assert (answer.status_code, answer.location) == (303, here)
    assert (
        page(client, here).select_one("[data-import-id]")["data-status"]
        == {
            "Pause": "PAUSED",
            "Resume": "RUNNING",
            "Terminate": "TERMINATED",
        }[button]
    )


@pytest.mark.parametrize(
    ("state", "button", "message"),
    [
        (STATES[0], "Pause", "Paused my stock.csv."),
        (STATES[1], "Pause", "Pausing my stock.csv."),
        (STATES[3], "Resume", "Resumed my stock.csv."),
        (STATES[1], "Terminate", "Terminated my stock.csv after 2 of 3 rows."),
    ],
    ids=str,
)
def test_what_happened_is_said_once(
    client: FlaskClient, seller: Seller, state: State, button: str, message: str
) -> None:
    answer = post(client, make(state, seller, file_name="my stock.csv"), button)
    assert messages(page(client, answer.location)) == [message]
    assert messages(page(client, answer.location)) == []


@each_button
def test_a_second_press_is_refused(client: FlaskClient, seller: Seller, button: str) -> None:
    made = make(FITTING[button], seller)
    assert post(client, made, button).status_code == 303
    once = everything()
    assert post(client, made, button).status_code == 409
    assert everything() == once


# Where a button leads -------------------------------------------------------------------------------------------------


ELSEWHERE = [
    "https://evil.example/",
    "http:evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/\n/evil.example",
    "javascript:alert(1)",
    "evil.example",
    "//[",
    "/\0",
    "/x\r\nSet-Cookie: a=b",
    "",
]


def test_a_button_does_not_lead_to_another_site(client: FlaskClient, seller: Seller) -> None:
    made = make(STATES[0], seller)
    details = f"/imports/{made.public_id}"
    for number, target in enumerate(ELSEWHERE):
        answer = post(client, made, "Resume" if number % 2 else "Pause", next=target)
        assert (answer.status_code, answer.location) == (303, details), target
        # Nor does the page that asks, by its link or by its form.
        question = read(client.get(f"{details}/terminate", query_string={"next": target}))
        assert question.find("a", string="Keep importing")["href"] == details, target
        assert question.select_one("main input[name=next]")["value"] == details, target


@pytest.mark.parametrize("target", ["/imports", "/imports?before=1", "/a//b", "/%2F%2Fevil.example", "/?next=//x"])
def test_a_button_leads_to_any_page_of_this_site(client: FlaskClient, seller: Seller, target: str) -> None:
    assert post(client, make(STATES[0], seller), "Pause", next=target).location == target


# What is not a press --------------------------------------------------------------------------------------------------


def wrong_tokens(app: Flask, seller: Seller) -> list[dict[str, str]]:
    """Forms without a token, with an invented one, and with one of another session of the same seller."""
    return [{}, {"csrf_token": ""}, {"csrf_token": "x"}, {"csrf_token": csrf_token(sign_in(app, seller))}]


@each_button
def test_without_the_token_of_the_session_nothing_happens(
    app: Flask, client: FlaskClient, seller: Seller, button: str
) -> None:
    made = make(FITTING[button], seller)
    own = csrf_token(client)
    before = everything()
    for form in wrong_tokens(app, seller):
        for headers in ({}, HTMX):
            answer = client.post(f"/imports/{made.public_id}/{button.lower()}", data=form, headers=headers)
            assert answer.status_code == 403
            assert "Nothing was changed" in answer.text
    assert everything() == before
    read(client.post(f"/imports/{made.public_id}/{button.lower()}"), 403)
    assert client.post(f"/imports/{made.public_id}/{button.lower()}", data={"csrf_token": own}).status_code == 303


def test_a_token_in_a_header_will_do(client: FlaskClient, seller: Seller) -> None:
    made = make(STATES[0], seller)
    token = {"X-CSRFToken": csrf_token(client)}
    assert client.post(f"/imports/{made.public_id}/pause", headers=token).status_code == 303


def test_a_token_in_the_address_will_not(client: FlaskClient, seller: Seller) -> None:
    made = make(STATES[0], seller)
    token = {"csrf_token": csrf_token(client)}
    assert client.post(f"/imports/{made.public_id}/pause", query_string=token).status_code == 403


@each_state
def test_looking_changes_nothing(client: FlaskClient, seller: Seller, state: State) -> None:
    made = make(state, seller)
    before = everything()
    for button in ("pause", "resume"):
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
            answer = client.open(f"/imports/{made.public_id}/{button}", method=method)
            assert (answer.status_code, sorted(answer.headers["Allow"].split(", "))) == (405, ["OPTIONS", "POST"])
    asked = client.get(f"/imports/{made.public_id}/terminate")
    if "Terminate" in state.buttons:
        question = read(asked)
        assert buttons(question.select_one("main")) == ["Terminate import"]
        assert f"{sum(state.counters[1:])} of 3 rows" in words(question.select_one("main"))
    else:
        assert (asked.status_code, asked.location) == (303, f"/imports/{made.public_id}")
        assert messages(page(client, asked.location)) == ["stock.csv has already finished."]
    assert everything() == before


def test_a_question_that_was_left_open_until_the_import_ended_is_refused(client: FlaskClient, seller: Seller) -> None:
    made = make(STATES[0], seller)
    question = page(client, f"/imports/{made.public_id}/terminate")
    assert post(client, made, "Terminate").status_code == 303
    read(press(client, question.select_one("main"), "Terminate import"), 409)


@each_button
def test_the_buttons_work_while_redis_is_away(
    client: FlaskClient, seller: Seller, button: str, take_redis_away: Callable[[], None]
) -> None:
    made = make(FITTING[button], seller)
    take_redis_away()
    answer: TestResponse = post(client, made, button)
    assert answer.status_code == 303
    assert look(made).status == {"Pause": "PAUSED", "Resume": "RUNNING", "Terminate": "TERMINATED"}[button]


def test_signing_out_is_a_form_on_every_page(client: FlaskClient, seller: Seller) -> None:
    made = make(STATES[5], seller)
    for path in ("/imports", f"/imports/{made.public_id}", f"/imports/{made.public_id}/errors", "/imports/upload"):
        (form,) = page(client, path).select("header form[action='/logout']")
        assert buttons(form) == ["Sign out"]
    assert submit(client, form).location == "/login"
