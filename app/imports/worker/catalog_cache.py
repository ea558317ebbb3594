"""The workers' cache of the catalog, so that the database need not be asked for the item of every row.

A worker reads the catalog, and its work-horses inherit the cache when they are forked. A batch uses it if the catalog
still has the same version when the batch begins. Names that are not in the cache are looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.csvfile.contract import ItemName, NamedBy
from app.extensions import db
from app.queries import items
from app.queries.items import CatalogItem

#: A larger catalog is not cached: an item takes some 700 bytes in each worker.
_MAX_ITEMS_KEPT = 50_000
#: How often a worker checks whether the catalog has changed. Until it does, its batches look up all names.
_LOOK_SECONDS = 5.0

#: The column of ``csvfile.rows.SCHEMA`` for each way to name an item.
_COLUMNS = {
    NamedBy.URN: "urn",
    NamedBy.CARDMARKET_ID: "external_id",
    NamedBy.TCGPLAYER_ID: "external_id",
    NamedBy.NAME: "name_key",
}


class Resolved(NamedTuple):
    """The items that rows name: an element for each row in each array."""

    #: 0 where the name means no item or several.
    item_ids: NDArray[np.int32]
    #: How many items the name can mean.
    counts: NDArray[np.int32]
    #: The variants of the item, as an index into ``KnownItems.variant_sets``; -1 where there is no item.
    variant_sets: NDArray[np.int32]


class KnownItems:
    """The items found so far for names, in one version of the catalog; other names are looked up."""

    def __init__(self, version: int | None, found: Mapping[ItemName, Sequence[CatalogItem]]) -> None:
        self.version = version
        #: The different sets of variants that items have; it grows while rows are resolved.
        self.variant_sets: list[frozenset[str]] = []
        self._places: dict[frozenset[str], int] = {}
        self._found = dict(found)
        self._items: dict[int, CatalogItem] = {}

    def resolve(self, rows: pa.Table) -> Resolved:
        """The items that ``rows``, a table of ``csvfile.rows.SCHEMA``, name."""
        named_by = rows["named_by"].to_numpy()
        resolved = np.zeros((3, len(rows)), np.int32)
        for way, column in _COLUMNS.items():
            at = np.flatnonzero(named_by == way)
            if len(at):
                names = pc.dictionary_encode(rows[column].take(pa.array(at))).combine_chunks()
                distinct = [(way, name) for name in names.dictionary.to_pylist()]
                resolved[:, at] = self._describe(distinct)[:, names.indices.to_numpy()]
        return Resolved(*resolved)

    def candidates(self, name: ItemName) -> Sequence[CatalogItem]:
        """The items that a resolved name can mean, ordered by URN."""
        return self._found[name]

    def item(self, item_id: int) -> CatalogItem:
        """The item that a resolved name means."""
        return self._items[item_id]

    def _describe(self, names: Sequence[ItemName]) -> NDArray[np.int32]:
        """The three numbers of ``Resolved`` for each of ``names``."""
        missing = [name for name in names if name not in self._found]
        if missing:
            looked_up = items.resolve(missing)
            self._found.update((name, looked_up.get(name, ())) for name in missing)
        return np.array([*self._numbers(names)], np.int32).T

    def _numbers(self, names: Sequence[ItemName]) -> Iterator[tuple[int, int, int]]:
        for name in names:
            candidates = self._found[name]
            if len(candidates) != 1:
                yield 0, len(candidates), -1
                continue
            (item,) = candidates
            self._items[item.id] = item
            place = self._places.setdefault(item.variants, len(self.variant_sets))
            if place == len(self.variant_sets):
                self.variant_sets.append(item.variants)
            yield item.id, 1, place


_kept = KnownItems(None, {})
_looked_at = float("-inf")


def keep() -> bool:
    """Cache the catalog for the jobs that this process will fork. Returns whether it was read again.

    Ends the session's transaction.
    """
    global _kept, _looked_at
    if monotonic() - _looked_at < _LOOK_SECONDS:
        return False
    _looked_at = monotonic()
    try:
        db.session.rollback()
        # A snapshot, so that version and items agree.
        db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        version = items.version()
        if version == _kept.version:
            return False
        _kept = KnownItems(version, items.all_by_name() if items.count() <= _MAX_ITEMS_KEPT else {})
        return True
    finally:
        db.session.rollback()


def known_items(version: int) -> KnownItems:
    """The cache for this ``version`` of the catalog: that of this process, or an empty one."""
    return _kept if _kept.version == version else KnownItems(version, {})
