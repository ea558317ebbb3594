"""Imports in each state, their buttons, failed rows and files, as the pages have them."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from app.extensions import db
from app.models import Seller
from app.queries.imports import row_errors
from tests.api.conftest import problem
from tests.factories import csv_bytes, make_items, row, start
from tests.pages import page, words
from tests.states import STATES, State, each_state, make

BUTTONS = {
    "Pause": "pause",
    "Resume": "resume",
    "Terminate": "terminate",
    "Retry failed rows": "retry-failed",
    "Import remaining rows": "retry-remaining",
}
FILES = ("failed", "errors", "as-updates", "remaining", "succeeded", "source")


@each_state
def test_it_says_what_the_page_says(program, client: FlaskClient, seller: Seller, state: State) -> None:
    made = make(state, seller)
    one = program.get(f"imports/{made.public_id}").get_json()
    assert (one["status"], one["pausing"]) == (state.status, state.name == "pausing")
    assert (one["total"], one["successful"], one["failed"]) == state.counters
    assert one["total"] == one["successful"] + one["failed"] + one["notProcessed"]
    is_undoable = one["finishedAt"] is not None and one["successful"] > 0
    buttons = {BUTTONS[button] for button in (*state.buttons, *state.retries)}
    assert buttons | ({"undo"} if is_undoable else set()) == set(one["actions"])
    assert (one["kind"], one["check"]) == ("IMPORT", False)
    # A pill combines the status with the number of failed rows of a batch; the API has a separate field for it.
    assert [batch["status"].capitalize() for batch in one["batches"]] == [pill.split(",")[0] for pill in state.batches]
    shown = page(client, f"/imports/{made.public_id}")
    assert one["outcome"].split(",")[0] in words(shown.select_one("main"))
    (listed,) = program.get("imports").get_json()["imports"]
    assert listed == {name: value for name, value in one.items() if name in listed} | {"outcome": listed["outcome"]}


@each_state
def test_the_status_alone_is_that_of_the_import(program, seller: Seller, state: State) -> None:
    one = program.get(f"imports/{make(state, seller).public_id}").get_json()
    alone = program.get(one["links"]["status"]).get_json()
    assert alone == {name: one[name] for name in alone if name != "moving"} | {"moving": state.status == "RUNNING"}
    assert alone["total"] == alone["successful"] + alone["failed"] + alone["notProcessed"]


def test_the_status_alone_is_one_look_at_the_database(program, seller: Seller) -> None:
    one = program.get(f"imports/{start(seller, [row()]).public_id}").get_json()
    statements: list[str] = []

    def note(_connection, _cursor, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        program.get(one["links"]["status"])
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert len([statement for statement in statements if "imports" in statement]) == 1


@each_state
def test_the_buttons_work_where_they_are_shown_and_nowhere_else(program, seller: Seller, state: State) -> None:
    one = program.get(f"imports/{make(state, seller).public_id}").get_json()
    for button, path in {
        "pause": "pause",
        "resume": "resume",
        "terminate": "terminate",
        "retry-failed": "retry?rows=FAILED",
        "retry-remaining": "retry?rows=REMAINING",
        "import": "import",
    }.items():
        if button not in program.get(one["links"]["self"]).get_json()["actions"]:
            problem(program.post(f"{one['links']['self']}/{path}"), 409, "not-possible-now")
    for button in one["actions"]:
        if button in {"pause", "resume", "terminate"}:
            answer = program.post(f"{one['links']['self']}/{button}")
            assert answer.status_code == 200
            now = answer.get_json()
            told = {"pause": now["pausing"] or now["status"] == "PAUSED", "resume": now["status"] == "RUNNING"}
            assert told.get(button, now["status"] == "TERMINATED")
            break


@pytest.mark.parametrize(("name", "rows"), [("failed", "FAILED"), ("terminated", "REMAINING")])
def test_rows_are_retried_once(program, seller: Seller, name: str, rows: str) -> None:
    (state,) = (state for state in STATES if state.name == name)
    path = f"imports/{make(state, seller).public_id}"
    first, again = (program.post(f"{path}/retry?rows={rows}") for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert first.location == again.location
    assert first.get_json()["retryOf"]["rows"] == rows
    assert program.get(path).get_json()["retries"][0]["id"] == first.get_json()["id"]
    told = problem(program.post(f"{path}/retry?rows=SOME"), 422, "invalid-request")
    assert told["errors"][0]["parameter"] == "rows"


def test_a_check_that_is_over_becomes_an_import(program, run_jobs) -> None:
    make_items(1)
    check = program.send(csv_bytes([row()]), "imports?check=true").get_json()
    run_jobs()
    assert program.get(check["links"]["self"]).get_json()["actions"] == ["import"]
    assert program.get(check["links"]["self"] + "/changes").get_json() == {"changes": []}
    made = program.post(check["links"]["self"] + "/import").get_json()
    assert (made["check"], made["retryOf"]["id"]) == (False, check["id"])
    run_jobs()
    done = program.send(csv_bytes([row(mode="UPDATE", price=200)]), "imports?check=true").get_json()
    run_jobs()
    (change,) = program.get(done["links"]["self"] + "/changes").get_json()["changes"]
    assert change["values"] == [{"column": "PRICE", "before": "100", "after": "200"}]


def test_the_list_goes_on_where_it_ended(program, seller: Seller) -> None:
    made = [str(start(seller, [row(price=n)]).public_id) for n in range(1, 6)]
    found, path = [], "imports?limit=2"
    pages = 0
    while path:
        answer = program.get(path).get_json()
        found += [one["id"] for one in answer["imports"]]
        path = answer["next"]
        pages += 1
    assert (found, pages) == (made[::-1], 3)
    problem(program.get("imports?before=00000000-0000-4000-8000-000000000000"), 404, "not-found")
    problem(program.get("imports?limit=101"), 422, "invalid-request")


def test_failed_rows_are_found_and_paged_through(program, seller: Seller, run_jobs) -> None:
    make_items(1)
    bad = [row(price="1.99"), row(urn="urn:none"), row(quantity="x", condition="?"), row(urn="nowhere")]
    one = start(seller, bad)
    path = f"imports/{one.public_id}"
    run_jobs()
    full = program.get(path).get_json()
    assert [error["line"] for error in full["errors"]] == [2, 3, 4, 5]
    assert full["errors"][0]["problems"][0]["cause"] == "price-in-pounds"
    assert full["errors"][2]["columns"] == ["CONDITION", "QUANTITY"]
    assert full["errors"][1]["row"] == csv_bytes(bad).decode().splitlines()[2]
    assert {(group["cause"], group["rows"]) for group in full["errorGroups"]} >= {("item-not-found", 2)}
    first = program.get(f"{path}/errors?code=404&limit=1").get_json()
    rest = program.get(first["next"]).get_json()
    assert [error["line"] for error in first["errors"] + rest["errors"]] == [3, 5]
    assert rest["next"] is None
    found = {
        "cause=price-in-pounds": [2],
        "column=CONDITION": [4],
        "lines=3-4": [3, 4],
        "text=NOWHERE": [5],
        "batch=2": [],
        "batch=32766": [],
        "after=4": [5],
    }
    for query, lines in found.items():
        assert [error["line"] for error in program.get(f"{path}/errors?{query}").get_json()["errors"]] == lines, query
    for query in ("code=400", "cause=x", "column=X", "lines=a", "batch=0", "batch=32767", "limit=0", "lines=2&x=1"):
        problem(program.get(f"{path}/errors?{query}"), 422, "invalid-request")


@each_state
def test_the_files_are_those_of_the_pages(program, client: FlaskClient, seller: Seller, state: State) -> None:
    made = make(state, seller)
    links = program.get(f"imports/{made.public_id}").get_json()["links"]
    for name in FILES:
        first, *rest = name.split("-")
        key = first + "".join(word.capitalize() for word in rest) + "Csv"
        assert links[key] == f"/api/v1/imports/{made.public_id}/{name}.csv"
        answer, its_page = program.get(links[key]), client.get(f"/imports/{made.public_id}/{name}.csv")
        assert (answer.status_code, answer.data) == (200, its_page.data)
        assert answer.headers["Content-Disposition"] == its_page.headers["Content-Disposition"]
    assert program.get("template.csv").data == client.get("/imports/template.csv").data


def test_a_file_that_is_gone_is_a_problem(app, program, seller: Seller) -> None:
    made = start(seller, [row()])
    app.extensions["sluice_storage"].delete(made.storage_key)
    told = problem(program.get(f"imports/{made.public_id}/source.csv"), 404, "not-found")
    assert "has been deleted" in told["detail"]


def test_listings_are_searched_exported_hidden_and_shown(
    program, client: FlaskClient, seller: Seller, run_jobs
) -> None:
    make_items(3)
    made = start(seller, [row(urn=f"urn:test:{n}", variants="reverse") for n in (1, 2, 3)])
    run_jobs()
    first = program.get("listings?limit=2").get_json()
    rest = program.get(first["next"]).get_json()
    assert [one["urn"] for one in first["listings"] + rest["listings"]] == [f"urn:test:{n}" for n in (1, 2, 3)]
    assert first["listings"][0]["id"] == "urn:test:1/NEAR_MINT/reverse"
    assert first["listings"][0]["madeBy"] == {"importId": str(made.public_id), "line": 2}
    assert program.get("listings?text=name+2").get_json()["listings"][0]["urn"] == "urn:test:2"
    place = "urn=urn:test:2&condition=NEAR_MINT&variants=reverse"
    assert program.post(f"listings/hide?{place}").get_json()["hidden"] is True
    assert [one["urn"] for one in program.get("listings?hidden=yes").get_json()["listings"]] == ["urn:test:2"]
    assert program.get("listings/export.csv?hidden=yes").data == client.get("/listings/export.csv?hidden=yes").data
    assert program.post(f"listings/show?{place}").get_json()["hidden"] is False
    problem(program.post("listings/hide?urn=urn:test:2&condition=MINT"), 404, "not-found")
    problem(program.post("listings/hide?urn=urn:test:2"), 422, "invalid-request")
    problem(program.get("listings?condition=fine"), 422, "invalid-request")
    problem(program.get("listings?text=%00"), 422, "invalid-request")


def test_a_page_of_errors_ends_after_so_many_bytes_and_leads_on(program, run_jobs, monkeypatch) -> None:
    monkeypatch.setattr(row_errors, "PAGE_BYTES", 100_000)
    # Ten rows of some 60 kB, all wrong.
    data = csv_bytes([row(price="x", comment=str(number) + "c" * 60_000) for number in range(10)])
    made = program.send(data).get_json()
    run_jobs()
    pages, address = [], f"{made['links']['errors']}?limit=1000"
    while address:
        page = program.get(address).get_json()
        pages.append([error["line"] for error in page["errors"]])
        address = page["next"]
    assert pages == [[2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]
    assert len(program.get(made["links"]["self"]).get_json()["errors"]) == 2
    assert program.get(made["links"]["failedCsv"]).data.count(b"CREATE") == 10


def test_an_import_is_named_noted_marked_and_deleted(program, seller: Seller) -> None:
    path = f"imports/{make(STATES[5], seller).public_id}"
    one = program.get(path).get_json()
    assert (one["name"], one["note"], one["dealtWith"]) == ("stock.csv", "", False)
    changed = program.patch(f"{path}?name=Spring&dealtWith=true").get_json()
    assert (changed["name"], changed["fileName"], changed["dealtWith"]) == ("Spring", "stock.csv", True)
    # What is not given stays.
    changed = program.patch(f"{path}?note=Box+3").get_json()
    assert (changed["name"], changed["note"], changed["dealtWith"]) == ("Spring", "Box 3", True)
    problem(program.patch(f"{path}?name={'n' * 121}"), 422, "invalid-request")
    answer = program.delete(path)
    assert (answer.status_code, answer.data) == (204, b"")
    problem(program.get(path), 404, "not-found")
    problem(program.delete(path), 404, "not-found")


def test_what_is_not_over_is_neither_marked_nor_deleted(program, seller: Seller) -> None:
    path = f"imports/{make(STATES[1], seller).public_id}"
    problem(program.patch(f"{path}?dealtWith=true"), 409, "not-possible-now")
    problem(program.delete(path), 409, "not-possible-now")
    assert program.get(path).get_json()["status"] == "RUNNING"
