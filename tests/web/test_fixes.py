"""Fix it here: the demo's file with mistakes goes to “all dealt with” on pages alone, without scripts."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import catalog
from app.extensions import db
from app.imports import commands, ledger
from app.imports.fixes import engine
from app.imports.fixes.answers import NewAnswer, Rule
from app.imports.reports import progress
from app.imports.reports.summary import describe
from app.models import Import, Listing, Seller
from app.queries import ImportKey
from app.queries.imports import corrections, row_errors
from app.statuses import RetriedRows
from tests.factories import csv_bytes, look, make_items, row, start, with_header
from tests.pages import csrf_token, page, press, read, words, words_but_times
from tests.processes import ROOT
from tests.samples import SAMPLES, load_catalog, needs_samples

Run = Callable[[], None]
DEMO = ROOT / "app" / "demo"


class Presses:
    """Presses the buttons of the pages of one import, as a browser without scripts does, and counts."""

    def __init__(self, client: FlaskClient, one: Import) -> None:
        self._client, self.path, self.count = client, f"/imports/{one.public_id}/fix", 0

    def look(self, path: str = "") -> BeautifulSoup:
        return page(self._client, self.path + path)

    def state(self, soup: BeautifulSoup | None = None) -> dict[str, int]:
        """What has become of the rows, as the page says, which is ``soup`` if it was looked at before."""
        state = (soup or self.look()).select_one(".fix-state")
        assert state is not None
        return {name: int(str(state[f"data-{name}"])) for name in ("correct", "open", "left-out", "taken")}

    def press(self, text: str, soup: BeautifulSoup | None = None, /, *, within: str = "", **typed: str) -> str:
        """Press the button that begins with ``text``, with what is ``typed`` beside the labels; where it leads to."""
        soup = soup or self.look()
        (part,) = soup.select(within) if within else [soup]
        button = next(one for one in part.select("button") if words(one).startswith(text))
        form = form_of(soup, button)
        fields = fields_of(form)
        for field, value in typed.items():
            names = [name for name in fields if name == field or name.endswith(f"-{field}") and name[:2] != "wa"]
            # What has not been chosen is not sent.
            (name,) = names or [field]
            fields[name] = value
        if button.get("name"):
            fields[str(button["name"])] = str(button["value"])
        self.count += 1
        answer = self._client.post(str(button.get("formaction", form["action"])), data=fields)
        assert answer.status_code == 303, answer.text
        return answer.location


def form_of(soup: BeautifulSoup, button: Tag) -> Tag:
    """The form that a button sends, wherever it stands."""
    form = soup.select_one(f"form#{button['form']}") if button.get("form") else button.find_parent("form")
    assert form is not None
    return form


def fields_of(form: Tag) -> dict[str, str]:
    """What a form sends if nothing is changed."""
    sent = form.select("input[name]:not([type=checkbox], [type=radio]:not([checked]))")
    inputs = {str(one["name"]): str(one.get("value", "")) for one in sent}
    inputs |= {str(one["name"]): one.get_text().removeprefix("\n") for one in form.select("textarea")}
    chosen = {str(one["name"]): one.select("option[selected]") for one in form.select("select")}
    return inputs | {name: str(one["value"]) for name, (one,) in chosen.items()}


def group(cause: str, column: str = "") -> str:
    return f"li.group[data-cause={cause}][data-column='{column}']"


def field_names(soup: BeautifulSoup, cause: str, column: str, text: str) -> str:
    """The name of the field of a value."""
    (value,) = [one for one in soup.select(f"{group(cause, column)} .fix-value") if text in words(one)]
    return str(value.select(f".fix-fields [name^=to-][name$='-{column}']")[0]["name"])


def type_into(presses: Presses, typed: dict[tuple[str, str, str], str], **cells: str) -> None:
    """Type values for these groups, columns and wrong values, and in cells of rows, and press the one button."""
    soup = presses.look()
    values = {field_names(soup, *where): text for where, text in typed.items()}
    presses.press("Apply what I typed", **values, **cells)


def test_the_demo_file_is_all_dealt_with_in_few_presses(client: FlaskClient, seller: Seller, run_jobs: Run) -> None:
    catalog.load(DEMO / "catalog.csv")
    one = start(seller, (DEMO / "with-mistakes.csv").read_bytes(), file_name="with-mistakes.csv")
    run_jobs()
    key, failed = (one.seller_id, one.id), 24
    path = f"/imports/{one.public_id}"
    assert words(page(client, "/imports").select_one("li.import .buttons")).startswith("Fix 24 rows")
    assert "Fix 24 rows" in words(page(client, f"{path}/errors").select_one("main"))
    press(client, page(client, path), "Fix 24 rows")
    presses = Presses(client, one)
    # However long the pages take, this session does not sit idle in a transaction meanwhile.
    db.session.rollback()
    assert presses.state() == {"correct": 0, "open": failed, "left-out": 0, "taken": 0}
    presses.press("Accept what is certain")
    # The empty ends of line 21 are certain, too.
    assert presses.state()["correct"] == 5
    # Rows that have no value to answer for are on the page themselves, as cells or as text.
    by_cell = {"PRICE": "250", "QUANTITY": "5", "VARIANTS": "reverse", "HIDDEN": "", "REFERENCE": "A-07"}
    broken = 'CREATE,urn:demo:rope-and-thunder:harbour-rats/card/hr-21,,,,,,NM,110,1,signed,,"“Nell” in pencil",,A-20'
    type_into(
        presses,
        {
            ("condition-unknown", "CONDITION", "Near Mnt"): "NM",
            ("condition-unknown", "CONDITION", "Used"): "GD",
            ("hidden-unknown", "HIDDEN", "maybe"): "false",
            ("variant-malformed", "VARIANTS", "german!"): "de",
            ("variant-not-found", "VARIANTS", "holo"): "foil",
            ("quantity-zero", "QUANTITY", "Line 9"): "1",
            ("item-not-found", "URN", "card/099"): "urn:demo:pricklewend:moths-of-midwinter/card/009",
            ("text-too-long", "COMMENT", "Line 24"): "Tiny nick",
            ("name-incomplete", "NAME", "Line 33"): "Nobody",
            ("number-shortened", "CARDMARKET_ID", "9.22E+05"): "922318",
            ("quantity-not-whole", "QUANTITY", "one"): "1",
            ("mode-unknown", "MODE", "DELETE"): "CREATE",
        },
        **{f"cell-8-{column}": text for column, text in by_cell.items()},
        **{"cell-22": broken},
    )
    # Behind the first problem of some rows is another one, which the page knows at once.
    assert presses.state() == {"correct": 14, "open": 10, "left-out": 0, "taken": 0}
    soup, chosen = presses.look(), {}
    for column in ("NAME", "CARDMARKET_ID", "TCGPLAYER_ID"):
        # Each item is told by what distinguishes it, and then by its URN.
        (first, *others) = soup.select(f"{group('item-ambiguous', column)} .fix-offers label")
        assert others
        assert "urn:demo:" in words(first.select_one("code:last-child"))
        chosen[str(first.input["name"])] = str(first.input["value"])
    presses.press("Apply what I typed and chose", soup, **chosen)
    led_to = presses.press("Leave them out", within=group("listing-repeated"), reason="Twice in the file")
    # The page goes on at the group below, whose fields are the next ones for the keyboard.
    anchor = led_to.partition("#")[2]
    assert presses.look().select_one(f"li.group#{anchor}") is not None
    presses.press("Change MODE to CREATE", within=group("listing-not-found"))
    # Which listings these are, and that rows of this very file have made them.
    meant = [words(row) for row in presses.look().select(f"{group('listing-exists')} .fix-meant li")]
    card = "Line 17: Dirty Squall, Harbour Rats, number HR-23, Weather, NM, normal, 30 for £0.20. You have 30 for £0.20"
    adding = "Adding makes 60; price and texts stay as they are."
    assert meant[0] == f"{card}, from line 18 of this file. {adding} Came up after your answer"
    presses.press("Change MODE to UPDATE", within=group("listing-exists"))
    assert presses.state() == {"correct": 20, "open": 2, "left-out": 2, "taken": 0}
    soup = presses.look()
    names = [str(one["name"]) for one in soup.select(f"{group('item-not-found', 'NAME')} label input[name$=-NAME]")]
    typed = ["First-Rate Magnificent Error", "Beehive Rebellion: Drones Also Dream"]
    presses.press("Apply what I typed", **dict(zip(names, typed, strict=True)))
    assert presses.state() == {"correct": 22, "open": 0, "left-out": 2, "taken": 0}
    assert "“Copperpot Parlour Games, " in words(presses.look().select_one(".fix-answers"))
    led_to = presses.press("Import 22 corrected rows")
    # With the button that leads here.
    assert presses.count + 1 == 9
    run_jobs()
    soup = page(client, led_to)
    assert soup.select("[data-import-id][data-status=COMPLETED][data-successful='22']")
    told = [words_but_times(line) for line in soup.select(".relations li")]
    dealt_with = "All 24 failed rows{} are dealt with: 22 imported later, 2 left out"
    whose = " of with-mistakes.csv"
    assert told == [f"Corrected rows{whose}, imported Dealt with", dealt_with.format(whose)]
    assert soup.select_one(".relations li time") is not None
    soup = page(client, f"/imports/{one.public_id}")
    assert words(soup.select_one(".outcome")) == (
        f"42 of 44 rows are imported: 20 at once, 22 after you fixed them. {dealt_with.format('')}."
    )
    # Nothing of it is red any more.
    assert [words(pill) for pill in soup.select("[data-state] .pill")] == ["Dealt with"]
    assert soup.select(".summary :is(.tile-danger, .meter-failed)") == []
    assert soup.select_one("#errors.is-dealt-with") is not None
    # Each row says what has become of it, in place of what to do about it.
    rows = page(client, f"/imports/{one.public_id}/errors")
    by_line = {str(each["id"]): words(each.select_one("[data-fate]")) for each in rows.select(".failed-row")}
    assert by_line["line-4"] == "Fixed, and imported in fixes of with-mistakes.csv"
    assert sorted(by_line.values()) == 22 * [by_line["line-4"]] + 2 * ["Left out"]
    for each in (rows, soup):
        assert "enter 199" not in words(each)
        assert each.select(":is(.group-fix, .suggestion, .as-updates)") == []
    # My Listings names the line that the seller knows.
    origins = [
        words(one) for one in page(client, "/listings?text=Mademoiselle").select(".listing-origin li:first-child")
    ]
    assert origins == ["Created by fixes of with-mistakes.csv, line 45 of with-mistakes.csv"]
    # Nor does it warn any more of what was wrong with them.
    assert "Start with the most common problem" not in words(page(client, path).select_one("main"))
    assert "under 5p" not in words(page(client, path).select_one("main"))
    assert page(client, "/imports?status=attention").select("li.import") == []
    # What was left out can still be taken back, and the page of the import leads there.
    assert page(client, path).select_one(f".summary a[href='{presses.path}']")
    assert presses.state() == {"correct": 0, "open": 0, "left-out": 2, "taken": 22}
    assert [*ledger.find_faults(db.session.get_one(Import, key))] == []


def test_what_fails_again_goes_on_from_the_new_import_and_names_its_first_line(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    one = start(seller, [row(), row(urn="urn:test:2"), row(urn="urn:test:2", price="x")], file_name="stock.csv")
    run_jobs()
    presses = Presses(client, one)
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    soup = presses.look()
    presses.press("Apply what I typed", **{field_names(soup, "price-not-whole", "PRICE", "x"): "5"})
    # The listing is there already, which the page knows at once; imported all the same, it fails again.
    presses.press("Leave", within=group("listing-exists"))
    assert presses.state() == {"correct": 0, "open": 0, "left-out": 1, "taken": 0}
    presses.press("Take back")
    assert presses.state() == {"correct": 0, "open": 1, "left-out": 0, "taken": 0}
    db.session.rollback()
    again = commands.retry(one.seller_id, one.public_id, RetriedRows.FAILED)
    run_jobs()
    chain = Presses(client, again)
    assert "Line 2 line 4 of stock.csv" in words(chain.look("/rows"))


def test_an_import_of_fixes_leads_to_the_rows_that_are_still_to_fix(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items(4)
    rows = [row(urn=f"urn:test:{at}", price="x" if at > 1 else 1) for at in range(1, 5)]
    one = start(seller, rows, file_name="stock.csv")
    run_jobs()
    engine.give_cells(one, {3: {"PRICE": "5"}})
    fixes = commands.import_corrected(one.seller_id, one.public_id)
    run_jobs()
    soup = page(client, f"/imports/{fixes.public_id}")
    assert [words(each) for each in soup.select(".next-steps .btn-primary")] == ["Fix 2 rows"]
    assert "View listings" in [words(each) for each in soup.select(".next-steps li a")]
    Presses(client, one).press("Fix 2 rows", soup)
    # Once nothing is left there, its listings come first; and the import that is dealt with has them, too.
    engine.leave_out(one, [4, 5], "sold")
    assert [words(each) for each in page(client, f"/imports/{fixes.public_id}").select(".btn-primary")] == [
        "View listings"
    ]
    soup = page(client, f"/imports/{one.public_id}")
    assert [words(each) for each in soup.select(".next-steps .btn-primary")] == ["View the fixes"]
    assert "View listings" in [words(each) for each in soup.select(".next-steps li a")]


def take_up_again(way: str, one: Import) -> Import:
    """Import the failed rows of an import on lines 2 and 3 in one way, as they are."""
    db.session.rollback()
    if way == "retry":
        return commands.retry(one.seller_id, one.public_id, RetriedRows.FAILED)
    if way == "upload":
        rows = [row(price="x", reference=each) for each in "ab"]
        return commands.upload(one.seller_id, "p2.csv", [csv_bytes([*rows, row(urn="urn:test:3")])])
    # They are right until the listings are there, which another import has made by then.
    engine.give_cells(one, {line: {"PRICE": "5", "URN": f"urn:test:{line - 1}"} for line in (2, 3)})
    start_listings = [row(urn=f"urn:test:{at}") for at in (1, 2)]
    commands.upload(one.seller_id, "meanwhile.csv", [csv_bytes(start_listings)])
    return commands.import_corrected(one.seller_id, one.public_id)


@pytest.mark.parametrize("way", ["retry", "upload", "fix"])
def test_rows_that_fail_again_are_neither_imported_nor_dealt_with(
    client: FlaskClient, seller: Seller, run_jobs: Run, way: str
) -> None:
    make_items()
    one = start(seller, [row(price="x", reference=each) for each in "abcd"], file_name="p1.csv")
    run_jobs()
    engine.leave_out(one, [4, 5], "sold")

    def told(of: Import) -> tuple[str, list[str]]:
        soup = page(client, f"/imports/{of.public_id}")
        return words(soup.select_one(".outcome")), [words(pill) for pill in soup.select("[data-state] .pill")]

    again = take_up_again(way, one)
    run_jobs()
    assert told(one) == (
        f"None of the 4 rows were imported. 4 rows failed: 2 failed again in {look(again).name}, 2 left out.",
        ["Failed"],
    )
    soup = page(client, f"/imports/{one.public_id}")
    (note,) = soup.select("li[data-failed-again]")
    assert words(note) == f"2 rows failed again in {look(again).name}"
    assert f"/imports/{again.public_id}" in str(note)
    assert f"· 2 failed again in {look(again).name}" in words(page(client, f"/imports/{one.public_id}/fix"))
    for path in ("", "/errors"):
        fates = [words(each) for each in page(client, f"/imports/{one.public_id}{path}").select("[data-fate]")]
        assert [each.partition(", but ")[2] for each in fates[:2]] == [f"failed again in {look(again).name}"] * 2
        assert fates[2:] == ["Left out"] * 2
    # Left out there, or imported from there, they are dealt with here, too.
    failed = [error.line for error in row_errors.find(ImportKey.of(again), [2, 3]).values()]
    engine.leave_out(again, failed[:1], "gone")
    assert f"4 rows failed: 1 failed again in {look(again).name}, 2 left out, 1 left out later." in told(one)[0]
    engine.give_cells(again, {failed[1]: {"PRICE": "7", "URN": "urn:test:2", "CONDITION": "PL"}})
    last = commands.import_corrected(seller.id, again.public_id)
    run_jobs()
    assert look(last).successful == 1
    outcome, pills = told(one)
    assert outcome.endswith("All 4 failed rows are dealt with: 1 imported later, 2 left out, 1 left out later.")
    assert pills == ["Dealt with"]
    fates = [words(each) for each in page(client, f"/imports/{one.public_id}/errors").select("[data-fate]")]
    assert [each.partition(" in ")[2] for each in fates[:2]] == [look(again).name, look(last).name]


def test_what_cannot_be_a_row_is_shown_again_with_all_that_was_typed(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    one = start(seller, csv_bytes([row(price="x")]) + b'CREATE,"urn:test:2"3\n', file_name="stock.csv")
    run_jobs()
    presses = Presses(client, one)
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    soup = presses.look()
    price = field_names(soup, "price-not-whole", "PRICE", "x")
    form = soup.select_one("form.fix-form")
    assert form is not None
    typed = {**fields_of(form), price: "100", "cell-3": 'CREATE,"urn', "reason": "cut off"}
    again = read(client.post(str(form["action"]), data=typed), 422)
    assert again.select_one("main [role=alert]") is not None
    form = again.select_one("form.fix-form")
    assert form is not None
    assert fields_of(form) | {name: typed[name] for name in ("csrf_token", "form_key")} == typed
    assert presses.state()["open"] == 2
    # Nor is anything lost of single rows that have to wait until the values are counted.
    key = ImportKey.of(one)
    corrections.save(key, corrections.lock(key)._replace(answering=0))
    db.session.commit()
    typed = {"csrf_token": typed["csrf_token"], "cell-2-PRICE": "100", "leave-out": "3", "reason": "cut off"}
    again = read(client.post(f"{presses.path}/rows", data=typed), 422)
    assert words(again.select_one("main [role=alert]")).startswith("Another answer is still being applied")
    form = again.select_one("form.fix-form")
    assert form is not None
    assert {name: fields_of(form)[name] for name in ("cell-2-PRICE", "reason")}.items() <= typed.items()
    assert [str(one["value"]) for one in form.select("[name=leave-out][checked]")] == ["3"]


def test_import_and_every_other_button_apply_what_was_typed_and_chosen_first(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    wrong = ({"price": "x"}, {"price": "y"}, {"mode": "DELETE"}, {"condition": "Used"}, {"quantity": "one"})
    one = start(
        seller, [row(**{"urn": f"urn:test:{at % 3 + 1}", **cells}) for at, cells in enumerate(wrong)], file_name="s.csv"
    )
    run_jobs()
    presses = Presses(client, one)
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    soup = presses.look()
    presses.press("Apply what I typed", soup, **{field_names(soup, "price-not-whole", "PRICE", "x"): "5"})
    soup = presses.look()
    # Enter sends what is typed, and nothing else: it presses the first button of the form.
    assert words(soup.select_one("button[form=fixing]")) == "Apply what I typed and chose"
    typed = {
        field_names(soup, "price-not-whole", "PRICE", "y"): "6",
        field_names(soup, "mode-unknown", "MODE", "DELETE"): "UPDATE",
        field_names(soup, "condition-unknown", "CONDITION", "Used"): "Old",
    }
    # Pressed twice, it imports once.
    made = presses.press("Import 1 corrected row", soup, **typed)
    assert presses.press("Import 1 corrected row", soup, **typed) == made
    assert words(page(client, made).select_one(".notes")).startswith(
        "Not imported: 1 row is still wrong, 1 row has another problem. Fix what is left in s.csv."
    )
    assert presses.state() == {"correct": 0, "open": 3, "left-out": 0, "taken": 2}
    assert len(corrections.list_answers(ImportKey.of(one), limit=10)) == 4
    # Single rows are edited after that, and an answer is taken back after that.
    soup = presses.look()
    typed = {field_names(soup, "condition-unknown", "CONDITION", "Old"): "GD"}
    led_to = presses.press("Edit this row", soup, within=group("quantity-not-whole", "QUANTITY"), **typed)
    assert led_to.endswith("/fix/rows?cause=quantity-not-whole&column=QUANTITY")
    assert presses.state() == {"correct": 1, "open": 2, "left-out": 0, "taken": 2}
    soup = presses.look()
    typed = {field_names(soup, "quantity-not-whole", "QUANTITY", "one"): "1"}
    presses.press("Take back", soup, within=".fix-answers > li:first-child", **typed)
    assert presses.state() == {"correct": 1, "open": 2, "left-out": 0, "taken": 2}


def test_import_says_that_what_was_typed_cannot_be_applied_yet_and_keeps_it(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    one = start(seller, [row(price="x"), row(urn="urn:test:2", price="y")], file_name="stock.csv")
    run_jobs()
    presses = Presses(client, one)
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    soup = presses.look()
    presses.press("Apply what I typed", soup, **{field_names(soup, "price-not-whole", "PRICE", "x"): "5"})
    soup = presses.look()
    typed = field_names(soup, "price-not-whole", "PRICE", "y")
    form = soup.select_one("form#fixing")
    assert form is not None
    key = ImportKey.of(one)
    corrections.save(key, corrections.lock(key)._replace(answering=0))
    db.session.commit()
    sent = {**fields_of(form), typed: "6", "press": "import"}
    again = read(client.post(str(form["action"]), data=sent), 422)
    assert words(again.select_one("main [role=alert]")).startswith("Another answer is still being applied")
    corrections.save(key, corrections.lock(key)._replace(answering=None))
    db.session.commit()
    presses.press("Import 1 corrected row", again)
    assert corrections.get(key).taken == 2


def test_a_button_changes_only_the_rows_that_it_showed(client: FlaskClient, seller: Seller, run_jobs: Run) -> None:
    make_items()
    rows = [
        row(mode="DELETE"),
        row(mode="UPDATE", urn="urn:test:2"),
        row(urn="urn:test:3", price="x"),
        row(urn="urn:test:3", condition="EX", cardmarket_id="9.22E+05"),
    ]
    one = start(seller, rows, file_name="stock.csv")
    run_jobs()
    presses = Presses(client, one)
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    soup = presses.look()
    typed = {field_names(soup, "mode-unknown", "MODE", "DELETE"): "UPDATE"}
    typed[field_names(soup, "price-not-whole", "PRICE", "x")] = "£1.99"
    presses.press("Change MODE to CREATE", soup, within=group("listing-not-found"), **typed)
    # The row whose MODE was typed has the problem of that group only since then.
    soup = presses.look()
    assert presses.state(soup) == {"correct": 1, "open": 3, "left-out": 0, "taken": 0}
    # What the answers came to stands beside the buttons.
    assert words(soup.select_one(".fix-foot .notes")) == "1 more row can be imported, 2 rows have another problem."
    assert soup.select_one(group("listing-not-found")) is not None
    assert soup.select_one(group("price-in-pounds", "PRICE")) is not None
    # A cell that is emptied is changed, too.
    presses.press("Apply what I typed", soup, CARDMARKET_ID="")
    assert presses.state() == {"correct": 2, "open": 2, "left-out": 0, "taken": 0}


def test_what_only_few_values_are_valid_for_is_chosen_from_these(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    wrong = ({"mode": "DELETE"}, {"condition": "Used"}, {"hidden": "maybe"})
    one = start(seller, [row(urn=f"urn:test:{at}", **cells) for at, cells in enumerate(wrong, 1)], file_name="s.csv")
    run_jobs()
    presses = Presses(client, one)
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    soup = presses.look()

    def offered(column: str) -> list[str]:
        return [words(option) for option in soup.select(f".fix-fields select[name$='-{column}'] option")]

    assert offered("MODE") == ["DELETE", "CREATE", "UPDATE"]
    assert offered("CONDITION")[:3] == ["Used", "MT MINT", "NM NEAR_MINT"]
    assert offered("HIDDEN") == ["maybe", "(empty)", "true", "false"]
    # What is left as it is, is no answer.
    presses.press("Apply what I typed", soup, **{field_names(soup, "condition-unknown", "CONDITION", "Used"): "GD"})
    assert presses.state() == {"correct": 1, "open": 2, "left-out": 0, "taken": 0}


def test_rows_for_different_items_are_named_one_by_one_and_rows_for_one_item_together(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    rows = [row(urn="", reference=f"A-{n}", price=str(100 + n)) for n in range(10)]
    rows += [row(urn="", game="Test", set="One", reference="B-1", condition=grade) for grade in ("NM", "EX")]
    one = start(seller, rows, file_name="stock.csv")
    run_jobs()
    presses = Presses(client, one)
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    soup = presses.look()
    (missing,) = soup.select("li.group[data-cause=item-not-named]")
    assert missing.select("[name^=to-]") == []
    lines = [words(each) for each in missing.select(".fix-value .value")]
    assert lines[0].startswith("10 rows, each for its own item The first 8 are below")
    assert lines[1] == "Line 2 NM, A-0"
    assert len(lines) == 9
    # These have all in common that tells an item.
    (incomplete,) = soup.select("li.group[data-cause=name-incomplete]")
    assert len(incomplete.select("[name^=to-][name$=-URN]")) == 1
    typed = {"cell-2-URN": "urn:test:1", "cell-3-URN": "urn:test:2", "cell-4-URN": "urn:test:99"}
    presses.press("Apply what I typed", soup, **typed)
    soup = presses.look()
    assert presses.state(soup) == {"correct": 2, "open": 10, "left-out": 0, "taken": 0}
    assert words(soup.select_one(".fix-foot .notes")) == (
        "2 more rows can be imported, 1 row is still wrong. Line 4: Item not found."
    )


def test_a_row_is_edited_beside_what_tells_its_card_and_named_if_it_is_still_wrong(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    one = start(seller, [row(urn="", game="Test", set="One", reference="B-1")], file_name="stock.csv")
    run_jobs()
    presses = Presses(client, one)
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    path = "/rows?cause=name-incomplete&column=NAME"
    soup = presses.look(path)
    assert "Test, One, NM, B-1" in words(soup.select_one("#line-2"))
    presses.press("Save these rows", soup, **{"cell-2-NAME": "Nobody"})
    message = presses.look().select_one(".notes")
    assert "1 row is still wrong. Line 2: Item not found." in words(message)
    assert message is not None
    (link,) = message.select("a")
    assert presses.look(str(link["href"]).partition("/fix")[2].partition("#")[0]).select("#line-2 [name=cell-2-NAME]")


def test_all_suggestions_are_accepted_and_the_rest_is_left_out_by_a_press_each(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    wrong = ({"condition": "Near Mnt"}, {"price": "£1.99"}, {"price": "x"}, {"condition": "Used"})
    one = start(seller, [row(urn=f"urn:test:{at}", **cells) for at, cells in enumerate(wrong, 1)], file_name="s.csv")
    run_jobs()
    presses = Presses(client, one)
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    soup = presses.look()
    assert [words(button) for button in soup.select(".fix-bar button[name=press]")] == [
        "Accept what is certain (1 cell)",
        "Accept all suggestions (2 cells: 1 certain, 1 likely)",
    ]
    # Each of these cells is marked.
    marked = {words(mark): words(mark.parent) for mark in soup.select(".fix-offers > button + .quiet")}
    assert {word: text.split()[-2] for word, text in marked.items()} == {"likely": "NEAR_MINT", "certain": "199"}
    presses.press("Accept all suggestions", soup)
    soup = presses.look()
    assert presses.state(soup) == {"correct": 2, "open": 2, "left-out": 0, "taken": 0}
    assert "what each value means (£1.99 → 199) · line 3" in words(soup.select_one(".fix-answers"))
    # What is typed beside it counts.
    typed = {field_names(soup, "price-not-whole", "PRICE", "x"): "150"}
    presses.press("Leave out all that is still to fix (2 rows)", soup, reason="Not graded", **typed)
    soup = presses.look()
    assert presses.state(soup) == {"correct": 3, "open": 0, "left-out": 1, "taken": 0}
    assert "Left out: all that was still to fix (Not graded) · line 5" in words(soup.select_one(".fix-answers"))
    # What is imported stays so, and its answer stays in sight, without a button.
    button = soup.select_one(".fix-answers > li:last-child button")
    assert button is not None
    taken_back = {**fields_of(form_of(soup, button)), str(button["name"]): str(button["value"])}
    presses.press("Import 3 corrected rows", soup)
    again = presses.look()
    assert len(again.select(".fix-answers > li")) == len(soup.select(".fix-answers > li"))
    assert words(again.select_one(".fix-answers > li:last-child")).endswith("in a later import")
    # A page that was there before still has the button.
    client.post(str(button["formaction"]), data=taken_back)
    assert "Nothing was taken back" in words(presses.look().select_one("main"))


def test_every_answer_can_be_taken_back_however_many_were_given_since(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    one = start(seller, [row(price="x", reference=str(n)) for n in range(12)], file_name="stock.csv")
    run_jobs()
    engine.survey(ImportKey.of(one))
    for line in range(2, 14):
        engine.leave_out(one, [line], f"reason {line}")
    presses = Presses(client, one)
    (older,) = [link for link in presses.look().select("a") if words(link) == "Older answers"]
    soup = page(client, str(older["href"]).partition("#")[0])
    assert [words(answer).split(" · line")[0] for answer in soup.select(".fix-answers li > span")] == [
        "Left out: reason 3",
        "Left out: reason 2",
    ]
    assert "Older answers" not in words(soup.select_one("main"))
    assert soup.select(".fix-answers button")


def test_an_answer_whose_rows_later_ones_changed_says_so_and_goes_with_them(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    one = start(seller, [row(condition="Near Mnt", price="x"), row(condition="Near Mnt")], file_name="stock.csv")
    run_jobs()
    engine.survey(ImportKey.of(one))
    presses = Presses(client, one)
    engine.give(one, NewAnswer(Rule.SET, "price-not-whole", "PRICE", "x", {"PRICE": "y"}))
    # That is no other problem.
    soup = presses.look()
    assert words(soup.select_one(".fix-state p")) == "2 rows to fix · 2 failed in all"
    assert [words(mark) for mark in soup.select(".fix-next")] == ["Still wrong after your answer"]
    for cause, column, value, text in (
        ("price-not-whole", "PRICE", "y", "5"),
        ("condition-unknown", "CONDITION", "Near Mnt", "NM"),
    ):
        engine.give(one, NewAnswer(Rule.SET, cause, column, value, {column: text}))

    def told(soup: BeautifulSoup) -> list[list[str]]:
        return [words(each).split(" · ", 2)[:2] for each in soup.select(".fix-answers > li")]

    soup = presses.look()
    assert told(soup) == [
        ["Unknown condition “Near Mnt” → CONDITION NM", "lines 2 and 3"],
        ["Price is not a whole number “y” → PRICE 5", "line 2: also changed by a later answer"],
        ["Price is not a whole number “x” → PRICE y", "line 2: also changed by a later answer"],
    ]
    (taken_back,) = [button.parent for button in soup.select(".fix-answers button")]
    assert "Take back puts lines 2 and 3 back as uploaded, and drops their other answers." in words(taken_back)
    presses.press("Take back", soup)
    # The row of both answers is as it was uploaded.
    assert presses.state() == {"correct": 0, "open": 2, "left-out": 0, "taken": 0}
    assert told(presses.look()) == []


def test_an_answer_tells_values_as_they_stood_in_the_file(client: FlaskClient, seller: Seller, run_jobs: Run) -> None:
    make_items()
    body = b'CREATE,urn:test:1,,,,,,NM,1,1,,,"broken"quote,"say ""so""", a \n'
    one = start(seller, with_header(body), file_name="stock.csv")
    run_jobs()
    engine.survey(ImportKey.of(one))
    engine.give_cells(one, {2: {"COMMENT": "whole", "NOTES": "so", "REFERENCE": "b"}})
    told = words(Presses(client, one).look().select_one(".fix-answers li"))
    assert 'COMMENT "broken"quote → whole, NOTES say "so" → so, REFERENCE a → b' in told


