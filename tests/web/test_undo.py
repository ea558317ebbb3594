"""The pages of an undo, from the preview to what it has kept; and the same over the API and the command line."""

from __future__ import annotations

import csv
from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from app.csvfile.contract import Condition
from app.imports import commands, conversions, ledger, undo
from app.imports.fixes import engine
from app.imports.fixes.answers import NewAnswer, Rule
from app.imports.worker import batch_job
from app.listings import Edit, change
from app.models import Import, Seller
from app.statuses import ImportKind
from tests import foreign
from tests.cli.test_cli import flask
from tests.conftest import make_token
from tests.factories import csv_bytes, listed, look, make_items, row, start
from tests.pages import page, press, words, words_but_times
from tests.web.test_duplicates import led_to, send

RunJobs = Callable[[], None]


@pytest.fixture
def mixed(seller: Seller, run_jobs: RunJobs) -> Import:
    """An import that has created two listings and updated two, of each one has changed since."""
    make_items(5)
    start(seller, [row(), row(urn="urn:test:2")])
    run_jobs()
    created = [row(urn="urn:test:3", price=555), row(urn="urn:test:4")]
    updated = [row(mode="UPDATE", price=150), row(mode="UPDATE", urn="urn:test:2", price=250)]
    imported = start(seller, [*created, *updated], file_name="mixed.csv")
    run_jobs()
    change(seller.id, [Edit("urn:test:4", Condition.NEAR_MINT, "", price=None, quantity=9, hidden=None)])
    start(seller, [row(mode="UPDATE", urn="urn:test:2", price=260)], file_name="later.csv")
    run_jobs()
    return imported


REASONS = {
    "urn:test:2": "Updated since, by line 2 of later.csv. View later.csv",
    "urn:test:4": "Changed by hand since.",
}


def why_kept(shown: BeautifulSoup) -> dict[str, str]:
    """The reasons why listings are kept, by URN."""
    return {str(one["data-urn"]): words(one.select_one(".change-why")) for one in shown.select("li[data-urn]")}


def test_from_the_preview_to_what_was_kept(
    client: FlaskClient, seller: Seller, mixed: Import, run_jobs: RunJobs
) -> None:
    before = page(client, f"/imports/{mixed.public_id}")
    link = before.select_one("[data-undo] a")
    assert link is not None
    assert "possible until" in words(before.select_one("[data-undo]"))
    stays = listed(seller)
    preview = page(client, link["href"])
    section = preview.select_one("[data-kept]")
    assert section is not None
    assert [section[f"data-{name}"] for name in ("removed", "put-back", "kept")] == ["1", "1", "2"]
    put_back = words(preview.select_one("section:has(#put-back-heading)"))
    assert "Name 1" in put_back
    assert "£1.50 → becomes £1.00" in put_back
    assert "£5.55" in words(preview.select_one("section:has(#removed-heading)"))
    assert why_kept(preview) == REASONS
    assert listed(seller) == stays

    undone = led_to(press(client, preview, "Undo import"))
    run_jobs()
    assert {one[0]: one[3] for one in listed(seller)} == {
        "urn:test:1": "100",
        "urn:test:2": "260",
        "urn:test:4": "100",
    }
    after = page(client, f"/imports/{undone.public_id}")
    live = after.select_one("[data-import-id]")
    assert live is not None
    assert [live[f"data-{name}"] for name in ("status", "total", "successful", "failed")] == [
        "COMPLETED",
        "4",
        "4",
        "0",
    ]
    assert "1 listing removed, 1 put back, 2 kept." in words(live)
    assert why_kept(after) == why_kept(page(client, f"/imports/{undone.public_id}/kept")) == REASONS
    report = [*csv.DictReader(client.get(f"/imports/{undone.public_id}/kept.csv").text.splitlines())]
    assert [(one["URN"], one["LINE"]) for one in report] == [("urn:test:2", "2"), ("urn:test:4", "")]

    told = page(client, f"/imports/{mixed.public_id}")
    assert "4 of 4 rows were imported, then undone except for 2 listings." in words(told.select_one(".outcome"))
    assert ", 2 kept:" in words(told.select_one("[data-undone]"))
    assert words(told.select_one("[data-undo] a")) == "Undo what was kept"
    # Nothing of that can be undone yet.
    again = page(client, f"/imports/{mixed.public_id}/undo")
    assert why_kept(again) == REASONS
    assert again.select("form[action$='/undo']") == []
    assert "Put back by the undo of mixed.csv" in words(page(client, "/listings"))
    # Of a listing that is gone, nothing is known for certain any more.
    succeeded = [*csv.reader(client.get(f"/imports/{mixed.public_id}/succeeded.csv").text.splitlines())]
    assert succeeded[1:] == [
        ["2", "", "created"],
        ["3", "urn:test:4/NEAR_MINT/", "created"],
        ["4", "urn:test:1/NEAR_MINT/", "updated or unchanged"],
        ["5", "urn:test:2/NEAR_MINT/", "updated or unchanged"],
    ]
    assert list(ledger.find_faults(mixed)) == list(ledger.find_faults(undone)) == []
    first_undone = led_to(
        press(client, page(client, str(again.select_one("[data-undo-first] a")["href"])), "Undo import")
    )
    run_jobs()
    assert look(first_undone).updated == 1
    preview = page(client, f"/imports/{mixed.public_id}/undo")
    assert words(preview.select_one("h1")) == "Undo what was kept?"
    assert why_kept(preview) == {"urn:test:4": REASONS["urn:test:4"]}
    rest = led_to(press(client, preview, "Undo what was kept"))
    run_jobs()
    assert (look(rest).updated, look(rest).unchanged) == (1, 1)
    assert "except for 1 listing." in words(page(client, f"/imports/{mixed.public_id}").select_one(".outcome"))


