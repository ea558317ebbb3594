"""Where the rows of a chunk go: into the listings, or, when they are only checked, nowhere.

A chunk decides what becomes of each row, and asks its target for everything that has to do with listings. So a check
takes the same way as an import up to the very end, and what it foretells is what the import will do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from heapq import nlargest
from typing import Protocol

from app.queries import BatchKey, claims, foreseen, left_alone, listings
from app.queries.foreseen import Foreseen
from app.queries.left_alone import Spoken
from app.queries.listings import Change, Found, ListingKey, Maker, NewListing

#: How many of a chunk's changes a check keeps to be shown.
_CHANGES_SHOWN = 5


class Target(Protocol):
    """What a chunk does with listings, inside its transaction."""

    def find(self, keys: Collection[ListingKey]) -> dict[ListingKey, Found]:
        """Those of ``keys`` that the seller has a listing for. Nobody else changes them before the chunk is done."""

    def spoken(self, keys: Collection[ListingKey]) -> dict[ListingKey, Spoken]:
        """Those of ``keys`` that later rows of this import have left as they are."""

    def change(self, changes: Mapping[ListingKey, Change]) -> None:
        """Give listings that ``find`` has found a new state."""

    def leave_alone(self, found: Mapping[ListingKey, Spoken]) -> None:
        """Remember which listings rows of the chunk have found as they want them."""

    def create(self, new: Sequence[NewListing]) -> Collection[int]:
        """Make those of ``new`` that the seller has no listing for; the lines of those that were made."""

    def find_makers(self, keys: Collection[ListingKey]) -> dict[ListingKey, Maker]:
        """Which row has made the listing, for each of ``keys`` that ``create`` did not make."""


class LiveListings:
    """The seller's listings themselves."""

    def __init__(self, batch: BatchKey) -> None:
        self._batch = batch
        #: Whether CREATE rows have met with listings that exist. Where one does, more will.
        self._meets_existing = False

    def find(self, keys: Collection[ListingKey]) -> dict[ListingKey, Found]:
        """Lock those that exist."""
        return listings.find(self._batch.seller_id, keys, lock=True)

    def spoken(self, keys: Collection[ListingKey]) -> dict[ListingKey, Spoken]:
        """What later batches have noted."""
        return left_alone.find(self._batch, keys)

    def change(self, changes: Mapping[ListingKey, Change]) -> None:
        """Write the new states."""
        listings.update(changes.values())

    def leave_alone(self, found: Mapping[ListingKey, Spoken]) -> None:
        """Note them for the batches before this one."""
        left_alone.record(self._batch, found)

    def create(self, new: Sequence[NewListing]) -> Collection[int]:
        """Insert those that do not exist."""
        seller_id, import_id, _ = self._batch
        made = listings.insert(seller_id, import_id, new, expects_existing=self._meets_existing)
        self._meets_existing = self._meets_existing or len(made) < len(new)
        return made

    def find_makers(self, keys: Collection[ListingKey]) -> dict[ListingKey, Maker]:
        """Who has made those that exist."""
        return listings.find_makers(self._batch.seller_id, keys)


class CheckedListings:
    """The seller's listings as an import would find them: they are looked at, and what would become of them is noted.

    Each row finds the listings as they were before, which is what its outcome depends on in an import too.
    """

    def __init__(self, batch: BatchKey) -> None:
        self._seller_id = batch.seller_id
        self._key = batch.of_import
        #: Whether CREATE rows have met with claims of others. Where one does, more will.
        self._meets_taken = False

    def find(self, keys: Collection[ListingKey]) -> dict[ListingKey, Found]:
        """Look at those that exist, without locking them: nothing is to be written."""
        return listings.find(self._seller_id, keys, lock=False)

    def spoken(self, keys: Collection[ListingKey]) -> dict[ListingKey, Spoken]:
        """None: no row of a check changes what another one finds."""
        return {}

    def change(self, changes: Mapping[ListingKey, Change]) -> None:
        """Keep the most striking changes, to be shown."""
        all_of_them = (
            Foreseen(max(after.updated_line or 0, after.hidden_line or 0), key, found.state, after)
            for key, (found, after) in changes.items()
        )
        foreseen.insert(self._key, nlargest(_CHANGES_SHOWN, all_of_them, key=_surprise))

    def leave_alone(self, found: Mapping[ListingKey, Spoken]) -> None:
        """Nothing to remember: no row of a check changes what another one finds."""

    def create(self, new: Sequence[NewListing]) -> Collection[int]:
        """Claim those that do not exist."""
        wanted = {one[1:4]: one[0] for one in new}
        # With somebody's first file there is nothing to look for.
        exist = listings.find_makers(self._seller_id, wanted.keys()) if listings.has_any(self._seller_id) else {}
        missing = [(key, line) for key, line in wanted.items() if key not in exist]
        taken = claims.take(self._key, missing, expects_taken=self._meets_taken)
        self._meets_taken = self._meets_taken or len(taken) < len(missing)
        return taken

    def find_makers(self, keys: Collection[ListingKey]) -> dict[ListingKey, Maker]:
        """Who has made those that exist, or claimed them."""
        makers = listings.find_makers(self._seller_id, keys)
        return makers | claims.find_makers(self._key, keys - makers.keys())


def _surprise(change: Foreseen) -> tuple[float, int]:
    """How much a change should be looked at: first by how far the price moves, then by where it stands in the file."""
    prices = change.before.price, change.after.price
    return max(prices) / min(prices), -change.line


def target_of(batch: BatchKey, *, is_check: bool) -> Target:
    """Where the rows of a batch go."""
    return CheckedListings(batch) if is_check else LiveListings(batch)