def test_rows_that_were_left_out_are_listed_by_problem_and_taken_back_one_by_one_or_together(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    one = start(
        seller, [row(price="x", reference=f"A-{n}") for n in range(3)] + [row(mode="DELETE")], file_name="s.csv"
    )
    run_jobs()
    engine.survey(ImportKey.of(one))
    engine.give(one, NewAnswer(Rule.LEAVE_REST, cells={"since": "1"}))
    presses = Presses(client, one)

    def told(soup: BeautifulSoup) -> list[str]:
        return [words(each) for each in soup.select("#left-out ~ details :is(summary, li > span)")]

    soup = presses.look()
    assert told(soup) == [
        "Price is not a whole number PRICE: 3 rows",
        "Line 2: urn:test:1, NM, x, 1, A-0",
        "Line 3: urn:test:1, NM, x, 1, A-1",
        "Line 4: urn:test:1, NM, x, 1, A-2",
        "Unknown MODE: 1 row",
        "Line 5: urn:test:1, NM, 100, 1",
    ]
    presses.press("Take back line 3", soup)
    soup = presses.look()
    assert presses.state(soup) == {"correct": 0, "open": 1, "left-out": 3, "taken": 0}
    assert "lines 2, 4 and 5" in words(soup.select_one("#answers-heading ~ .fix-answers"))
    presses.press("Take back these 2 rows", soup)
    assert presses.state() == {"correct": 0, "open": 3, "left-out": 1, "taken": 0}
    assert [group.rows for group in corrections.list_groups(ImportKey.of(one))] == [3]


def test_rows_that_were_left_out_are_all_counted_though_a_page_has_only_some(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    one = start(seller, [row(price="x")] * 49 + [row(mode="DELETE")] * 3 + [row(condition="Old")], file_name="s.csv")
    run_jobs()
    engine.survey(ImportKey.of(one))
    engine.give(one, NewAnswer(Rule.LEAVE_REST, cells={"since": "1"}))
    soup = Presses(client, one).look()
    kinds = "#left-out ~ :is(details, p.more)"

    def told(soup: BeautifulSoup) -> list[str]:
        return [words(each.summary or each) for each in soup.select(kinds)]

    assert told(soup) == [
        "Price is not a whole number PRICE: 49 rows",
        "Unknown MODE: 3 rows, of which 1 here",
        "Unknown condition CONDITION: 1 row",
        "Next rows",
    ]
    (following,) = [link for link in soup.select("a") if words(link) == "Next rows"]
    assert told(page(client, str(following["href"]).partition("#")[0])) == [
        "Price is not a whole number PRICE: 49 rows",
        "Unknown MODE: 3 rows, of which 2 here",
        "Unknown condition CONDITION: 1 row",
        "First rows",
    ]


def test_copies_are_added_to_a_listing_that_stays_as_it_is_otherwise(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    start(seller, [row(quantity="1", comment="Boxed", reference="A-1")], file_name="first.csv")
    run_jobs()
    rows = [row(quantity="2", price="7"), row(quantity="3"), row(quantity="4", price="x")]
    one = start(seller, rows, file_name="stock.csv")
    run_jobs()
    presses = Presses(client, one)
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    soup = presses.look()
    assert [words(each).partition(". ")[2] for each in soup.select(f"{group('listing-exists')} .fix-meant li")] == [
        "You have 1 for £1.00. Adding this and line 3 makes 6; price and texts stay as they are."
        " Line 3 is the same listing: as an UPDATE, that line wins.",
        "You have 1 for £1.00. Adding this and line 2 makes 6; price and texts stay as they are.",
        "An UPDATE replaces price, quantity and texts with those of its row.",
    ]
    # The row says so, too, where it is edited.
    assert "You have 1 for £1.00. Adding this and line 3 makes 6" in words(presses.look("/rows").select_one("#line-2"))
    presses.press("Add to what you have", soup)
    # What comes later is added to the others that wait.
    soup = presses.look()
    presses.press("Apply what I typed", soup, **{field_names(soup, "price-not-whole", "PRICE", "x"): "5"})
    soup = presses.look()
    assert words(soup.select_one(".fix-state p")) == (
        "1 row to fix, with another problem behind the first (line 4) · 2 corrected · 3 failed in all"
    )
    presses.press("Add to what you have", soup)
    assert presses.state() == {"correct": 3, "open": 0, "left-out": 0, "taken": 0}
    presses.press("Import 3 corrected rows")
    run_jobs()
    (listing,) = db.session.scalars(select(Listing).where(Listing.seller_id == one.seller_id))
    assert (listing.quantity, listing.price, listing.comment, listing.reference) == (10, 100, "Boxed", "A-1")


def test_what_adding_comes_to_counts_the_rows_that_are_not_shown(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items(10)
    start(seller, [row(urn=f"urn:test:{at}", quantity="10") for at in range(1, 9)], file_name="first.csv")
    run_jobs()
    rows = [row(urn=f"urn:test:{at}", quantity="10") for at in (*range(1, 9), 1)]
    one = start(seller, [*rows, row(quantity="7", price="x")], file_name="stock.csv")
    run_jobs()
    presses = Presses(client, one)
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    soup = presses.look()
    meant = [words(each) for each in soup.select(f"{group('listing-exists')} .fix-meant li")]
    assert len(meant) == 7
    assert meant[0].endswith(
        "You have 10 for £1.00. Adding this and line 10 makes 30; price and texts stay as they are."
        " Line 10 is the same listing: as an UPDATE, that line wins."
    )
    presses.press("Add to what you have", soup)
    # So do those that were added before, and wait to be imported.
    soup = presses.look()
    presses.press("Apply what I typed", soup, **{field_names(soup, "price-not-whole", "PRICE", "x"): "5"})
    soup = presses.look()
    assert "Adding makes 37" in words(soup.select_one(f"{group('listing-exists')} .fix-meant li"))
    presses.press("Add to what you have", soup)
    presses.press("Import 10 corrected rows")
    run_jobs()
    quantities = db.session.scalars(select(Listing.quantity).where(Listing.seller_id == one.seller_id))
    assert sorted(quantities) == [20] * 7 + [37]


def test_pages_name_characters_of_failed_rows_that_html_cannot_have(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    one = start(seller, [row(comment="a\x01b\x7f", price="x\ufdd0\x85")], file_name="stock.csv")
    run_jobs()
    path = f"/imports/{one.public_id}"
    press(client, page(client, path), "Fix 1 row")
    # ``page`` parses strictly.
    for part in ("", "/errors", "/fix", "/fix/rows"):
        page(client, path + part)
    assert "a␁b␡" in words(page(client, f"{path}/errors").select_one("code.original"))


@needs_samples
def test_the_shared_samples_are_all_dealt_with_on_pages_alone(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    load_catalog()
    seller_id = seller.id
    names = ("awkward", "awkward-updates", "mixed-5000", "update-3000")
    corrected = {name: deal_with(client, seller_id, run_jobs, name) for name in names}
    # What the files that create listings have wrong is certain in part.
    assert corrected["awkward"]
    assert corrected["mixed-5000"]


def deal_with(client: FlaskClient, seller_id: int, run_jobs: Run, name: str) -> int:
    """Import a sample, and correct, import or leave out what fails of it; the number of corrected rows."""
    one = start(db.session.get_one(Seller, seller_id), (SAMPLES / f"{name}.csv").read_bytes(), file_name=f"{name}.csv")
    run_jobs()
    key, public_id = (one.seller_id, one.id), one.public_id
    presses = Presses(client, one)
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    soup = presses.look()
    failed = presses.state(soup)["open"]
    if "Accept what is certain" in words(soup.select_one("main")):
        presses.press("Accept what is certain", soup)
    # What is right then is imported, and the rest is left out.
    soup = presses.look()
    if groups := soup.select("li.group"):
        presses.press("Leave out all" if len(groups) > 1 else "Leave", soup)
        soup = presses.look()
    state = presses.state(soup)
    assert (state["open"], state["correct"] + state["left-out"]) == (0, failed)
    if state["correct"]:
        made = presses.press("Import", soup)
        run_jobs()
        child = progress.get(key[0], UUID(made.rpartition("/")[2]))
        assert (child.status, child.failed) == ("COMPLETED", 0)
    parent = progress.get(key[0], public_id)
    is_dealt_with = "dealt with: " in describe(parent, related=progress.get_related(parent))
    assert is_dealt_with
    assert parent.closed == failed
    assert [*ledger.find_faults(db.session.get_one(Import, key))] == []
    return state["correct"]


def test_one_press_leaves_out_what_nothing_was_typed_for_and_is_taken_back_as_one(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    wrong = ({"price": "x"}, {"price": "£1.99"}, {"condition": "Used"}, {"mode": "DELETE"}, {"quantity": "one"})
    rows = [row(urn=f"urn:test:{at}", **cells) for at, cells in enumerate(wrong, 1)]
    one = start(seller, csv_bytes(rows) + b"CREATE,urn:test:2\n", file_name="s.csv")
    run_jobs()
    presses = Presses(client, one)
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    soup = presses.look()
    # One becomes right; two are wrong in another way, of which one has a problem now that others have, too.
    typed = {
        field_names(soup, "price-not-whole", "PRICE", "x"): "200",
        field_names(soup, "mode-unknown", "MODE", "DELETE"): "UPDATE",
        "cell-7": "CREATE,urn:test:3,,,,,,NM,£3,1,,,,,",
    }
    led_to = presses.press("Leave out all that is still to fix (6 rows)", soup, **typed)
    assert led_to.endswith("#fixes")
    soup = presses.look()
    assert presses.state(soup) == {"correct": 1, "open": 2, "left-out": 3, "taken": 0}
    assert "2 rows to fix, all of them with another problem behind the first" in words(soup.select_one(".fix-state"))
    (left_out,) = [one for one in soup.select(".fix-answers > li") if "Left out" in words(one)]
    assert words(left_out).startswith("Left out: all that was still to fix · lines 3, 4 and 6")
    timeline = words(page(client, f"/imports/{one.public_id}").select_one(".timeline"))
    assert "all others left out" in timeline
    assert "Wrong number of columns" not in timeline
    # What is pressed in a row is one line.
    assert timeline.count("Failed rows dealt with by you") == 1
    presses.press("Take back", soup, within=".fix-answers > li:first-child")
    timeline = words(page(client, f"/imports/{one.public_id}").select_one(".timeline"))
    assert "Corrections taken back by you all others left out: 3 rows" in timeline
    assert presses.state() == {"correct": 1, "open": 5, "left-out": 0, "taken": 0}


def test_rows_of_the_wrong_length_are_put_right_by_a_press_and_the_next_problem_is_told_before(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items()
    start(seller, [row()], file_name="first.csv")
    run_jobs()
    body = (
        b"CREATE,urn:test:2,,,,,,NM,250,5\n"
        b"CREATE,urn:test:3,,,,,,EX,2,50,5,reverse,,,,A-07\n"
        b'CREATE,urn:test:1,,,,,,NM,250,5,,,"Signed "Nell" in pencil",,\n'
        b"CREATE,urn:test:3,,,,,,NM,250\n"
    )
    one = start(seller, with_header(body), file_name="stock.csv")
    run_jobs()
    presses = Presses(client, one)
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    soup = presses.look()
    # One of two short rows lacks more than empty ends, so nothing is certain.
    assert [words(button) for button in soup.select(".fix-bar button[name=press]")] == [
        "Accept all suggestions (4 cells)"
    ]
    joined, doubled = (words(soup.select_one(group(*of))) for of in (("extra-value",), ("quoting", "COMMENT")))
    assert "Put the value that a comma has cut back together: PRICE 250" in joined
    marked = soup.select(".fix-rules > button + .quiet, .fix-offers > button + .quiet")
    # Two of the cells have one button.
    assert [words(mark) for mark in marked] == ["likely"] * 3
    assert "“A-07” in column P" in joined
    assert "COMMENT Signed “" not in doubled
    assert 'inside the value: COMMENT Signed "Nell" in pencil Next problem: You already have this listing' in doubled
    assert [words(mark) for mark in soup.select(f"{group('quoting', 'COMMENT')} mark")] == ['"Signed "Nell" in pencil"']
    presses.press("Accept all suggestions", soup)
    soup = presses.look()
    assert presses.state(soup) == {"correct": 2, "open": 2, "left-out": 0, "taken": 0}
    assert "put right (PRICE 250) · line 3" in words(soup.select_one(".fix-answers"))
    meant = words(soup.select_one(f"{group('listing-exists')} .fix-meant li"))
    assert "You have 1 for £1.00" in meant
    # The short row is shown by its columns; those that it does not have can be filled in.
    cells = soup.select(f"{group('column-count')} [name^=cell-5-]")
    assert len(cells) == 15
    presses.press("Apply what I typed", soup, **{"cell-5-QUANTITY": "2"})
    assert presses.state() == {"correct": 3, "open": 1, "left-out": 0, "taken": 0}


def fields_on(soup: BeautifulSoup) -> dict[str, str]:
    """What the form of a page for failed rows sends if nothing is changed."""
    form = soup.select_one("form.fix-form")
    assert form is not None
    return fields_of(form)


def begin(client: FlaskClient, seller: Seller, run_jobs: Run, rows: list[dict[str, str]]) -> Presses:
    """The page for the failed rows of an import of ``rows``, their values counted."""
    make_items()
    presses = Presses(client, start(seller, rows, file_name="stock.csv"))
    run_jobs()
    client.post(f"{presses.path}/start", data={"csrf_token": csrf_token(client)})
    return presses


def test_a_value_that_looks_the_same_counts_and_a_field_left_alone_does_not(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    rows = [row(comment="bel\x07l"), row(urn="urn:test:2", price="x\x07", comment="line\r\nbreak", notes="n" * 300)]
    presses = begin(client, seller, run_jobs, rows)
    for part in ("", "/rows"):
        untouched = fields_on(presses.look(part))
        client.post(presses.path + part, data=untouched)
        # A browser has its own line breaks.
        client.post(presses.path + part, data={name: text.replace("\n", "\r\n") for name, text in untouched.items()})
        assert presses.state() == {"correct": 0, "open": 2, "left-out": 0, "taken": 0}
        assert not corrections.list_answers(ImportKey.of(start_of(presses)), limit=1)
    soup = presses.look("/rows")
    # It is shown where it stands, and is still there if it is left.
    assert fields_on(soup)["cell-2-COMMENT"] == "bel␇l"
    presses.press("Save these rows", soup, **{"cell-2-COMMENT": "bel␇ls"})
    soup = presses.look()
    assert soup.select_one(group("control-character", "COMMENT")) is not None
    presses.press("Leave out all", soup, COMMENT="bells")
    assert presses.state() == {"correct": 1, "open": 0, "left-out": 1, "taken": 0}


def start_of(presses: Presses) -> Import:
    """The import whose rows are corrected."""
    one = db.session.scalar(select(Import).where(Import.public_id == UUID(presses.path.split("/")[2])))
    assert one is not None
    return one


def test_no_page_makes_a_form_that_is_too_large(client: FlaskClient, seller: Seller, run_jobs: Run) -> None:
    long = {"comment": "雪" * 400, "notes": "雪" * 10_000, "reference": "雪" * 10_000}
    presses = begin(
        client,
        seller,
        run_jobs,
        [
            row(price=n, urn=f"urn:test:{1 + n % 2}", condition=grade, **long)
            for n, grade in enumerate("MT MT NM NM EX EX GD GD LP LP".split(), 1)
        ],
    )
    soup = presses.look("/rows")
    typed = {f"cell-{line}-{column}": "short" for line in range(2, 10) for column in ("COMMENT", "NOTES", "REFERENCE")}
    presses.press("Save these rows", soup, **typed)
    assert presses.state() == {"correct": 8, "open": 2, "left-out": 0, "taken": 0}
    # What is larger than any page is told in words for a form.
    answer = client.post(
        f"{presses.path}/rows", data={"csrf_token": csrf_token(client), "cell-10-NOTES": "x" * (5 << 20)}
    )
    assert "nothing was changed" in words(read(answer, 413).select_one("main"))
    assert "file" not in words(read(answer, 413).select_one("main"))


def test_signing_in_leads_back_to_the_page_whose_button_was_pressed_signed_out(
    app: Flask, client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    presses, stranger = begin(client, seller, run_jobs, [row(price="x")]), app.test_client()
    typed = fields_on(presses.look()) | {"long": "x" * 100_000}
    for part, back in {"": "", "/rows": "/rows", "/import": "", "/take-back": ""}.items():
        answer = stranger.post(presses.path + part, data=typed)
        assert answer.location == f"/login?next={presses.path}{back}"
        assert "signed out" in words(page(stranger, answer.location).select_one(".notes"))


def test_invisible_characters_and_long_texts_of_a_whole_group_are_put_right_by_a_press(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    long = "x" * 254 + " " + "y" * 99
    rows = [
        row(comment="bel\x07l", price="1\x0799"),
        row(urn="urn:test:2", comment=f"bell\x0bring {'n' * 230}\x1f"),
        row(urn="urn:test:1", condition="EX", quantity="£\x07"),
        row(urn="urn:test:2", condition="EX", comment=long, notes=long),
        row(urn="urn:test:2", condition="GD", comment=long, notes=long),
    ]
    presses = begin(client, seller, run_jobs, rows)
    # Without it, the quantity is as wrong.
    assert presses.look().select_one(f"{group('control-character', 'QUANTITY')} .fix-offer") is None
    presses.press("Remove them", within=group("control-character", "COMMENT"))
    assert presses.state()["correct"] == 1
    presses.press("Accept what is certain (1 cell)")
    assert presses.state()["correct"] == 2
    presses.press("Cut to 255 characters", within=group("text-too-long", "COMMENT"))
    presses.press("Leave NOTES empty", within=group("text-too-long", "NOTES"))
    assert presses.state() == {"correct": 4, "open": 1, "left-out": 0, "taken": 0}
    presses.press("Import 4 corrected rows")
    run_jobs()
    listings = db.session.scalars(select(Listing).where(Listing.seller_id == seller.id)).all()
    told = {(each.price, each.comment, each.notes) for each in listings}
    assert told == {(199, "bell", None), (100, f"bell ring {'n' * 230}", None), (100, "x" * 254, None)}


def test_what_is_typed_too_late_is_named_with_its_line_and_not_applied(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    rows = [row(price="2.50", quantity="x"), row(urn="urn:test:2", price="y")]
    presses = begin(client, seller, run_jobs, rows)
    soup, cells = presses.look(), presses.look("/rows")
    page(client, presses.press("250", soup))
    led_to = presses.press(
        "Apply what I typed",
        soup,
        **{
            field_names(soup, "price-in-pounds", "PRICE", "2.50"): "999",
            field_names(soup, "quantity-not-whole", "QUANTITY", "x"): "7",
        },
    )
    told = "Line 2 was already corrected to 250; 999 was not applied."
    assert words(page(client, led_to).select_one(".notes")) == f"1 more row can be imported. {told}"
    # The same where nothing else was typed, and on the page of cells; what it shows still is saved.
    led_to = presses.press("Apply what I typed", soup, **{field_names(soup, "price-in-pounds", "PRICE", "2.50"): "999"})
    assert words(page(client, led_to).select_one(".notes")) == told
    led_to = presses.press("Save these rows", cells, **{"cell-2-PRICE": "999", "cell-3-PRICE": "300"})
    assert words(page(client, led_to).select_one(".notes")) == f"1 more row can be imported. {told}"
    # What is there already as it was typed is not worth a word.
    led_to = presses.press("Save these rows", cells, **{"cell-3-PRICE": "300"})
    assert "not applied" not in words(page(client, led_to).select_one(".notes"))
    presses.press("Import 2 corrected rows")
    run_jobs()
    presses.press("Save these rows", cells, **{"cell-3-PRICE": "301"})
    notes = words(read(client.get(presses.path, follow_redirects=True)).select_one(".notes"))
    assert "Line 3 has been imported since; 301 was not applied." in notes
    listings = db.session.scalars(select(Listing).where(Listing.seller_id == seller.id)).all()
    assert {(each.price, each.quantity) for each in listings} == {(250, 7), (300, 1)}
