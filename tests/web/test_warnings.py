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

    advice = "Look at the most common problem first: it may be the same in every row."
    made = start(seller, [*rows, row(price="x")], is_check=is_check)
    assert told(made) == []
    run_jobs()
    assert told(made) == [f"9 of 11 rows {'would fail' if is_check else 'failed'}. {advice}"]
    # The upload check knows some of them before anything is processed.
    known = start(seller, [*rows[:4], *[row(price="x")] * 7], is_check=is_check)
    assert told(known) == [f"7 of 11 rows contain mistakes and will fail. {advice}"]
    # The summary says it where all fail.
    run_jobs()
    hopeless = start(seller, [row(price="x")] * 12, is_check=is_check)
    run_jobs()
    assert told(hopeless) == []
