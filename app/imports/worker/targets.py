"""Targets: where the rows of a chunk go, to the listings or, in a check, nowhere.

A chunk decides the outcome of each row, and asks its target for everything that concerns listings. So a check runs the
same code as an import up to the very end, and predicts what the import will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.csvfile.columns import VALUES
from app.csvfile.texts import Indices
from app.imports.worker import suspect_changes
from app.observability import metrics
from app.queries import BatchKey
from app.queries.imports import check_changes, check_claims, listing_warnings, unchanged_rows
from app.queries.imports.check_changes import Foreseen
from app.queries.imports.unchanged_rows import LineMarks
from app.queries.listings import earlier_values, listings
from app.queries.listings.listings import KEY, Compared, Makers, Run
from app.statuses import ImportKind

#: Maximum number of a chunk's changes that a check stores for display.
_CHANGES_SHOWN = 5
#: Approximate number of a chunk's CREATE rows that are looked up before all of them are inserted.
_SAMPLE_ROWS = 64


class Target(Protocol):
    """The operations of a chunk on listings, inside its transaction.

    What they are given are tables in the order of the listing key, which is in the columns ``listings.KEY``.
    """

    def prepare(self, rows: pa.Table) -> pa.Table:
        """The rows of one chunk or several, perhaps with what ``create`` needs; outside a transaction."""

    def compare(self, rows: pa.Table) -> Compared:
        """Compare UPDATE rows with their listings, which no other transaction changes before the chunk is done."""

    def find_unchanged(self, keys: pa.Table) -> LineMarks:
        """The lines of later rows of this import that have left listings unchanged."""

    def change(self, changes: pa.Table) -> None:
        """Change listings that ``compare`` has found; see ``listings.update``. ``old_price`` is the price before."""

    def record_unchanged(self, unchanged: pa.Table) -> None:
        """Record the listings that rows of the chunk have left unchanged, with ``line`` and ``hidden_line``."""

    def create(self, rows: pa.Table, new: Indices) -> Makers:
        """Create the ``new`` listings of prepared ``rows`` that do not exist; who made the others.

        The places ``new`` are in the order of the key; ``rows`` need not be.
        """


class _MakeOnce:
    """Creates the listings of CREATE rows that do not exist yet, and finds out which rows created the others.

    Inserting without a look-up costs half as much, but fails as a whole if one listing exists. So at first a few are
    looked up, and all of them from the first one on that exists: then more will. What exists is then known before
    anything is inserted, so that a chunk hardly ever waits for another that is updating it.
    """

    def __init__(
        self, find_makers: Callable[[pa.Table], Makers], insert: Callable[[pa.Table, Indices], NDArray[np.int32]]
    ) -> None:
        self._find_makers, self._insert = find_makers, insert
        #: None: nothing was inserted yet.
        self._meets_existing: bool | None = None

    def __call__(self, rows: pa.Table, new: Indices) -> Makers:
        """Create the ``new`` listings of ``rows`` that do not exist. Returns the makers of the others."""
        makers = listings.NO_MAKERS
        places = np.arange(len(new))
        if self._meets_existing is None:
            sample = places[:: len(new) // _SAMPLE_ROWS + 1]
            self._meets_existing = len(self._find(rows, new, sample).at) > 0
        if self._meets_existing:
            makers = self._find(rows, new, places)
            places = np.delete(places, makers.at)
        if not len(places):
            return makers
        made = self._insert(rows, new[places])
        if len(made) < len(places):
            self._meets_existing = True
            others = places[~np.isin(np.asarray(rows["line"])[new[places]], made)]
            makers = makers.joined_with(self._find(rows, new, others))
        return makers

    def _find(self, rows: pa.Table, new: Indices, places: Indices) -> Makers:
        """The makers of those of the ``new`` listings in these ``places`` that exist."""
        return self._find_makers(rows.select(KEY).take(new[places])).of(places)


class LiveListings:
    """The target of an import: the seller's listings."""

    def __init__(self, batch: BatchKey, run: Run) -> None:
        self._batch, self._run = batch, run
        self.create = _MakeOnce(
            partial(listings.find_makers, batch.seller_id), partial(listings.insert, batch.of_import)
        )

    def prepare(self, rows: pa.Table) -> pa.Table:
        """Encode them for COPY: of many rows at a time, that costs a third less."""
        return listings.with_encoded(self._batch.of_import, rows)

    def compare(self, rows: pa.Table) -> Compared:
        """Lock the listings, and compare."""
        return listings.compare(self._run, rows, lock=True)

    def find_unchanged(self, keys: pa.Table) -> LineMarks:
        """What later batches have recorded."""
        return unchanged_rows.find(self._batch, keys)

    def change(self, changes: pa.Table) -> None:
        """Record the present values for an undo, and write the new ones."""
        with listings.in_place(self._run.key.seller_id):
            with metrics.timed("earlier values"):
                earlier_values.record(self._run.key, changes["place"])
            listings.update(self._run, changes)
        listing_warnings.add(self._batch, [*suspect_changes.find(changes)])

    def record_unchanged(self, unchanged: pa.Table) -> None:
        """Record them for the batches before this one."""
        unchanged_rows.record(self._batch, unchanged)


