"""The page of the listings: what it shows, what it finds, and the button that hides one."""

from __future__ import annotations

import csv
import io
from urllib.parse import urlencode

import pytest
from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient
from sqlalchemy import text

from app import listings
from app.csvfile.columns import HEADER
from app.csvfile.contract import name_key
from app.extensions import db
from app.models import Seller
from app.queries import items
from app.queries.items import NewItem
from app.queries.listings import search
from app.web import listings as listing_pages
from tests.conftest import sign_in
from tests.factories import csv_bytes, listed, look, make_items, row
from tests.pages import csrf_token, page, press, read, submit, words
from tests.states import everything
from tests.web.test_downloads import AWKWARD, ended, upload

ROWS = [
    row(comment="Signed <b>by</b> hand\nand dated", notes="Box 1", reference="SHELF-1", price=123456, quantity=1200),
    row(condition="PL", variants="reverse|de", hidden="true", price=5),
    row(urn="urn:test:2"),
    row(urn="urn:test:12", condition="MT", hidden="true"),
]


@pytest.fixture
def stock(seller: Seller, other_seller: Seller) -> list[dict[str, str]]:
    """Four listings of three items of a dozen, and one of another seller."""
    make_items(12)
    ended(other_seller, [row(urn="urn:test:3", comment="not yours")], "theirs.csv")
    ended(seller, ROWS, "stock.csv")
    return ROWS


def shown(soup: BeautifulSoup) -> list[tuple[str, str, str]]:
    """URN, condition and variants of the listings on a page."""
    return [
        (str(one["data-urn"]), str(one["data-condition"]), str(one["data-variants"]))
        for one in soup.select("tr[data-urn]")
    ]


def find(client: FlaskClient, **wanted: str) -> list[tuple[str, str, str]]:
    return shown(page(client, f"/listings?{urlencode(wanted)}"))


def line(soup: BeautifulSoup, urn: str, condition: str = "NEAR_MINT") -> Tag:
    (found,) = soup.select(f"tr[data-urn='{urn}'][data-condition='{condition}']")
    return found


ONE = ("urn:test:1", "NEAR_MINT", "")
PLAYED = ("urn:test:1", "PLAYED", "de|reverse")
TWO = ("urn:test:2", "NEAR_MINT", "")
TWELVE = ("urn:test:12", "MINT", "")


# What is shown --------------------------------------------------------------------------------------------------------


def test_the_listings_are_shown_in_the_order_of_the_catalog(client: FlaskClient, stock) -> None:
    soup = page(client, "/listings")
    assert shown(soup) == [ONE, PLAYED, TWELVE, TWO]
    assert "not yours" not in soup.text
    assert [words(link) for link in soup.select(".menu li:not(.is-lead) a[aria-current]")] == ["My Listings"]
    first = line(soup, "urn:test:1")
    assert words(first.select_one(".listing-name")) == "Name 1"
    assert words(first.select_one(".listing-set")) == "Set · 1 · Game"
    assert words(first.select_one(".urn")) == "urn:test:1"
    assert [words(cell) for cell in first.select("td[data-label]")] == ["Near mint", "none", "£1,234.56", "1,200"]
    assert [one.text for one in first.select(".remark")] == ["Signed <b>by</b> hand\nand dated", "Box 1", "SHELF-1"]
    assert words(first.select_one(".pill")) == "Visible"
    played = line(soup, "urn:test:1", "PLAYED")
    assert [words(cell) for cell in played.select("td[data-label]")] == ["Played", "dereverse", "£0.05", "1"]
    assert words(played.select_one(".pill")) == "Hidden"
    assert not played.select(".remarks")


