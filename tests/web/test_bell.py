"""The bell tells what has ended since the seller last looked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlalchemy import text

from app.extensions import db
from app.models import Import, Seller
from app.web import bell
from tests.factories import make_items, row, start
from tests.pages import csrf_token, fragment, page, press, read, submit, words
from tests.states import STATES, make


def names(soup: BeautifulSoup) -> list[str]:
    return [words(one) for one in soup.select("#bell [data-bell-name]")]


def count(soup: BeautifulSoup) -> str:
    return words(soup.select_one("#bell summary .visually-hidden"))


def end(seller: Seller, run_jobs: Callable[[], None], name: str) -> Import:
    started = start(seller, [row()], file_name=name)
    run_jobs()
    db.session.rollback()
    return started


def test_an_import_that_has_ended_is_told_on_every_page_until_it_is_opened(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items()
    soup = page(client, "/listings")
    assert (names(soup), count(soup)) == ([], "Finished imports: 0 new")
    first, second = (end(seller, run_jobs, name) for name in ("first.csv", "second.csv"))
    assert names(page(client, "/settings/account")) == ["second.csv", "first.csv"]
    # Its page alone does not mark it: reading changes nothing.
    soup = page(client, f"/imports/{first.public_id}")
    assert names(soup) == ["second.csv", "first.csv"]
    assert words(soup.select_one("#bell [data-bell-outcome]")) in words(page(client, f"/imports/{second.public_id}"))
    form = soup.select_one(f"[data-bell-entry='{first.public_id}']")
    assert submit(client, form).location == f"/imports/{first.public_id}"
    assert names(fragment(client, "/bell")) == ["second.csv"]
    answer = press(client, page(client, "/imports").select_one("#bell"), "Mark all as seen")
    assert (answer.status_code, answer.location) == (303, "/imports")
    assert names(page(client, "/imports")) == []


def test_an_import_that_ends_while_a_page_is_made_is_named_by_the_next(
    client: FlaskClient, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items()
    started = start(seller, [row()], file_name="ends.csv")
    monkeypatch.setattr(bell, "seller_id", lambda: seller.id)
    assert started.finished_at is None, "read by the session, which does not read it again"
    # Its row is changed behind the session, as another process does.
    with db.engine.begin() as beside:
        beside.execute(text("update imports set status = 'COMPLETED', finished_at = now(), is_unseen = true"))
    rung = bell.ring()
    assert (rung.unseen, rung.named) == (1, [])
    db.session.rollback()
    assert names(page(client, "/imports")) == ["ends.csv"]


def test_it_names_five_and_counts_the_others(client: FlaskClient, seller: Seller, run_jobs) -> None:
    make_items()
    for number in range(7):
        end(seller, run_jobs, f"{number}.csv")
    soup = page(client, "/help/csv")
    assert (names(soup), count(soup)) == ([f"{number}.csv" for number in (6, 5, 4, 3, 2)], "Finished imports: 7 new")
    assert "And 2 more in My Imports." in words(soup.select_one(".bell-box"))


def test_what_others_have_imported_is_not_told(
    client: FlaskClient, seller: Seller, other_seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items()
    theirs = end(other_seller, run_jobs, "secret.csv")
    assert names(page(client, "/imports")) == []
    form = {"csrf_token": csrf_token(client)}
    read(client.post(f"/bell/{theirs.public_id}/seen", data=form), 404)
    assert client.post("/bell/seen", data=form).status_code == 303
    db.session.rollback()
    assert db.session.scalars(db.select(Import.is_unseen)).all() == [True]


def test_it_is_refreshed_while_something_runs(client: FlaskClient, seller: Seller) -> None:
    assert not page(client, "/imports").select("[data-bell-moving]")
    make(STATES[1], seller)
    assert page(client, "/imports").select("[data-bell-moving]")
    # The address is the script's; people are sent to where the bell is.
    assert client.get("/bell").location == "/imports"
