"""What rows mean that fail because of the seller's listings: which card each is, and which listing is there already."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from app.csvfile.causes import Cause
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
#: Why rows fail that can be added to a listing that is there.
_ADDED = frozenset({Cause.LISTING_EXISTS, Cause.LISTING_REPEATED})


class Meant(NamedTuple):
    """A row and the listing that it means."""

    #: Its line in the file that the seller has uploaded, like all lines here.
    line: int
    #: Which card it is, and how many of it for how much.
    card: str
    #: What is there already, in words; empty if nothing is.
    listing: str
    #: How many there are if all rows are added that failed like this one; 0 where they cannot be added.
    together: int
    #: The line of the same file that it comes from.
    writer: int | None
    #: The last line of those that are for the same listing and failed likewise. Its values stay if all are an UPDATE.
    last: int
    #: The other ones of them.
    others: list[int]


_ListingKey = tuple[str, Condition, str]


class _Of(NamedTuple):
    """A failed row, and what it means."""

    error: RecordedError
    #: The URN, the condition and the variants.
    key: _ListingKey
    values: Mapping[Column, Any]
    listing: FoundListing | None

    @property
    def cause(self) -> Cause:
        """Why it failed."""
        return self.error.kinds[0].cause


class _Sums(NamedTuple):
    """What one answer adds to listings that are there already."""

    #: The rows that failed with one cause and are open, at most MOST_ADDED, and whether these are all.
    open: list[_Of]
    is_all: bool
    #: The rows that were added before, and wait to be imported, for the same listings.
    waiting: list[_Of]
    #: How many there are then of each listing.
    quantities: dict[_ListingKey, int]


_NO_SUMS = _Sums([], True, [], {})


def tell(one: ImportProgress, errors: Sequence[RecordedError], *, adds: bool = True) -> list[Meant]:
    """What these failed rows of an import mean; those are left out that do not say clearly which item they are.

    ``adds``: they are open, and it is told what adding them would come to.
    """
    meant = _find(one.key.seller_id, one.header, errors) if errors else []
    described = items_by_set.describe(NamedBy.URN, {each.key[0] for each in meant})
    sums = {
        cause: _add_up(one.key, one.header, cause.slug) or _NO_SUMS
        for cause in _ADDED & {each.cause for each in meant if each.listing and adds}
    }
    of_key: defaultdict[tuple[Cause, _ListingKey], set[int]] = defaultdict(set)
    for each in [*meant, *(row for of_cause in sums.values() for row in of_cause.open)]:
        of_key[each.cause, each.key].add(each.error.line)
    told = []
    for each in meant:
        (urn, condition, variants), listing = each.key, each.listing
        offer = _say_offer(each.values[Column.QUANTITY], each.values[Column.PRICE])
        card = ", ".join(filter(None, (tell_item(described[urn][0]), GRADE_CODES[condition], variants, offer)))
        there = (
            f"You have {_say_offer(_quantity(listing), listing.values[FIELDS[Column.PRICE].name])}" if listing else ""
        )
        found = sums.get(each.cause, _NO_SUMS)
        together = found.quantities.get(each.key, 0) if found.is_all else 0
        writer = _find_writer(one, listing, each.error)
        lines = sorted(of_key[each.cause, each.key])
        others = [line for line in lines if line != each.error.line]
        told.append(Meant(each.error.line, card, there, together, writer, lines[-1], others))
    told_lines = {line for each in told for line in (each.line, each.writer, *each.others) if line}
    own = seller_file.own_lines(one.key, told_lines)
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
    sums = _add_up(key, header, cause)
    if sums is None:
        raise TransitionRefused("Import the corrected rows first, then add the others to what you have.")
    added = {}
    for each in (*sums.open, *sums.waiting):
        if each.listing:
            values = {str(column): as_cell(each.listing.values[field.name]) for column, field in FIELDS.items()}
            quantity = str(sums.quantities[each.key])
            added[each.error.line] = {**values, Column.QUANTITY: quantity, Column.MODE: str(Mode.UPDATE)}
    return added


def _add_up(key: ImportKey, header: str, cause: str) -> _Sums | None:
    """What adding the open rows with a cause comes to; None if too many wait to be imported."""
    waiting = corrections.list_right(key, rule=Rule.ADD, limit=_MOST_WAITING)
    if len(waiting) == _MOST_WAITING:
        return None
    errors = corrections.list_open(key, Wanted(cause), after_line=0, limit=MOST_ADDED + 1)
    new = _find(key.seller_id, header, errors[:MOST_ADDED])
    copies: Counter[_ListingKey] = Counter()
    for each in new:
        copies[each.key] += each.values[Column.QUANTITY]
    before = [each for each in _find(key.seller_id, header, waiting) if each.key in copies] if waiting else []
    counted = {each.key: each.values[Column.QUANTITY] for each in before}
    there = {each.key: counted.get(each.key, _quantity(each.listing)) for each in new if each.listing}
    return _Sums(new, len(errors) <= MOST_ADDED, before, {of: quantity + copies[of] for of, quantity in there.items()})


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