def test_each_says_which_lines_of_which_imports_made_and_changed_it(client: FlaskClient, seller: Seller, stock) -> None:
    changing = ended(seller, [row(mode="UPDATE", urn="urn:test:2", price=7)], "prices.csv")
    soup = page(client, "/listings")
    origin = line(soup, "urn:test:2").select_one(".listing-origin")
    made, changed, when = (words(one) for one in origin.select("li"))
    assert (made, changed) == ("Created by stock.csv, line 5", "Updated by prices.csv, line 2")
    assert when.startswith("Last changed ")
    assert [link["href"] for link in origin.select("a")][1] == f"/imports/{changing.public_id}"
    assert [words(one) for one in line(soup, "urn:test:1").select(".listing-origin li")][0].endswith("line 2")
    assert "Updated by" not in words(line(soup, "urn:test:1"))


def test_somebody_without_listings_is_told_what_to_do(client: FlaskClient, other_seller: Seller) -> None:
    make_items()
    ended(other_seller, [row()])
    soup = page(client, "/listings")
    assert words(soup.select_one(".empty h2")) == "No listings yet"
    assert [link["href"] for link in soup.select(".empty a")] == [
        "/imports/upload",
        "/catalog",
    ]
    assert not soup.select("form[role=search]")


# Searching ------------------------------------------------------------------------------------------------------------


FOUND = [
    ({"text": " NAME  2 "}, [TWELVE, TWO]),
    ({"text": "game set"}, [ONE, PLAYED, TWELVE, TWO]),
    ({"text": "12"}, [TWELVE]),
    ({"text": "\0name\0 12"}, [TWELVE]),
    ({"text": "nothing"}, []),
    ({"urn": "urn:test:12"}, [TWELVE]),
    ({"urn": "urn:test:1"}, [ONE, PLAYED, TWELVE]),
    ({"urn": "URN:TEST:1"}, []),
    ({"condition": "PLAYED"}, [PLAYED]),
    ({"condition": "near mint"}, [ONE, TWO]),
    ({"condition": "MT"}, [TWELVE]),
    ({"hidden": "yes"}, [PLAYED, TWELVE]),
    ({"hidden": "no"}, [ONE, TWO]),
    ({"hidden": "yes", "text": "name", "urn": "urn:test:1", "condition": "PL"}, [PLAYED]),
    ({"stock": "low"}, [PLAYED, TWELVE, TWO]),
    ({"stock": "IN", "condition": "NM"}, [ONE, TWO]),
    ({"stock": "out"}, []),
    ({"since": "2020-01-31"}, [ONE, PLAYED, TWELVE, TWO]),
    ({"since": "2100-01-31"}, []),
    ({"own": "shelf-1"}, [ONE]),
    ({"own": "and DATED"}, [ONE]),
    ({"own": "%"}, []),
    ({"own": "box", "text": "name", "stock": "in"}, [ONE]),
    ({"text": "\u2028 "}, [ONE, PLAYED, TWELVE, TWO]),
    ({"text": "x" * 5_000}, []),
    ({"urn": "\U0001f0cf"}, []),
]


def test_listings_are_found_by_what_the_form_asks_for(client: FlaskClient, stock) -> None:
    for wanted, found in FOUND:
        assert find(client, **wanted) == found, wanted


def test_names_are_found_however_they_are_written(client: FlaskClient, seller: Seller) -> None:
    names = ["Straße", "Cafe\u0301", "ÉCLAIR"]
    items.replace(
        NewItem(f"urn:{n}", "G", "S", name, "", "", [], name_key("G", "S", name), [], [])
        for n, name in enumerate(names)
    )
    db.session.commit()
    ended(seller, [row(urn=f"urn:{n}") for n in range(3)])
    for words_of_it, urn in (("STRASSE", "urn:0"), ("caf\u00e9", "urn:1"), ("e\u0301clair", "urn:2")):
        assert [one[0] for one in find(client, text=words_of_it)] == [urn]


