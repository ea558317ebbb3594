"""One chunk: some thousand rows in a single transaction, written wholly or not at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.csvfile.contract import Cause, Column, Mode, NamedBy, Problem, quoted
from app.csvfile.validate import Row
from app.queries import BatchKey, items, listings, row_errors, transitions
from app.queries.items import CatalogItem, Name
from app.queries.listings import ListingKey, ListingState, Locked, NewListing
from app.queries.row_errors import FailedRow

#: The message about an ambiguous name lists so many URNs at most.
_URNS_LISTED = 5
#: The message about an unknown variant lists so many of the item's own at most.
_VARIANTS_LISTED = 12


class Line(NamedTuple):
    """A row of the file with what the validator made of it."""

    line: int
    #: The original text.
    text: str
    row: Row | list[Problem]


class Chunk(NamedTuple):
    """Consecutive rows of a batch and where the batch stands after them."""

    lines: Sequence[Line]
    #: The byte at which the chunk begins; it must be where the batch stands.
    start: int
    end: int
    #: The physical line at ``end``.
    next_line: int


class Candidate(NamedTuple):
    """A row whose item is known."""

    line: int
    text: str
    row: Row
    key: ListingKey


class Stale(Exception):
    """The batch is not ours to work on any more; nothing was written."""


class Pausing(Exception):
    """The import is pausing; nothing was written."""


def write(batch: BatchKey, attempt: int, chunk: Chunk) -> str:
    """Import the rows of ``chunk`` and move the batch on; the batch's status afterwards.

    The caller commits, or rolls back on any exception. Raises Stale or Pausing when nothing may be written.
    """
    fence = transitions.lock_for_chunk(batch, attempt)
    if fence is None or fence.cursor != chunk.start:
        raise Stale
    if fence.is_pausing:
        raise Pausing
    failed = [FailedRow(line.line, line.text, line.row) for line in chunk.lines if not isinstance(line.row, Row)]
    candidates = list(_find_items(chunk.lines, failed))
    updated = _update([one for one in candidates if one.row.mode is Mode.UPDATE], batch, failed)
    created = _create([one for one in candidates if one.row.mode is Mode.CREATE], batch, failed)
    row_errors.insert(batch.of_import, failed)
    return transitions.advance(batch, transitions.Advance(chunk.end, chunk.next_line, created, updated, len(failed)))


def _find_items(lines: Iterable[Line], failed: list[FailedRow]) -> Iterable[Candidate]:
    """The rows whose item and variants are in the catalog; the others go to ``failed``."""
    valid = [(line, line.row) for line in lines if isinstance(line.row, Row)]
    catalog = items.resolve({(row.named_by, row.name) for _, row in valid})
    for line, row in valid:
        name = (row.named_by, row.name)
        found = catalog.get(name, [])
        if len(found) != 1:
            problem = _ambiguous(name, found) if found else _unknown(name)
            failed.append(FailedRow(line.line, line.text, [problem]))
            continue
        (item,) = found
        if row.variants and (missing := set(row.variants.split("|")).difference(item.variants)):
            failed.append(FailedRow(line.line, line.text, [_unknown_variants(item, missing)]))
            continue
        yield Candidate(line.line, line.text, row, ListingKey(item.id, row.condition, row.variants))


def _update(candidates: list[Candidate], batch: BatchKey, failed: list[FailedRow]) -> int:
    """Change the listings that ``candidates`` find; how many rows were successful.

    The result is that of updating in the order of the file: what a higher line of this import has set stays, even
    where a lower one comes later because its batch does.
    """
    locked = listings.lock_existing(batch.seller_id, {one.key for one in candidates})
    successful = 0
    for one in candidates:
        if one.key not in locked:
            failed.append(FailedRow(one.line, one.text, [Cause.LISTING_NOT_FOUND.problem()]))
            continue
        place, state = locked[one.key]
        locked[one.key] = Locked(place, _apply(one, state, batch.import_id))
        successful += 1
    # Each of them was asked for by a row that has just been applied.
    listings.update(locked.values())
    return successful


def _apply(update: Candidate, state: ListingState, import_id: int) -> ListingState:
    """What becomes of a listing by an UPDATE row."""
    if state.updated_import_id != import_id:
        state = state._replace(updated_import_id=import_id, updated_line=0, hidden_line=0)
    row = update.row
    if update.line > (state.updated_line or 0):
        state = state._replace(
            price=row.price,
            quantity=row.quantity,
            comment=row.comment,
            notes=row.notes,
            reference=row.reference,
            updated_line=update.line,
        )
    if row.hidden is not None and update.line > (state.hidden_line or 0):
        state = state._replace(hidden=row.hidden, hidden_line=update.line)
    return state


def _create(candidates: list[Candidate], batch: BatchKey, failed: list[FailedRow]) -> int:
    """Make the listings of ``candidates`` that do not exist yet; how many rows were successful."""
    makers = listings.find_existing(batch.seller_id, {one.key for one in candidates})
    first: dict[ListingKey, Candidate] = {}
    repeated: defaultdict[ListingKey, list[Candidate]] = defaultdict(list)
    for one in candidates:
        if one.key in makers or first.setdefault(one.key, one) is not one:
            repeated[one.key].append(one)
    taken = listings.insert(batch.seller_id, batch.import_id, [_new_listing(one) for one in first.values()])
    if taken:
        # Another batch or import was faster by a moment: look again at what it made.
        makers |= listings.find_existing(batch.seller_id, taken)
        for key in taken:
            repeated[key].append(first.pop(key))
    for key, ones in repeated.items():
        maker = makers.get(key) or listings.Maker(batch.import_id, first[key].line)
        if maker.import_id == batch.import_id:
            problem = Cause.LISTING_REPEATED.problem(line=maker.line)
        else:
            problem = Cause.LISTING_EXISTS.problem()
        failed.extend(FailedRow(one.line, one.text, [problem]) for one in ones)
    return len(first)


def _new_listing(one: Candidate) -> NewListing:
    row = one.row
    return NewListing(
        one.key, one.line, row.price, row.quantity, bool(row.hidden), row.comment, row.notes, row.reference
    )


_NAMING_COLUMNS = {
    NamedBy.URN: Column.URN,
    NamedBy.CARDMARKET_ID: Column.CARDMARKET_ID,
    NamedBy.TCGPLAYER_ID: Column.TCGPLAYER_ID,
    NamedBy.NAME: Column.NAME,
}


def _what(name: Name) -> str:
    named_by, value = name
    return (
        "this GAME, SET and NAME"
        if named_by is NamedBy.NAME
        else f"{_NAMING_COLUMNS[named_by]} {quoted(str(value), 120)}"
    )


def _unknown(name: Name) -> Problem:
    return Cause.ITEM_NOT_FOUND.problem(_NAMING_COLUMNS[name[0]], what=_what(name))


def _ambiguous(name: Name, found: list[CatalogItem]) -> Problem:
    urns = ", ".join(item.urn for item in found[:_URNS_LISTED])
    more = ", …" if len(found) > _URNS_LISTED else ""
    what = _what(name)
    return Cause.ITEM_AMBIGUOUS.problem(
        _NAMING_COLUMNS[name[0]], what=what[0].upper() + what[1:], count=len(found), urns=urns + more
    )


def _unknown_variants(item: CatalogItem, missing: set[str]) -> Problem:
    known = (
        f"It has {', '.join(sorted(item.variants)[:_VARIANTS_LISTED])}." if item.variants else "Leave VARIANTS empty."
    )
    return Cause.VARIANT_NOT_FOUND.problem(
        Column.VARIANTS, urn=item.urn, variants=" or ".join(sorted(missing)), known=known
    )
