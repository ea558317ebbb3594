"""The files that sellers have from other tools come to what is expected of every row of them."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask

from app import catalog
from app.imports.foreign.convert import HEADER_LINE, convert
from app.imports.foreign.reading import NotStock, detect
from app.imports.foreign.reasons import Outcome
from app.imports.foreign.recognised import recognise
from app.models import Seller
from tests.samples import CATALOG, SAMPLES

FOREIGN = SAMPLES / "foreign"
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


def came(path: Path, seller: Seller) -> dict[int, Came]:
    """What each row of the file came to, by line."""
    with path.open("rb") as file:
        reading = detect(file, overrides={})
        found = recognise(reading.columns)
        assert found, reading.columns
        mapping = found.mapping.with_rates(RATES)
        if not mapping.money.currency:
            # What a seller answers where neither the file nor the format tells.
            mapping = replace(mapping, money=replace(mapping.money, currency="GBP"))
        rows: dict[int, Came] = {}
        for block in convert(file, reading, mapping, seller.id):
            made = defaultdict(list)
            for at, row in zip(
                block.from_rows, csv.DictReader(io.StringIO((HEADER_LINE + block.data).decode())), strict=True
            ):
                made[at].append(tuple(row[name] for name in ("URN", "CONDITION", "PRICE", "QUANTITY", "VARIANTS")))
            for at, line in enumerate(block.lines):
                why = block.reasons[block.reason_at[at]].sentence if block.reason_at[at] >= 0 else ""
                rows[int(line)] = Came(Outcome(block.outcomes[at]).word, made[at], why)
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


def faults(name: str, lines: dict[int, list[dict[str, str]]], seller: Seller) -> Iterator[str]:
    rows = came(FOREIGN / name, seller)
    for line, of_line in lines.items():
        listings, found = wanted(of_line), rows.get(line)
        if found is None or found.listings != listings or (found.outcome == "row") != bool(listings):
            yield f"{name}, line {line}: wanted {listings}, came to {found}"
    if others := sorted(rows.keys() - lines.keys()):
        yield f"{name}: lines {others} are not expected"


@needs_foreign
def test_every_row_of_every_sample(app: Flask, seller: Seller) -> None:
    catalog.load(CATALOG)
    found = expected()
    with pytest.raises(NotStock):
        came(FOREIGN / "tcgplayer-pull-sheet.csv", seller)
    del found["tcgplayer-pull-sheet.csv"], found["own-spreadsheet.xlsx"]
    assert len(found) == 17
    assert [fault for name, lines in found.items() for fault in faults(name, lines, seller)] == []
