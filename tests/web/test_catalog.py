"""The search of the catalog: what it finds, and the rows that it offers for a file."""

from __future__ import annotations

import csv
import io
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.csvfile.columns import HEADER
from app.csvfile.contract import name_key
from app.extensions import db
from app.models import Seller
from app.queries import items
from app.queries.items import NewItem
from app.web import catalog
from tests.conftest import make_token
from tests.factories import listed, look, make_items, row
from tests.pages import page, read, words
from tests.web.test_downloads import ended, upload

ITEMS = [
    # URN, set, name, number, ids at Cardmarket
    ("urn:tcg:base/4", "Base Set", "Charizard", "4", [273699, 1]),
    ("urn:tcg:base/40", "Base Set", "Café Ball", "40", []),
    ("urn:tcg:base2/4", "Base Set 2", "Charizard", "4/130", [2]),
    ("urn:tcg:ex/10", "EX", "Farfetch'd-EX", "10", []),
    ("urn:tcg:ex/9", "EX", "Dark Charizard", "9", []),
    ("urn:tcg:ex/TG04", "EX", "リザードン", "TG04", [4]),
]


@pytest.fixture
def cards(app: Flask) -> None:
    items.replace(
        NewItem(urn, "Cards", of_set, name, number, "Rare", ["holo", "de"], name_key("Cards", of_set, name), ids, [7])
        for urn, of_set, name, number, ids in ITEMS
    )
    db.session.commit()


def find(client: FlaskClient, **asked: str) -> list[str]:
    soup = page(client, f"/catalog?{urlencode(asked)}")
    return [str(one["data-urn"]).removeprefix("urn:tcg:") for one in soup.select("tr[data-urn]")]


FOUND = [
    # Exact names first, then by set and number.
    ({"text": "charizard"}, ["base/4", "base2/4", "ex/9"]),
    ({"text": "CHAR  base set 2"}, ["base2/4"]),
    ({"text": "harizard"}, []),
    ({"text": "cafe"}, ["base/40"]),
    ({"text": "CAFÉ ball"}, ["base/40"]),
    ({"text": "farfetchd ex"}, ["ex/10"]),
    ({"text": "farfetch’d"}, ["ex/10"]),
    ({"text": "リザー"}, ["ex/TG04"]),
    ({"text": "tg0"}, ["ex/TG04"]),
    # A number is a whole one: not 40, but 4/130.
    ({"text": "base 4"}, ["base/4", "base2/4"]),
    ({"text": "4/130"}, ["base2/4"]),
    # Or it is an id at another marketplace, which may also be a number.
    ({"text": "273699"}, ["base/4"]),
    ({"text": "4"}, ["base/4", "base2/4", "ex/TG04"]),
    ({"text": "7"}, ["base/4", "base/40", "base2/4", "ex/9", "ex/10", "ex/TG04"]),
    ({"text": "urn:tcg:base2/"}, ["base2/4"]),
    ({"text": "URN:TCG:BASE2/"}, []),
    ({"game": "cards", "set": "ex"}, ["ex/9", "ex/10", "ex/TG04"]),
    ({"game": "Cards", "set": "Base Set"}, ["base/4", "base/40"]),
    ({"game": "Cards", "set": "EX", "text": "char"}, ["ex/9"]),
    ({"game": "Cards", "set": "EX", "text": "7"}, ["ex/9", "ex/10", "ex/TG04"]),
    ({"game": "Cards", "set": "Nowhere"}, []),
    ({"text": "'; drop table items; --"}, []),
    ({"text": "char' | 'x'"}, []),
    ({"text": "\0char\0"}, ["base/4", "base2/4", "ex/9"]),
    ({"text": "9" * 30}, []),
    ({"text": "x" * 5_000}, []),
]


@pytest.mark.usefixtures("cards")
def test_items_are_found(client: FlaskClient) -> None:
    for asked, found in FOUND:
        assert find(client, **asked) == found, asked


@pytest.mark.usefixtures("cards")
def test_an_item_is_shown_with_its_row_for_a_file(client: FlaskClient, seller: Seller) -> None:
    ended(seller, [row(urn="urn:tcg:base/4"), row(urn="urn:tcg:base/4", condition="MT")])
    (line,) = page(client, "/catalog?text=273699").select("tr[data-urn]")
    assert words(line.select_one(".listing-set")) == "Base Set · 4 · Rare · Cards"
    assert [words(one) for one in line.select("[data-label=Variants] .column")] == ["holo", "de"]
    assert [words(one) for one in line.select(".item-ids span")] == ["Cardmarket 1, 273699", "TCGplayer 7"]
    link = line.select("a")[1]
    assert (words(link), link["href"]) == ("2 listings of yours", "/listings?urn=urn:tcg:base/4")
    copied = [code.text for code in line.select(".copied code")]
    assert copied[0] == "CREATE,urn:tcg:base/4,Cards,Base Set,Charizard,,,,,,,,,,"
    assert copied[1] == copied[0].replace(",", "\t")
    targets = {str(button["data-copy"]) for button in line.select("[data-copy]")}
    assert targets == {str(one["id"]) for one in line.select("code[id]")}


