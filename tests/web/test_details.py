"""The side panel, the full details and the failed rows of an import."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient
from sqlalchemy import event

from app.extensions import db
from app.imports import commands
from app.imports.fixes import engine
from app.imports.worker import batch_job
from app.models import Import, Seller
from tests.factories import make_items, row, start, with_header
from tests.pages import buttons, fragment, page, without_tokens, words
from tests.states import REASON, STATES, State, each_state, make

FACES = pytest.mark.parametrize("face", ["", "/panel"], ids=["details", "panel"])


def address(one: Import, rest: str = "") -> str:
    return f"/imports/{one.public_id}{rest}"


def live_part(soup: BeautifulSoup) -> Tag:
    (element,) = soup.select("[data-live]")
    return element


def standing_still(soup: BeautifulSoup) -> list[str]:
    """The words of the live part without its tokens, and without what is another, or not there, with every second."""
    for element in without_tokens(soup).select("[data-now]"):
        element.decompose()
    for element in soup.select("[data-news]"):
        del element["data-news"]
    return str(live_part(soup)).split()


def tiles(element: Tag) -> dict[str, str]:
    """The counters of an import."""
    return {words(tile.select_one("dt")): words(tile.select_one("dd")) for tile in element.select("dl.tiles > div")}


def facts(element: Tag) -> dict[str, str]:
    """The facts about the file."""
    return {words(fact.select_one("dt")): words(fact.select_one("dd")) for fact in element.select("dl.facts > div")}


def rows_of_batches(soup: BeautifulSoup) -> list[list[str]]:
    return [[words(cell) for cell in line.select("th, td")] for line in soup.select("table.batch-table tbody tr")]


def errors_on(soup: BeautifulSoup) -> list[tuple[int, str, list[str], list[str], str]]:
    """Line, problem, columns, reasons and original text of each failed row on a page."""
    return [
        (
            int(str(body["id"]).removeprefix("line-")),
            words(body.select_one(".code-note")),
            [words(column) for column in body.select(".is-wrong dt")],
            [words(reason) for reason in body.select(".reasons .reason")],
            body.select_one(".original").get_text(),
        )
        for body in soup.select(".failed-row")
    ]


def ended(seller: Seller, rows: Iterable[dict[str, str]] | bytes) -> Import:
    """An import of one batch that is over."""
    started = start(seller, rows)
    batch_job.run(seller.id, started.id, 1, 1)
    return started


#: How the title of the page begins in each state.
TITLES = {
    "queued": "0%",
    "running": "66%",
    "pausing": "Pausing…",
    "paused": "Paused at 33%",
    "completed": "Completed",
    "failed": "Failed",
    "terminated": "Terminated",
    "given up": "Failed",
}


#: What each state offers first; while an import runs there is nothing to do.
NEXT_STEPS = {
    "paused": "Resume",
    "completed": "View listings",
    "failed": "Fix 1 row",
    "terminated": "Import remaining rows",
    "given up": "Import remaining rows",
}


# Each state -----------------------------------------------------------------------------------------------------------


@FACES
@each_state
def test_an_import_is_drawn_as_it_stands_and_again_while_it_moves(
    client: FlaskClient, seller: Seller, state: State, face: str
) -> None:
    made = make(state, seller, file_name="my stock.csv")
    soup = page(client, address(made, face))
    element = live_part(soup)
    total, successful, failed = state.counters
    assert element["data-import-id"] == str(made.public_id)
    assert element["data-status"] == state.status
    assert [element[f"data-{name}"] for name in ("total", "successful", "failed")] == [
        str(number) for number in state.counters
    ]
    # The others are those of the batches.
    assert words(element.select(".pill")[0]) == state.pill
    assert words(element).count(state.sentence) == 1
    # Once it is over, what is zero is left out.
    is_over = state.status in {"COMPLETED", "FAILED", "TERMINATED"}
    left = total - successful - failed
    assert tiles(element) == {
        "Total": str(total),
        "Successful": f"{successful}{successful} created" if successful else "0",
        **({"Failed": f"{failed}View errors"} if failed else {} if is_over else {"Failed": "0"}),
        **({"Not processed": str(left)} if left or not is_over else {}),
    }
    bar = element.select_one("[role=progressbar]")
    assert (bar["aria-valuenow"], bar["aria-valuemax"]) == (str(successful + failed), str(total))
    marks = ["Mark as dealt with"] if state.status == "FAILED" else []
    fix = ["Fix 1 row"] if NEXT_STEPS.get(state.name) == "Fix 1 row" else []
    assert sorted(buttons(element)) == sorted([*state.buttons, *state.retries, *marks, *fix])
    # One step comes first, and stands out.
    assert [words(button) for button in element.select(".btn-primary")] == (
        [NEXT_STEPS[state.name]] if state.name in NEXT_STEPS else []
    )
    # What is inside is folded away once it is over.
    if not face:
        assert soup.select_one("#internals").has_attr("open") != is_over
    assert ("Finished" in facts(element)) == is_over
    assert soup.title.get_text() == f"{TITLES[state.name]} · my stock.csv – Sluice"
    assert element["data-title"] == f"{TITLES[state.name]} · my stock.csv"
    assert element["data-news"]

    # It refreshes itself exactly while there is something to come, with scripts and without.
    assert element["data-live"] == address(made, face)
    assert element.get("data-live-seconds") == ("1" if state.moves else None)
    reloads = soup.select("head noscript meta[http-equiv=refresh]")
    assert [meta["content"] for meta in reloads] == (["3"] if state.moves else [])
    # What a script gets is the same.
    part = fragment(client, address(made, face))
    assert standing_still(part) == standing_still(soup)


@each_state
def test_each_batch_has_its_row_and_the_one_that_was_given_up_its_reason(
    client: FlaskClient, seller: Seller, state: State
) -> None:
    soup = page(client, address(make(state, seller)))
    rows = rows_of_batches(soup)
    assert [cells[0] for cells in rows] == [str(number) for number in range(1, len(state.batches) + 1)]
    assert [cells[1:3] for cells in rows] == [[str(line), "1"] for line in range(2, len(state.batches) + 2)]
    assert [words(pill) for pill in soup.select("table.batch-table .pill")] == state.batches
    assert sum(int(cells[3]) for cells in rows) == state.counters[1]
    assert sum(int(cells[4]) for cells in rows) == state.counters[2]
    assert all(cells[6].endswith(" UTC") for cells in rows)
    reasons = {cells[0]: cells[5] for cells in rows if cells[5] not in state.batches}
    assert reasons == ({"2": f"Failed {REASON}"} if state.name == "given up" else {})


@each_state
def test_what_there_is_to_download_has_a_link(client: FlaskClient, seller: Seller, state: State) -> None:
    made = make(state, seller)
    soup = page(client, address(made))
    total, successful, failed = state.counters
    expected = {"The file as uploaded": ("source.csv", total)}
    if successful:
        expected["Successful rows (line, listing, outcome)"] = ("succeeded.csv?spreadsheet=1", successful)
    if failed:
        expected["Failed rows with problems and suggestions"] = (
            "failed.csv?reasons=1&spreadsheet=1",
            failed,
        )
    if state.name in {"paused", "terminated", "given up"}:
        expected["Remaining rows"] = ("remaining.csv?spreadsheet=1", total - successful - failed)
    found = {
        words(item.a): (item.a["href"], words(item.select_one(".quiet")))
        for item in soup.select(".next-steps li:has(> a[href*='.csv'])")
    }
    assert found == {
        label: (address(made, f"/{file}"), f"{rows} row{'' if rows == 1 else 's'}")
        for label, (file, rows) in expected.items()
    }
    assert bool(soup.select("#details a[href='#errors']")) == bool(failed)
    assert len(errors_on(soup)) == failed
    nothing = {
        "queued": "No row has failed so far.",
        "pausing": "No row has failed so far.",
        "paused": "None of the rows that were processed failed.",
        "terminated": "None of the rows that were processed failed.",
        "given up": "None of the rows that were processed failed.",
        "completed": "No row failed.",
    }
    assert [words(line) for line in soup.select("#errors > p")] == [
        "1 kind of problem." if failed else nothing[state.name]
    ]
    # The page of all errors says so too.
    all_errors = page(client, address(made, "/errors"))
    assert len(errors_on(all_errors)) == failed
    assert all_errors.select_one("[data-import-id]")["data-status"] == state.status


def test_every_way_through_the_pages_is_a_link(client: FlaskClient, seller: Seller) -> None:
    made = make(STATES[5], seller)

    def links(path: str) -> set[str]:
        return {str(link["href"]) for link in page(client, path).select("main a")}

    assert address(made, "/panel") in links("/imports")
    assert address(made) in links(address(made, "/panel"))
    assert address(made, "/errors?cause=item-not-found&column=URN") in links(address(made, "/panel"))
    assert "/imports" in links(address(made))
    assert {"/imports", address(made)} <= links(address(made, "/errors"))


def test_the_refreshing_ends_with_the_import(client: FlaskClient, seller: Seller) -> None:
    make_items()
    started = start(seller, [row()])
    assert live_part(fragment(client, address(started)))["data-live-seconds"] == "1"
    batch_job.run(seller.id, started.id, 1, 1)
    last = live_part(fragment(client, address(started)))
    assert (last["data-status"], last.get("data-live-seconds")) == ("COMPLETED", None)


@pytest.mark.parametrize("rest", ["", "/panel"])
def test_the_page_is_never_taken_from_a_cache(client: FlaskClient, seller: Seller, rest: str) -> None:
    answer = client.get(address(make(STATES[0], seller), rest))
    assert answer.headers["Cache-Control"] == "no-store"
    assert "HX-Request" in answer.headers["Vary"]


# The upload check -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prices", "before", "after"),
    [
        (["1"], "no problems found", "no problems found"),
        (["1", "x"], "1 row contains mistakes and will fail", "1 row contains mistakes; no other row failed"),
        (["x", "x"], "2 rows contain mistakes and will fail", "2 rows contain mistakes; no other row failed"),
    ],
)
def test_the_page_says_how_many_rows_will_fail_and_then_have_failed(
    client: FlaskClient, seller: Seller, prices: list[str], before: str, after: str
) -> None:
    make_items()
    rows = [row(urn=f"urn:test:{number}", price=price) for number, price in enumerate(prices, 1)]
    started = start(seller, rows)
    assert facts(live_part(page(client, address(started))))["File check"] == before
    batch_job.run(seller.id, started.id, 1, 1)
    assert facts(live_part(page(client, address(started))))["File check"] == after


def test_updated_rows_are_told_from_created_ones(client: FlaskClient, seller: Seller) -> None:
    make_items()
    ended(seller, [row()])
    again = ended(seller, [row(mode="UPDATE", price=7), row(urn="urn:test:2")])
    assert tiles(live_part(page(client, address(again))))["Successful"] == "21 created, 1 updated"


def test_large_numbers_have_separators_and_data_attributes_have_none(client: FlaskClient, seller: Seller) -> None:
    make_items()
    started = start(seller, [row()] * 5_500)
    element = live_part(page(client, address(started)))
    assert (element["data-total"], tiles(element)["Total"]) == ("5500", "5,500")
    assert [cells[1:3] for cells in rows_of_batches(page(client, address(started)))] == [
        ["2", "5,000"],
        ["5,002", "500"],
    ]


# Errors ---------------------------------------------------------------------------------------------------------------


def test_a_failed_row_has_its_line_code_columns_reasons_and_text(client: FlaskClient, seller: Seller) -> None:
    make_items()
    made = ended(
        seller,
        with_header(
            'CREATE,urn:test:1,,,,,,NM,1,1,,,"over\r\n two  lines",,\r\n'
            'CREATE,urn:test:1,,,,,,NM,1,1,,,"over\r\n two  lines",,\r\n'
            "create,urn:test:9,,,,,,NM,1,1,,,,,\n"
            "CREATE,urn:test:1,,,,,,x,1.99,1,,,,,\n"
            "CREATE,urn:test:1\n"
        ),
    )
    expected = [
        (
            4,
            "Conflict 409",
            [],
            [
                "Line 2 of this file already creates this listing. Leave this row out, or change MODE to UPDATE and "
                "import it separately afterwards."
            ],
            'CREATE,urn:test:1,,,,,,NM,1,1,,,"over\n two  lines",,',
        ),
        (
            6,
            "Not found 404",
            ["URN"],
            [
                "There is no item with URN “urn:test:9” in the catalog. Check the spelling, or identify the item "
                "another way."
            ],
            "create,urn:test:9,,,,,,NM,1,1,,,,,",
        ),
        (
            7,
            "Invalid 422",
            ["CONDITION", "PRICE"],
            [
                "CONDITION is “x”. Use one of MT (MINT), NM (NEAR_MINT), EX (EXCELLENT), GD (GOOD), LP "
                "(LIGHT_PLAYED), PL (PLAYED), PO (POOR).",
                "PRICE is “1.99”. Prices are in pence: enter 199.",
            ],
            "CREATE,urn:test:1,,,,,,x,1.99,1,,,,,",
        ),
        (
            8,
            "Invalid 422",
            [],
            [
                "The row has 2 values, but there are 15 columns. Look for a missing or an extra comma, and put any "
                "value that contains a comma in double quotes."
            ],
            "CREATE,urn:test:1",
        ),
    ]
    assert errors_on(page(client, address(made))) == expected
    assert errors_on(page(client, address(made, "/errors"))) == expected


@pytest.fixture
def listing(seller: Seller) -> None:
    """A listing that can be updated again and again."""
    make_items()
    ended(seller, [row()])


def updates(count: int) -> list[dict[str, str]]:
    """This many failing rows, each after a valid one."""
    return [row(mode="UPDATE", price="x" if number % 2 else 1) for number in range(2 * count)]


@pytest.mark.parametrize(("count", "sizes"), [(25, [25]), (26, [25, 1]), (61, [25, 25, 11])])
def test_many_errors_go_on_from_page_to_page(
    client: FlaskClient, seller: Seller, listing: None, count: int, sizes: list[int]
) -> None:
    made = ended(seller, updates(count))
    details = page(client, address(made))
    every_second = list(range(3, 2 * count + 3, 2))
    assert [line for line, *_ in errors_on(details)] == every_second[:10]
    assert [words(line) for line in details.select(".more")] == [
        f"These are the first 10 of {count} failed rows. View all errors"
    ]
    assert details.select(f"a[href='{address(made, '/errors')}']")
    path, found = address(made, "/errors"), []
    while path:
        soup = page(client, path)
        found.append([line for line, *_ in errors_on(soup)])
        links = {words(link): str(link["href"]) for link in soup.select("nav[aria-label=Pages] a")}
        assert links.get("First errors") == (None if len(found) == 1 else address(made, "/errors"))
        path = links.get("Next errors", "")
    assert [len(lines) for lines in found] == sizes
    assert sum(found, []) == every_second


@pytest.mark.parametrize(
    ("after", "lines"),
    [
        ("0", [3, 5, 7]),
        ("3", [5, 7]),
        ("4", [5, 7]),
        ("7", []),
        ("9" * 30, []),
        ("", [3, 5, 7]),
        ("x", [3, 5, 7]),
        ("-5", [3, 5, 7]),
        ("1.5", [3, 5, 7]),
        ("%00", [3, 5, 7]),
        ("9" * 5000, [3, 5, 7]),
    ],
)
def test_the_place_to_go_on_from_is_a_line(
    client: FlaskClient, seller: Seller, listing: None, after: str, lines: list[int]
) -> None:
    made = ended(seller, updates(3))
    assert [line for line, *_ in errors_on(page(client, address(made, f"/errors?after={after}")))] == lines


def test_the_page_of_errors_says_how_many_there_are(client: FlaskClient, seller: Seller, listing: None) -> None:
    def summary(one: Import, rest: str = "") -> list[str]:
        return [words(line) for line in page(client, address(one, f"/errors{rest}")).select("#summary, .rows-note")]

    three = ended(seller, updates(3))
    assert summary(three) == ["3 failed rows. 1 kind of problem."]
    assert summary(three, "?after=3") == ["3 failed rows.", "Showing rows after line 3."]
    assert summary(three, "?after=7")[-1] == "There are no more failed rows."
    assert summary(ended(seller, updates(1))) == ["1 failed row. 1 kind of problem."]
    assert summary(ended(seller, [row(mode="UPDATE")])) == ["0 failed rows.", "No row failed."]
    assert summary(make(STATES[1], seller)) == [
        "1 failed row so far; reload the page to see new ones. 1 kind of problem."
    ]


def test_a_check_shows_what_would_change(client: FlaskClient, seller: Seller) -> None:
    make_items()
    ended(seller, [row(price=499, comment="old"), row(urn="urn:test:2")])
    checked = start(
        seller,
        [row(mode="UPDATE", price=50, quantity=0), row(mode="UPDATE", urn="urn:test:2")],
        is_check=True,
    )
    batch_job.run(seller.id, checked.id, 1, 1)
    section = page(client, address(checked)).select_one("#changes")
    assert section is not None
    (change,) = section.select(".changes > li")
    assert words(change.select_one(".change-listing")) == "Name 1 line 2 Near mint urn:test:1"
    assert [words(cell) for cell in change.select(".change-cells li")] == [
        "PRICE £4.99 → becomes £0.50 -90%",
        "QUANTITY 1 → becomes 0",
        "COMMENT old → becomes (empty)",
    ]
    assert "1 row will change a listing" in words(section)


# What there is to do about failed rows --------------------------------------------------------------------------------


def test_errors_come_first_and_the_menu_says_how_many_rows_a_retry_can_help(
    client: FlaskClient, seller: Seller
) -> None:
    make_items()
    made = ended(seller, [row(urn="urn:test:9"), row(price="x"), row()])
    soup = page(client, address(made))
    assert [words(one) for one in soup.select(".next-steps > form > .btn, .next-steps > details > .btn")] == [
        "Fix 2 rows",
        "More for stock.csv",
    ]
    assert [words(one) for one in soup.select(".next-steps li") if one.select_one("button")] == [
        "Retry failed rows Can help 1 of 2 rows, if the catalog or your listings have changed",
        "Mark as dealt with No row is changed, and you can take it back",
    ]
    assert facts(soup)["File check"] == "1 row contains mistakes; 1 more did not match the catalog or your listings"


@FACES
def test_a_retry_that_cannot_help_is_not_offered(client: FlaskClient, seller: Seller, face: str) -> None:
    make_items()
    made = ended(seller, [row(price="x"), row(price="y"), row()])
    element = live_part(page(client, address(made, face)))
    assert "Retry failed rows" not in buttons(element)
    assert "Failed rows with problems and suggestions 2 rows" in words(element)


def test_rows_that_were_not_reached_do_not_make_those_that_were_wrong_as_written(
    client: FlaskClient, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The upload check counts the mistakes of the whole file; only the first batch has been worked on.
    make_items()
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 2)
    made = start(seller, [row(urn="urn:test:9"), row(), row(price="x"), row(price="y")])
    batch_job.run(seller.id, made.id, 1, 1)
    commands.terminate(seller.id, made.public_id)
    soup = page(client, address(made))
    assert "Can help 1 row, if the catalog or your listings have changed" in words(soup.select_one(".next-steps"))
    assert "Retry failed rows" in buttons(soup)
    assert facts(soup)["File check"] == "2 rows contain mistakes; those reached so far are counted as failed"


@pytest.mark.parametrize(
    ("good", "pill", "tone"),
    [(0, "Failed", "danger"), (2, "Failed", "danger"), (3, "Failed: 40% of rows", "warning")],
)
def test_red_is_for_an_import_of_which_most_rows_failed(
    client: FlaskClient, seller: Seller, good: int, pill: str, tone: str
) -> None:
    make_items(4)
    rows = [row(urn=f"urn:test:{n}") for n in range(1, good + 1)] + [row(price="x")] * 2
    made = ended(seller, rows)
    for path in (address(made), address(made, "/panel"), "/imports"):
        shown = page(client, path).select_one(f"[data-import-id='{made.public_id}']")
        assert shown["data-status"] == "FAILED"
        label = shown.select_one(".pill")
        assert words(label) == pill
        assert f"tone-{tone}" in label["class"]


def test_failed_rows_that_are_dealt_with_make_it_less_red(client: FlaskClient, seller: Seller) -> None:
    make_items()
    made = ended(seller, [row(), row(price="x"), row(price="x")])
    pills = []
    for line in (3, 4):
        pills += page(client, address(made)).select("[data-state] .pill")
        engine.leave_out(made, [line], "")
    pills += page(client, address(made)).select("[data-state] .pill")
    assert [(words(one), one["class"][1]) for one in pills] == [
        ("Failed", "tone-danger"),
        ("Failed: 33% of rows", "tone-warning"),
        ("Dealt with", "tone-quiet"),
    ]


def test_a_batch_that_is_through_is_no_failure_however_many_rows_failed(client: FlaskClient, seller: Seller) -> None:
    pills = page(client, address(make(STATES[1], seller))).select("table.batch-table .pill")
    assert [(words(pill), pill["class"][-1]) for pill in pills] == [
        ("Completed", "tone-success"),
        ("Completed, 1 failed", "tone-quiet"),
        ("Running", "tone-moving"),
    ]
    given_up = page(client, address(make(STATES[-1], seller))).select("table.batch-table .pill")
    assert [(words(pill), pill["class"][-1]) for pill in given_up] == [
        ("Completed", "tone-success"),
        ("Failed", "tone-danger"),
    ]


@each_state
def test_the_legend_of_the_batches_is_drawn_as_they_are(client: FlaskClient, seller: Seller, state: State) -> None:
    soup = page(client, address(make(state, seller)))
    drawn = [str(cell["class"][-1]) for cell in soup.select(".batch-grid .cell")]
    explained = {str(item.select_one(".cell")["class"][-1]): words(item) for item in soup.select(".batch-counts li")}
    assert {kind: text.split()[0] for kind, text in explained.items()} == {
        kind: str(drawn.count(kind)) for kind in drawn
    }


def test_the_batches_are_drawn_and_counted(client: FlaskClient, seller: Seller) -> None:
    soup = page(client, address(make(STATES[1], seller)))
    assert [cell["title"] for cell in soup.select(".batch-grid .cell")] == [
        "Batch 1: Completed, 100%",
        "Batch 2: Completed, 1 failed, 100%",
        "Batch 3: Running, 0%",
    ]
    assert [words(item) for item in soup.select(".batch-counts li")] == [
        "1 completed",
        "1 completed with failed rows",
        "1 running",
    ]


def test_the_page_of_a_running_import_asks_the_database_few_questions(client: FlaskClient, seller: Seller) -> None:
    one = make(STATES[1], seller)
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    # The first request of a session notes its use.
    assert client.get(address(one)).status_code == 200
    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert client.get(address(one)).status_code == 200
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    # Its seller, the import, its groups, failed rows and batches, related imports, its history, the bell.
    assert len(statements) == 8
