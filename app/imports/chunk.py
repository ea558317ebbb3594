"""One chunk: some thousand rows in a single transaction, written wholly or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from app.csvfile.contract import Cause, Column, ItemName, Mode, NamedBy, Problem, quoted
from app.csvfile.lines import Lines
from app.csvfile.validate import Row
from app.imports.known_items import KnownItems
from app.queries import BatchKey, listings, row_errors, transitions
from app.queries.items import CatalogItem
from app.queries.listings import ListingKey, ListingState, Locked, Maker
from app.queries.row_errors import FailedRow

#: The message about an ambiguous name lists so many URNs at most.
_URNS_LISTED = 5
#: The message about an unknown variant lists so many of the item's own at most.
_VARIANTS_LISTED = 12


class Chunk(NamedTuple):
    """Consecutive records of a batch, at least one."""

    #: The byte at which they begin; it must be where the batch stands.
    start: int
    lines: Lines


#: The listing a row is about, the row, and the line on which it stands.
Candidate = tuple[ListingKey, Row, int]

#: What is wrong with the rows that fail, by their lines.
Failed = dict[int, list[Problem]]


class Stale(Exception):
    """The batch is not ours to work on any more; nothing was written."""


class Pausing(Exception):
    """The import is pausing; nothing was written."""


def write(batch: BatchKey, attempt: int, chunk: Chunk, known_items: KnownItems) -> str:
    """Import the rows of ``chunk`` and move the batch on; the batch's status afterwards.

    The caller commits, or rolls back on any exception. Raises Stale or Pausing when nothing may be written.
    """
    fence = transitions.lock_for_chunk(batch, attempt)
    if fence is None or fence.cursor != chunk.start:
        raise Stale
    if fence.is_pausing:
        raise Pausing
    lines, failed = chunk.lines, Failed()
    to_create, to_update = _find_items(lines, known_items, failed)
    updated = _update(to_update, batch, failed)
    created = _create(to_create, batch, failed)
    row_errors.insert(
        batch,
        [FailedRow(line, lines.original(line), problems) for line, problems in sorted(failed.items())],
    )
    return transitions.advance(
        batch, transitions.Advance(lines.end_byte, lines.next_line, created, updated, len(failed))
    )


def _find_items(lines: Lines, known_items: KnownItems, failed: Failed) -> tuple[list[Candidate], list[Candidate]]:
    """The CREATE and the UPDATE rows whose item and variants are in the catalog; the others go to ``failed``."""
    valid: list[tuple[int, Row]] = []
    for line, row in zip(lines.numbers, lines.rows, strict=True):
        if isinstance(row, Row):
            valid.append((line, row))
        elif row is not None:
            failed[line] = row
    resolved = known_items.resolve([row.name for _, row in valid])
    to_create: list[Candidate] = []
    to_update: list[Candidate] = []
    for (line, row), found in zip(valid, resolved, strict=True):
        if len(found) != 1:
            failed[line] = [_ambiguous(row.name, found) if found else _unknown(row.name)]
            continue
        (item,) = found
        if row.variants and (missing := _missing(item.variants, row.variants)):
            failed[line] = [_unknown_variants(item, missing)]
            continue
        one = (item.id, row.condition, row.variants), row, line
        (to_create if row.mode is Mode.CREATE else to_update).append(one)
    return to_create, to_update


@lru_cache(maxsize=10_000)
def _missing(variants: frozenset[str], wanted: str) -> frozenset[str]:
    """Which of the wanted variants an item with these has not."""
    return frozenset(wanted.split("|")) - variants


def _update(candidates: list[Candidate], batch: BatchKey, failed: Failed) -> int:
    """Change the listings that ``candidates`` find; how many rows were successful.

    The result is that of updating in the order of the file: what a higher line of this import has set stays, even
    where a lower one comes later because its batch does.
    """
    locked = listings.lock_existing(batch.seller_id, {key for key, _, _ in candidates})
    successful = 0
    for key, row, line in candidates:
        if key not in locked:
            failed[line] = [Cause.LISTING_NOT_FOUND.problem()]
            continue
        place, state = locked[key]
        locked[key] = Locked(place, _apply(row, line, state, batch.import_id))
        successful += 1
    # Each of them was asked for by a row that has just been applied.
    listings.update(locked.values())
    return successful


def _apply(row: Row, line: int, state: ListingState, import_id: int) -> ListingState:
    """What becomes of a listing by an UPDATE row."""
    if state.updated_import_id != import_id:
        state = state._replace(updated_import_id=import_id, updated_line=0, hidden_line=0)
    if line > (state.updated_line or 0):
        state = state._replace(
            price=row.price,
            quantity=row.quantity,
            comment=row.comment,
            notes=row.notes,
            reference=row.reference,
            updated_line=line,
        )
    if row.hidden is not None and line > (state.hidden_line or 0):
        state = state._replace(hidden=row.hidden, hidden_line=line)
    return state


def _create(candidates: list[Candidate], batch: BatchKey, failed: Failed) -> int:
    """Make the listings of ``candidates`` that do not exist yet; how many rows were successful."""
    # In the order of the keys, in which the database finds and writes them; of equal ones the lowest line first.
    candidates.sort(key=itemgetter(0))
    makers = listings.find_existing(batch.seller_id, [key for key, _, _ in candidates])
    new: list[Candidate] = []
    repeated: list[Candidate] = []
    last_key = None
    for one in candidates:
        key = one[0]
        if key == last_key or key in makers:
            repeated.append(one)
        else:
            new.append(one)
            last_key = key
    taken = listings.insert(batch.seller_id, batch.import_id, new)
    if taken:
        # Another batch or import was faster by a moment: look again at what it made.
        makers |= listings.find_existing(batch.seller_id, taken)
        repeated += [one for one in new if one[0] in taken]
    makers = {key: Maker(batch.import_id, line) for key, _, line in new} | makers if repeated else {}
    for key, _, line in repeated:
        maker = makers[key]
        if maker.import_id == batch.import_id:
            failed[line] = [Cause.LISTING_REPEATED.problem(line=maker.line)]
        else:
            failed[line] = [Cause.LISTING_EXISTS.problem()]
    return len(new) - len(taken)


_NAMING_COLUMNS = {
    NamedBy.URN: Column.URN,
    NamedBy.CARDMARKET_ID: Column.CARDMARKET_ID,
    NamedBy.TCGPLAYER_ID: Column.TCGPLAYER_ID,
    NamedBy.NAME: Column.NAME,
}


def _what(name: ItemName) -> str:
    named_by, value = name
    return (
        "this GAME, SET and NAME"
        if named_by is NamedBy.NAME
        else f"{_NAMING_COLUMNS[named_by]} {quoted(str(value), 120)}"
    )


def _unknown(name: ItemName) -> Problem:
    return Cause.ITEM_NOT_FOUND.problem(_NAMING_COLUMNS[name[0]], what=_what(name))


def _ambiguous(name: ItemName, found: Sequence[CatalogItem]) -> Problem:
    urns = ", ".join(item.urn for item in found[:_URNS_LISTED])
    more = ", …" if len(found) > _URNS_LISTED else ""
    what = _what(name)
    return Cause.ITEM_AMBIGUOUS.problem(
        _NAMING_COLUMNS[name[0]], what=what[0].upper() + what[1:], count=len(found), urns=urns + more
    )


def _unknown_variants(item: CatalogItem, missing: frozenset[str]) -> Problem:
    known = (
        f"It has {', '.join(sorted(item.variants)[:_VARIANTS_LISTED])}." if item.variants else "Leave VARIANTS empty."
    )
    return Cause.VARIANT_NOT_FOUND.problem(
        Column.VARIANTS, urn=item.urn, variants=" or ".join(sorted(missing)), known=known
    )