def test_the_form_keeps_what_was_asked_and_sends_it_on(client: FlaskClient, stock) -> None:
    soup = page(client, "/listings?text=name&urn=urn:test:&condition=pl&hidden=YES")
    form = soup.select_one("form[role=search]")
    assert form.select_one("[name=text]")["value"] == "name"
    assert form.select_one("[name=urn]")["value"] == "urn:test:"
    assert [words(one) for one in form.select("option[selected]")] == ["Catalog order", "Played", "Hidden"]
    assert form.select_one("details").has_attr("open")
    assert shown(read(submit(client, soup.select_one("form[role=search]"), text="nothing"))) == []
    assert not page(client, "/listings").select_one("form[role=search] details").has_attr("open")


def test_what_makes_no_sense_is_told_and_does_not_matter(client: FlaskClient, stock) -> None:
    soup = page(client, "/listings?condition=shiny&hidden=maybe&stock=some&since=yesterday&import=x&sort=colour")
    assert shown(soup) == [ONE, PLAYED, TWELVE, TWO]
    assert [words(one) for one in soup.select(".field-error")] == [
        "“some” is neither out nor low nor in. Choose one from the list.",
        "There is no condition “shiny”. Choose one from the list.",
        "“maybe” is neither yes nor no. Choose hidden or visible listings.",
        "“yesterday” is not a date. Enter it as year-month-day, such as 2026-01-31.",
        "“x” is not the ID of an import.",
    ]


def test_where_nothing_matches_a_link_leads_back_to_all(
    client: FlaskClient, stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # To look through everything once more to count it would take as long again.
    monkeypatch.setattr(listings, "count", None)
    soup = page(client, "/listings?text=nothing")
    assert words(soup.select_one(".empty h2")) == "No matching listings"
    (link,) = soup.select(".empty a")
    assert (words(link), link["href"]) == ("Show all listings", "/listings")


def test_a_reference_is_found_by_the_field_for_words(client: FlaskClient, stock) -> None:
    soup = page(client, "/listings?text=shelf-1&sort=price")
    assert shown(soup) == [ONE]
    assert [words(line) for line in soup.select(".found-count")] == [
        "No item matches “shelf-1”. REFERENCE, NOTES and COMMENT are searched instead.",
        "1 listing found.",
    ]
    # The next search begins with the words as they were typed; whatever goes on from here, with what was found.
    assert [soup.select_one(f"[name={name}]")["value"] for name in ("text", "own")] == ["shelf-1", ""]
    export = soup.select_one("a[href*='export.csv']")
    assert "own=shelf-1" in export["href"]
    assert "text=" not in export["href"]
    # Other filters hold, and an item that matches is not mixed with texts.
    assert not find(client, text="shelf-1", condition="PL")
    link = page(client, "/listings?text=12").select_one(".found-count a")
    assert (words(link), link["href"]) == ("Search REFERENCE, NOTES and COMMENT instead", "/listings?own=12")


def test_listings_are_found_by_their_import(client: FlaskClient, seller: Seller, stock) -> None:
    changing = ended(seller, [row(mode="UPDATE", urn="urn:test:2", price=7)] * 2, "prices.csv")
    assert find(client, **{"import": str(changing.public_id)}) == [TWO]
    soup = page(client, f"/listings?import={changing.public_id}")
    assert words(soup.select_one(".found-count")) == "1 listing found; 2 rows of the import succeeded."
    soup = page(client, f"/listings?import={changing.public_id}&stock=in")
    assert "Only listings that prices.csv created, or was the last to update." in words(soup.select_one("form.filters"))
    assert soup.select_one("input[name=import]")["value"] == str(changing.public_id)
    making = db.session.scalar(text("select public_id from imports where file_name = 'stock.csv'"))
    assert find(client, **{"import": str(making)}) == [ONE, PLAYED, TWELVE, TWO]
    theirs = db.session.scalar(text("select public_id from imports where file_name = 'theirs.csv'"))
    assert find(client, **{"import": str(theirs)}) == []


def test_how_many_there_are(client: FlaskClient, stock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert words(page(client, "/listings").select_one(".found-count")) == "4 listings."
    assert words(page(client, "/listings?text=12").select_one(".found-count")) == "1 listing found."
    monkeypatch.setattr(listings, "_MOST_COUNTED", 3)
    assert words(page(client, "/listings").select_one(".found-count")) == "More than 3 listings."


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("price", [PLAYED, TWELVE, TWO, ONE]),
        ("-price", [ONE, TWELVE, TWO, PLAYED]),
        ("quantity", [PLAYED, TWELVE, TWO, ONE]),
        ("-changed", [TWO, ONE, PLAYED, TWELVE]),
    ],
)
def test_other_orders_have_the_same_listings_on_pages(
    client: FlaskClient, seller: Seller, stock, monkeypatch: pytest.MonkeyPatch, sort: str, found
) -> None:
    ended(seller, [row(mode="UPDATE", urn="urn:test:2", quantity=2)])
    ended(seller, [row(mode="UPDATE", urn="urn:test:2")])
    for size in (1, 2, 3, 9):
        monkeypatch.setattr(listing_pages, "_PAGE_SIZE", size)
        assert sum(follow(client, f"/listings?sort={sort}"), []) == found
    filtered = [one for one in found if one[0] != "urn:test:12"]
    assert sum(follow(client, f"/listings?sort={sort}&text=name&stock=in&urn=urn:test:&hidden=no"), []) == [
        one for one in filtered if one != PLAYED
    ]
    assert sum(follow(client, f"/listings?sort={sort}&condition=PL&hidden=yes"), []) == [PLAYED]
    assert find(client, sort=sort, after="x~y") == found


