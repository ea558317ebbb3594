"""Warnings of an import: on its page, in the API and on the command line, for a check and for its import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.imports import commands
from app.models import Import, Seller
from tests.conftest import make_token
from tests.factories import csv_bytes, look, make_items, row, start
from tests.pages import page, words

GARBLED = [row(), row(urn="urn:test:2", comment="PokÃ©mon")]
SENTENCE = "1 row has garbled letters, first on line 3: COMMENT is “PokÃ©mon”, probably for “Pokémon”."


@pytest.mark.parametrize("is_check", [False, True])
def test_a_warning_is_told_on_the_page_and_in_the_api(
    app: Flask, client: FlaskClient, seller: Seller, run_jobs: Callable[[], None], is_check: bool
) -> None:
    make_items(2)
    made = start(seller, GARBLED, is_check=is_check)
    run_jobs()
    assert look(made).status == "COMPLETED"
    (note,) = page(client, f"/imports/{made.public_id}").select("[data-warning]")
    assert note["data-warning"] == "garbled-letters"
    assert words(note).startswith(SENTENCE)
    token = {"Authorization": f"Bearer {make_token(seller)}"}
    (told,) = app.test_client().get(f"/api/v1/imports/{made.public_id}", headers=token).get_json()["warnings"]
    assert told.pop("message").startswith(SENTENCE)
    assert told == {"kind": "garbled-letters", "rows": 1, "line": 3, "column": "COMMENT", "value": "PokÃ©mon"}


def test_what_is_made_of_the_same_file_has_the_same_warnings(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items(2)
    checked = start(seller, GARBLED, is_check=True)
    run_jobs()
    imported = commands.import_checked(seller.id, checked.public_id)
    assert look(imported).warnings == look(checked).warnings != []


def test_without_a_warning_there_is_no_note(client: FlaskClient, seller: Seller) -> None:
    make_items(1)
    made = start(seller, [row(comment="Pokémon")])
    assert page(client, f"/imports/{made.public_id}").select("[data-warning]") == []


def test_the_command_line_tells_it_too(app: Flask, seller: Seller, tmp_path: Path) -> None:
    path = tmp_path / "stock.csv"
    path.write_bytes(csv_bytes(GARBLED))
    result = app.test_cli_runner().invoke(args=["imports", "start", str(path), "--seller", seller.email])
    db.session.rollback()
    assert result.exit_code == 0
    assert f"Warning: {SENTENCE}" in result.stderr


@pytest.mark.parametrize("is_check", [False, True])
def test_a_file_most_of_whose_rows_fail_is_warned_of(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None], is_check: bool
) -> None:
    make_items(1)
    rows = [row(reference=n, urn="urn:test:1", condition="NM" if n else "EX") for n in range(10)]

    def told(one: Import) -> list[str]:
        return [words(note) for note in page(client, f"/imports/{one.public_id}").select("[data-warning=most-fail]")]

    advice = "Start with the most common problem."
    made = start(seller, [*rows, row(price="x")], is_check=is_check)
    assert told(made) == []
    run_jobs()
    assert told(made) == [f"More than half of the rows {'would fail' if is_check else 'failed'}. {advice}"]
    # The upload check knows some of them before anything is processed.
    known = start(seller, [*rows[:4], *[row(price="x")] * 7], is_check=is_check)
    assert told(known) == [f"7 of 11 rows contain mistakes and will fail. {advice}"]
    # The summary says it where all fail.
    run_jobs()
    hopeless = start(seller, [row(price="x")] * 12, is_check=is_check)
    run_jobs()
    assert told(hopeless) == []


@pytest.mark.parametrize("is_check", [False, True])
def test_changes_that_are_probably_mistakes_are_warned_of(
    client: FlaskClient,
    seller: Seller,
    run_jobs: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    is_check: bool,
) -> None:
    make_items(12)
    start(seller, [row(urn=f"urn:test:{n}", price=1000) for n in range(1, 13)])
    run_jobs()
    # Lines 2 to 6 and 7 to 11 are batches, and each row is a chunk.
    monkeypatch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 5)
    monkeypatch.setattr("app.imports.worker.batch_job.MAX_CHUNK_ROWS", 1)
    monkeypatch.setattr("app.imports.worker.batch_job.MIN_CHUNK_ROWS", 1)
    # Exactly 80 per cent is not more than that.
    prices = [200, 1800, 199, 1801, 1000, 1900, 5, *[1001] * 5]
    rows = [
        row(mode="UPDATE", urn=f"urn:test:{n}", price=price, quantity=0 if n > 2 else 1)
        for n, price in enumerate(prices, start=1)
    ]

    def told(one: Import) -> dict[str, str]:
        notes = page(client, f"/imports/{one.public_id}").select("[data-warning]")
        return {str(note["data-warning"]): words(note) for note in notes}

    made = start(seller, rows, is_check=is_check)
    run_jobs()
    moved, were = ("would move", "would be") if is_check else ("moved", "were")
    assert told(made) == {
        "price-moves": f"4 prices {moved} by more than 80%, the furthest on line 8: from £10.00 to £0.05. Prices "
        "are in pence – check that these are meant.",
        "sold-out": f"10 listings {were} set to a quantity of 0, first on line 4, so that nobody can buy them. Check "
        "that this is meant.",
    }
    token = {"Authorization": f"Bearer {make_token(seller)}"}
    in_api = client.get(f"/api/v1/imports/{made.public_id}", headers=token).get_json()["warnings"]
    assert [(one["kind"], one["rows"], one["line"], one["column"], one["value"]) for one in in_api] == [
        ("price-moves", 4, 8, "PRICE", "5"),
        ("sold-out", 10, 4, "QUANTITY", "0"),
    ]
    # A few that are sold out are nothing to be warned of.
    few = start(seller, [row(mode="UPDATE", urn="urn:test:1", price=1000, quantity=0)], is_check=is_check)
    run_jobs()
    assert "sold-out" not in told(few)


def test_a_single_row_is_warned_of_only_until_it_has_failed(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items(2)
    made = start(seller, [row(urn="urn:test:1", price=2, condition="x"), row(urn="urn:test:2")])
    live = start(seller, [row(urn="urn:test:1", price=2), row(urn="urn:test:9")])
    kinds = [[warned.kind for warned in look(one).warnings] for one in (made, live)]
    assert kinds == [["tiny-prices"]] * 2
    run_jobs()
    told = [page(client, f"/imports/{one.public_id}").select("[data-warning]") for one in (made, live)]
    assert [len(notes) for notes in told] == [0, 1]


def test_several_rows_are_warned_of_even_if_the_first_of_them_has_failed(
    client: FlaskClient, seller: Seller, run_jobs: Callable[[], None]
) -> None:
    make_items(2)
    wrong = row(urn="urn:test:1", price=2, condition="x", comment="PokÃ©mon")
    made = start(seller, [wrong, row(urn="urn:test:2", comment="PokÃ©mon")])
    lines = [(warned.kind, warned.rows, warned.line) for warned in look(made).warnings]
    assert sorted(lines) == [("garbled-letters", 2, 2), ("tiny-prices", 1, 2)]
    run_jobs()
    notes = page(client, f"/imports/{made.public_id}").select("[data-warning]")
    assert [note["data-warning"] for note in notes] == ["garbled-letters"]
