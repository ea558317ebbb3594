"""The files that sellers have from other tools come to what is expected of every row of them."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import Result
from flask import Flask

from app import catalog
from app.models import Seller
from tests.samples import CATALOG, SAMPLES

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
    catalog.load(CATALOG)
    found = expected()
    del found["tcgplayer-pull-sheet.csv"]
    refused = convert(app, seller, "tcgplayer-pull-sheet.csv", tmp_path)
    assert refused.exit_code == 2
    assert "pull sheet" in refused.output
    assert not list(tmp_path.iterdir())
    assert len(found) == 18
    every = (faults(name, lines, came(app, seller, name, tmp_path)) for name, lines in found.items())
    assert [fault for of_file in every for fault in of_file] == []
