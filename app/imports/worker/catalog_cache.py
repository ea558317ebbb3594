"""The workers' cache of the catalog, so that the database need not be asked for the item of every row.

A worker reads the catalog, and its work-horses inherit the cache when they are forked. A batch uses it if the catalog
still has the same version when the batch begins. Names that are not in the cache are looked up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic

from app.csvfile.contract import ItemName
from app.extensions import db
from app.queries import items
from app.queries.items import CatalogItem

#: A larger catalog is not cached: an item takes some 700 bytes in each worker.
_MAX_ITEMS_KEPT = 50_000
#: How often a worker checks whether the catalog has changed. Until it does, its batches look up all names.
_LOOK_SECONDS = 5.0


_NOT_ASKED: Sequence[CatalogItem] = []


class KnownItems:
    """The items found so far for names, in one version of the catalog; other names are looked up."""

    def __init__(self, version: int | None, found: Mapping[ItemName, Sequence[CatalogItem]]) -> None:
        self.version = version
        self._found = dict(found)

    def resolve(self, names: Sequence[ItemName]) -> list[Sequence[CatalogItem]]:
        """For each of ``names`` the items that it can mean, ordered by URN; none for an unknown name."""
        found = [self._found.get(name, _NOT_ASKED) for name in names]
        missing = {name for name, candidates in zip(names, found, strict=True) if candidates is _NOT_ASKED}
        if missing:
            looked_up = items.resolve(missing)
            self._found.update((name, looked_up.get(name, ())) for name in missing)
            found = [self._found[name] for name in names]
        return found


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