@pytest.mark.usefixtures("cards")
def test_a_template_of_a_search_is_imported_once_it_is_filled_in(client: FlaskClient, seller: Seller) -> None:
    (link,) = page(client, "/catalog?game=Cards&set=EX").select(".page-head a")
    assert words(link) == "Download these rows"
    answer = client.get(str(link["href"]))
    assert (answer.status_code, answer.headers["Content-Disposition"]) == (200, 'attachment; filename="rows-EX.csv"')
    text = answer.data.decode("utf-8-sig")
    assert text.startswith(f"{HEADER}\n")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert [one["NAME"] for one in rows] == ["Dark Charizard", "Farfetch'd-EX", "リザードン"]
    assert {one["CONDITION"] + one["PRICE"] + one["QUANTITY"] for one in rows} == {""}
    for one in rows[1:]:
        one |= {"CONDITION": "NM", "PRICE": "250", "QUANTITY": "2"}
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, HEADER.split(","))
    writer.writeheader()
    writer.writerows(rows)
    done = look(upload(client, file.getvalue().encode()))
    assert (done.successful, done.failed) == (2, 1)
    assert {one[0] for one in listed(seller)} == {"urn:tcg:ex/10", "urn:tcg:ex/TG04"}


def test_the_whole_catalog_is_no_template(client: FlaskClient) -> None:
    make_items()
    assert words(read(client.get("/catalog/rows.csv"), 400).select_one(".lead-sentence")).startswith("Search for")


@pytest.mark.usefixtures("cards")
def test_without_a_search_the_sets_are_listed(client: FlaskClient) -> None:
    soup = page(client, "/catalog")
    assert [words(one) for one in soup.select(".set-game")] == ["Cards"]
    assert [words(one) for one in soup.select(".sets a")] == ["Base Set", "Base Set 2", "EX"]
    assert find(client, game="Cards", set="Base Set") == ["base/4", "base/40"]
    assert soup.select(".sets a")[0]["href"] == "/catalog?game=Cards&set=Base+Set"


@pytest.mark.usefixtures("cards")
def test_what_cannot_be_searched_for_is_said(client: FlaskClient) -> None:
    soup = page(client, "/catalog?text=%3F")
    assert words(soup.select_one(".field-error")) == "Enter a letter or a digit of what you are looking for."
    assert words(page(client, "/catalog?text=nothing").select_one(".empty h2")) == "No items match"


@pytest.mark.usefixtures("cards")
def test_pages_follow_each_other_up_to_a_limit(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_PAGE_SIZE", 2)
    monkeypatch.setattr(catalog, "_MOST_FOUND", 5)
    found, path = [], "/catalog?text=7"
    while path:
        soup = page(client, path)
        found.append(len(soup.select("tr[data-urn]")))
        following = soup.select_one("main a[rel=next]")
        path = str(following["href"]) if following else ""
    assert found == [2, 2, 1]
    assert words(soup.select_one(".found-count")).startswith("More than 5 items match.")
    assert find(client, text="7", page="9") == find(client, text="7", page="x")[5:]


def test_errors_that_ask_for_an_item_lead_to_it(client: FlaskClient, seller: Seller) -> None:
    make_items()
    named = {"urn": "", "game": "Game", "set": "Sett", "name": "Mother's 1"}
    rows = [row(urn="urn:nowhere"), row(price="x"), row(**named), row(variants="gold"), row(urn="", cardmarket_id="#1")]
    failed = ended(seller, rows)
    path = f"/imports/{failed.public_id}/errors"
    soup = page(client, path)
    linked = [[link["href"] for link in one.select("a[href^='/catalog']")] for one in soup.select(".failed-row")]
    named_search = "/catalog?text=Mother's+1"
    assert linked == [["/catalog"], [], [named_search], ["/catalog?text=urn:test:1"], ["/catalog?text=%231"]]
    # A group of one row looks for what is wrong in it.
    of_groups = [link["href"] for link in soup.select(".group a[href^='/catalog']")]
    assert sorted(of_groups) == ["/catalog", "/catalog", "/catalog?text=%231", named_search]
    assert len(page(client, "/help/errors").select(".cause a[href='/catalog']")) >= 5


@pytest.mark.usefixtures("cards")
def test_programs_search_it_too(app: Flask, seller: Seller) -> None:
    program, header = app.test_client(), {"Authorization": f"Bearer {make_token(seller)}"}
    answer = program.get("/api/v1/catalog?text=charizard&limit=2", headers=header).get_json()
    assert answer["complete"] is False
    assert answer["items"][0] == {
        "urn": "urn:tcg:base/4",
        "game": "Cards",
        "set": "Base Set",
        "name": "Charizard",
        "number": "4",
        "rarity": "Rare",
        "variants": ["holo", "de"],
        "cardmarketIds": [1, 273699],
        "tcgplayerIds": [7],
    }
    rows = program.get("/api/v1/catalog/rows.csv?text=tg0", headers=header).text.splitlines()
    assert rows == [HEADER, "CREATE,urn:tcg:ex/TG04,Cards,EX,リザードン,,,,,,,,,,"]
    assert program.get("/api/v1/catalog?texts=x", headers=header).status_code == 422
