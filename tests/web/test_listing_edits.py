"""Editing listings in place: what is saved, what is refused, and what remembers that it was done by hand."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app.extensions import db
from app.models import Seller
from tests.conftest import make_token
from tests.factories import listed, look, make_items, row
from tests.pages import page, read, words
from tests.states import everything
from tests.web.test_downloads import ended


@pytest.fixture
def stock(seller: Seller, other_seller: Seller) -> None:
    """Three listings, and one of another seller."""
    make_items(4)
    ended(other_seller, [row(urn="urn:test:4", price=4)])
    ended(seller, [row(urn=f"urn:test:{n}", price=n * 1_000, quantity=n, reference=f"R{n}") for n in (1, 2, 3)])


def send(client: FlaskClient, soup: BeautifulSoup, action: str, *selected: str, **typed: str) -> object:
    """Send the form as a browser would, with ``typed`` in its fields (underscores for hyphens)."""
    form = soup.select_one("form[data-edits]")
    fields: dict[str, list[str]] = {"action": [action], "selected": [*selected]}
    for one in form.select("input[name]:not([type=checkbox])"):
        fields[str(one["name"])] = [str(one.get("value", ""))]
    new = {name.replace("_", "-"): [value] for name, value in typed.items()}
    assert new.keys() <= fields.keys()
    return client.post(str(form["action"]), data=fields | new)


def shown(seller: Seller) -> dict[str, tuple[str, ...]]:
    """Price, quantity and HIDDEN of each listing."""
    return {one[0].removeprefix("urn:test:"): one[3:6] for one in listed(seller)}


def notes(soup: BeautifulSoup) -> list[str]:
    return [words(note) for note in soup.select(".notes .note-text")]


def marks() -> list[tuple[object, ...]]:
    """By what undo tells whether a listing is as an import left it."""
    query = "select item_id, edits, updated_import_id, updated_line from listings where seller_id = 1 order by 1"
    found = [tuple(one) for one in db.session.execute(text(query))]
    db.session.rollback()
    return found


def log() -> list[tuple[str, str]]:
    found = db.session.execute(text("select action, detail from audit_log where action like '%listing' order by id"))
    return [tuple(one) for one in found]


@pytest.mark.usefixtures("stock")
def test_prices_and_quantities_are_saved_together(client: FlaskClient, seller: Seller) -> None:
    soup = page(client, "/listings?edit=1&text=name")
    answer = send(client, soup, "save", price_1="£12.5", quantity_3="0")
    assert (answer.status_code, answer.location) == (303, "/listings?edit=1&text=name")
    assert notes(page(client, answer.location)) == ["2 listings changed."]
    assert shown(seller) == {"1": ("1250", "1", "false"), "2": ("2000", "2", "false"), "3": ("3000", "0", "false")}
    assert log() == [
        ("change listing", "urn:test:1/NEAR_MINT/: price 1000 → 1250"),
        ("change listing", "urn:test:3/NEAR_MINT/: quantity 3 → 0"),
    ]
    history = words(page(client, "/listings").select("tr[data-urn] .listing-origin")[0])
    assert "Created by" in history
    assert "Edited by hand" in history
    assert "Last changed" not in history


@pytest.mark.usefixtures("stock")
@pytest.mark.parametrize(
    ("action", "selected", "typed", "after"),
    [
        ("set", ["1", "3"], {"price": "7"}, [("700", "1"), ("2000", "2"), ("700", "3")]),
        ("set", ["all"], {"price": "+10%", "quantity": "9"}, [("1100", "9"), ("2200", "9"), ("3300", "9")]),
        ("set", ["2"], {"price": "-33.33 %"}, [("1000", "1"), ("1333", "2"), ("3000", "3")]),
        # What was typed elsewhere is saved as well, and a percentage is of the price that was typed.
        (
            "set",
            ["2"],
            {"price": "-50%", "price_2": "8", "quantity_1": "5"},
            [("1000", "5"), ("400", "2"), ("3000", "3")],
        ),
        ("set", [], {"price_1": "0.01"}, None),
        ("save", ["1"], {"price": "7"}, [("1000", "1"), ("2000", "2"), ("3000", "3")]),
    ],
)
def test_selected_listings_change_together(client, seller: Seller, action, selected, typed, after) -> None:
    answer = send(client, page(client, "/listings?edit=1"), action, *selected, **typed)
    if after is None:
        soup = read(answer, 422)
        assert words(soup.select_one("#fault-selected")) == "Select at least one listing."
        assert soup.select_one("[name=price-1]")["value"] == "0.01"
        return
    assert answer.status_code == 303
    assert [shown(seller)[n][:2] for n in "123"] == after


@pytest.mark.usefixtures("stock")
def test_selected_listings_are_hidden_and_shown_together(client: FlaskClient, seller: Seller) -> None:
    soup = page(client, "/listings?edit=1")
    send(client, soup, "hide", "1", "2")
    assert [shown(seller)[n][2] for n in "123"] == ["true", "true", "false"]
    send(client, page(client, "/listings?edit=1"), "show", "all", price_1="5")
    assert [shown(seller)[n][2] for n in "123"] == ["false"] * 3
    assert [one for one, _ in log()] == ["hide listing", "hide listing", "change listing", "show listing"]
    assert log()[2][1] == "urn:test:1/NEAR_MINT/: price 1000 → 500, show listing"


@pytest.mark.usefixtures("stock")
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"price_1": "free"}, "Enter a price in pounds, from £0.01 to £1,000,000.00, such as 5.10."),
        ({"price_1": "0"}, "Enter a price in pounds"),
        ({"price_1": ""}, "Enter a price in pounds"),
        ({"price_1": "5.999"}, "Enter a price in pounds"),
        ({"price_1": "9999999"}, "Enter a price in pounds"),
        ({"price_1": "+5%"}, "Enter a price in pounds"),
        ({"quantity_1": "x"}, "QUANTITY is “x”"),
        ({"quantity_1": "1000001"}, "QUANTITY"),
        ({"quantity_1": ""}, "QUANTITY"),
        ({"quantity_1": "-1"}, "QUANTITY"),
    ],
)
def test_what_is_no_value_is_marked_and_nothing_is_saved(client, seller: Seller, typed, said: str) -> None:
    before = everything()
    soup = read(send(client, page(client, "/listings?edit=1&text=name"), "save", **typed, price_2="7.77"), 422)
    assert words(soup.select_one("[role=alert]")) == "Nothing was saved. Correct the field marked below."
    (fault,) = soup.select(".field-error")
    assert words(fault).startswith(said)
    (field,) = soup.select("input[aria-invalid]")
    assert field["aria-describedby"] == fault["id"]
    assert field["value"] == next(iter(typed.values()))
    assert soup.select_one("[name=price-2]")["value"] == "7.77"
    assert everything() == before
    # Corrected, it is saved.
    name = next(iter(typed))
    send(client, soup, "save", **{name: "3"})
    assert shown(seller)["2"][0] == "777"


@pytest.mark.usefixtures("stock")
def test_what_was_not_touched_stays_as_somebody_else_has_set_it(client: FlaskClient, seller: Seller) -> None:
    soup = page(client, "/listings?edit=1")
    ended(seller, [row(mode="UPDATE", urn="urn:test:1", price=1, quantity=99)])
    send(client, soup, "save", price_1="2")
    assert shown(seller)["1"][:2] == ("200", "99")
    send(client, soup, "save")
    assert notes(page(client, "/listings")) == ["1 listing changed.", "Nothing has changed."]


@pytest.mark.usefixtures("stock")
def test_only_ones_own_listings_are_changed_and_all_or_none(client: FlaskClient, other_seller: Seller) -> None:
    before = everything()
    soup = page(client, "/listings?edit=1")
    for field in soup.select("[name=urn-2]"):
        field["value"] = "urn:test:4"
    missing = read(send(client, soup, "save", price_1="1", price_2="1"), 404)
    assert "you no longer have the listing urn:test:4/NEAR_MINT/." in words(missing.select_one(".lead-sentence"))
    read(client.post("/listings/change", data={"csrf_token": _token(soup), "urn-1": "urn:test:1"}), 400)
    read(client.post("/listings/change", data={"urn-1": "urn:test:1"}), 403)
    assert everything() == before


def _token(soup: BeautifulSoup) -> str:
    token = soup.select_one("form[data-edits] [name=csrf_token]")
    assert isinstance(token, Tag)
    return str(token["value"])


@pytest.mark.usefixtures("stock")
def test_a_change_by_hand_is_counted_and_imports_go_on_from_it(client: FlaskClient, seller: Seller) -> None:
    assert [one[1:] for one in marks()] == [(None, None, None)] * 3
    update = ended(seller, [row(mode="UPDATE", urn="urn:test:1", price=5)])
    send(client, page(client, "/listings?edit=1"), "save", price_1="0.06")
    send(client, page(client, "/listings?edit=1"), "hide", "1", "2")
    # An import's marks stay, and so does the number where nothing was changed.
    assert [one[1:] for one in marks()] == [(2, update.id, 2), (1, None, None), (None, None, None)]
    send(client, page(client, "/listings?edit=1"), "hide", "1")
    assert marks()[0][1] == 2
    # The file says what it said before: that is a change again, and the number stays.
    again = ended(seller, [row(mode="UPDATE", urn="urn:test:1", price=5)])
    assert (look(again).updated, look(again).unchanged) == (1, 0)
    assert marks()[0][1:] == (2, again.id, 2)
    assert shown(seller)["1"] == ("5", "1", "true")


@pytest.mark.usefixtures("stock")
def test_programs_change_one_at_a_time(app: Flask, seller: Seller) -> None:
    program, header = app.test_client(), {"Authorization": f"Bearer {make_token(seller)}"}
    named = "/api/v1/listings/change?urn=urn:test:1&condition=NEAR_MINT"
    changed = program.post(f"{named}&price=77&quantity=0", headers=header).get_json()
    assert (changed["price"], changed["quantity"], changed["hidden"]) == (77, 0, False)
    assert changed["editedAt"] == changed["updatedAt"]
    assert program.post(f"{named}&hidden=true", headers=header).get_json()["hidden"] is True
    assert shown(seller)["1"] == ("77", "0", "true")
    for wrong in ("price=0", "price=1.5", "quantity=-1", "quantity=1000001", "hidden=maybe", "colour=red"):
        assert program.post(f"{named}&{wrong}", headers=header).status_code == 422
    assert program.post(named.replace(":1", ":4"), headers=header).status_code == 404
    found = program.get("/api/v1/listings?stock=out&since=2020-01-01&own=r1&sort=-changed", headers=header).get_json()
    assert [one["urn"] for one in found["listings"]] == ["urn:test:1"]
    assert program.get("/api/v1/listings?sort=colour", headers=header).status_code == 422
