"""The page of errors: groups by cause, the rows of one, filters, what is marked and what is suggested."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import pytest
from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient
from sqlalchemy import func, update

from app.csvfile.causes import Cause
from app.extensions import db
from app.imports.fixes import engine
from app.imports.worker import batch_job
from app.models import ErrorGroup, Import, RowError, Seller
from app.queries import ImportKey, items
from app.queries.imports.error_groups import ErrorKind
from tests.factories import make_items, row, start, with_header
from tests.pages import page, submit, words

RunJobs = Callable[[], None]


@pytest.fixture
def mistaken(seller: Seller, run_jobs: RunJobs) -> Import:
    """Six rows that fail in four ways, one of them in two at once."""
    make_items()
    one = start(
        seller,
        [
            row(condition="Near Mnt"),
            row(condition="Near Mnt"),
            row(condition="new", price="1.99"),
            row(mode="UPDATE"),
            row(urn="urn:tset:2"),
            row(urn="", game="Game", set="Set", name="Nmae 3"),
        ],
        file_name="my stock.csv",
    )
    run_jobs()
    return one


def address(one: Import, query: str = "", rest: str = "/errors") -> str:
    return f"/imports/{one.public_id}{rest}{query}"


def groups(soup: BeautifulSoup) -> list[tuple[str, str, int]]:
    """Cause, column and rows of each group on a page."""
    return [
        (str(one["data-cause"]), str(one["data-column"]), int(str(one["data-rows"]))) for one in soup.select(".group")
    ]


def group(soup: BeautifulSoup, cause: str) -> Tag:
    (found,) = soup.select(f".group[data-cause={cause}]")
    return found


def lines(soup: BeautifulSoup) -> list[int]:
    return [int(str(one["id"]).removeprefix("line-")) for one in soup.select(".failed-row")]


ALL = [
    ("condition-unknown", "CONDITION", 3),
    ("price-in-pounds", "PRICE", 1),
    ("listing-not-found", "", 1),
    ("item-not-found", "URN", 1),
    ("item-not-found", "NAME", 1),
]


@pytest.mark.parametrize("rest", ["", "/errors"])
def test_errors_open_with_their_groups(client: FlaskClient, mistaken: Import, rest: str) -> None:
    soup = page(client, address(mistaken, rest=rest))
    assert groups(soup) == ALL
    assert lines(soup) == [2, 3, 4, 5, 6, 7]
    (sentence,) = (words(one) for one in soup.select("#summary, .groups-note"))
    assert sentence.endswith("5 kinds of problem, most common first. A row with several problems is counted in each.")
    first = soup.select(".group")[0]
    assert words(first.select_one(".group-title")) == "Unknown condition CONDITION"
    assert words(first.select_one(".group-rows")) == "Show 3 rows: Unknown condition CONDITION"
    # Sellers go by the words; the code is beside each row.
    assert not soup.select(".group .code-note")
    assert words(soup.select_one(".failed-row .code-note")) == "Invalid 422"
    assert words(first.select_one(".group-fix")).startswith(Cause.CONDITION_UNKNOWN.fix)
    assert first.select_one(".group-fix a")["href"] == "/help/errors#condition-unknown"
    assert [words(one) for one in first.select(".values > li")] == ["Near Mnt 2 rows Did you mean NEAR_MINT?"]
    # An example is for those whose values say nothing.
    assert words(group(soup, "listing-not-found").select_one(".group-example")).startswith("For example line 5:")
    assert not first.select(".group-example")


def test_few_rows_without_a_value_are_told_by_their_lines(
    client: FlaskClient, seller: Seller, run_jobs: RunJobs
) -> None:
    make_items()
    missing = [row(condition="", game="Pokemon", price="x"), row(urn="urn:test:2", condition="")]
    one = start(seller, [row(), *missing])
    run_jobs()
    example = group(page(client, address(one)), "condition-missing").select_one(".group-example")
    assert words(example).startswith("Lines 3 and 4, for example line 3:")
    engine.survey(ImportKey.of(one))
    value = page(client, address(one, rest="/fix")).select_one(".group[data-cause=condition-missing] .value")
    # The first row has another problem alone, and says nothing of the other one.
    assert words(value) == "Lines 3 and 4"


def test_a_name_of_any_length_is_searched_for_by_an_address_that_servers_take(
    client: FlaskClient, seller: Seller, run_jobs: RunJobs
) -> None:
    make_items()
    one = start(seller, [row(urn="", game="Game", set="Set", name="皮" * 5_000)])
    run_jobs()
    links = page(client, address(one)).select("a[href^='/catalog']")
    assert any("text=" in str(link["href"]) for link in links)
    assert max(len(str(link["href"])) for link in links) < 4_000


def test_a_long_value_is_folded_with_the_whole_in_reach(client: FlaskClient, seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    urn = "u" * 10_000
    one = start(seller, [row(urn=urn, condition="x")])
    run_jobs()
    soup = page(client, address(one))
    (failed,) = soup.select(".failed-row")
    (cell,) = [cell for cell in failed.select("dd") if cell.details]
    assert cell.details.find_all(string=True, recursive=False) == [urn]
    assert words(cell.summary) == f"{urn[:150]}…Show all 10,000 charactersShow less"
    for raw in (failed.select_one(".raw .long"), soup.select_one(".group-example .long")):
        assert words(raw.select_one(":scope > .original")).count(urn) == 1
        assert len(words(raw.summary)) < 600


def test_a_group_suggests_only_what_holds_for_all_its_rows(
    client: FlaskClient, seller: Seller, run_jobs: RunJobs
) -> None:
    make_items()
    wrong = [row(urn=f"urn:test:{n}", variants="hollow") for n in (1, 2)]
    wrong += [row(urn=urn, cardmarket_id="x", tcgplayer_id="y") for urn in ("", "urn:test:1")]
    one = start(seller, [*wrong, row(mode="UPDATE", quantity="0")])
    run_jobs()
    soup = page(client, address(one))
    # Another item has other variants, and another row has nothing else that names the item.
    assert [words(value) for value in group(soup, "variant-not-found").select(".values > li")] == ["hollow 2 rows"]
    assert [words(value) for value in soup.select(".group[data-cause=id-not-digits] .values > li")] == [
        "x 2 rows",
        "y 2 rows",
    ]
    assert [words(one) for one in soup.select(".failed-row .suggestion")] == [
        "The item has normal, de or reverse.",
        "The item has normal, de or reverse.",
        "Leave it empty – the item is already identified by URN.",
        "Leave it empty – the item is already identified by URN.",
        "There is no listing to end – leave the row out.",
    ]


def test_what_cannot_be_seen_is_named_wherever_a_value_is_shown(
    client: FlaskClient, seller: Seller, run_jobs: RunJobs
) -> None:
    make_items()
    hidden = "U+200B (ZERO WIDTH SPACE)"
    rows = [
        row(condition="N\u200bM"),
        row(urn="urn\u200b:test:1"),
        row(urn="", game="Game", set="Set", name="Name 1\u200b"),
    ]
    one = start(seller, rows)
    run_jobs()
    soup = page(client, address(one))
    said = [words(reason) for reason in soup.select(".reason")]
    assert said[0].startswith(f"CONDITION is “NM” with an invisible {hidden} in it.")
    assert said[1].startswith("There is no item with URN “urn[U+200B ZERO WIDTH SPACE]:test:1” in the catalog.")
    assert said[2].startswith(
        f"There is no item with this GAME, SET and NAME, which have an invisible {hidden} in them,"
    )
    assert {words(value) for value in soup.select(".values > li")} == {
        "N[U+200B ZERO WIDTH SPACE]M Delete it and type NM.",
        "urn[U+200B ZERO WIDTH SPACE]:test:1 Did you mean: urn:test:1 Copy: urn:test:1 Name 1, Set, number 1",
        "Game, Set, Name 1[U+200B ZERO WIDTH SPACE] Delete it and type NAME Name 1.",
    }


def test_a_group_leads_to_its_rows(client: FlaskClient, mistaken: Import) -> None:
    soup = page(client, address(mistaken))
    expected = {
        "condition-unknown": [2, 3, 4],
        "price-in-pounds": [4],
        "listing-not-found": [5],
    }
    for cause, found in expected.items():
        links = {str(link["href"]) for link in group(soup, cause).select("a:not(.help-link)")}
        assert len(links) == 1
        opened = page(client, links.pop())
        assert lines(opened) == found
        assert [one[0] for one in groups(opened)] == [cause]
        assert address(mistaken) in {str(link["href"]) for link in opened.select("main a")}


FILTERED = [
    ("code=404", [5, 6, 7]),
    ("code=422&column=PRICE", [4]),
    ("column=whole-row", [5]),
    ("cause=item-not-found", [6, 7]),
    ("cause=item-not-found&column=NAME", [7]),
    ("batch=1", [2, 3, 4, 5, 6, 7]),
    ("batch=2", []),
    ("lines=4-6", [4, 5, 6]),
    ("lines=6", [6]),
    ("lines=6-4", [6]),
    ("text=near%20MNT", [2, 3]),
    ("text=%00near", [2, 3]),
    ("text=%25", []),
    ("text=near&code=404", []),
    # What makes no sense does not matter.
    ("code=1&cause=x&column=x&batch=x&lines=x&text=%20", [2, 3, 4, 5, 6, 7]),
    ("code=%00&batch=99999999999&lines=1-9999999999", [2, 3, 4, 5, 6, 7]),
    ("batch=32768", [2, 3, 4, 5, 6, 7]),
    ("lines=9999999999", []),
]


def test_rows_are_filtered_by_the_address(client: FlaskClient, mistaken: Import) -> None:
    for query, found in FILTERED:
        soup = page(client, address(mistaken, f"?{query}"))
        assert lines(soup) == found, query
        if not found:
            assert words(soup.select_one(".rows-note")).startswith("No failed row matches."), query


@pytest.mark.parametrize("code", [422, 404])
def test_rows_of_a_code_are_counted_beyond_the_page(
    client: FlaskClient, mistaken: Import, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    # Line 4 is in two groups, and counted once.
    monkeypatch.setattr("app.web.details._PAGE_SIZE", 1)
    soup = page(client, address(mistaken, f"?code={code}"))
    assert words(soup.select_one("#summary")).startswith("3 of 6 failed rows match.")


@pytest.mark.parametrize(
    ("query", "summary", "heading", "found"),
    [
        ("", "6 failed rows.", "Errors in my stock.csv", [2, 3, 4, 5, 6, 7]),
        (
            "cause=condition-unknown&column=CONDITION",
            "3 of 6 failed rows match.",
            "Unknown condition: errors in my stock.csv",
            [2, 3, 4],
        ),
        ("cause=item-not-found", "2 of 6 failed rows match.", "Filtered errors in my stock.csv", [6, 7]),
        ("lines=4&code=422", "1 of 6 failed rows matches.", "Filtered errors in my stock.csv", [4]),
    ],
)
def test_a_filtered_page_counts_and_downloads_what_it_shows(
    client: FlaskClient, mistaken: Import, query: str, summary: str, heading: str, found: list[int]
) -> None:
    soup = page(client, address(mistaken, f"?{query}"))
    assert words(soup.select_one("#summary")).startswith(summary)
    assert (words(soup.h1), words(soup.title)) == (heading, f"{heading} – Sluice")
    assert lines(soup) == found
    failed = soup.select_one("a[href*='/failed.csv']")
    named = {0: "Download failed rows", 1: "Download this row"}.get(len(found) if query else 0)
    assert words(failed) == (named or f"Download these {len(found)} rows")
    header, *told = csv.reader(io.StringIO(client.get(failed["href"]).text, newline=""))
    assert [int(line[header.index("LINE")]) for line in told] == found


def test_what_a_filter_asks_for_can_be_taken_out_one_by_one(client: FlaskClient, mistaken: Import) -> None:
    soup = page(client, address(mistaken, "?cause=price-in-pounds&column=PRICE&lines=2-9&text=urn&batch=1&code=x"))
    chips = {words(chip): dict(parse_qsl(urlsplit(str(chip["href"])).query)) for chip in soup.select(".chip")}
    assert [name.removeprefix("Remove the filter ").removesuffix(" ×") for name in chips] == [
        "Price in pounds, not pence",
        "PRICE",
        "Lines 2–9",
        "“urn”",
        "Batch 1",
    ]
    everything = {"cause", "column", "lines", "text", "batch", "code"}
    assert [everything - {*left} for left in chips.values()] == [{"cause"}, {"column"}, {"lines"}, {"text"}, {"batch"}]
    assert page(client, address(mistaken)).select(".chip") == []


def test_too_many_rows_to_be_counted_are_told_as_that(
    client: FlaskClient, mistaken: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.details._MOST_COUNTED", 2)
    # A page that has them all needs no count.
    monkeypatch.setattr("app.web.details._PAGE_SIZE", 2)
    soup = page(client, address(mistaken, "?lines=2-4"))
    assert words(soup.select_one("#summary")) == "More than 2 of 6 failed rows match."
    assert words(soup.select_one("a[href*='/failed.csv']")) == "Download these rows"


def test_rows_to_download_as_updates_are_offered_only_beside_themselves(
    client: FlaskClient, seller: Seller, run_jobs: RunJobs
) -> None:
    make_items()
    start(seller, [row()])
    run_jobs()
    one = start(seller, [row(), row(price="x"), row(urn="urn:test:9")])
    run_jobs()

    def offered(query: str) -> list[str]:
        return [words(text) for text in page(client, address(one, query)).select(".as-updates p")]

    told = ["You already have 1 of these listings. Download it as an UPDATE row to change it instead."]
    assert offered("") == offered("?cause=listing-exists") == told
    assert offered("?cause=item-not-found") == offered("?code=422") == []


@pytest.mark.parametrize(("most_counted", "told"), [(8, ["Near Mnt 5 rows", "new 3 rows"]), (7, ["Near Mnt"])])
def test_the_rows_with_a_value_are_counted_in_all_batches_or_not_at_all(
    client: FlaskClient,
    seller: Seller,
    run_jobs: RunJobs,
    monkeypatch: pytest.MonkeyPatch,
    most_counted: int,
    told: list[str],
) -> None:
    make_items()
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 4)
    monkeypatch.setattr("app.imports.reports.row_errors._MOST_COUNTED", most_counted)
    wrong = ["Near Mnt", "new", " Near Mnt ", "Near Mnt", "new", "Near Mnt", "new", "Near Mnt"]
    one = start(seller, [row(condition=value, comment='with "marks", and\nlines') for value in wrong])
    run_jobs()
    for path in (address(one, rest=""), address(one), address(one, "?cause=condition-unknown")):
        values = [words(value) for value in group(page(client, path), "condition-unknown").select(".values > li")]
        assert [value.split(" Did you mean")[0].split(" Write")[0] for value in values] == told


def test_the_form_offers_what_there_is_and_keeps_what_was_chosen(client: FlaskClient, mistaken: Import) -> None:
    soup = page(client, address(mistaken))
    offered = {
        str(field["name"]): [str(option["value"]) for option in field.select("option")]
        for field in soup.select(".filters select")
    }
    assert offered == {
        "code": ["", "422", "404"],
        "column": ["", "whole-row", "CONDITION", "NAME", "PRICE", "URN"],
        "cause": ["", "item-not-found", "price-in-pounds", "condition-unknown", "listing-not-found"],
    }
    assert not soup.select_one(".filters").has_attr("open")
    form = soup.select_one(".filters form")
    answer = submit(client, form, lines="nowhere", text='Near "Mnt"')
    filtered = BeautifulSoup(answer.data, "html5lib")
    assert filtered.select_one(".filters").has_attr("open")
    assert filtered.select_one("#filter-text")["value"] == 'Near "Mnt"'
    assert filtered.select_one("#filter-lines")["value"] == "nowhere"
    assert words(filtered.select_one("#fault-lines")).startswith("Enter a line, such as 120")
    chosen = page(client, address(mistaken, "?cause=price-in-pounds&column=PRICE"))
    assert [str(one["value"]) for one in chosen.select("option[selected]")] == ["price-in-pounds", "PRICE"]


def test_a_filter_goes_on_from_page_to_page(client: FlaskClient, seller: Seller, run_jobs: RunJobs) -> None:
    make_items()
    one = start(seller, [row(price="x" if n % 2 else "1.99", reference="a&b=c") for n in range(220)])
    run_jobs()
    path, found = address(one, "?cause=price-in-pounds&column=PRICE&text=a%26b%3DC"), []
    while path:
        soup = page(client, path)
        found.append(lines(soup))
        # It asks for some rows of a group, and a group is shown with all of its rows or not at all.
        assert groups(soup) == []
        links = {words(link): str(link["href"]) for link in soup.select("nav[aria-label=Pages] a")}
        first = dict(parse_qsl(urlsplit(links.get("First errors", "")).query))
        if len(found) > 1:
            assert first == {"cause": "price-in-pounds", "column": "PRICE", "text": "a&b=C"}
        path = links.get("Next errors", "")
    assert [len(one) for one in found] == [25, 25, 25, 25, 10]
    assert sum(found, []) == list(range(2, 222, 2))


def test_what_is_wrong_is_marked_in_the_row_and_the_row_is_left_as_it_is(
    client: FlaskClient, seller: Seller, run_jobs: RunJobs
) -> None:
    make_items()
    rows = [
        'CREATE,urn:test:1,,,,,,"N""M",,1,,,"two\nlines",,',
        'CREATE,urn:test:1,,,,,,NM,1,1,,,"a" b,,',
        "CREATE,,Game,Set,Nobody,,,NM,1,1,,,,,",
        "CREATE,urn:test:1,,,,,,NM,1",
        "UPDATE,urn:test:1,,,,,,NM,1,1,,,,,",
    ]
    one = start(seller, with_header("\n".join(rows)))
    run_jobs()
    soup = page(client, address(one))
    assert [original.get_text() for original in soup.select(".failed-row .original")] == rows
    marked = [
        [(str(mark["title"]), mark.get_text()) for mark in original.select("mark")]
        for original in soup.select(".failed-row .original")
    ]
    assert marked == [
        [("CONDITION", '"N""M"'), ("PRICE", "")],
        [("COMMENT", '"a" b')],
        [("GAME", "Game"), ("SET", "Set"), ("NAME", "Nobody")],
        [],
        [],
    ]
    # The values stand under their names, unless it is uncertain which belongs where; those that are wrong, even empty.
    cells = [
        {
            words(cell.dt): (words(cell.dd), "is-wrong" in cell.get("class", ()))
            for cell in shown.select(".row-cells > div")
        }
        for shown in soup.select(".failed-row")
    ]
    assert cells[0] == {
        "MODE": ("CREATE", False),
        "URN": ("urn:test:1", False),
        "CONDITION": ('N"M', True),
        "PRICE": ("", True),
        "QUANTITY": ("1", False),
        "COMMENT": ("two[line break]lines", False),
    }
    assert [name for name, (_, is_wrong) in cells[2].items() if is_wrong] == ["GAME", "SET", "NAME"]
    assert (cells[1], cells[3]) == ({}, {})


def test_suggestions_stand_beside_the_reason_and_urns_can_be_copied(client: FlaskClient, mistaken: Import) -> None:
    soup = page(client, address(mistaken))

    def suggested(line: int) -> list[str]:
        return [words(one) for one in soup.select(f"#line-{line} .suggestion")]

    assert suggested(2) == ["Did you mean NEAR_MINT?"]
    # The message has the value to enter already.
    assert suggested(4) == []
    assert words(soup.select(".group[data-cause=price-in-pounds] .suggestion")[0]) == "In pence, that is 199."
    assert suggested(5) == []
    assert suggested(6) == ["Did you mean: urn:test:2 Copy: urn:test:2 Name 2, Set, number 2"]
    assert suggested(7)[0].startswith("Did you mean NAME Name 3")
    for button in soup.select("button[data-copy]"):
        copied = soup.find(id=button["data-copy"])
        assert re.fullmatch("urn:test:[0-9]", copied.get_text())


def test_an_import_that_moves_has_its_groups_without_a_look_at_their_rows(
    client: FlaskClient, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_items()
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 1)
    one = start(seller, [row(condition="Near Mnt"), row()])
    batch_job.run(seller.id, one.id, 1, 1)
    monkeypatch.setattr(items, "list_steps", None)
    monkeypatch.setattr("app.queries.imports.error_groups.sample", None)
    soup = page(client, address(one, rest=""))
    assert groups(soup) == [("condition-unknown", "CONDITION", 1)]
    assert not soup.select(".suggestion")
    assert lines(soup) == [2]


def test_the_page_of_an_import_shows_the_first_groups_and_leads_to_all(
    client: FlaskClient, seller: Seller, run_jobs: RunJobs
) -> None:
    make_items()
    wrong = {"mode": "x", "condition": "x", "price": "x", "quantity": "x", "hidden": "x", "cardmarket_id": "x"}
    long = dict.fromkeys(("comment", "notes", "reference"), "x" * 256)
    one = start(seller, [row(**wrong, **long, tcgplayer_id="x", variants="ä")])
    run_jobs()
    soup = page(client, address(one, rest=""))
    assert len(groups(soup)) == 10
    assert words(soup.select_one(".groups-note")).endswith("The first 10 are here – show all 11")
    assert len(groups(page(client, address(one)))) == 11


@pytest.mark.parametrize("query", ["", "?cause=condition-unknown&column=CONDITION", "?text=near", "?after=2"])
def test_anothers_errors_are_not_there(
    client: FlaskClient, other_seller: Seller, run_jobs: RunJobs, query: str
) -> None:
    make_items()
    theirs = start(other_seller, [row(condition="Near Mnt")])
    run_jobs()
    assert client.get(address(theirs, query)).status_code == 404


def test_every_cause_has_a_title() -> None:
    titles = {cause: cause.title for cause in Cause}
    assert titles[Cause.ID_NOT_DIGITS] == "ID contains something other than digits"
    assert len(set(titles.values())) == len(Cause)
    assert all(Cause.by_slug(cause.slug) is cause for cause in Cause)


@pytest.mark.parametrize("rest", ["", "/errors", "/panel", "/errors.csv"])
def test_a_cause_of_a_newer_release_is_shown_by_its_name(client: FlaskClient, mistaken: Import, rest: str) -> None:
    # While hosts are upgraded one by one, old ones show what new ones have written.
    old, new = "price-in-pounds", "price-too-odd"
    db.session.execute(update(RowError).values(causes=func.array_replace(RowError.causes, old, new)))
    db.session.execute(update(ErrorGroup).where(ErrorGroup.cause == old).values(cause=new))
    db.session.commit()
    assert client.get(address(mistaken, rest=rest)).status_code == 200
    soup = page(client, address(mistaken))
    assert ("price-too-odd", "PRICE", 1) in groups(soup)
    assert words(group(soup, "price-too-odd")).startswith("Price too odd PRICE")
    assert "Sluice is being updated" in words(group(soup, "price-too-odd"))
    assert ErrorKind(Cause.QUOTING, "URN") == (Cause.QUOTING, "URN")
