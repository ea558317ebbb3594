"""Targets: where the rows of a chunk go, to the listings or, in a check, nowhere.

A chunk decides the outcome of each row, and asks its target for everything that concerns listings. So a check runs the
same code as an import up to the very end, and predicts what the import will do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from heapq import nlargest
from typing import Protocol

from app.csvfile.columns import Column, value_of
from app.queries import BatchKey
from app.queries.imports import check_changes, check_claims, unchanged_rows
from app.queries.imports.check_changes import Foreseen
from app.queries.imports.unchanged_rows import LineMarks
from app.queries.listings import listings
from app.queries.listings.listings import Change, CreatedBy, Found, ListingKey, NewListing, key_of, line_of
from app.statuses import ImportKind

#: Maximum number of a chunk's changes that a check stores for display.
_CHANGES_SHOWN = 5
#: Approximate number of a chunk's CREATE rows that are looked up before all of them are inserted.
_SAMPLE_ROWS = 64


class Target(Protocol):
    """The operations of a chunk on listings, inside its transaction."""

    def find(self, keys: Collection[ListingKey]) -> dict[ListingKey, Found]:
        """The seller's listings with these ``keys``. No other transaction changes them before the chunk is done."""

    def spoken(self, keys: Collection[ListingKey]) -> dict[ListingKey, LineMarks]:
        """The ``keys`` whose listings later rows of this import have left unchanged."""

    def change(self, changes: Mapping[ListingKey, Change]) -> None:
        """Update listings that ``find`` has found."""

    def leave_alone(self, found: Mapping[ListingKey, LineMarks]) -> None:
        """Note the listings that rows of the chunk have left unchanged."""

    def create(self, new: Sequence[NewListing]) -> dict[ListingKey, CreatedBy]:
        """Create the ``new`` listings that the seller does not have. Returns which rows created the others."""


class _MakeOnce:
    """Creates the listings of CREATE rows that do not exist yet, and finds out which rows created the others.

    Inserting without a look-up costs half as much, but fails as a whole if one listing exists. So a few are looked up,
    and all of them if any of these exist: then more will. What exists is then known before anything is inserted, so
    that a chunk hardly ever waits for another that is updating it.
    """

    def __init__(
        self,
        find_makers: Callable[[Collection[ListingKey]], dict[ListingKey, CreatedBy]],
        insert: Callable[[Sequence[NewListing]], Collection[int]],
    ) -> None:
        self._find_makers, self._insert = find_makers, insert
        self._meets_existing = False

    def __call__(self, new: Sequence[NewListing]) -> dict[ListingKey, CreatedBy]:
        """Create the ``new`` listings that do not exist. Returns the creators of the others."""
        makers: dict[ListingKey, CreatedBy] = {}
        self._meets_existing = self._meets_existing or bool(self._look_for(new[:: len(new) // _SAMPLE_ROWS + 1]))
        if self._meets_existing:
            makers = self._look_for(new)
            new = [one for one in new if key_of(one) not in makers]
        made = self._insert(new)
        if len(made) < len(new):
            self._meets_existing = True
            makers |= self._look_for([one for one in new if line_of(one) not in made])
        return makers

    def _look_for(self, new: Sequence[NewListing]) -> dict[ListingKey, CreatedBy]:
        return self._find_makers([*map(key_of, new)])


class LiveListings:
    """The target of an import: the seller's listings."""

    def __init__(self, batch: BatchKey) -> None:
        self._batch = batch
        seller_id, import_id, _ = batch
        self.create = _MakeOnce(
            partial(listings.find_makers, seller_id), partial(listings.insert, seller_id, import_id)
        )

    def find(self, keys: Collection[ListingKey]) -> dict[ListingKey, Found]:
        """Find and lock them."""
        return listings.find(self._batch.seller_id, keys, lock=True)

    def spoken(self, keys: Collection[ListingKey]) -> dict[ListingKey, LineMarks]:
        """The notes of later batches."""
        return unchanged_rows.find(self._batch, keys)

    def change(self, changes: Mapping[ListingKey, Change]) -> None:
        """Write the new values."""
        listings.update(self._batch.seller_id, changes.values())

    def leave_alone(self, found: Mapping[ListingKey, LineMarks]) -> None:
        """Note them for the batches before this one."""
        unchanged_rows.record(self._batch, found)


class CheckedListings:
    """The target of a check: reads the seller's listings, and notes what an import would do to them.

    Each row finds the listings as they were before, on which its outcome depends in an import too.
    """

    def __init__(self, batch: BatchKey) -> None:
        self._seller_id = batch.seller_id
        self._key = batch.of_import
        self._claim = _MakeOnce(partial(check_claims.find_makers, self._key), partial(check_claims.take, self._key))

    def find(self, keys: Collection[ListingKey]) -> dict[ListingKey, Found]:
        """Find them without locking, because nothing is written."""
        return listings.find(self._seller_id, keys, lock=False)

    def spoken(self, keys: Collection[ListingKey]) -> dict[ListingKey, LineMarks]:
        """None: no row of a check changes what another one finds."""
        return {}

    def change(self, changes: Mapping[ListingKey, Change]) -> None:
        """Store the most striking changes for display."""
        all_of_them = (
            Foreseen(max(after.updated_line or 0, after.hidden_line or 0), key, found.state, after)
            for key, (found, after) in changes.items()
        )
        check_changes.insert(self._key, nlargest(_CHANGES_SHOWN, all_of_them, key=_surprise))

    def leave_alone(self, found: Mapping[ListingKey, LineMarks]) -> None:
        """Note nothing: no row of a check changes what another one finds."""

    def create(self, new: Sequence[NewListing]) -> dict[ListingKey, CreatedBy]:
        """Add a check claim for each that does not exist."""
        # With a seller's first file, no listing can exist.
        if not listings.exists_for(self._seller_id):
            return self._claim(new)
        makers = listings.find_makers(self._seller_id, [*map(key_of, new)])
        return makers | self._claim([one for one in new if key_of(one) not in makers])


def _surprise(change: Foreseen) -> tuple[float, int]:
    """How striking a change is: by the change of the price, then by the position in the file."""
    prices = [value_of(state.values, Column.PRICE) for state in (change.before, change.after)]
    return max(prices) / min(prices), -change.line


def target_of(batch: BatchKey, kind: ImportKind) -> Target:
    """The target of a batch's rows."""
    return _TARGETS[kind](batch)


_TARGETS: dict[ImportKind, Callable[[BatchKey], Target]] = {
    ImportKind.IMPORT: LiveListings,
    ImportKind.CHECK: CheckedListings,
}
