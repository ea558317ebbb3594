"""The files that sellers have from other tools come to what is expected of every row of them."""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text as sql

from app import catalog
from app.extensions import db
from app.imports import conversion_job, conversions, match_flow
from app.imports.foreign.reading import text_of
from app.models import Seller
from app.statuses import ImportKind
from tests.samples import CATALOG, SAMPLES, load_catalog

FOREIGN = SAMPLES / "foreign"
COLUMNS = ("URN", "CONDITION", "PRICE", "QUANTITY", "VARIANTS")
RATES = {"GBP": "1", "USD": "0.79", "EUR": "0.86"}

needs_foreign = pytest.mark.skipif(not FOREIGN.is_dir(), reason=f"the samples are not there: {FOREIGN}")


class Came(NamedTuple):
    """What a row came to: the outcome, the listings it made, and the reason."""

    outcome: str
    listings: list[tuple[str, ...]]
    reason: str


def expected() -> dict[str, dict[int, list[dict[str, str]]]]:
    """For each sample the expected listings by line."""
    found: dict[str, dict[int, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for row in csv.DictReader(io.StringIO((FOREIGN / "expected.csv").read_text("utf-8"))):
        found[row["FILE"]][int(row["LINE"] or 0)].append(row)
    return found


def convert(app: Flask, seller: Seller, name: str, at: Path) -> Result:
    options = [f"--rate={code}={rate}" for code, rate in RATES.items()]
    files = ["--out", str(at / "out.csv"), "--report", str(at / "report.csv")]
    # The currency is what a seller answers where neither the file nor the format tells.
    arguments = ["imports", "convert", str(FOREIGN / name), "--seller", seller.email, "--currency", "GBP"]
    return app.test_cli_runner().invoke(args=[*arguments, *options, *files])


def came(app: Flask, seller: Seller, name: str, at: Path) -> dict[int, Came]:
    """What each row of the sample came to, by line."""
    result = convert(app, seller, name, at)
    assert result.exit_code == 0, result.output
    lines = [*csv.DictReader(io.StringIO((at / "out.csv").read_text("utf-8")))]
    rows: dict[int, Came] = {}
    for row in csv.DictReader(io.StringIO((at / "report.csv").read_text("utf-8"))):
        made = [lines[int(line) - 2] for line in row["OUT_LINE"].split("|") if line]
        listings = [tuple(one[column] for column in COLUMNS) for one in made]
        rows[int(row["LINE"])] = Came(row["OUTCOME"], listings, row["REASON"])
    return rows


def wanted(rows: list[dict[str, str]]) -> list[tuple[str, ...]]:
    """The listings of a row, if all that they need is told."""
    told = [row for row in rows if row["URN"] and row["CONDITION"] and row["AMOUNT"] and row["QUANTITY"]]
    return [
        (row["URN"], row["CONDITION"], pence(row["AMOUNT"], row["CURRENCY"]), row["QUANTITY"], row["VARIANTS"])
        for row in told
    ]


def pence(amount: str, currency: str) -> str:
    return str((Decimal(amount) * Decimal(RATES.get(currency, "1"))).quantize(Decimal(1), ROUND_HALF_UP))


def faults(name: str, lines: dict[int, list[dict[str, str]]], rows: dict[int, Came]) -> Iterator[str]:
    for line, of_line in lines.items():
        listings, found = wanted(of_line), rows.get(line)
        if found is None or found.listings != listings or (found.outcome == "row") != bool(listings):
            yield f"{name}, line {line}: wanted {listings}, came to {found}"
    if others := sorted(rows.keys() - lines.keys()):
        yield f"{name}: lines {others} are not expected"


@needs_foreign
def test_every_row_of_every_sample(app: Flask, seller: Seller, tmp_path: Path) -> None:
    load_catalog()
    found = expected()
    del found["tcgplayer-pull-sheet.csv"]
    refused = convert(app, seller, "tcgplayer-pull-sheet.csv", tmp_path)
    assert refused.exit_code == 2
    assert "pull sheet" in refused.output
    assert not list(tmp_path.iterdir())
    assert len(found) == 18
    every = (faults(name, lines, came(app, seller, name, tmp_path)) for name, lines in found.items())
    assert [fault for of_file in every for fault in of_file] == []


def files() -> Iterator[tuple[str, bytes, bytes | None]]:
    """The name and bytes of each sample, a workbook, an archive and UTF-16 among them, and its text if it is known."""
    for path in sorted(FOREIGN.glob("*.[ctx]*")):
        data = path.read_bytes()
        if path.name not in ("expected.csv", "tcgplayer-pull-sheet.csv"):
            yield path.name, data, data if path.suffix != ".xlsx" else None
    text = (FOREIGN / "manabox.csv").read_bytes()
    yield "manabox.csv.gz", gzip.compress(text), text
    yield "manabox.txt", text.decode().encode("utf-16"), text


def records(text: bytes) -> list[bytes]:
    """The records that are not blank, without line endings."""
    found, pending = [], b""
    for line in text.splitlines(keepends=True):
        pending += line
        if pending.count(b'"') % 2 == 0:
            found.append(pending.rstrip(b"\r\n"))
            pending = b""
    assert not pending
    return [record for record in found if record.strip(b' ,;"\t')]


@needs_foreign
def test_every_row_comes_back_byte_for_byte(
    app: Flask, seller: Seller, client: FlaskClient, tmp_path: Path, run_jobs: Callable[[], None]
) -> None:
    named = {row["URN"] for lines in expected().values() for rows in lines.values() for row in rows}
    with gzip.open(CATALOG, "rt", encoding="utf-8") as all_items, (tmp_path / "few.csv").open("w") as few:
        header, *items = all_items
        few.writelines([header, *(item for item in items if item.partition(",")[0].strip('"') in named)])
    catalog.load(tmp_path / "few.csv")
    converted = []
    for name, data, text in files():
        made = conversions.upload(seller.id, name, [data])
        mapping = match_flow.match(seller.id, made).mapping.with_rates(RATES)
        conversions.set_mapping(
            seller.id, made.public_id, replace(mapping, money=replace(mapping.money, currency="GBP"))
        )
        conversions.convert(seller.id, made.public_id, in_background=False)
        conversion_job.run(seller.id, made.id, made.attempt)
        db.session.rollback()
        if text is None:
            text = b"".join(text_of(io.BytesIO(data), conversions.reading_of(made)))
        one = conversions.get(seller.id, made.public_id)
        # Nothing of some can be listed: they tell no price, or need an answer first.
        if one.lines:
            converted.append((one, text))
    assert len(converted) >= 18
    # So every row of every converted file fails.
    db.session.execute(sql("with gone as (delete from external_ids) delete from items"))
    db.session.execute(sql("update catalog set version = version + 1"))
    db.session.commit()
    started = [conversions.start(seller.id, one.public_id, ImportKind.IMPORT).public_id for one, _ in converted]
    run_jobs()
    for (one, text), public_id in zip(converted, started, strict=True):
        both = [client.get(f"/imports/{public_id}/{name}.csv").data for name in ("failed", "left-out")]
        if one.file_name == "manabox.txt":
            both = [data.decode("utf-16").encode() for data in both]
        failed, left_out = both
        head = text[: one.head_size]
        assert failed.startswith(head), one.file_name
        separator = conversions.reading_of(one).separator.encode()
        rest = records(text[len(head) :])
        for record in records(failed[len(head) :]):
            rest.remove(record)
        reasons = records(left_out.partition(b'"REASON"')[2])
        assert len(rest) == len(reasons), one.file_name
        for record, told in zip(rest, reasons, strict=True):
            assert told.startswith(record + separator + b'"'), one.file_name
