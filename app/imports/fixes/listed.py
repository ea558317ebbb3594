"""What rows mean that fail because of the seller's listings: which card each is, and which listing is there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from app.csvfile.columns import FIELDS, VALUES, Column
from app.csvfile.contract import CONDITION_CODES, NamedBy, in_pounds
from app.csvfile.lines import LineReader
from app.csvfile.rows import each_row
from app.imports.fixes.slices import as_file
from app.imports.reports import seller_file
from app.imports.reports.progress import ImportProgress
from app.imports.reports.suggestions import tell_item
from app.queries import items
from app.queries.imports import lookups
from app.queries.imports.row_errors import RecordedError
from app.queries.listings import search
from app.queries.listings.search import FoundListing

_CODES = {grade: code for code, grade in CONDITION_CODES.items()}


class Meant(NamedTuple):
    """A row and the listing that it means."""

    #: Its line in the file that the seller has uploaded, like all lines here.
    line: int
    #: Which card it is, and how many of it for how much.
    card: str
    #: What is there already, in words; empty if nothing is.
    listing: str
    #: How many there are with those of the row; 0 without a listing.
    together: int
    #: The line of the same file that it comes from.
    writer: int | None


def tell(one: ImportProgress, errors: Sequence[RecordedError]) -> list[Meant]:
    """What these failed rows of an import mean; those are left out that do not say clearly which item they are."""
    if not errors:
        return []
    header = lookups.get_source(one.key).header
    reader = LineReader([as_file(pa.array([error.row for error in errors]))], header=header, offset=0, line=2)
    rows = [next(each_row(reader.take(1).rows), None) for _ in errors]
    found = items.resolve({row.name for row in rows if row})
    meant = [
        (error, row, found[row.name][0])
        for error, row in zip(errors, rows, strict=True)
        if row and len(found.get(row.name, ())) == 1
    ]
    described = items.describe(NamedBy.URN, {item.urn for _, _, item in meant})
    keys = [(item.id, row.condition, row.variants) for _, row, item in meant]
    there = {(each.urn, each.condition, each.variants): each for each in search.describe(one.key.seller_id, keys)}
    told = []
    for error, row, item in meant:
        of_row = dict(zip(VALUES, row.values, strict=True))
        says = _say_offer(of_row[Column.QUANTITY], of_row[Column.PRICE])
        card = tell_item(described[item.urn][0]), _CODES[row.condition], row.variants, says
        listing = there.get((item.urn, row.condition, row.variants))
        writer = _find_writer(one, listing, error)
        told.append(Meant(error.line, ", ".join(filter(None, card)), _say(listing), _add_up(listing, of_row), writer))
    lines = seller_file.own_lines(one.key, {line for each in told for line in (each.line, each.writer) if line})
    return [each._replace(line=lines[each.line], writer=lines.get(each.writer or 0)) for each in told]


def _say(listing: FoundListing | None) -> str:
    if listing is None:
        return ""
    quantity, price = (listing.values[FIELDS[column].name] for column in (Column.QUANTITY, Column.PRICE))
    return f"You have {_say_offer(quantity, price)}"


def _add_up(listing: FoundListing | None, of_row: Mapping[Column, Any]) -> int:
    return listing.values[FIELDS[Column.QUANTITY].name] + of_row[Column.QUANTITY] if listing else 0


def _say_offer(quantity: Any, price: Any) -> str:
    return f"{quantity:,} for {in_pounds(int(price or 0))}"


def _find_writer(one: ImportProgress, listing: FoundListing | None, error: RecordedError) -> int | None:
    """The line of ``one`` that has written the listing last, or that makes it, too."""
    if listing is None:
        return next((fact["line"] for fact in error.facts or () if "line" in fact), None)
    written = (listing.changed_by, listing.made_by)
    return next((by.line for by in written if by and by.public_id == one.public_id), None)