class PreviewedListings:
    """The target of rows that are only judged: reads the seller's listings, and writes nothing at all.

    Rows for one listing that are judged separately do not know of each other.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def prepare(self, rows: pa.Table) -> pa.Table:
        """As they are."""
        return rows

    def compare(self, rows: pa.Table) -> Compared:
        """Compare without locking, because nothing is written."""
        return listings.compare(self._run, rows, lock=False)

    def find_unchanged(self, keys: pa.Table) -> LineMarks:
        """None: no row changes what another one finds."""
        return LineMarks(np.zeros(len(keys), np.int32), np.zeros(len(keys), np.int32))

    def change(self, changes: pa.Table) -> None:
        """Change nothing."""

    def record_unchanged(self, unchanged: pa.Table) -> None:
        """Record nothing."""

    def create(self, rows: pa.Table, new: Indices) -> Makers:
        """Create nothing, and find those that exist."""
        # With a seller's first file, no listing can exist.
        if not listings.exists_for(self._run.key.seller_id):
            return listings.NO_MAKERS
        return listings.find_makers(self._run.key.seller_id, rows.select(KEY).take(new))


class CheckedListings(PreviewedListings):
    """The target of a check: reads the seller's listings, and notes what an import would do to them.

    Each row finds the listings as they were before, on which its outcome depends in an import too.
    """

    def __init__(self, batch: BatchKey, run: Run) -> None:
        super().__init__(run)
        self._batch, self._key = batch, batch.of_import
        self._claim = _MakeOnce(partial(check_claims.find_makers, self._key), partial(check_claims.take, self._key))

    def change(self, changes: pa.Table) -> None:
        """Store the most striking changes for display: those of the price, then those further up in the file."""
        prices = np.array([np.asarray(changes[name]) for name in ("old_price", "price")])
        order = np.lexsort((changes["line"], -prices.max(axis=0) / prices.min(axis=0)))
        check_changes.insert(self._key, [*self._foresee(changes.take(order[:_CHANGES_SHOWN]))])
        listing_warnings.add(self._batch, [*suspect_changes.find(changes)])

    def _foresee(self, changes: pa.Table) -> Iterator[Foreseen]:
        keys = [*zip(*(changes[name].to_pylist() for name in KEY), strict=True)]
        found = listings.find(self._key.seller_id, keys)
        for key, change in zip(keys, changes.to_pylist(), strict=True):
            # None: deleted meanwhile.
            if before := found.get(key):
                values = tuple(change[field.name] for field in VALUES.values())
                hidden = before.hidden if change["hidden"] is None else change["hidden"]
                after = before._replace(values=self._run.layout.apply(values, before.values), hidden=hidden)
                yield Foreseen(change["line"], key, before, after)

    def create(self, rows: pa.Table, new: Indices) -> Makers:
        """Add a check claim for each that does not exist."""
        makers = super().create(rows, new)
        places = np.delete(np.arange(len(new)), makers.at)
        return makers.joined_with(self._claim(rows, new[places]).of(places)) if len(places) else makers


def target_of(batch: BatchKey, kind: ImportKind, run: Run) -> Target:
    """The target of a batch's rows."""
    return (CheckedListings if kind is ImportKind.CHECK else LiveListings)(batch, run)
