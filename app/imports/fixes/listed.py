"""What rows mean that fail because of the seller's listings: which card each is, and which listing is there already."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from app.csvfile.columns import FIELDS, VALUES, Column, as_cell
from app.csvfile.contract import GRADE_CODES, Condition, Mode, NamedBy, in_pounds
from app.csvfile.lines import LineReader
from app.csvfile.rows import each_row
from app.imports.errors import TransitionRefused
from app.imports.fixes.answers import Rule
from app.imports.fixes.slices import as_file
from app.imports.reports import seller_file
from app.imports.reports.progress import ImportProgress
from app.imports.reports.suggestions import tell_item
from app.queries import ImportKey, items, items_by_set
from app.queries.imports import corrections
from app.queries.imports.corrections import Wanted
from app.queries.imports.row_errors import RecordedError
from app.queries.listings import search
from app.queries.listings.search import FoundListing

#: Rows that are added to listings by one answer, and that may wait to be imported meanwhile.
MOST_ADDED, _MOST_WAITING = 1_000, 20_000


class Meant(NamedTuple):
    """A row and the listing that it means."""

    #: Its line in the file that the seller has uploaded, like all lines here.
    line: int
    #: Which card it is, and how many of it for how much.
    card: str
    #: What is there already, in words; empty if nothing is.
    listing: str
    #: How many there are with those of all told rows for it; 0 without a listing.
    together: int
    #: The line of the same file that it comes from.
    writer: int | None
    #: The last of the told lines that are for the same listing, whose values an UPDATE of them all would leave.
    last: int
    #: The other told lines for the same listing.
    others: list[int]


class _Of(NamedTuple):
    """A failed row, and what it means."""

    error: RecordedError
    #: The URN, the condition and the variants.
    key: tuple[str, Condition, str]
    values: Mapping[Column, Any]
    listing: FoundListing | None


def tell(one: ImportProgress, errors: Sequence[RecordedError]) -> list[Meant]:
    """What these failed rows of an import mean; those are left out that do not say clearly which item they are."""
    meant = _find(one.key.seller_id, one.header, errors) if errors else []
    described = items_by_set.describe(NamedBy.URN, {each.key[0] for each in meant})
    of_key: defaultdict[tuple[str, Condition, str], list[int]] = defaultdict(list)
    for each in meant:
        of_key[each.key].append(each.error.line)
    copies = _count_copies(meant)
    told = []
    for error, key, values, listing in meant:
        urn, condition, variants = key
        offer = _say_offer(values[Column.QUANTITY], values[Column.PRICE])
        card = ", ".join(filter(None, (tell_item(described[urn][0]), GRADE_CODES[condition], variants, offer)))
        there = (
            f"You have {_say_offer(_quantity(listing), listing.values[FIELDS[Column.PRICE].name])}" if listing else ""
        )
        together = _quantity(listing) + copies[key] if listing else 0
        writer = _find_writer(one, listing, error)
        lines = of_key[key]
        others = [line for line in lines if line != error.line]
        told.append(Meant(error.line, card, there, together, writer, max(lines), others))
    own = seller_file.own_lines(one.key, {line for each in told for line in (each.line, each.writer) if line})
    return [
        each._replace(
            line=own[each.line],
            writer=own.get(each.writer or 0),
            last=own[each.last],
            others=[own[line] for line in each.others],
        )
        for each in told
    ]


def add_up(key: ImportKey, header: str, cause: str) -> dict[int, dict[str, str]]:
    """The cells, by line, that add the copies of open rows with a cause to the listings that are there already.

    All rows for one listing, those that were added before and wait to be imported, too, come to the same values: its
    own, with as many copies as there are together then. Raises TransitionRefused if too many wait.
    """
    waiting = corrections.list_right(key, rule=Rule.ADD, limit=_MOST_WAITING)
    if len(waiting) == _MOST_WAITING:
        raise TransitionRefused("Import the corrected rows first, then add the others to what you have.")
    new = _find(key.seller_id, header, corrections.list_open(key, Wanted(cause), after_line=0, limit=MOST_ADDED))
    copies = _count_copies(new)
    before = [each for each in _find(key.seller_id, header, waiting) if each.key in copies] if waiting else []
    counted = {each.key: each.values[Column.QUANTITY] for each in before}
    added = {}
    for error, of, _, listing in (*new, *before):
        if listing:
            together = counted.get(of, _quantity(listing)) + copies[of]
            values = {str(column): as_cell(listing.values[field.name]) for column, field in FIELDS.items()}
            added[error.line] = {**values, Column.QUANTITY: str(together), Column.MODE: str(Mode.UPDATE)}
    return added


def _find(seller_id: int, header: str, errors: Sequence[RecordedError]) -> list[_Of]:
    """What these rows mean that say clearly which item they are."""
    texts = pa.array([error.row for error in errors], pa.string())
    reader = LineReader([as_file(texts)], header=header, offset=0, line=2)
    rows = [next(each_row(reader.take(1).rows), None) for _ in errors]
    found = items.resolve({row.name for row in rows if row})
    meant = [
        (error, row, found[row.name][0])
        for error, row in zip(errors, rows, strict=True)
        if row and len(found.get(row.name, ())) == 1
    ]
    keys = [(item.id, row.condition, row.variants) for _, row, item in meant]
    there = {(each.urn, each.condition, each.variants): each for each in search.describe(seller_id, keys)}
    of_rows = [(error, (item.urn, row.condition, row.variants), row.values) for error, row, item in meant]
    return [_Of(error, key, dict(zip(VALUES, values, strict=True)), there.get(key)) for error, key, values in of_rows]


def _count_copies(rows: Sequence[_Of]) -> Counter[tuple[str, Condition, str]]:
    copies: Counter[tuple[str, Condition, str]] = Counter()
    for each in rows:
        copies[each.key] += each.values[Column.QUANTITY]
    return copies


def _quantity(listing: FoundListing) -> int:
    return int(listing.values[FIELDS[Column.QUANTITY].name] or 0)


def _say_offer(quantity: Any, price: Any) -> str:
    return f"{quantity:,} for {in_pounds(int(price or 0))}"


def _find_writer(one: ImportProgress, listing: FoundListing | None, error: RecordedError) -> int | None:
    """The line of ``one`` that has written the listing last, or that makes it, too."""
    if listing is None:
        return next((fact["line"] for fact in error.facts or () if "line" in fact), None)
    written = (listing.changed_by, listing.made_by)
    return next((by.line for by in written if by and by.public_id == one.public_id), None)