# Pages ----------------------------------------------------------------------------------------------------------------


def follow(client: FlaskClient, path: str) -> list[list[tuple[str, str, str]]]:
    """The listings on all pages from ``path`` on."""
    pages = []
    while path:
        soup = page(client, path)
        pages.append(shown(soup))
        link = soup.select_one("main a[rel=next]")
        path = str(link["href"]) if link else ""
    return pages


@pytest.mark.parametrize(("size", "lengths"), [(1, [1, 1, 1, 1]), (2, [2, 2]), (3, [3, 1]), (4, [4]), (5, [4])])
def test_pages_follow_each_other_and_the_last_one_is_not_empty(
    client: FlaskClient, stock, monkeypatch: pytest.MonkeyPatch, size: int, lengths: list[int]
) -> None:
    monkeypatch.setattr(listing_pages, "_PAGE_SIZE", size)
    pages = follow(client, "/listings")
    assert [len(one) for one in pages] == lengths
    assert sum(pages, []) == [ONE, PLAYED, TWELVE, TWO]
    assert sum(follow(client, "/listings?hidden=yes"), []) == [PLAYED, TWELVE]


def test_later_pages_lead_back_to_the_first(client: FlaskClient, stock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing_pages, "_PAGE_SIZE", 2)
    first = page(client, "/listings?text=name")
    assert [words(link) for link in first.select(".pages a")] == ["Next page"]
    second = page(client, str(first.select_one("a[rel=next]")["href"]))
    assert [(words(link), link["href"]) for link in second.select(".pages a")] == [
        ("First page", "/listings?text=name")
    ]


@pytest.mark.parametrize(
    "after",
    ["x", "/", "//", "urn:test:1", "urn:test:1/", "urn:test:1/SHINY/", "urn:nowhere/PLAYED/", "\0/END/", "é/END/" * 99],
)
def test_a_place_that_is_none_is_the_beginning(client: FlaskClient, stock, after: str) -> None:
    assert find(client, after=after) == [ONE, PLAYED, TWELVE, TWO]