def test_terminated_and_begun_again(
    client: FlaskClient, seller: Seller, mixed: Import, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    undone = led_to(press(client, page(client, f"/imports/{mixed.public_id}/undo"), "Undo import"))
    # The worker that has the first batch is shut down.
    with monkeypatch.context() as patch:
        patch.setattr(batch_job, "MAX_CHUNK_ROWS", 1)
        patch.setattr(batch_job, "is_shutdown_requested", lambda: True)
        batch_job.run(seller.id, undone.id, 1, 1)
    question = page(client, f"/imports/{undone.public_id}/terminate")
    assert words(question.select_one("h1")) == "Terminate this undo?"
    asked = words(question.select_one("main"))
    assert "2 of 4 listings" in asked
    assert "stays undone" in asked
    assert press(client, question.select_one("main") or question, "Terminate undo").status_code == 303
    told = page(client, f"/imports/{undone.public_id}")
    assert "Undo the import again for the rest." in words(told.select_one(".outcome"))
    back = told.select_one(".next-steps a.btn-primary")
    assert back is not None
    assert (words(back), back["href"]) == ("View the import", f"/imports/{mixed.public_id}")
    assert [words(one) for one in told.select(".batch-table thead th")] == [
        *("Batch", "Listings", "Done", "Status", "Updated")
    ]
    run_jobs()
    assert (look(undone).status, look(undone).processed) == ("TERMINATED", 2)
    assert "in part" in words(page(client, f"/imports/{mixed.public_id}").select_one("[data-undone]"))
    preview = page(client, f"/imports/{mixed.public_id}/undo").select_one("[data-kept]")
    assert preview is not None
    assert sum(int(str(preview[f"data-{name}"])) for name in ("removed", "put-back", "kept")) == 2
    again = led_to(press(client, page(client, f"/imports/{mixed.public_id}/undo"), "Undo the rest"))
    run_jobs()
    assert (look(again).status, look(again).total) == ("COMPLETED", 2)
    assert {one[0]: one[3] for one in listed(seller)} == {"urn:test:1": "100", "urn:test:2": "260", "urn:test:4": "100"}


def test_what_keeps_a_listing_is_a_line_of_the_sellers_own_file(
    client: FlaskClient, seller: Seller, run_jobs: RunJobs
) -> None:
    make_items(variants=("normal",))
    first = start(seller, [row(variants="normal")])
    run_jobs()
    before = listed(seller)
    # The first row is left out, so that the second is the first of the converted file.
    converted = foreign.convert(seller, ["2;NM;0,99;0;", "1;NM;1,50;2;x"])
    imported = conversions.start(seller.id, converted.public_id, ImportKind.IMPORT)
    run_jobs()
    foreseen = why_kept(page(client, f"/imports/{first.public_id}/undo"))
    assert foreseen == {"urn:test:1": "Updated since, by line 3 of bestand.csv. View bestand.csv"}
    undone = undo.start(seller.id, first.public_id)
    run_jobs()
    assert why_kept(page(client, f"/imports/{undone.public_id}/kept")) == foreseen
    assert [
        one["LINE"] for one in csv.DictReader(client.get(f"/imports/{undone.public_id}/kept.csv").text.splitlines())
    ] == ["3"]
    undo.start(seller.id, imported.public_id)
    run_jobs()
    assert listed(seller) == before


def buttons_to_fix(soup: BeautifulSoup) -> list[tuple[str, str]]:
    """The buttons of the next steps that are about failed rows, the primary one first, and where they lead."""
    steps = soup.select(".next-steps > form")
    assert "btn-primary" in steps[0].select_one("button")["class"]
    return [(words(form.button), str(form["action"])) for form in steps]


def test_the_page_of_failed_rows_says_that_their_import_is_undone_and_offers_it_again(
    client: FlaskClient, seller: Seller, run_jobs: RunJobs
) -> None:
    make_items()
    one = start(seller, [row(), row(urn="urn:test:2", price="x"), row(urn="urn:test:3", condition="x")])
    run_jobs()
    engine.give(one, NewAnswer(Rule.SET, "price-not-whole", "PRICE", "x", {"PRICE": "9"}))
    fixes = commands.import_corrected(seller.id, one.public_id)
    run_jobs()
    # Of the rows that were corrected there is no file.
    asked = page(client, f"/imports/{fixes.public_id}/undo")
    assert "you can import its rows again from stock.csv" in words(asked.select_one("main"))
    assert words(asked.select_one("#removed-heading")) == "To be removed"
    # A terminated undo leaves open which rows are imported.
    terminated = undo.start(seller.id, fixes.public_id)
    commands.terminate(seller.id, terminated.public_id)
    said = words(page(client, f"/imports/{one.public_id}").select_one(".outcome"))
    assert said.startswith("1 of 3 rows is imported; 1 was imported later, then undone in part.")
    undone = undo.start(seller.id, fixes.public_id)
    run_jobs()
    to_do = [
        ("Import 1 corrected row", f"/imports/{one.public_id}/fix/import"),
        ("Fix 1 row", f"/imports/{one.public_id}/fix/start"),
    ]
    shown = page(client, f"/imports/{one.public_id}")
    assert "2 rows failed: 1 corrected but not imported, 1 left to fix." in words(shown.select_one(".outcome"))
    assert words_but_times(shown.select_one(".relations")) == "Corrected rows imported as fixes of stock.csv Undone"
    # Both can be done, and the bell names the undo as such.
    assert buttons_to_fix(shown) == to_do
    assert words(shown.select_one("#bell [data-bell-name]")) == "Undo of fixes of stock.csv"
    to_fix = page(client, f"/imports/{one.public_id}/fix")
    assert words(to_fix.select_one(".fix-state .btn-primary")) == "Import 1 corrected row"
    assert words(to_fix.select_one(".fix-state p")).endswith("then undone")
    # The undo says where the rows are again; without more to fix, their import is the next step.
    reopened = page(client, f"/imports/{undone.public_id}").select_one("[data-state] ~ .relations li:first-child + li")
    assert words_but_times(reopened) == "Its rows are open again in stock.csv, imported Failed"
    # So that is the next step on both pages, and nothing of the import is shown as live.
    for each in (undone, fixes):
        assert buttons_to_fix(page(client, f"/imports/{each.public_id}")) == to_do
    over = page(client, f"/imports/{fixes.public_id}")
    assert words(over.select_one(".outcome")) == "Nothing of it is live any more: the row was imported, then undone."
    assert over.select(".summary :is(.meter-successful, .tone-success)") == []
    assert "live until" in words(over.select_one(".tiles-full"))
    assert reopened is not None
    assert reopened.select_one(f"a[href='/imports/{one.public_id}']")
    engine.leave_out(one, [4], "")
    for path in ("/imports", f"/imports/{one.public_id}"):
        button = page(client, path).select_one(f"form[action='/imports/{one.public_id}/fix/import'] button")
        assert words(button).startswith("Import 1 corrected row")
    # Where no row is open, nothing is wrong that could be shown.
    all_right = words(page(client, f"/imports/{one.public_id}/fix").select_one("main"))
    assert "No row is left to fix." in all_right
    assert "Show what is wrong" not in all_right
    # Both clicks of a double click lead to the one import.
    shown = page(client, f"/imports/{one.public_id}")
    first, second = (press(client, shown, "Import 1 corrected row") for _ in range(2))
    assert (first.status_code, second.status_code, first.location) == (303, 303, second.location)
    # What is undone has no part in it.
    pages = [page(client, path) for path in (f"/imports/{fixes.public_id}", first.location)]
    assert [" by another import" in words(each.select_one("[data-fixed]")) for each in pages] == [True, False]
    # The history tells of both imports, of each undo, and leads to them.
    later = page(client, f"/imports/{one.public_id}").select(".timeline li:has(a)")
    assert [(words(event.select_one("span")), str(event.a["href"])) for event in later] == [
        ("Corrected rows imported as fixes of stock.csv", f"/imports/{fixes.public_id}"),
        ("Undo started: fixes of stock.csv", f"/imports/{terminated.public_id}"),
        ("Undo started: fixes of stock.csv", f"/imports/{undone.public_id}"),
        ("Corrected rows imported as fixes of stock.csv", first.location),
    ]


def test_the_preview_names_the_later_imports_to_undo_first(
    client: FlaskClient, seller: Seller, run_jobs: RunJobs
) -> None:
    make_items()
    first = start(seller, [row(), row(urn="urn:test:2", price="x"), row(mode="UPDATE", price="x")])
    run_jobs()
    engine.give(first, NewAnswer(Rule.SET, "price-not-whole", "PRICE", "x", {"PRICE": "9"}))
    fixes = commands.import_corrected(seller.id, first.public_id)
    run_jobs()
    start(seller, [row(urn="urn:test:3")])
    other = start(seller, [row(mode="UPDATE", urn="urn:test:2", price=7)], file_name="later.csv")
    run_jobs()

    def undo_first(one: Import) -> list[tuple[str, str]]:
        shown = page(client, f"/imports/{one.public_id}/undo").select("[data-undo-first] li")
        return [(words_but_times(each), str(each.a and each.a["href"])) for each in shown]

    of_fixes = f"/imports/{fixes.public_id}/undo"
    of_other = f"/imports/{other.public_id}/undo"
    assert undo_first(first) == [
        ("Undo fixes of stock.csv, : changed 1 of these listings, imported 2 rows of this file", of_fixes)
    ]
    assert undo_first(fixes) == [("Undo later.csv, : changed 1 of these listings", of_other)]
    for one in (other, fixes):
        undo.start(seller.id, one.public_id)
        run_jobs()
        assert undo_first(fixes if one is other else first) == []
    undo.start(seller.id, first.public_id)
    run_jobs()
    assert {one[0] for one in listed(seller)} == {"urn:test:3"}


def test_its_file_is_imported_again_without_a_question(client: FlaskClient, seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    data = csv_bytes([row()])
    first = start(seller, data)
    run_jobs()
    assert "/again" in send(client, data).location
    undo.start(seller.id, first.public_id)
    run_jobs()
    again = led_to(send(client, data))
    run_jobs()
    assert (look(again).created, look(again).status) == (1, "COMPLETED")


def test_the_pages_of_an_undone_import_and_of_its_undo_import_the_file_again(
    client: FlaskClient, seller: Seller, run_jobs: RunJobs
) -> None:
    make_items()
    first = start(seller, [row()])
    run_jobs()
    undone = undo.start(seller.id, first.public_id)
    run_jobs()
    pages = [page(client, f"/imports/{one.public_id}") for one in (first, undone)]
    assert [words(shown.select_one(".next-steps .btn-primary")) for shown in pages] == [
        *("Import the file again", "View the import")
    ]
    # Whichever is pressed, and however often, it is imported once.
    again, *others = [led_to(press(client, shown, "Import the file again")) for shown in (*pages, pages[0])]
    assert {one.id for one in others} == {again.id}
    run_jobs()
    assert look(again).created == 1
    assert [one[0] for one in listed(seller)] == ["urn:test:1"]


def test_by_a_program(app: Flask, seller: Seller, mixed: Import, run_jobs: RunJobs) -> None:
    client, bearer = app.test_client(), {"Authorization": f"Bearer {make_token(seller)}"}
    path = f"/api/v1/imports/{mixed.public_id}"
    one = client.get(path, headers=bearer).get_json()
    assert ("undo" in one["actions"], one["undone"]) == (True, None)
    assert one["undoUntil"] > one["finishedAt"]
    assert client.get(f"{path}/undo", headers=bearer).get_json() == {"removed": 1, "putBack": 1, "kept": 2}
    answer = client.post(f"{path}/undo", headers=bearer)
    assert answer.status_code == 201
    run_jobs()
    undone = client.get(answer.headers["Location"], headers=bearer).get_json()
    counters = {name: undone[name] for name in ("kind", "removed", "putBack", "kept", "created", "undoOf", "total")}
    assert counters == {
        "kind": "UNDO",
        "removed": 1,
        "putBack": 1,
        "kept": 2,
        "created": 0,
        "undoOf": str(mixed.public_id),
        "total": 4,
    }
    first = client.get(f"/api/v1/imports/{undone['id']}/kept?limit=1", headers=bearer).get_json()
    rest = client.get(first["next"], headers=bearer).get_json()
    assert [each["urn"] for each in (*first["kept"], *rest["kept"])] == ["urn:test:2", "urn:test:4"]
    assert rest["next"] is None
    one = client.get(path, headers=bearer).get_json()
    assert (one["undone"]["id"], one["undone"]["kept"], "undo" in one["actions"]) == (undone["id"], 2, True)
    # What was kept cannot be undone yet, so the request is answered with the same undo.
    assert client.post(f"{path}/undo", headers=bearer).get_json()["id"] == undone["id"]
    refused = client.post(f"/api/v1/imports/{undone['id']}/undo", headers=bearer)
    assert (refused.status_code, "cannot be undone" in refused.get_json()["detail"]) == (409, True)


def test_on_the_command_line(app: Flask, mixed: Import, run_jobs: RunJobs) -> None:
    public_id = str(mixed.public_id)
    previewed = flask(app, "imports", "undo", public_id, "--preview")
    assert previewed.output.startswith("An undo would remove 1 listings, put 1 back, and keep 2 that")
    begun = flask(app, "imports", "undo", public_id)
    assert begun.output.endswith(": 4 listings.\n")
    run_jobs()
    undo_id = begun.output.split(":")[0]
    assert flask(app, "imports", "verify", undo_id).output == "mixed.csv: all 4 listings are accounted for.\n"
    refused = flask(app, "imports", "undo", undo_id)
    assert (refused.exit_code, "An undo cannot be undone" in refused.output) == (2, True)
