"""The catalog as workers know it, so that the database need not be asked for the item of every row.

A worker keeps the catalog and passes it on to its work-horses when it forks them. What it keeps is good for a batch
that finds the catalog in the same version when it begins. Names that are not known are looked up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic

from app.csvfile.contract import ItemName
from app.extensions import db
from app.queries import items
from app.queries.items import CatalogItem

#: A larger catalog is not kept: an item takes some 700 bytes in each worker.
_MAX_ITEMS_KEPT = 50_000
#: How often a worker looks whether the catalog has changed. Until it has, its batches look all names up.
_LOOK_SECONDS = 5.0


_NOT_ASKED: Sequence[CatalogItem] = []


class KnownItems:
    """What names have come to so far, in one version of the catalog; others are looked up."""

    def __init__(self, version: int | None, found: Mapping[ItemName, Sequence[CatalogItem]]) -> None:
        self.version = version
        self._found = dict(found)

    def resolve(self, names: Sequence[ItemName]) -> list[Sequence[CatalogItem]]:
        """For each of ``names`` the items that it can mean, in the order of their URNs; none for an unknown name."""
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
    """Keep the catalog for the jobs that this process will fork; true when it was read anew.

    Ends the session's transaction.
    """
    global _kept, _looked_at
    if monotonic() - _looked_at < _LOOK_SECONDS:
        return False
    _looked_at = monotonic()
    try:
        db.session.rollback()
        # Version and items as they are at one moment.
        db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        version = items.version()
        if version == _kept.version:
            return False
        _kept = KnownItems(version, items.all_by_name() if items.count() <= _MAX_ITEMS_KEPT else {})
        return True
    finally:
        db.session.rollback()


def known_items(version: int) -> KnownItems:
    """What is known of the catalog in ``version``: what this process keeps, or nothing yet."""
    return _kept if _kept.version == version else KnownItems(version, {})
