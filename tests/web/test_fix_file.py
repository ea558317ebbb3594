"""The fix-it file: what it says beside each failed row, and its way back as an upload."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from flask.testing import FlaskClient

from app.csvfile.columns import COLUMNS, REASON_COLUMNS
from app.models import Import, Seller
from tests.conftest import make_token
from tests.factories import csv_bytes, failures, listed, look, make_items, row, start
from tests.pages import page

Run = Callable[[], None]


def fix_file(client: FlaskClient, made: Import) -> list[list[str]]:
    """Its lines, by way of the link on the page."""
    link = page(client, f"/imports/{made.public_id}/errors").select_one("a[href*='reasons=1']")
    assert link is not None
    answer = client.get(str(link["href"]))
    assert answer.headers["Content-Disposition"].startswith(
        f'attachment; filename="rows-to-fix-{made.public_id.hex[:8]}'
    )
    text = answer.data.decode("utf-8-sig")
    return [*csv.reader(io.StringIO(text, newline=""), strict=True)]


def as_file(lines: list[list[str]]) -> bytes:
    """``lines`` as a spreadsheet saves them: each with as many values as the longest."""
    width = max(map(len, lines))
    file = io.StringIO(newline="")
    csv.writer(file).writerows([*line, *[""] * (width - len(line))] for line in lines)
    return file.getvalue().encode()


def test_it_says_beside_each_row_what_is_wrong_and_comes_back(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items(3)
    made = start(
        seller,
        [
            row(),
            row(urn="urn:test:2", price="1.99", condition="Near Mnt", reference="00017"),
            row(urn="urn:test:3", quantity="x", notes="=SUM(1)"),
        ],
    )
    run_jobs()
    header, pounds, unclear = fix_file(client, made)
    assert header == [*COLUMNS, *REASON_COLUMNS]
    line, problem, suggestion, owner = pounds[15:]
    assert (line, owner) == ("3", str(made.public_id))
    assert "CONDITION is “Near Mnt”" in problem
    assert "PRICE is “1.99”" in problem
    assert suggestion.startswith("CONDITION: Did you mean NEAR_MINT? PRICE: ")
    assert "199" in suggestion
    # No spreadsheet may change or run a value.
    assert pounds[14] == '="00017"'
    assert unclear[13] == '="=SUM(1)"'
    pounds[8], pounds[7], unclear[9] = "199", "NM", "2"
    mended = start(seller, as_file([header, pounds, unclear]))
    run_jobs()
    assert look(mended).status == "COMPLETED"
    assert {(urn, reference, notes) for urn, *_, notes, reference in listed(seller)} == {
        ("urn:test:1", "", ""),
        ("urn:test:2", "00017", ""),
        ("urn:test:3", "", "=SUM(1)"),
    }


def test_rows_that_cannot_be_taken_apart_fail_until_they_are_corrected(
    client: FlaskClient, seller: Seller, run_jobs: Run
) -> None:
    make_items(3)
    good = csv_bytes([row(urn="urn:test:2")]).decode().splitlines()[1]
    short = good.removesuffix(",")
    quotes = f'{good.removesuffix(",,,")},"Signed "Nell" in pencil",,'
    long = f"{good.removesuffix(',,')},one,two,three,four"
    header = csv_bytes([]).decode()
    made = start(seller, f"{header}{short}\n{quotes}\n{long}\n".encode())
    run_jobs()
    assert failures(made) == [(2, 422), (3, 422), (4, 422)]
    lines = fix_file(client, made)
    assert [line[0] for line in lines[1:]] == [short, quotes, "CREATE"]
    assert [line[15] for line in lines[1:]] == ["2", "3", "4"]
    assert lines[3][13:15] + lines[3][19:] == ["one", "two", "three", "four"]
    again = start(seller, as_file(lines))
    run_jobs()
    assert failures(again) == [(2, 422), (3, 422), (4, 422)]
    # What the next fix-it file says is about this upload.
    assert [line[15] for line in fix_file(client, again)[1:]] == ["2", "3", "4"]
    assert "too many: “three” in column T" in fix_file(client, again)[3][16]
    # The report of this upload has its rows without what the fix-it file said of them.
    report = [*csv.reader(io.StringIO(client.get(f"/imports/{again.public_id}/errors.csv").text, newline=""))]
    assert [line[19:] for line in report] == [["REFERENCE"], [""], [""], ["two", "three", "four"]]


def test_programs_ask_for_it_too(client: FlaskClient, seller: Seller, run_jobs: Run) -> None:
    made = start(seller, [row(mode="NEW")])
    run_jobs()
    token = {"Authorization": f"Bearer {make_token(seller)}"}
    path = f"/api/v1/imports/{made.public_id}/failed.csv"
    lines = client.get(f"{path}?reasons=true", headers=token).text.splitlines()
    assert lines[0].endswith(",REFERENCE,LINE,PROBLEM,SUGGESTION,IMPORT")
    assert client.get(path, headers=token).text.splitlines()[0].endswith(",REFERENCE")
