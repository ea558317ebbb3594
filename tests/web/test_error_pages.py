"""What people see when a request comes to nothing, and that nothing they wrote is ever taken for a part of a page."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.extensions import db
from app.imports.worker import batch_job
from app.models import Seller
from tests.conftest import sign_in
from tests.factories import csv_bytes, make_items, row, start, with_header
from tests.pages import HTMX, csrf_token, fragment, page, read, read_fragment, words
from tests.states import STATES, make
from tests.web.conftest import Browser
from tests.web.test_upload import upload

#: What a program says to its makers, and never to its users.
CONFESSIONS = ("Traceback", 'File "', "Error:", "psycopg", "sqlalchemy", "werkzeug", "postgresql://", "SELECT ")


def has_no_confession(answer: TestResponse) -> bool:
    return not any(words in answer.text for words in CONFESSIONS)


def sentence(soup: BeautifulSoup) -> str:
    return words(soup.select_one(".lead-sentence"))


# 404, 405, 400 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/imports/",
        "/imports/1",
        "/imports/nowhere",
        "/imports/00000000-0000-4000-8000-000000000000",
        "/imports/00000000-0000-4000-8000-000000000000/nowhere",
        "/imports/00000000-0000-4000-8000-00000000000",
        "/imports/%00",
        "/static/nowhere.css",
        "/static/../config.py",
        "/static/%2e%2e/config.py",
        "/<script>",
        "/\u2028",
        "/" + "x" * 5_000,
    ],
)
def test_what_is_not_there_is_not_found(app: Flask, client: FlaskClient, path: str) -> None:
    soup = page(client, path, 404)
    assert words(soup.select_one("h1")) == "Page not found"
    assert sentence(soup) == "This page doesn’t exist or isn’t yours."
    assert soup.select("main a[href='/imports']")
    assert client.get(path, headers=HTMX).text == sentence(soup)


def test_strangers_are_told_so_too_without_being_told_what_there_is(app: Flask) -> None:
    soup = page(app.test_client(), "/nowhere", 404)
    assert not soup.select("header nav, header form")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/logout", "OPTIONS, POST"),
        ("DELETE", "/imports", "GET, HEAD, OPTIONS"),
        ("PUT", "/imports/upload", "GET, HEAD, OPTIONS, POST"),
        ("GET", "/imports/00000000-0000-4000-8000-000000000000/pause", "OPTIONS, POST"),
    ],
)
def test_a_method_that_is_not_meant_is_told_which_are(
    client: FlaskClient, method: str, path: str, allowed: str
) -> None:
    answer = client.open(path, method=method)
    assert ", ".join(sorted(answer.headers["Allow"].split(", "))) == allowed
    assert sentence(read(answer, 405)) == "This address only works from a button on a page."
    script = client.open(path, method=method, headers=HTMX)
    assert (script.status_code, script.text) == (405, "This address only works from a button on a page.")


def test_a_post_to_a_page_that_takes_none_changes_nothing(client: FlaskClient) -> None:
    answer = client.post("/imports", data={"csrf_token": csrf_token(client)})
    read(answer, 405)


def test_an_upload_that_is_no_form_is_a_page(client: FlaskClient) -> None:
    answer = client.post("/imports/upload", data=b"x", content_type="text/csv")
    assert sentence(read(answer, 400)) == "The request is not a form with a file in it."


# 500 ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def faulty(app: Flask, client: FlaskClient) -> Iterator[FlaskClient]:
    """A browser for which My Imports has a fault, in an application that hides faults as it does for real users."""

    def fail() -> None:
        raise RuntimeError("a secret of the house")

    view = app.view_functions["my_imports.index"]
    app.view_functions["my_imports.index"] = fail
    app.testing = False
    yield client
    app.view_functions["my_imports.index"] = view
    app.testing = True


def test_a_fault_of_ours_is_owned_up_to_and_not_shown(faulty: FlaskClient) -> None:
    answer = faulty.get("/imports")
    soup = read(answer, 500)
    assert sentence(soup) == "Something went wrong on our side. We’ve logged it."
    assert "a secret" not in answer.text
    assert has_no_confession(answer)
    script = faulty.get("/imports", headers=HTMX)
    assert (script.status_code, script.text) == (500, sentence(soup))


# 503 ------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app_without_database(environ: dict[str, str]) -> Iterator[Flask]:
    """An application whose database does not answer."""
    without = create_app({**environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})
    without.test_client_class = Browser
    yield without
    with without.app_context():
        db.engine.dispose()


@pytest.fixture
def cut_off(app: Flask, app_without_database: Flask, seller: Seller) -> FlaskClient:
    """A signed-in browser of that application."""
    return sign_in(app_without_database, seller)


ONE = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/login"),
        ("GET", "/imports"),
        ("GET", "/imports/upload"),
        ("POST", "/imports/upload"),
        ("GET", f"/imports/{ONE}"),
        ("GET", f"/imports/{ONE}/panel"),
        ("GET", f"/imports/{ONE}/errors"),
        ("GET", f"/imports/{ONE}/failed.csv"),
        ("POST", f"/imports/{ONE}/pause"),
        ("POST", f"/imports/{ONE}/terminate"),
        ("GET", "/listings"),
        ("GET", "/listings/export.csv"),
        ("POST", "/listings/hide"),
        ("POST", "/logout"),
    ],
)
def test_a_database_that_is_away_is_a_page_that_says_when_to_come_back(
    cut_off: FlaskClient, method: str, path: str
) -> None:
    answer = cut_off.open(path, method=method)
    soup = read(answer, 503)
    assert words(soup.select_one("h1")) == "Back in a moment"
    assert sentence(soup) == "Sluice can’t reach its database right now."
    assert answer.headers["Retry-After"] == "5"
    assert answer.headers["Cache-Control"] == "no-store"
    assert has_no_confession(answer)
    script = cut_off.open(path, method=method, headers=HTMX)
    assert (script.status_code, script.text) == (503, sentence(soup))
    assert script.content_type == "text/plain; charset=utf-8"
    assert script.headers["Retry-After"] == "5"


def test_an_error_page_that_needs_the_database_says_so_instead(cut_off: FlaskClient) -> None:
    # It wants to know who is signed in.
    assert sentence(page(cut_off, "/nowhere", 503)) == "Sluice can’t reach its database right now."
    assert cut_off.get("/nowhere", headers=HTMX).status_code == 404


def test_what_needs_no_database_is_there_without_one(cut_off: FlaskClient) -> None:
    stranger = cut_off.application.test_client()
    page(stranger, "/login")
    assert stranger.get("/imports").location == "/login?next=/imports"
    assert stranger.get("/static/css/base.css").status_code == 200
    assert stranger.get("/healthz").status_code == 200


def test_signing_in_while_the_database_is_away(cut_off: FlaskClient) -> None:
    stranger = cut_off.application.test_client()
    form = {"csrf_token": csrf_token(stranger), "email": "seller@example.com", "password": "x"}
    read(stranger.post("/login", data=form), 503)


# What people write is never a part of a page --------------------------------------------------------------------------

EVIL = [
    "</title></textarea></script><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7*7 }}{% raw %}&lt;b&gt;&amp;",
]


@pytest.mark.parametrize("evil", EVIL)
def test_a_file_name_is_shown_as_it_is_on_every_page(client: FlaskClient, seller: Seller, evil: str) -> None:
    # A slash would be that of a folder.
    name = evil.replace("/", "\u2215") + ".csv"
    made = make(STATES[1], seller, file_name=name)
    address = f"/imports/{made.public_id}"
    for path in ("/imports", address, f"{address}/panel", f"{address}/errors", f"{address}/terminate"):
        assert words(page(client, path).select_one("main")).count(words_of(name)) >= 1
    for path in ("/imports", f"{address}/panel"):
        assert words_of(name) in words(fragment(client, path))
    (form,) = page(client, "/imports").select("form[data-confirm-terminate]")
    assert form["data-file"] == name
    # In a message, on a page and beside one that is refreshed.
    for action, headers in (("pause", {}), ("terminate", HTMX)):
        answer = client.post(f"{address}/{action}", data={"csrf_token": csrf_token(client)}, headers=headers)
        shown = client.get(answer.location, headers=headers)
        soup = read_fragment(shown) if headers else read(shown)
        assert words_of(name) in words(soup.select_one("[data-note-text]"))


def words_of(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("evil", EVIL)
def test_cells_are_shown_as_they_are_wherever_they_fail(client: FlaskClient, seller: Seller, evil: str) -> None:
    make_items()
    quoted = '"' + evil.replace('"', '""') + '"'
    lines = [
        f"CREATE,{quoted},,,,,,NM,1,1,,,,,",
        f"{quoted},{quoted},,,,{quoted},,{quoted},{quoted},{quoted},{quoted},{quoted},,,{quoted}",
        f"CREATE,urn:test:1,,,,,,NM,1,1,,,{quoted} {quoted},,",
        quoted,
    ]
    made = start(seller, with_header("\n".join(lines)))
    batch_job.run(seller.id, made.id, 1, 1)
    for path in (f"/imports/{made.public_id}", f"/imports/{made.public_id}/errors"):
        soup = page(client, path)
        assert [one.get_text() for one in soup.select(".failed-row .original")] == lines
        reasons = words(soup.select_one("#line-3 .reasons"))
        for column in ("MODE", "CARDMARKET_ID", "CONDITION", "PRICE", "QUANTITY", "HIDDEN"):
            assert f"{column} is “{words_of(evil)[:40]}" in reasons
        assert f"URN “{words_of(evil)}”" in words(soup.select_one("#line-2"))


@pytest.mark.parametrize("evil", EVIL)
def test_a_header_is_shown_as_it_is_where_it_is_refused(client: FlaskClient, evil: str) -> None:
    quoted = evil.replace('"', '""')
    header = csv_bytes([row()]).replace(b"REFERENCE", f'"{quoted}"'.encode())
    soup = read(upload(client, header), 422)
    # A long one is cut.
    shown = words_of(evil if len(evil) <= 40 else evil[:40] + "…")
    assert f"“{shown}”" in words(soup.select_one("[role=alert]"))


@pytest.mark.parametrize("evil", EVIL)
def test_what_was_typed_to_sign_in_is_shown_as_it_is(app: Flask, evil: str) -> None:
    stranger = app.test_client()
    form = {"csrf_token": csrf_token(stranger), "email": evil, "password": ""}
    soup = read(stranger.post("/login", query_string={"next": f"/{evil}"}, data=form), 422)
    assert soup.select_one("#email")["value"] == evil


def test_an_address_is_not_repeated_on_the_page_that_does_not_know_it(client: FlaskClient) -> None:
    for place in (f"/{uuid.uuid4()}", "/imports/%3Cscript%3E", "/imports?before=%3Cscript%3E"):
        assert place.rpartition("/")[2].rpartition("=")[2] not in client.get(place).text
