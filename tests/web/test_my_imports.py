"""My Imports: each import as it stands, newest first, a page at a time."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient
from sqlalchemy import text

from app import catalog
from app.demo import DEMO_CATALOG
from app.extensions import db
from app.imports import commands
from app.imports.worker import batch_job
from app.models import Import, Seller
from app.statuses import RetriedRows
from tests.factories import look, make_items, row, start
from tests.pages import buttons, fragment, page, press, read_fragment, without_tokens, words, words_but_times
from tests.states import STATES, State, each_state, make


def shown(soup: BeautifulSoup, one: Import) -> Tag:
    """How an import is drawn on the list."""
    (element,) = soup.select(f"#my-imports [data-import-id='{one.public_id}']")
    return element


def shown_ids(soup: BeautifulSoup) -> list[str]:
    return [str(element["data-import-id"]) for element in soup.select("[data-import-id]")]


def refreshes(soup: BeautifulSoup) -> list[bool]:
    """Whether the page refreshes itself with scripts, and whether it does so without them."""
    (part,) = soup.select("[data-live]")
    assert part.get("data-live-seconds") in {"2", None}
    reloads = soup.select("head noscript meta[http-equiv=refresh]")
    assert [meta["content"] for meta in reloads] in ([], ["3"])
    return [part.has_attr("data-live-seconds"), bool(reloads)]


def clone(one: Import, count: int) -> None:
    """Make imports that are as this one."""
    db.session.execute(
        text(
            """
            with made as (
                insert into imports (seller_id, public_id, file_name, storage_key, file_size, sha256, header, total,
                    invalid, status, finished_at)
                select seller_id, gen_random_uuid(), 'copy ' || n, storage_key, file_size, sha256, header, total,
                    invalid, status, finished_at
                from imports, generate_series(1, :count) n where id = :id
                returning seller_id, id
            )
            insert into batches (seller_id, import_id, number, start_byte, end_byte, "cursor", first_line, cursor_line,
                total, created, status)
            select made.seller_id, made.id, number, start_byte, end_byte, "cursor", first_line, cursor_line, total,
                created, status
            from batches, made where import_id = :id
            """
        ),
        {"id": one.id, "count": count},
    )
    db.session.commit()


@each_state
def test_an_import_is_drawn_as_it_stands(client: FlaskClient, seller: Seller, state: State) -> None:
    made = make(state, seller, file_name="my stock.csv")
    soup = page(client, "/imports")
    element = shown(soup, made)
    total, successful, failed = state.counters
    assert element["data-status"] == state.status
    assert [element[f"data-{name}"] for name in ("total", "successful", "failed")] == [
        str(number) for number in state.counters
    ]
    assert words(element.select_one("h2")) == "my stock.csv"
    assert [words(pill) for pill in element.select(".pill")] == [state.pill]
    assert words(element.select_one("dl")) == f"Total {total} Successful {successful} Failed {failed}"
    assert state.sentence.partition(" You can close")[0] in words(element.select_one(".import-outcome"))
    is_over = state.status in {"COMPLETED", "FAILED", "TERMINATED"}
    bars = [(bar["aria-valuenow"], bar["aria-valuemax"]) for bar in element.select("[role=progressbar]")]
    assert bars == ([] if is_over else [(str(successful + failed), str(total))])
    # What is to be fixed is a press away.
    to_fix = ["Fix 1 row of my stock.csv"] if state.status == "FAILED" and failed == 1 else []
    assert buttons(element) == [*state.buttons, *to_fix, *(["Mark as dealt with"] if state.status == "FAILED" else [])]
    files = [str(link["href"]) for link in element.select("a.import-file")]
    assert files == [f"/imports/{made.public_id}/failed.csv?reasons=1&spreadsheet=1"] * (failed and is_over)
    assert refreshes(soup) == [state.moves, state.moves]
    # What a script gets is the same.
    part = without_tokens(fragment(client, "/imports"))
    assert str(part.select_one("#my-imports")) == str(without_tokens(soup).select_one("#my-imports"))


def test_the_list_is_refreshed_while_any_of_its_imports_moves(client: FlaskClient, seller: Seller) -> None:
    for state in STATES:
        if not state.moves:
            make(state, seller)
    assert refreshes(page(client, "/imports")) == [False, False]
    make(STATES[0], seller)
    assert refreshes(page(client, "/imports")) == [True, True]


def test_a_name_leads_to_the_details_and_a_button_to_the_panel(client: FlaskClient, seller: Seller) -> None:
    make_items()
    made = start(seller, [row()])
    element = shown(page(client, "/imports"), made)
    assert [(words(link), link["href"]) for link in element.select("a")] == [
        ("stock.csv", f"/imports/{made.public_id}"),
        ("View details of stock.csv", f"/imports/{made.public_id}/panel"),
    ]


def test_somebody_without_imports_is_told_how_to_begin(client: FlaskClient, other_seller: Seller) -> None:
    make(STATES[0], other_seller)
    soup = page(client, "/imports")
    assert shown_ids(soup) == []
    assert refreshes(soup) == [False, False]
    assert words(soup.select_one("#my-imports h2")) == "Your first import"
    assert [words(step) for step in soup.select(".steps h3")] == ["Get the template", "Fill it in", "Upload it"]
    links = {words(link): link["href"] for link in soup.select("#my-imports a")}
    assert links == {
        "Match your file": "/imports/match",
        "Download the template": "/imports/template.csv?spreadsheet=1",
        "How to build a CSV file": "/help/csv",
        "Upload CSV": "/imports/upload",
    }
    assert soup.select("nav[aria-label=Pages], form[role=search]") == []


def test_samples_are_offered_where_the_catalog_is_that_of_the_demo(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    link = "a[href^='/imports/sample.csv']"
    assert page(client, "/imports").select(link) == []
    assert client.get("/imports/sample.csv").status_code == 404
    catalog.load(DEMO_CATALOG)
    for path in ("/imports", "/imports/upload"):
        right, wrong = page(client, path).select(link)
        assert (words(right), words(wrong)) == ("a sample file", "one with mistakes")
    answer = client.get("/imports/sample.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="sluice-sample-first-import.csv"'
    made = start(seller, answer.data)
    run_jobs()
    assert look(made).status == "COMPLETED"
    # Who knows the way is not shown it again, but may want to see how mistakes are fixed.
    assert page(client, "/imports").select(f".steps, {link}") == []
    again = page(client, "/imports/upload")
    assert again.select(".steps") == []
    failing = start(seller, client.get(str(again.select(link)[1]["href"]).replace("&spreadsheet=1", "")).data)
    run_jobs()
    assert (look(failing).status, look(failing).failed) == ("FAILED", 24)


def test_the_home_page_is_the_list(client: FlaskClient) -> None:
    assert client.get("/").location == "/imports"


def walk(client: FlaskClient, path: str = "/imports") -> list[list[str]]:
    """The ids on each page, going from page to page by the link to older imports."""
    pages = []
    while path:
        soup = page(client, path)
        pages.append(shown_ids(soup))
        links = {words(link): str(link["href"]) for link in soup.select("nav[aria-label=Pages] a")}
        assert links.get("Newest imports") == (None if path == "/imports" else "/imports")
        path = links.get("Older imports", "")
    return pages


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (20, [20]), (21, [20, 1]), (41, [20, 20, 1])])
def test_the_list_goes_on_from_page_to_page(
    client: FlaskClient, seller: Seller, other_seller: Seller, count: int, sizes: list[int]
) -> None:
    clone(make(STATES[4], other_seller), 30)
    clone(make(STATES[4], seller), count - 1)
    newest_first = [
        str(public_id)
        for public_id in db.session.scalars(
            db.select(Import.public_id).where(Import.seller_id == seller.id).order_by(Import.id.desc())
        )
    ]
    pages = walk(client)
    assert [len(ids) for ids in pages] == sizes
    assert sum(pages, []) == newest_first


def test_a_new_import_does_not_push_others_from_one_page_to_the_next(client: FlaskClient, seller: Seller) -> None:
    clone(make(STATES[4], seller), 25)
    first = page(client, "/imports")
    make(STATES[0], seller)
    (second,) = walk(client, str(first.select_one("a[rel=next]")["href"]))
    assert len(second) == 6
    assert not set(second) & set(shown_ids(first))


def test_an_older_page_refreshes_itself_and_not_the_first(client: FlaskClient, seller: Seller) -> None:
    moving = make(STATES[0], seller)
    clone(make(STATES[4], seller), 19)
    address = str(page(client, "/imports").select_one("a[rel=next]")["href"])
    soup = page(client, address)
    assert soup.select_one("[data-live]")["data-live"] == address
    assert shown_ids(fragment(client, address)) == [str(moving.public_id)]
    # And its buttons lead back to it.
    answer = press(client, shown(soup, moving), "Pause")
    assert (answer.status_code, answer.location) == (303, address)


def test_a_page_behind_the_last_import_is_empty(client: FlaskClient, seller: Seller) -> None:
    oldest = make(STATES[0], seller)
    assert walk(client, f"/imports?before={oldest.public_id}") == [[]]


@pytest.mark.parametrize("before", ["", "x", "1", "-1", "%00", "null", "9" * 40])
def test_a_place_that_makes_no_sense_is_the_first_page(client: FlaskClient, seller: Seller, before: str) -> None:
    made = make(STATES[0], seller)
    assert shown_ids(page(client, f"/imports?before={before}")) == [str(made.public_id)]


def test_a_place_that_is_not_there_is_not_found(client: FlaskClient, other_seller: Seller) -> None:
    page(client, f"/imports?before={uuid.uuid4()}", 404)
    page(client, f"/imports?before={make(STATES[0], other_seller).public_id}", 404)


def test_a_press_by_script_gets_the_new_list_and_what_happened_beside_it(client: FlaskClient, seller: Seller) -> None:
    made = make(STATES[0], seller)
    script = {"HX-Request": "true"}
    answer = press(client, shown(page(client, "/imports"), made), "Pause", headers=script)
    assert answer.status_code == 303
    part = read_fragment(client.get(answer.location, headers=script))
    assert shown(part, made)["data-status"] == "PAUSED"
    assert [words(note) for note in part.select("#toasts[hx-swap-oob=beforeend] [data-note-text]")] == [
        "Paused stock.csv."
    ]
    assert fragment(client, answer.location).select("#toasts") == []


def test_a_look_neither_shows_nor_uses_up_the_message_of_a_press(client: FlaskClient, seller: Seller) -> None:
    made = make(STATES[0], seller)
    script = {"HX-Request": "true"}
    answer = press(client, shown(page(client, "/imports"), made), "Pause", headers=script)
    # One that comes between the press and the page that its answer leads to.
    look = client.get("/imports", headers={**script, "Sluice-Poll": "1"})
    assert read_fragment(look).select("#toasts") == []
    assert "Set-Cookie" not in look.headers
    part = read_fragment(client.get(answer.location, headers=script))
    assert [words(note) for note in part.select("#toasts [data-note-text]")] == ["Paused stock.csv."]


def test_the_list_is_never_taken_from_a_cache(client: FlaskClient) -> None:
    answer = client.get("/imports")
    assert answer.headers["Cache-Control"] == "no-store"
    # A page and a part of it have the same address.
    assert "HX-Request" in answer.headers["Vary"]


# The filter -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def by_name(seller: Seller, other_seller: Seller) -> dict[str, Import]:
    """An import in each state, a check, an import whose failed rows are retried, and the retry."""
    made = {state.name: make(state, seller, file_name=f"Spring {state.name}.csv") for state in STATES}
    make_items(30)
    made["check"] = start(seller, [row(urn="urn:test:25")], file_name="Autumn_100%.csv", is_check=True)
    made["retried"] = start(seller, [row(price="x")], file_name="old.csv")
    for name in ("check", "retried"):
        batch_job.run(seller.id, made[name].id, 1, 1)
    made["retry"] = commands.retry(seller.id, made["retried"].public_id, RetriedRows.FAILED)
    start(other_seller, [row()], file_name="Spring of another.csv")
    return made


FILTERED = [
    ("status=running", "queued running pausing retry"),
    ("status=RUNNING", "queued running pausing retry"),
    ("status=paused", "paused"),
    ("status=completed", "completed check"),
    ("status=failed", "failed given-up retried"),
    ("status=terminated", "terminated"),
    ("status=attention", "paused failed given-up"),
    ("kind=checks", "check"),
    ("kind=imports&status=completed", "completed"),
    ("text=spring", "queued running pausing paused completed failed terminated given-up"),
    ("text=UP+spring", "given-up"),
    ("text=%25", "check"),
    ("text=_", "check"),
    ("text=a%00utumn", "check"),
    ("text=+old++", "retried retry"),
    ("text=spring&status=completed&kind=imports", "completed"),
    ("text=winter", ""),
    ("text=spring&kind=checks", ""),
]


def test_a_filter_lets_through_what_it_says(client: FlaskClient, by_name: dict[str, Import]) -> None:
    for query, names in FILTERED:
        wanted = [str(by_name[name.replace("-", " ")].public_id) for name in names.split()]
        soup = page(client, f"/imports?{query}")
        assert shown_ids(soup) == wanted[::-1], query
        # Its own address is what it refreshes itself from.
        here = str(soup.select_one("[data-live]")["data-live"])
        assert shown_ids(page(client, here)) == wanted[::-1], query


def test_views_are_links_that_keep_the_text_and_count_what_needs_attention(
    client: FlaskClient, by_name: dict[str, Import]
) -> None:
    soup = page(client, "/imports?status=attention&text=+given+")
    assert {words(link): (link["href"], link.get("aria-current")) for link in soup.select(".views a")} == {
        "All": ("/imports?text=given", None),
        "Needs attention 3": ("/imports?text=given&status=attention", "page"),
        "Checks": ("/imports?text=given&kind=checks", None),
        "Undos": ("/imports?text=given&kind=undos", None),
    }
    form = soup.select_one("form[role=search]")
    assert {field["name"]: field["value"] for field in form.select("input")} == {
        "status": "attention",
        "text": "given",
    }
    assert words(soup.title) == "My Imports, filtered – Sluice"
    # A screen reader hears what the text has found.
    assert soup.select_one("#my-imports")["data-news"] == "1 import matches."
    assert not page(client, "/imports").select_one("#my-imports").has_attr("data-news")


def test_a_status_that_is_no_view_is_told_and_has_a_way_out(client: FlaskClient, by_name: dict[str, Import]) -> None:
    soup = page(client, "/imports?status=completed")
    assert soup.select(".views a[aria-current]") == []
    assert words(soup.select_one(".view-note")) == "Only completed imports and checks – show all imports"
    assert soup.select_one(".view-note a")["href"] == "/imports"


def test_relatives_are_told_in_the_list(client: FlaskClient, by_name: dict[str, Import]) -> None:
    soup = page(client, "/imports")
    told = {name: shown(soup, by_name[name]).select(".relations li") for name in ("retried", "retry", "completed")}
    assert {name: [words_but_times(line) for line in lines] for name, lines in told.items()} == {
        "retried": ["Failed rows retried as old (failed rows).csv Running"],
        "retry": ["Retry of the failed rows in old.csv, imported Dealt with"],
        "completed": [],
    }
    assert words(shown(soup, by_name["retried"]).select_one(".import-outcome")).endswith("and has been retried.")


def test_what_is_dealt_with_leaves_the_list_of_what_needs_attention(client: FlaskClient, seller: Seller) -> None:
    made = make(STATES[5], seller)
    soup = page(client, "/imports?status=attention")
    answer = press(client, shown(soup, made), "Mark as dealt with")
    assert (answer.status_code, answer.location) == (303, "/imports?status=attention")
    soup = page(client, answer.location)
    assert words(soup.select_one("#my-imports h2")) == "You’re all caught up"
    assert [words(pill) for pill in shown(page(client, "/imports"), made).select(".pill")] == ["Dealt with"]


@pytest.mark.parametrize(
    ("query", "heading"),
    [
        ("text=winter", "No matching imports"),
        ("status=attention&text=winter", "No matching imports"),
        ("status=attention", "You’re all caught up"),
        ("kind=checks", "No checks yet"),
    ],
)
def test_a_filter_that_lets_nothing_through_says_so(
    client: FlaskClient, seller: Seller, query: str, heading: str
) -> None:
    make(STATES[4], seller)
    soup = page(client, f"/imports?{query}")
    assert words(soup.select_one("#my-imports h2")) == heading
    assert [link["href"] for link in soup.select("#my-imports .empty a")] == ["/imports"]


def test_what_makes_no_sense_in_a_filter_is_told_and_does_not_matter(
    client: FlaskClient, by_name: dict[str, Import]
) -> None:
    soup = page(client, "/imports?status=lost&kind=jobs&text=old")
    assert [words(fault) for fault in soup.select(".field-error")] == [
        "There is no status “lost”. Choose one from the list.",
        "“jobs” is neither imports nor checks nor undos. Choose one from the list.",
    ]
    assert len(shown_ids(soup)) == 2
    assert str(soup.select_one("[data-live]")["data-live"]) == "/imports?text=old"


def test_a_filter_goes_along_from_page_to_page(client: FlaskClient, seller: Seller) -> None:
    clone(make(STATES[4], seller), 25)
    make(STATES[0], seller)
    first = page(client, "/imports?status=completed")
    older = str(first.select_one("a[rel=next]")["href"])
    second = page(client, older)
    assert [len(shown_ids(soup)) for soup in (first, second)] == [20, 6]
    assert not set(shown_ids(first)) & set(shown_ids(second))
    assert str(second.select_one("nav[aria-label=Pages] a")["href"]) == "/imports?status=completed"


def test_a_filtered_list_is_refreshed_while_something_moves_that_may_come_into_it(
    client: FlaskClient, seller: Seller, other_seller: Seller
) -> None:
    make(STATES[4], seller)
    make(STATES[0], other_seller)
    assert refreshes(page(client, "/imports?status=failed")) == [False, False]
    make(STATES[0], seller)
    assert refreshes(page(client, "/imports?status=failed")) == [True, True]


def test_the_title_tells_how_many_run(client: FlaskClient, seller: Seller) -> None:
    assert words(page(client, "/imports").title) == "My Imports – Sluice"
    for state in STATES[:3]:
        make(state, seller)
    assert words(page(client, "/imports").title) == "3 running: My Imports – Sluice"
    # And in the part that is refreshed.
    part = fragment(client, "/imports").select_one("#my-imports")
    assert part["data-title"] == "3 running: My Imports"


# The panel ------------------------------------------------------------------------------------------------------------


def test_the_address_of_a_panel_is_the_list_and_without_scripts_the_page_of_the_panel(
    client: FlaskClient, seller: Seller
) -> None:
    made = make(STATES[0], seller)
    soup = page(client, f"/imports?panel={made.public_id}")
    assert shown_ids(soup) == [str(made.public_id)]
    # The list is refreshed as any other, and not the whole page with the panel in it.
    assert soup.select_one("[data-live]")["data-live"] == "/imports"
    (refresh,) = soup.select("head noscript meta[http-equiv=refresh]")
    assert refresh["content"] == f"0; url=/imports/{made.public_id}/panel"


def test_the_panel_of_an_import_that_is_not_there_is_not_found(client: FlaskClient, other_seller: Seller) -> None:
    page(client, f"/imports?panel={uuid.uuid4()}", 404)
    page(client, f"/imports?panel={make(STATES[0], other_seller).public_id}", 404)
    page(client, "/imports?panel=x")
