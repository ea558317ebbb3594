"""Match your file: from a file from another tool to an import, without scripts."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.extensions import db
from app.imports import conversions, mappings
from app.imports.foreign.choices import fields_of
from app.imports.foreign.mapping import Field, Kind, Source
from app.models import Conversion, Seller
from app.statuses import ImportKind
from app.storage import current_storage
from tests import foreign
from tests.factories import listed, make_items
from tests.pages import csrf_token, page, read, words
from tests.workbooks import make_workbook

#: As TCG PowerTools writes it.
POWERTOOLS = "cardmarketId,quantity,name,condition,language,price\n1,2,Name 1,NM,English,1.50\n2,0,Name 2,NM,,1\n"
#: Of nobody: its words are not all known.
OWN = (
    "Card,idProduct,Grade,Each,Left\nName 1,1,Near Mint,£1.50,2\nName 1,1,Near Mint,£1.75,1\nName 2,2,Lovely,£0.99,4\n"
)


def send(client: FlaskClient, data: bytes | str, name: str = "stock.csv", **headers: str) -> TestResponse:
    content = data.encode() if isinstance(data, str) else data
    form = {"csrf_token": csrf_token(client), "file": (io.BytesIO(content), name)}
    return client.post("/imports/match", data=form, content_type="multipart/form-data", headers=headers)


def fill(client: FlaskClient, soup: BeautifulSoup, *, form: int = 0, **changed: str) -> TestResponse:
    """Send a form of a step as a browser does, with these fields changed."""
    element = soup.select("main form")[form]
    fields = {str(one["name"]): str(one.get("value", "")) for one in element.select("input[type=hidden]")}
    fields |= {str(one["name"]): str(one.get("value", "")) for one in element.select("input.form-control")}
    for select in element.select("select"):
        chosen = select.select_one("option[selected]") or select.select_one("option")
        fields[str(select["name"])] = str(chosen.get("value", chosen.get_text()))
    unknown = changed.keys() - fields.keys() - {"accept", "check", "go", "remember", "stay"}
    assert not unknown, unknown
    return client.post(str(element["action"]), data={**fields, **changed})


def follow(client: FlaskClient, response: TestResponse) -> BeautifulSoup:
    assert response.status_code == 303, response.text
    return page(client, response.location)


def tiles(soup: BeautifulSoup) -> dict[str, str]:
    return {words(one.dt): words(one.dd) for one in soup.select(".tile")}


def start_form(soup: BeautifulSoup) -> int:
    return [str(one["action"]).endswith("/start") for one in soup.select("main form")].index(True)


def preview_address(soup: BeautifulSoup) -> str:
    return str(soup.select("nav.match-steps a")[-1]["href"])


def column(soup: BeautifulSoup, name: str) -> str:
    """The name of the select of a column."""
    (row,) = (row for row in soup.select(".match-columns tbody tr") if words(row.th) == name)
    return str(row.select_one("select")["name"])


def test_a_recognised_format_asks_only_for_its_rate_and_goes_live(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items()
    money = follow(client, send(client, POWERTOOLS))
    assert words(money.h1) == "Prices"
    preview = follow(client, fill(client, money, **{"rate-EUR": "0.8"}))
    assert "TCG PowerTools stock." in words(preview.select_one("main"))
    assert [*tiles(preview).values()] == ["2", "1", "0", "1", "0"]
    assert not preview.select("[data-repriced]")
    assert "The quantity is 0, so it is left out." in words(preview.select_one("main"))
    assert not listed(seller)
    done = fill(client, preview, form=start_form(preview))
    assert done.location.startswith("/imports/")
    run_jobs()
    assert [one[:5] for one in listed(seller)] == [("urn:test:1", "NEAR_MINT", "normal", "120", "2")]
    imported = page(client, preview_address(preview))
    assert (words(imported.h1), words(imported.select_one(".match-changes .pill"))) == ("What was imported", "Imported")

    # What is sold out the next day is no longer for sale.
    for copies, told in (("2", "You have it already: nothing changes"), ("0", "now with £1.20 and a quantity of 2")):
        preview = follow(client, send(client, POWERTOOLS.replace("1,2,", f"1,{copies},")))
        # No price is needed of what is sold out.
        if copies != "0":
            preview = follow(client, fill(client, preview, **{"rate-EUR": "0.8"}))
        assert told in words(preview.select_one(".match-offered"))
    assert words(preview.select_one("[data-sold-out]")).startswith("1 listing that you have becomes sold out")
    fill(client, preview, form=start_form(preview))
    run_jobs()
    assert [one[:5] for one in listed(seller)] == [("urn:test:1", "NEAR_MINT", "normal", "120", "0")]


def test_an_unknown_file_asks_for_what_is_not_sure_and_a_second_one_for_nothing(
    client: FlaskClient, seller: Seller
) -> None:
    make_items()
    columns = follow(client, send(client, OWN))
    assert words(columns.h1) == "What each column is"
    assert "the quantity" in words(columns.select_one(".note"))
    unchanged = follow(client, fill(client, columns))
    without = page(client, str(unchanged.select("nav.match-steps a")[-1]["href"]))
    assert "Columns: 1 open" in words(without.select_one(".match-open"))
    asked = follow(client, fill(client, columns, **{column(columns, "Left"): "quantity"}))
    assert words(asked.h1) == "What words in your file mean"
    assert [words(one) for one in asked.select(".match-word b")] == ["Lovely"]
    preview = follow(client, fill(client, asked, **{"answer-1": "GD"}))
    assert words(preview.h1) == "What would be imported"
    assert [*tiles(preview).values()] == ["3", "2", "1", "0", "0"]
    # £1.50 counts, not £1.75.
    repriced = "1 row has a different price from the row it is added to."
    assert words(preview.select_one("[data-repriced]")).startswith(repriced)
    started = fill(client, preview, form=start_form(preview), remember="1", name="Mine", check="1")
    assert started.status_code == 303
    assert [one.name for one in mappings.list_saved(seller.id)] == ["Mine"]

    again = follow(client, send(client, OWN.replace("1.50", "1.60")))
    assert words(again.h1) == "What would be imported"
    assert "Matched as “Mine”." in words(again.select_one("main"))
    renamed = follow(client, send(client, OWN.replace("Left", "Xyz")))
    assert words(renamed.h1) == "What each column is"
    assert [words(one) for one in renamed.select(".note li")] == [
        "the quantity: choose its column, or one quantity for all rows below"
    ]


def test_foils_that_may_be_counted_twice_are_asked_and_two_columns_of_a_field_say_which_counts(
    client: FlaskClient,
) -> None:
    make_items()
    data = "Name,Set,Number,Condition,Price,Count,Foil count\nName 1,Set,1,NM,£1.00,2,1\nName 2,Set,2,NM,£1.00,3,0\n"
    columns = follow(client, send(client, data))
    assert words(columns.h1) == "What each column is"
    foils, address = column(columns, "Foil count"), str(columns.select("nav.match-steps a")[1]["href"])
    assert "beside this quantity or among it" in words(columns.select_one(f"#why-{column(columns, 'Count')[1:]}"))
    fill(client, columns, **{column(columns, "Count"): "quantity", foils: "quantity"})
    twice = page(client, address)
    told = "Of “Count”, “Foil count”, the first that is not empty counts."
    assert words(twice.select_one(f"#why-{foils[1:]}")).endswith(told)
    fill(client, twice, **{foils: "foil_quantity"})
    chosen = page(client, address)
    assert told not in words(chosen.select_one("main"))
    fill(client, chosen, **{foils: "foil_part"})
    mapping = conversions.mapping_of(db.session.scalars(db.select(Conversion)).one())
    assert mapping
    taken = dict(zip(mapping.columns, fields_of(mapping, mapping.columns), strict=True))
    assert (taken["Count"], taken["Foil count"]) == ((Field.QUANTITY,), (Field.FOIL_PART,))
    assert Field.FOIL_QUANTITY not in mapping.sources


def test_filled_columns_that_are_not_used_are_named_on_the_preview(client: FlaskClient) -> None:
    make_items()
    header = "Name,Set,Number,Condition,Price,Quantity,Tally,Mood,Rarity,Signed by,Proxy"
    rows = ["Name 1,Set,1,NM,£1.00,1,0,A 1,Rare,,no", "Name 2,Set,2,NM,£1.00,1,3,B 7,Rare,A. Rist,no"]
    rows += ["Name 1,Set,1,EX,£1.00,1,0,A 2,Rare,,no", "Name 1,Set,1,GD,£1.00,1,0,A 3,Rare,,yes"]
    preview = follow(client, send(client, "\n".join([header, *rows])))
    note = preview.select_one("#unused")
    assert "cells hold values: Tally, Mood." in words(note)
    assert str(note.select_one("a")["href"]).endswith("/columns")
    (left_out,) = (words(one) for one in preview.select(".match-changes li") if "Left out" in words(one))
    assert left_out.endswith("Proxyyes")
    used = fill(client, page(client, str(note.select_one("a")["href"])), c7="notes")
    assert "cells hold values: Tally." in words(follow(client, used).select_one("#unused"))


def test_what_is_open_in_no_step_leads_to_where_it_is_mended(client: FlaskClient) -> None:
    make_items()
    data = "Name,Set,Number,Condition,Price,Quantity,Language\nName 1,Set,1,NM,£1.00,1,English\n"
    preview = follow(client, send(client, data + "Name 2,Set,2,NM,,1,English\nName 2,Set,2,NM,£1.00,1,Thai\n"))
    opened = {words(one): one.a for one in preview.select(".match-decided li") if one.a}
    doors = {one.split(" Open ")[1].partition(".")[0]: str(link["href"]) for one, link in opened.items()}
    assert [*doors] == ["No price is given", "The catalog has Name 2 (Set 2) in no Thai printing"]
    for door in doors.values():
        address, _, place = door.partition("#")
        assert page(client, address).select_one(f"#{place}") is not None


def test_a_currency_that_is_chosen_asks_for_its_rate_at_once(client: FlaskClient) -> None:
    make_items()
    data = "Name,Set,Number,Condition,Price,Quantity\nName 1,Set,1,NM,1.50,1\n"
    money = follow(client, send(client, data))
    assert words(money.h1) == "Prices"
    assert words(money.select_one("#currency option")) == "Choose the currency"
    # It is said once, and shown with what is chosen before that is saved.
    assert not money.select(".match-decided li, dl.facts")
    drawn = page(client, f"{money.select_one('#match-money').parent['hx-get']}?currency=GBP&rate-EUR=x")
    assert words(drawn.select_one(".note-danger")) == "The rate “x” of EUR is not a number such as 0.79."
    drawn = page(client, f"{money.select_one('#match-money').parent['hx-get']}?currency=GBP")
    assert [words(one) for one in drawn.select(".match-decided li, dl.facts dd")] == ["£1.50"] * 3 + ["1.50 → £1.50"]
    few = data + "Name 2,Set,2,NM,$1.20,1\nName 2,Set,2,EX,2,1\n"
    told = words(follow(client, send(client, few)).select_one(".note"))
    assert told.startswith(
        "Only 1 of 3 prices shows a currency. Most prices in the file do not show their currency: USD is"
    )
    rate = follow(client, fill(client, money, currency="USD"))
    assert words(rate.h1) == "Prices"
    assert "how many pounds one USD is" in words(rate.select_one(".note"))
    preview = follow(client, fill(client, rate, **{"rate-USD": "0.8"}))
    assert words(preview.h1) == "What would be imported"
    assert "£1.20" in words(preview.select_one(".match-offered"))
    assert "1 USD is £0.8. Change the rate" in words(preview.main)


def test_the_preview_says_of_many_rows_why_and_where_a_doubtful_price_comes_from(
    client: FlaskClient, seller: Seller
) -> None:
    make_items()
    made = foreign.draft(seller, ["1;Lovely;1,50;2;", "2;Lovely;1,50;1;", "2;Near Mint;1,50;-3;", "2;NM;1,50;1;"])
    price = Source(("Price",), confirm="This is what was paid.")
    mapping = foreign.MAPPING.with_source(Field.PRICE, price).answer(Kind.CONDITION, "Lovely", "-")
    conversions.set_mapping(seller.id, made.public_id, mapping)
    token = {"csrf_token": csrf_token(client)}
    preview = follow(client, client.post(f"/imports/match/{made.public_id}/convert", data=token))
    assert [words(one) for one in preview.select(".match-decided li")] == [
        "2 rows: You decided to leave these rows out.",
        "1 row: A quantity below 0 takes copies away.",
    ]
    kept = client.get(str(preview.select_one("a[href$='left-out.csv']")["href"]))
    assert [line.split(";")[:2] for line in kept.text.splitlines()[1:]] == [
        ["1", "Lovely"],
        ["2", "Lovely"],
        ["2", "Near Mint"],
    ]
    note = preview.select_one(".note-warning")
    assert words(note) == "Price is taken from Price. This is what was paid. Choose another column"
    assert "is replaced by the file’s" in words(preview.select_one("#replaces"))
    links = {words(one): str(one["href"]).rpartition("/")[2] for one in preview.select("[aria-label=Summary] p a")}
    assert links == {"Change what is matched": "columns", "Read it another way": "reading"}


def test_unfinished_files_of_the_last_day_are_listed(client: FlaskClient, seller: Seller, other_seller: Seller) -> None:
    make_items()
    _, begun, _, old = (foreign.draft(seller, ["1;NM;1,50;2;"], file_name=f"{at}.csv") for at in range(4))
    foreign.draft(other_seller, ["1;NM;1,50;2;"], file_name="theirs.csv")
    conversions.convert(seller.id, begun.public_id, start_as=ImportKind.IMPORT)
    done = foreign.convert(seller, ["1;NM;1,50;2;", "2;Lovely;1,50;2;"])
    used = foreign.convert(seller, ["1;NM;1,50;2;"])
    conversions.start(seller.id, used.public_id, ImportKind.CHECK)
    long_ago = text("update conversions set updated_at = now() - interval '25 hours' where id = :id")
    db.session.execute(long_ago, {"id": old.id})
    db.session.commit()
    listed_files = page(client, "/imports/match").select("#unfinished li")
    assert [(words(one.a), words(one.span).partition(" ·")[0]) for one in listed_files] == [
        ("bestand.csv", "1 row is open"),
        ("2.csv", "Not worked through yet"),
        ("0.csv", "Not worked through yet"),
    ]
    assert str(listed_files[0].a["href"]).endswith(str(done.public_id))


def test_a_file_that_was_imported_before_says_so_before_it_is_pressed(client: FlaskClient, seller: Seller) -> None:
    make_items()
    first, second = (foreign.convert(seller, ["1;NM;1,50;2;"]) for _ in range(2))
    address = f"/imports/match/{second.public_id}"
    unasked = page(client, address)
    assert unasked.select_one("[role=alert]") is None
    earlier = conversions.start(seller.id, first.public_id, ImportKind.IMPORT)
    # Pressed on a page that could not know yet, it is asked once.
    asked = read(fill(client, unasked, form=start_form(unasked)), 409)
    for shown in (asked, page(client, address)):
        alert = shown.select_one("[role=alert]")
        assert words(alert).startswith("You have already imported this exact file.")
        assert str(alert.select_one("a")["href"]).endswith(str(earlier.public_id))
    assert fill(client, asked, form=start_form(asked)).status_code == 303


def test_a_workbook_is_matched_and_a_refused_file_leads_there(client: FlaskClient) -> None:
    make_items()
    cells = [("Id", "Condition", "Price", "Quantity"), ("1", "NM", "£2.00", "1")]
    rows = "".join(
        f'<row r="{at}">' + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in line) + "</row>"
        for at, line in enumerate(cells, 1)
    )
    shown = follow(client, send(client, make_workbook(rows), "stock.xlsx"))
    assert shown.select_one("nav.match-steps") is not None
    read_it = page(client, str(shown.select_one("nav.match-steps a")["href"]))
    assert [words(one) for one in read_it.select("#sheet option")] == ["One"]


def test_orders_are_refused_and_nothing_stays(client: FlaskClient, storage_files: Callable[[], list[str]]) -> None:
    pull = "Product Line,Product Name,Condition,Number,Set,Rarity,Quantity,Main Photo URL,Set Release Date,SkuId,"
    pull += "Order Quantity\n"
    refused = read(send(client, pull + "Pokemon,A,Near Mint,1,B,C,1,,,1,1:2\n"), 422)
    assert "pull sheet" in words(refused.select_one("[role=alert]"))
    script = send(client, b"", **{"Sluice-Upload": "1"})
    assert (script.status_code, script.content_type) == (422, "text/plain; charset=utf-8")
    assert storage_files() == []
    assert db.session.scalar(text("select count(*) from conversions")) == 0


def test_how_it_is_read_can_be_overruled(client: FlaskClient) -> None:
    make_items()
    shown = follow(client, send(client, foreign.foreign_bytes(["1;NM;1,50;2;é"])))
    reading = page(client, str(shown.select_one("nav.match-steps a")["href"]))
    assert words(reading.select_one("#encoding option[selected]")).startswith("Windows-1252")
    drawn = follow(client, fill(client, reading, separator=","))
    assert foreign.HEADER in words(drawn.select_one(".match-rows"))
    assert words(drawn.select_one("#separator option[selected]")) == "comma"


def test_what_no_column_is_taken_for_is_asked_after_how_it_is_read(client: FlaskClient) -> None:
    make_items()
    reading = follow(client, send(client, "What,How much\nName 1,£2\nName 2,£3\n"))
    assert words(reading.h1) == "How your file is read"
    assert "Line 1 was taken." in words(reading.main)
    columns = follow(client, fill(client, reading, go="1"))
    assert words(columns.h1) == "What each column is"
    # What only a column, or a value for all rows, can settle is asked nowhere else.
    cards = follow(client, fill(client, columns, c0="name", c1="price", **{"constant-quantity": "1"}))
    opened = [words(one) for one in cards.select("nav.match-steps a") if "open" in words(one)]
    assert opened == ["Columns 1 open", "Cards 2 open"]


def test_another_sellers_and_unknown_answers_do_nothing(client: FlaskClient, other_seller: Seller) -> None:
    make_items()
    theirs = foreign.draft(other_seller, ["1;NM;1,50;2;"])
    assert client.get(f"/imports/match/{theirs.public_id}").status_code == 404
    mine = send(client, OWN).location
    form = {"csrf_token": csrf_token(client), "c0": "nonsense"}
    assert "no field “nonsense”" in words(read(client.post(mine, data=form), 422).select_one("[role=alert]"))


def test_mappings_are_renamed_exported_imported_and_deleted(client: FlaskClient, seller: Seller) -> None:
    saved = mappings.save(seller.id, "Mine", foreign.MAPPING)
    path, token = f"/settings/mappings/{saved.public_id}", {"csrf_token": csrf_token(client)}
    exported = client.get(f"{path}/mapping.json")
    assert exported.headers["Content-Disposition"] == "attachment; filename=Mine.json"
    assert client.post("/settings/mappings", data={**token, "name": "Copy", "text": exported.text}).status_code == 303
    assert client.post(f"{path}/rename", data={**token, "name": "Ours"}).status_code == 303
    listed_now = page(client, "/settings/mappings")
    assert [words(one) for one in listed_now.select(".token-name")] == ["Copy", "Ours"]
    wrong = read(client.post("/settings/mappings", data={**token, "name": "X", "text": "{"}), 422)
    assert "not JSON" in words(wrong.select_one("[role=alert]"))
    assert client.post(f"{path}/delete", data=token).status_code == 303
    assert [one.name for one in mappings.list_saved(seller.id)] == ["Copy"]


@pytest.mark.parametrize("status", ["QUEUED", "CONVERTED"])
def test_a_larger_file_is_worked_through_in_the_background(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None], monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setattr("app.imports.match_flow._AT_ONCE", 0)
    make_items()
    money = follow(client, send(client, POWERTOOLS))
    # Nothing is worked through of which every row would be open.
    assert (words(money.h1), db.session.scalar(db.select(Conversion.status))) == ("Prices", "DRAFT")
    address = fill(client, money, **{"rate-EUR": "0.8"}).location
    db.session.rollback()
    if status == "CONVERTED":
        run_jobs()
    one = db.session.scalar(db.select(Conversion))
    assert one.status == status
    shown = page(client, address)
    assert words(shown.h1) == ("What would be imported" if status == "CONVERTED" else "Working through your file")
    if status == "QUEUED":
        token = {"csrf_token": csrf_token(client)}
        assert client.post(f"{address}/cancel", data=token).status_code == 303
        db.session.rollback()
        assert conversions.get(seller.id, one.public_id).status == "DRAFT"


def test_what_was_decided_without_asking_is_decided_otherwise(client: FlaskClient, seller: Seller) -> None:
    make_items(3)
    data = (
        "Name,Set,Number,Condition,Price,Quantity\nName 1,Set,1,NM,£1.00,1\nName 2,,2,NM,£1.00,1\nName 3,Set,3,NM,,1\n"
    )
    shown = follow(client, send(client, data))
    steps = {words(one).split(" ")[0]: str(one["href"]) for one in shown.select("nav.match-steps a")}
    decided = page(client, steps["Words"])
    (condition,) = (one for one in decided.select(".match-decided li") if words(one.code) == "NM")
    assert words(condition.select_one("option")) == "Near mint (NM)"
    following = follow(client, fill(client, decided, **{str(condition.select_one("select")["name"]): "EX"}))
    # A card without a set is offered by its name and number.
    assert words(following.h1) == "Cards to decide"
    assert [words(one.select_one("code")) for one in following.select(".choice-line") if one.code] == ["urn:test:2"]
    fill(client, following, **{"other-1": "urn:test:2"})
    # One price stands for those that are missing.
    fill(client, page(client, steps["Columns"]), **{"constant-price": "£0.25"})
    draft = db.session.scalars(db.select(Conversion)).one()
    converted = current_storage().read(conversions.files_of(draft).converted, 0, (draft.scan or {})["size"])
    made = converted.decode().splitlines()[1:]
    assert [line.split(",")[7:10] for line in made] == [["EX", "100", "1"], ["EX", "100", "1"], ["EX", "25", "1"]]


def test_conditions_that_mean_something_else_in_other_tools_are_to_be_looked_at(client: FlaskClient) -> None:
    make_items(3)
    rows = "".join(f"Name {at},Set,{at},{word},£1.00,1\n" for at, word in ((1, "LP"), (2, "MP"), (3, "DMG")))
    preview = follow(client, send(client, f"Name,Set,Number,Condition,Price,Quantity\n{rows}"))
    told = "Its words are those of TCGplayer, where “LP” is Excellent."
    assert told in words(preview.main)
    steps = {words(one).split(" ")[0]: str(one["href"]) for one in preview.select("nav.match-steps a")}
    decided = page(client, steps["Words"])
    assert told in words(decided.select_one("#decided"))
    (lp,) = (one for one in decided.select(".match-decided li") if words(one.code) == "LP")
    seen = follow(client, fill(client, decided, **{str(lp.select_one("select")["name"]): "LP"}))
    assert words(seen.h1) == words(preview.h1)
    assert told not in words(seen.main)


def test_a_seller_says_what_their_own_words_mean_without_a_tools_scale(client: FlaskClient) -> None:
    make_items(3)
    cells = ((1, "2x played"), (2, "1x LP"), (3, "3xok"), (3, "1x OK"))
    rows = "".join(f"Name {at},Set,{at},{word},£{at}\n" for at, word in cells)
    asked = follow(client, send(client, f"Name,Set,Number,Condition,Price\n{rows}"))
    assert sorted(words(one) for one in asked.select(".match-word b")) == ["LP", "ok", "played"]
    at = {words(one): str(one["id"]).replace("word", "answer") for one in asked.select(".match-word b")}
    preview = follow(client, fill(client, asked, **{at["played"]: "GD", at["LP"]: "-", at["ok"]: "EX"}))
    assert words(preview.h1) == "What would be imported"
    assert [*tiles(preview).values()] == ["4", "2", "1", "1", "0"]
    shown = [words(one) for one in preview.select(".match-offered p:nth-of-type(2)")]
    assert shown == ["Good (GD), normal · £1.00 · 2 copies", "Excellent (EX), normal · £3.00 · 4 copies"]


def test_a_misspelt_word_is_offered_what_it_may_be_and_what_it_hid_is_asked_next(client: FlaskClient) -> None:
    make_items(4)
    cells = ("Excelent,English,", "NM,Germn,", "NM,,Reverze holo", "Lovely,Elvish,")
    rows = "".join(f"{at},1,Name {at},{cell},£1\n" for at, cell in enumerate(cells, 1))
    asked = follow(client, send(client, f"cardmarketId,quantity,name,condition,language,finishType,price\n{rows}"))
    found = {words(one.b): one for one in asked.select(".match-questions > li")}
    near = {word: words(one.select_one("optgroup option")) for word, one in found.items() if one.optgroup}
    assert near == {"Excelent": "Excellent (EX)", "Germn": "German", "Reverze holo": "Reverse holo"}
    assert words(found["Excelent"].p).endswith("Did you mean Excellent (EX)?")
    assert found.keys() - near.keys() == {"Lovely"}
    of = {word: str(one.select_one("select")["name"]) for word, one in found.items()}
    again = follow(client, fill(client, asked, accept="1", **{of["Lovely"]: "GD"}))
    assert [words(one) for one in again.select(".match-word b")] == ["Elvish"]
    # What is left open on purpose is not asked again.
    preview = follow(client, fill(client, again))
    assert [*tiles(preview).values()] == ["4", "3", "0", "0", "1"]


@pytest.mark.parametrize(("prices", "asks"), [(("£1", "£2"), False), (("1", "2"), True)])
def test_what_was_decided_about_a_known_format_is_to_be_remembered(
    client: FlaskClient, prices: tuple[str, str], asks: bool
) -> None:
    make_items()
    names = "Game Type,Binder ID,Variant Title,Card Name,Set Name,In stock,Sell Price\n"
    rows = "".join(f"Game,7,Near Mint,Name {at} - {at},Set,1,{price}\n" for at, price in enumerate(prices, 1))
    seen = follow(client, send(client, names + rows))
    assert (words(seen.h1) == "Prices") == asks
    preview = follow(client, fill(client, seen)) if asks else seen
    assert preview.select_one("[name=remember]").has_attr("checked") == asks


def test_codes_of_sets_are_answered_and_another_tools_format_is_known_beside_a_saved_mapping(
    client: FlaskClient, seller: Seller
) -> None:
    make_items()
    rows = "Name 1,,Zz,1,,2,,1.50,GBP,NM\nName 2,Set,,2,,1,,£1.60,GBP,NM\nName 2,Set,,2,,1,,1.60,EUR,NM\n"
    columns = "Name,Set name,Set code,Collector number,Foil,Quantity,ManaBox ID,Purchase price,Purchase price currency"
    asked = follow(client, send(client, f"{columns},Condition\n{rows}"))
    assert [words(one) for one in asked.select(".match-word b")] == ["Zz"]
    hint = "The catalog has no set “Zz”. This row is a card of Set. Its cards: Name 1 · 1"
    assert " ".join(words(one) for one in asked.select(".match-word p")) == hint
    wrong = read(fill(client, asked, **{"other-1": "Seet"}), 422)
    assert words(wrong.select_one("#match-error")) == "The catalog has no set “Seet”. Did you mean “Game > Set”?"
    typed = wrong.select_one("[name=other-1][aria-invalid=true]")
    assert typed["value"] == "Seet"
    assert "no set “Seet”" in words(wrong.select_one(f"#{typed['aria-describedby']}"))
    # Only what is near is offered, and what was accepted stays chosen.
    far = read(fill(client, asked, accept="1", **{"other-1": "Sea tree"}), 422)
    assert words(far.select_one("#match-error")) == "The catalog has no set “Sea tree”."
    assert words(far.select_one("[name=answer-1] option[selected]")) == "Game > Set"
    assert "Nothing has been saved yet: 1 answer is marked above." in words(far.main)
    money = follow(client, fill(client, wrong, accept="1", **{"other-1": ""}))
    assert [words(one) for one in money.select(".note")] == ["Say how many pounds one EUR is."]
    preview = follow(client, fill(client, money, **{"rate-EUR": "0.8"}))
    assert [*tiles(preview).values()] == ["3", "2", "1", "0", "0"]
    assert words(preview.select_one(".match-changes p")).endswith("You decided what “Zz” is.")
    fill(client, preview, form=start_form(preview), remember="1", name="Box")
    assert [one.name for one in mappings.list_saved(seller.id)] == ["Box"]

    columns = (
        "Count,Tradelist Count,Name,Edition,Condition,Language,Foil,Tags,Collector Number,Alter,Proxy,Purchase Price"
    )
    asked = follow(client, send(client, f"{columns}\n1,0,Name 1,yy,Heavily Played,English,,,1,False,False,£1.50\n"))
    assert [words(one) for one in asked.select(".match-word b")] == ["yy"]
    (told,) = (words(one) for one in asked.select("#decided li") if words(one.code) == "Heavily Played")
    assert "→ Grade 5 of 6 at Moxfield and Deckbox, best first. Played (PL)" in told
    preview = follow(client, fill(client, asked, **{"other-1": "Set"}))
    assert "Moxfield collection." in words(preview.select_one("main"))
    assert [*tiles(preview).values()] == ["1", "1", "0", "0", "0"]


def test_what_is_no_price_or_quantity_is_asked_once_and_remembered_for_no_other_file(
    client: FlaskClient, seller: Seller
) -> None:
    make_items(6)
    make_items(1, variants=("foil",))
    cells = ("TBC,2", "£1.00,2 pcs", "£2.00,sold", "£3.00,1", "TBC,1", "£5.00,1")
    rows = "".join(f"Name {at},Set,{at},NM,{cell}\n" for at, cell in enumerate(cells, 1))
    asked = follow(client, send(client, f"Name,Set,Number,Condition,Price,Quantity\n{rows}"))
    at = {words(one): str(one["id"]).removeprefix("word-") for one in asked.select(".match-word b")}
    assert at.keys() == {"TBC", "2 pcs", "sold"}
    refused = fill(client, asked, **{f"other-{at['TBC']}": "soon"})
    assert "“soon” is not a price." in refused.text
    typed = {f"other-{at['TBC']}": "£1.50", f"other-{at['2 pcs']}": "2", f"answer-{at['sold']}": "-"}
    preview = follow(client, fill(client, asked, **typed))
    assert [*tiles(preview).values()] == ["6", "5", "0", "1", "0"]
    # The rows with these words come first, then what the file does not say.
    shown = [words(one.p) for one in preview.select(".match-changes li")]
    assert [one.partition(" To be imported ")[::2] for one in shown[:2]] == [
        ("Line 2", "You decided what “TBC” is. The catalog does not have this card as normal, so it becomes foil."),
        ("Line 3", "You decided what “2 pcs” is."),
    ]
    assert words(preview.select_one("[data-finish=foil]")).startswith("1 row becomes foil although your file does not")
    fill(client, preview, form=start_form(preview), remember="1", name="Mine")
    (saved,) = mappings.list_saved(seller.id)
    assert not {"price", "quantity"} & saved.mapping.get("answers", {}).keys()


def test_a_misspelt_card_is_offered_what_its_set_has(client: FlaskClient) -> None:
    make_items()
    rows = "Nameee 1,Set,,NM,£1.00,1\nNameee 1,Set,2,NM,£1.00,1\n"
    cards = follow(client, send(client, f"Name,Set,Number,Condition,Price,Quantity\n{rows}"))
    offered = [[words(code) for code in one.select("code")] for one in cards.select(".match-questions > li")]
    # What has the number comes first where it is told.
    assert [one[0] for one in offered] == ["urn:test:1", "urn:test:2"]
    assert "urn:test:1" in offered[1]


def test_a_saved_mapping_of_other_columns_is_chosen_by_hand(client: FlaskClient, seller: Seller) -> None:
    make_items()
    mappings.save(seller.id, "Mine", foreign.MAPPING)
    columns = follow(client, send(client, "idProduct,Grade,Each,Left\n1,Near Mint,1.149,2\n"))
    assert words(columns.h1) == "What each column is"
    drawn = follow(client, fill(client, columns, form=0, stay="1"))
    assert words(drawn.h1) == "What each column is"
    draft = db.session.scalars(db.select(Conversion)).one()
    assert (draft.mapping or {})["money"] == {"currency": "GBP", "decimal": ","}
    assert (draft.mapping or {})["columns"] == ["idProduct", "Grade", "Each", "Left"]


def test_a_guess_is_told_where_it_can_be_corrected_and_prices_say_what_they_are_of(client: FlaskClient) -> None:
    make_items()
    head = "Handle,Title,Vendor,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Qty,Variant Price\n"
    money = follow(client, send(client, head + "a,Name 1 - 1/9 - Set,X,Condition,Near Mint,,1,2.00\n"))
    assert words(money.h1) == "Prices"
    assert words(money.select_one(".note")).startswith("Most prices in the file do not show their currency: ")


def test_how_long_a_conversion_still_takes_is_said(client: FlaskClient, seller: Seller) -> None:
    made = foreign.draft(seller, ["1;NM;1,50;2;"])
    for done, said in ((0, None), (250, "about 2 minutes left"), (750, "about 10 seconds left")):
        db.session.execute(
            text("update conversions set status = 'RUNNING', done = :done, updated_at = now() - interval '36 s'"),
            {"done": done},
        )
        db.session.execute(text("update conversions set heartbeat_at = now()"))
        db.session.commit()
        shown = page(client, f"/imports/match/{made.public_id}").select_one("#converting .time-left")
        assert (words(shown) if shown else None) == said
