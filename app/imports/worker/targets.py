"""Where the rows of a chunk go: into the listings, or, when they are only checked, nowhere.

A chunk decides what becomes of each row, and asks its target for everything that has to do with listings. So a check
takes the same way as an import up to the very end, and what it foretells is what the import will do.
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

#: How many of a chunk's changes a check keeps to be shown.
_CHANGES_SHOWN = 5
#: So many of a chunk's CREATE rows, or nearly, are looked for before all of them are inserted.
_SAMPLE_ROWS = 64


class Target(Protocol):
    """What a chunk does with listings, inside its transaction."""

    def find(self, keys: Collection[ListingKey]) -> dict[ListingKey, Found]:
        """Those of ``keys`` that the seller has a listing for. Nobody else changes them before the chunk is done."""

    def spoken(self, keys: Collection[ListingKey]) -> dict[ListingKey, LineMarks]:
        """Those of ``keys`` that later rows of this import have left as they are."""

    def change(self, changes: Mapping[ListingKey, Change]) -> None:
        """Give listings that ``find`` has found a new state."""

    def leave_alone(self, found: Mapping[ListingKey, LineMarks]) -> None:
        """Remember which listings rows of the chunk have found as they want them."""

    def create(self, new: Sequence[NewListing]) -> dict[ListingKey, CreatedBy]:
        """Make those of ``new`` that the seller has no listing for; which rows made the others."""


class _MakeOnce:
    """Makes the listings of CREATE rows that do not exist yet, and finds out which rows made the others.

    To insert without looking first costs half, but fails as a whole where one exists. So a few are looked for, and all
    of them once some were found: where one exists, more will. What exists is then known before anything is inserted,
    so that a chunk hardly ever waits for one that is changing it.
    """

    def __init__(
        self,
        find_makers: Callable[[Collection[ListingKey]], dict[ListingKey, CreatedBy]],
        insert: Callable[[Sequence[NewListing]], Collection[int]],
    ) -> None:
        self._find_makers, self._insert = find_makers, insert
        self._meets_existing = False

    def __call__(self, new: Sequence[NewListing]) -> dict[ListingKey, CreatedBy]:
        """Make those of ``new`` that do not exist; the makers of the others."""
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
    """The seller's listings themselves."""

    def __init__(self, batch: BatchKey) -> None:
        self._batch = batch
        seller_id, import_id, _ = batch
        self.create = _MakeOnce(
            partial(listings.find_makers, seller_id), partial(listings.insert, seller_id, import_id)
        )

    def find(self, keys: Collection[ListingKey]) -> dict[ListingKey, Found]:
        """Lock those that exist."""
        return listings.find(self._batch.seller_id, keys, lock=True)

    def spoken(self, keys: Collection[ListingKey]) -> dict[ListingKey, LineMarks]:
        """What later batches have noted."""
        return unchanged_rows.find(self._batch, keys)

    def change(self, changes: Mapping[ListingKey, Change]) -> None:
        """Write the new states."""
        listings.update(self._batch.seller_id, changes.values())

    def leave_alone(self, found: Mapping[ListingKey, LineMarks]) -> None:
        """Note them for the batches before this one."""
        unchanged_rows.record(self._batch, found)


class CheckedListings:
    """The seller's listings as an import would find them: they are looked at, and what would become of them is noted.

    Each row finds the listings as they were before, which is what its outcome depends on in an import too.
    """

    def __init__(self, batch: BatchKey) -> None:
        self._seller_id = batch.seller_id
        self._key = batch.of_import
        self._claim = _MakeOnce(partial(check_claims.find_makers, self._key), partial(check_claims.take, self._key))

    def find(self, keys: Collection[ListingKey]) -> dict[ListingKey, Found]:
        """Look at those that exist, without locking them: nothing is to be written."""
        return listings.find(self._seller_id, keys, lock=False)

    def spoken(self, keys: Collection[ListingKey]) -> dict[ListingKey, LineMarks]:
        """None: no row of a check changes what another one finds."""
        return {}

    def change(self, changes: Mapping[ListingKey, Change]) -> None:
        """Keep the most striking changes, to be shown."""
        all_of_them = (
            Foreseen(max(after.updated_line or 0, after.hidden_line or 0), key, found.state, after)
            for key, (found, after) in changes.items()
        )
        check_changes.insert(self._key, nlargest(_CHANGES_SHOWN, all_of_them, key=_surprise))

    def leave_alone(self, found: Mapping[ListingKey, LineMarks]) -> None:
        """Nothing to remember: no row of a check changes what another one finds."""

    def create(self, new: Sequence[NewListing]) -> dict[ListingKey, CreatedBy]:
        """Claim those that do not exist."""
        # With a seller's first file there is nothing to look for.
        if not listings.exists_for(self._seller_id):
            return self._claim(new)
        makers = listings.find_makers(self._seller_id, [*map(key_of, new)])
        return makers | self._claim([one for one in new if key_of(one) not in makers])


def _surprise(change: Foreseen) -> tuple[float, int]:
    """How much a change should be looked at: first by how far the price moves, then by where it stands in the file."""
    prices = [value_of(state.values, Column.PRICE) for state in (change.before, change.after)]
    return max(prices) / min(prices), -change.line


def target_of(batch: BatchKey, kind: ImportKind) -> Target:
    """Where the rows of a batch go."""
    return _TARGETS[kind](batch)


_TARGETS: dict[ImportKind, Callable[[BatchKey], Target]] = {
    ImportKind.IMPORT: LiveListings,
    ImportKind.CHECK: CheckedListings,
}
