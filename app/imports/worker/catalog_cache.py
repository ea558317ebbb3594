"""Gives batches the catalog of their version: a snapshot that all workers of this host share, or look-ups.

One process of the host makes a snapshot of each version in ``SLUICE_HOME``; see ``catalog_snapshot``. While it is being
made, and where it cannot be stored, the items that rows name are looked up in the database.
"""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app import file_lock
from app.config import current_settings
from app.csvfile.contract import ItemName
from app.imports.worker import catalog_snapshot
from app.imports.worker.catalog_snapshot import DamagedSnapshot, Snapshot
from app.imports.worker.resolved import KnownItems, Resolved, each_way, nothing_for
from app.queries import begin_repeatable_read, items
from app.queries.items import CatalogItem

log = logging.getLogger(__name__)

#: Another database's snapshots are removed after this time.
_FOREIGN_KEPT_SECONDS = 24 * 3600


class LookedUpItems:
    """The items found so far for names, by look-ups in the database; see ``KnownItems``."""

    def __init__(self) -> None:
        self.variant_sets: list[frozenset[str]] = []
        self._places: dict[frozenset[str], int] = {}
        self._found: dict[ItemName, Sequence[CatalogItem]] = {}

    def resolve(self, rows: pa.Table) -> Resolved:
        """The items that ``rows``, a table of ``csvfile.rows.SCHEMA``, name."""
        resolved = nothing_for(len(rows))
        for way, at, names in each_way(rows):
            encoded = pc.dictionary_encode(names)
            distinct = [(way, name) for name in encoded.dictionary.to_pylist()]
            resolved[at] = self._describe(distinct)[encoded.indices.to_numpy()]
        return Resolved(*resolved.T)

    def candidates(self, rows: pa.Table) -> list[Sequence[CatalogItem]]:
        """The items that the name in each of the resolved ``rows`` can mean, ordered by URN."""
        found: list[Sequence[CatalogItem]] = [()] * len(rows)
        for way, at, names in each_way(rows):
            for place, name in zip(at.tolist(), names.to_pylist(), strict=True):
                found[place] = self._found[way, name]
        return found

    def _describe(self, names: Sequence[ItemName]) -> NDArray[np.int32]:
        """The three numbers of ``Resolved`` for each of ``names``."""
        missing = [name for name in names if name not in self._found]
        if missing:
            looked_up = items.resolve(missing)
            self._found.update((name, looked_up.get(name, ())) for name in missing)
        return np.array([*self._numbers(names)], np.int32)

    def _numbers(self, names: Sequence[ItemName]) -> Iterator[tuple[int, int, int]]:
        for name in names:
            candidates = self._found[name]
            if len(candidates) != 1:
                yield 0, len(candidates), -1
                continue
            (item,) = candidates
            place = self._places.setdefault(item.variants, len(self.variant_sets))
            if place == len(self.variant_sets):
                self.variant_sets.append(item.variants)
            yield item.id, 1, place


#: The snapshot that this process has mapped.
_mapped: Snapshot | None = None
#: The version whose snapshot this process has verified.
_verified = ""


def known_items(version: str) -> KnownItems:
    """The items of this ``version`` of the catalog; without its snapshot, those of the newest version."""
    global _mapped
    if _mapped is None or _mapped.version != version:
        _mapped = None
        try:
            _mapped = catalog_snapshot.load(_path(version), version)
        except FileNotFoundError:
            log.debug("the snapshot of the catalog is not made yet")
        except (OSError, DamagedSnapshot):
            log.warning("the snapshot of the catalog cannot be read, and items are looked up", exc_info=True)
    return _mapped or LookedUpItems()


def is_missing() -> bool:
    """Whether this host has no snapshot of the newest version. Removes one that is damaged."""
    global _verified
    version = items.version()
    path = _path(version)
    if _verified == version and path.exists():
        return False
    try:
        catalog_snapshot.load(path, version, verify=True)
    except FileNotFoundError:
        return True
    except DamagedSnapshot:
        log.warning("the snapshot of the catalog is damaged, and is made again", exc_info=True)
        path.unlink(missing_ok=True)
        return True
    _verified = version
    return False


def make() -> None:
    """Make the snapshot of the newest version, unless another process of this host is doing so, and remove older ones.

    Ends the session's transaction. Raises OSError if it cannot be stored, and HashesCollide.
    """
    _directory().mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = file_lock.take(_directory() / "lock")
    if lock is None:
        return
    began = time.monotonic()
    try:
        # So that version and items agree.
        begin_repeatable_read()
        version = items.version()
        _remove_all_but(version)
        catalog_snapshot.write(_path(version), version)
    finally:
        os.close(lock)
    log.info("snapshot of the catalog made", extra={"version": version, "seconds": round(time.monotonic() - began, 3)})


def _directory() -> Path:
    return current_settings().sluice_home / "catalog"


def _path(version: str) -> Path:
    return _directory() / f"{version}.arrow"


def _remove_all_but(version: str) -> None:
    """Remove this database's other snapshots, what processes that were killed have left, and old foreign snapshots.

    A process that has one mapped keeps using it.
    """
    database = version.rpartition(".")[0]
    for path in _directory().iterdir():
        with suppress(FileNotFoundError):
            is_old = time.time() - path.stat().st_mtime > _FOREIGN_KEPT_SECONDS
            is_own = path.name.startswith(f"{database}.") and path != _path(version)
            if path.name != "lock" and (is_own or is_old or path.suffix == ".part"):
                path.unlink()
