"""Rows that a stray quotation mark has swallowed: reported on every page and in every file, and none lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from app.csvfile.columns import HEADER
from app.extensions import db
from app.imports import commands, ledger
from app.models import Import, Seller
from tests.factories import failures, listed, look, make_items, start
from tests.pages import page, words

RunJobs = Callable[[], None]

SWALLOWED = [
    'CREATE,urn:test:2,,,,,,NM,250,2,,,"Nice card,,',
    "CREATE,urn:test:3,,,,,,NM,250,2,,,,paid 40 for it,R-3",
    'CREATE,urn:test:4,,,,,,NM,250,2,,,Great",,R-4',
]
LINES = [
    "CREATE,urn:test:1,,,,,,NM,250,2,,,,,R-1",
    *SWALLOWED,
    'CREATE,urn:test:5,,,,,,NM,250,2,,,"two',
    'lines",,R-5',
]
SENTENCE = (
    "A quotation mark opened in COMMENT on line 3 is closed only on line 5, so the rows on lines 4 to 5 became part of "
    "it. Delete the mark, or close it where the value ends."
)


@pytest.fixture(params=["\n", "\r\n"], ids=["LF", "CRLF"])
def newline(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def imported(seller: Seller, run_jobs: RunJobs, newline: str) -> Import:
    """The import of a file that was checked before."""
    make_items(5)
    checked = start(seller, newline.join([HEADER, *LINES, ""]).encode(), is_check=True)
    run_jobs()
    assert (look(checked).invalid, failures(checked)) == (1, [(3, 422)])
    one = commands.import_checked(seller.id, checked.public_id)
    run_jobs()
    return one


def test_only_the_row_with_the_mark_fails_and_says_which_lines_it_took(
    client: FlaskClient, seller: Seller, imported: Import, newline: str
) -> None:
    assert (look(imported).total, look(imported).invalid, failures(imported)) == (3, 1, [(3, 422)])
    assert sorted(one[6] for one in listed(seller)) == ["", f"two{newline}lines"]
    soup = page(client, f"/imports/{imported.public_id}/errors")
    assert words(soup.select_one("#line-3 .failed-row-head b")) == "Lines 3–5"
    assert [words(one) for one in soup.select(".reason")] == [SENTENCE]
    assert words(soup.select_one(".group-example")).startswith("For example lines 3–5:")
    assert list(ledger.find_faults(db.session.get_one(Import, (seller.id, imported.id)))) == []


def test_failed_csv_has_all_its_lines_and_can_be_mended(
    client: FlaskClient, seller: Seller, imported: Import, newline: str, run_jobs: RunJobs
) -> None:
    failed = client.get(f"/imports/{imported.public_id}/failed.csv").get_data()
    assert failed.decode().removeprefix("\ufeff") == newline.join([HEADER, *SWALLOWED, ""])
    mended = failed.replace(b'"', b"")
    again = start(seller, mended)
    run_jobs()
    assert (look(again).successful, look(again).failed) == (3, 0)
    assert len(listed(seller)) == 5