def test_the_place_behind_everything_says_so(client: FlaskClient, stock) -> None:
    soup = page(client, "/listings?after=urn:test:2/END/")
    assert words(soup.select_one(".empty h2")) == "That’s everything"
    assert [link["href"] for link in soup.select(".empty a")] == ["/listings"]


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page reads almost nothing before it reports its position."""
    monkeypatch.setattr(listings, "_LOOK_SECONDS", 0)
    for name in ("_FIRST_LISTINGS", "_MOST_LISTINGS", "_FIRST_ITEMS", "_MOST_ITEMS"):
        monkeypatch.setattr(search, name, 1)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("text=nothing", []),
        ("text=12", [TWELVE]),
        ("condition=POOR", []),
        ("hidden=no&condition=NM", [ONE, TWO]),
        ("text=name&hidden=yes", [PLAYED, TWELVE]),
        ("urn=urn:test:1&hidden=no", [ONE]),
    ],
)
def test_a_search_that_was_broken_off_goes_on_to_the_end(client: FlaskClient, stock, wanted: str, found) -> None:
    pages = follow(client, f"/listings?{wanted}")
    assert sum(pages, []) == found
    assert len(pages) > 1


@pytest.mark.usefixtures("hurry")
def test_a_search_that_was_broken_off_says_how_far_it_has_come(client: FlaskClient, stock) -> None:
    soup = page(client, "/listings?text=12")
    note = words(soup.select_one("#broken-off"))
    assert note.startswith("Nothing found so far. Your listings have been searched as far as Name 1 (Set)")
    assert not soup.select(".empty")
    link = soup.select_one("#broken-off a")
    assert (words(link), str(link["href"]).startswith("/listings?after=urn:test:1/")) == ("Keep searching", True)


# Hide and show --------------------------------------------------------------------------------------------------------


def without_times() -> list[str]:
    """All that the listings are and remember, but for the time and the number of changes by hand."""
    query = (
        "select to_jsonb(listings) - '{updated_at,edited_at,edits}'::text[] from listings "
        "order by seller_id, item_id, condition, variants"
    )
    found = [repr(one) for one in db.session.scalars(text(query))]
    db.session.rollback()
    return found


def test_the_button_hides_and_shows_and_comes_back(client: FlaskClient, seller: Seller, stock) -> None:
    before = without_times()
    path = "/listings?text=name"
    answer = press(client, line(page(client, path), "urn:test:2"), "Hide: Name 2, Near mint")
    assert (answer.status_code, answer.location) == (303, f"{path}#listing-4")
    soup = page(client, path)
    assert [words(note) for note in soup.select(".note-success")] == ["Name 2, near mint: hidden from buyers."]
    assert line(soup, "urn:test:2")["data-hidden"] == "true"
    assert [one[5] for one in sorted(listed(seller))] == ["false", "true", "true", "true"]
    answer = press(client, line(soup, "urn:test:2"), "Show: Name 2, Near mint")
    soup = page(client, answer.location)
    assert [words(note) for note in soup.select(".note-success")] == ["Name 2, near mint: shown to buyers."]
    assert without_times() == before


def test_a_hidden_listing_stays_hidden_when_its_price_is_updated(client: FlaskClient, seller: Seller, stock) -> None:
    press(client, line(page(client, "/listings"), "urn:test:2"), "Hide: Name 2, Near mint")
    ended(seller, [row(mode="UPDATE", urn="urn:test:2", price=7)])
    assert line(page(client, "/listings"), "urn:test:2")["data-hidden"] == "true"
    ended(seller, [row(mode="UPDATE", urn="urn:test:2", price=7, hidden="false")])
    assert line(page(client, "/listings"), "urn:test:2")["data-hidden"] == "false"


NOT_ONES_OWN = [
    # The third item has a listing, which is another seller's.
    {"urn": "urn:test:3"},
    {"urn": "urn:nowhere"},
    {"urn": ""},
    {"urn": "\0"},
    {"condition": "GOOD"},
    {"condition": "shiny"},
    {"condition": ""},
    {"variants": "de"},
]


@pytest.mark.parametrize("button", ["hide", "show"])
def test_what_is_not_ones_own_is_not_found(client: FlaskClient, stock, button: str) -> None:
    before, token = everything(), {"csrf_token": csrf_token(client)}
    for wrong in NOT_ONES_OWN:
        form = {**token, "urn": "urn:test:1", "condition": "NEAR_MINT", "variants": "", **wrong}
        soup = read(client.post(f"/listings/{button}", data=form), 404)
        assert words(soup.select_one(".lead-sentence")) == "You have no such listing.", wrong
    read(client.post(f"/listings/{button}", data=token), 404)
    assert everything() == before


def test_it_leads_nowhere_else_and_takes_no_request_without_a_token(client: FlaskClient, stock) -> None:
    form = {"urn": "urn:test:1", "condition": "NEAR_MINT", "variants": "", "next": "//elsewhere.example/"}
    before = everything()
    read(client.post("/listings/hide", data=form), 403)
    assert everything() == before
    answer = client.post("/listings/hide", data={**form, "csrf_token": csrf_token(client)})
    assert (answer.status_code, answer.location) == (303, "/listings")


# The export -----------------------------------------------------------------------------------------------------------


def export(client: FlaskClient, **wanted: str) -> list[dict[str, str]]:
    answer = client.get(f"/listings/export.csv?{urlencode(wanted)}")
    assert answer.status_code == 200
    assert answer.text.startswith(f"{HEADER}\n")
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))


@pytest.mark.usefixtures("hurry")
def test_the_export_has_what_the_filter_lets_through_whole(
    client: FlaskClient, stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listings, "_EXPORT_ROWS", 1)
    for wanted, found in (
        ({}, [ONE, PLAYED, TWELVE, TWO]),
        ({"text": "name 12"}, [TWELVE]),
        ({"hidden": "yes"}, [PLAYED, TWELVE]),
        ({"condition": "NM", "urn": "urn:test:"}, [ONE, TWO]),
        ({"text": "nothing"}, []),
    ):
        assert [(one["URN"], one["CONDITION"], one["VARIANTS"]) for one in export(client, **wanted)] == found


def test_the_page_links_to_the_export_of_what_it_shows(client: FlaskClient, stock) -> None:
    _, link = page(client, "/listings?text=name&hidden=yes").select(".page-head a")
    assert (words(link), link["href"]) == (
        "Export these results",
        "/listings/export.csv?spreadsheet=1&text=name&hidden=yes",
    )
    _, link = page(client, "/listings").select(".page-head a")
    assert (words(link), link["href"]) == ("Export CSV", "/listings/export.csv?spreadsheet=1")


def test_a_filter_that_makes_no_sense_exports_nothing(client: FlaskClient, stock) -> None:
    soup = read(client.get("/listings/export.csv?condition=shiny"), 400)
    assert words(soup.select_one(".lead-sentence")) == "There is no condition “shiny”. Choose one from the list."


def test_a_filtered_export_comes_back_unchanged(client: FlaskClient, seller: Seller) -> None:
    make_items(len(AWKWARD))
    rows = [
        row(urn=f"urn:test:{n}", comment=value, notes=value, reference=value, price=n, variants="reverse|de")
        for n, value in enumerate(AWKWARD, 1)
    ]
    ended(seller, csv_bytes(rows, newline="\r\n"))
    before = listed(seller)
    whole = client.get("/listings/export.csv").data
    filtered = client.get("/listings/export.csv?text=name&condition=NM").data
    assert filtered == whole
    again = look(upload(client, filtered))
    assert (again.status, again.unchanged, again.failed) == ("COMPLETED", len(rows), 0)
    assert listed(seller) == before


def test_another_seller_exports_and_finds_only_theirs(app, other_seller: Seller, stock) -> None:
    browser = sign_in(app, other_seller)
    assert find(browser, text="name") == [("urn:test:3", "NEAR_MINT", "")]
    assert [one["URN"] for one in export(browser, text="name")] == ["urn:test:3"]
