"""What happened to a row: found by its reference, its URN or any text, among the listings and the failed rows."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.imports.reports import row_search as report
from app.models import Seller
from app.queries.imports import row_search
from tests.conftest import make_token
from tests.factories import make_items, row, start
from tests.pages import page, words
from tests.web.test_downloads import ended, finish


@pytest.fixture
def history(seller: Seller, other_seller: Seller) -> None:
    """SHELF-17-A was created, updated, and failed twice; another seller has it too."""
    make_items(9)
    ended(
        other_seller, [row(urn="urn:test:1", reference="SHELF-17-A"), row(price="x", notes="SHELF-17-A")], "theirs.csv"
    )
    ended(
        seller,
        [row(urn="urn:test:1", reference="SHELF-17-A"), row(urn="urn:test:2", reference="SHELF-18-B")],
        "first.csv",
    )
    ended(
        seller, [row(price="1.99", reference="shelf-17-a"), row(urn="urn:nowhere", reference="SHELF-17-A")], "bad.csv"
    )
    ended(seller, [row(mode="UPDATE", urn="urn:test:1", price=7, reference="SHELF-17-A")], "prices.csv")


def rows_on(soup) -> list[str]:
    return [words(one) for one in soup.select("#found .found-row-head a")]


@pytest.mark.usefixtures("history")
def test_a_row_is_found_wherever_it_went(client: FlaskClient) -> None:
    soup = page(client, "/imports/rows?text=shelf-17-A")
    (listing,) = soup.select("li[data-urn]")
    assert words(listing.select_one(".found-row-head")) == "Name 1, near mint: £0.07, 1 in stock"
    said = [words(one) for one in listing.select(".listing-history li")]
    assert said[:2] == ["Created by first.csv, line 2", "Updated by prices.csv, line 2"]
    assert rows_on(soup) == ["bad.csv, line 3", "bad.csv, line 2"]
    assert "theirs" not in soup.text
    first = soup.select("#found li[data-line]")[1]
    assert words(first.select_one(".original")).endswith("shelf-17-a")
    assert "199" in words(first.select_one(".reasons"))
    errors = page(client, str(first.select_one("a")["href"]))
    assert [one["id"] for one in errors.select(".failed-row")] == ["line-2"]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("text", "listings", "failed"),
    [
        ("urn:test:2", ["urn:test:2"], []),
        ("urn:nowhere", [], ["bad.csv, line 3"]),
        ("near mint", [], []),
        ("1.99", [], ["bad.csv, line 2"]),
        ("shelf-1", ["urn:test:1", "urn:test:2"], ["bad.csv, line 3", "bad.csv, line 2"]),
        ("%_", [], []),
        ("\0shelf-18\0", ["urn:test:2"], []),
    ],
)
def test_rows_are_found_by_any_text(client: FlaskClient, text: str, listings: list[str], failed: list[str]) -> None:
    soup = page(client, f"/imports/rows?text={text.replace('%', '%25')}")
    assert sorted(str(one["data-urn"]) for one in soup.select("li[data-urn]")) == listings
    assert rows_on(soup) == failed
    assert bool(soup.select(".empty")) == (not listings and not failed)


@pytest.mark.usefixtures("history")
def test_a_check_is_no_history(client: FlaskClient, seller: Seller) -> None:
    finish(start(seller, [row(price="free", reference="CHECKED")], is_check=True))
    assert words(page(client, "/imports/rows?text=checked").select_one(".empty h2")) == "Nothing found"


@pytest.mark.usefixtures("history")
def test_a_long_search_goes_on_where_it_stopped(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_search, "_WINDOW_ROWS", 1)
    monkeypatch.setattr(report, "_LOOK_SECONDS", 0)
    found, path = [], "/imports/rows?text=shelf-17"
    walked = 0
    while path:
        soup = page(client, path)
        found += rows_on(soup)
        following = soup.select_one("main a[rel=next]")
        path = str(following["href"]) if following else ""
        walked += 1
    assert found == ["bad.csv, line 3", "bad.csv, line 2"]
    assert walked == 3
    for after in ("x", "00000000-0000-0000-0000-000000000000.7", "-" * 36 + ".1"):
        assert rows_on(page(client, f"/imports/rows?text=shelf-17&after={after}")) == ["bad.csv, line 3"]


def test_what_is_too_short_is_not_searched_for(client: FlaskClient) -> None:
    assert words(page(client, "/imports/rows?text=x").select_one(".field-error")) == "Enter at least 2 characters."
    assert not page(client, "/imports/rows").select(".empty")


@pytest.mark.usefixtures("history")
def test_programs_search_failed_rows_too(app: Flask, seller: Seller) -> None:
    program, header = app.test_client(), {"Authorization": f"Bearer {make_token(seller)}"}
    answer = program.get("/api/v1/errors?text=shelf-17-a&limit=1", headers=header).get_json()
    (error,) = answer["errors"]
    assert (error["fileName"], error["name"], error["line"], error["code"]) == ("bad.csv", "bad.csv", 3, 404)
    following = program.get(answer["next"], headers=header).get_json()
    assert [one["line"] for one in following["errors"]] == [2]
    assert following["next"] is None
    assert program.get("/api/v1/errors?text=x", headers=header).status_code == 422
