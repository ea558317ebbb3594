"""Files from the field: each has the same result, whichever way it is uploaded."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask
from sqlalchemy import select

from app import catalog
from app.csvfile.columns import HEADER
from app.extensions import db
from app.imports.reports import exports
from app.models import Import, Seller
from app.queries import ImportKey
from app.queries.imports import row_errors
from tests.api.conftest import make_program
from tests.conftest import sign_in
from tests.factories import listed, look
from tests.samples import CATALOG, SAMPLES, needs_samples
from tests.web.test_upload import body, csrf_token, post, sentence

FIELD = SAMPLES / "field"
ITEM = "urn:tcg:pokemon:set/base-set-2/card/"


class Right(NamedTuple):
    """What is right for a file."""

    #: In the refusal, if the file is refused.
    refusal: str = ""
    #: The items, by their numbers, of the rows that succeed.
    items: tuple[int, ...] = ()
    #: In the message of each row that fails with 422, by its line.
    failures: Mapping[int, tuple[str, ...]] = {}


RIGHT = {
    "swallowed": Right(items=(70, 75), failures={3: ("on line 3", "only on line 6", "the rows on lines 4 to 6")}),
    "honest-two-lines": Right(items=(70, 71)),
    "sep-line": Right("The header is on line 2, below “sep=,”, which only Excel understands. Delete line 1."),
    "title-line": Right("The header is on line 2. Delete line 1"),
    "lines-quoted-whole": Right("Every line of this file stands in quotation marks as one value."),
    "pipes": Right("separated by pipes"),
    "web-page": Right("a web page"),
    "invisible": Right(items=(70, 71, 72, 73, 74)),
    "trailing-empty-column": Right(items=(70, 71)),
    "trailing-column-with-values": Right(items=(71,), failures={2: ("one value too many", "“x” in column P")}),
    "decimals-of-a-program": Right(
        failures={
            2: ("199 for £1.99", "19900 for £199.00"),
            3: ("199 for £1.99", "19900 for £199.00"),
            4: ("enter 199.",),
            5: ("QUANTITY is “3.0”", "just the digits: 3."),
        }
    ),
}

#: Sends a file and gives the sentence of its refusal, or nothing.
Face = Callable[[Flask, Seller, Path], str]


def page(app: Flask, seller: Seller, path: Path, **fields: str) -> str:
    """The upload page, its form without scripts."""
    client = sign_in(app, seller)
    parts = {"csrf_token": csrf_token(client), **fields}
    given = [(f'name="{name}"', value.encode()) for name, value in parts.items()]
    answer = post(client, body(*given, (f'name="file"; filename="{path.name}"', path.read_bytes())))
    assert answer.status_code in {303, 422}
    return "" if answer.status_code == 303 else sentence(answer)


def check(app: Flask, seller: Seller, path: Path) -> str:
    """The upload page with the switch for a check."""
    return page(app, seller, path, check="1")


def api(app: Flask, seller: Seller, path: Path) -> str:
    answer = make_program(app, seller).send(path.read_bytes())
    assert answer.status_code in {201, 422}
    return str(answer.get_json().get("detail", ""))


def command_line(app: Flask, seller: Seller, path: Path) -> str:
    result = app.test_cli_runner().invoke(args=["imports", "start", str(path), "--seller", seller.email])
    assert result.exit_code in {0, 2}
    return result.output if result.exit_code else ""


@pytest.fixture(scope="module")
def own_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The part of the catalog that has the items that the files name."""
    with gzip.open(CATALOG, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if row[0] == "urn" or row[0].startswith(ITEM)]
    path = tmp_path_factory.mktemp("field") / "catalog.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def items(app: Flask, own_catalog: Path) -> None:
    """The items that the files name."""
    catalog.load(own_catalog)


@needs_samples
def test_each_file_has_what_is_right_for_it() -> None:
    assert {path.stem for path in FIELD.glob("*.csv")} == {*RIGHT}


@needs_samples
@pytest.mark.usefixtures("items")
@pytest.mark.parametrize("face", [page, check, api, command_line], ids=lambda face: face.__name__)
@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_comes_of_each_file(
    app: Flask, seller: Seller, run_jobs: Callable[[], None], name: str, face: Face
) -> None:
    right = RIGHT[name]
    path = FIELD / f"{name}.csv"
    told = face(app, seller, path)
    assert (right.refusal in told) if right.refusal else not told
    made = db.session.scalars(select(Import)).one_or_none()
    assert (made is None) == bool(right.refusal)
    if made is None:
        return
    assert made.invalid == len(right.failures)
    run_jobs()
    ended = look(made)
    assert (ended.total, ended.successful) == (len(right.items) + len(right.failures), len(right.items))
    assert {one[0] for one in listed(seller)} == {f"{ITEM}{number}" for number in right.items if not made.is_check}
    errors = {one.line: one for page in row_errors.iter_pages(ImportKey(seller.id, made.id)) for one in page}
    assert errors.keys() == right.failures.keys()
    for line, parts in right.failures.items():
        assert errors[line].code == 422
        assert [part for part in parts if part not in " ".join(errors[line].messages)] == []


@needs_samples
@pytest.mark.usefixtures("items")
def test_the_rows_that_failed_come_home_whole(app: Flask, seller: Seller, run_jobs: Callable[[], None]) -> None:
    for name, lines in (("swallowed", range(3, 7)), ("trailing-column-with-values", range(2, 3))):
        source = (FIELD / f"{name}.csv").read_bytes().splitlines(keepends=True)
        api(app, seller, FIELD / f"{name}.csv")
        run_jobs()
        made = db.session.scalars(select(Import).order_by(Import.id.desc()).limit(1)).one()
        failed = b"".join(exports.failed(ImportKey(seller.id, made.id)))
        assert failed == b"".join([source[0], *(source[line - 1] for line in lines)])
        assert source[0].decode().startswith(HEADER)


@needs_samples
@pytest.mark.usefixtures("items")
def test_free_text_is_kept_as_it_is(app: Flask, seller: Seller, run_jobs: Callable[[], None]) -> None:
    api(app, seller, FIELD / "invisible.csv")
    run_jobs()
    assert {one[0].removeprefix(ITEM): one[6] for one in listed(seller)}["74"] == "a\u200bb"
