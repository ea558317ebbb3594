"""What the items that rows name come to, whoever finds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.csvfile.contract import NamedBy
from app.queries.items import CatalogItem

#: The column of ``csvfile.rows.SCHEMA`` for each way to name an item.
COLUMNS = {
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
    #: The variants of the item, as an index into ``KnownItems.variant_sets``; -1 where the name means no item or
    #: several.
    variant_sets: NDArray[np.int32]


class KnownItems(Protocol):
    """The items of one version of the catalog."""

    @property
    def variant_sets(self) -> Sequence[frozenset[str]]:
        """The different sets of variants that items have. ``resolve`` may add some."""

    def resolve(self, rows: pa.Table) -> Resolved:
        """The items that ``rows``, a table of ``csvfile.rows.SCHEMA``, name."""

    def candidates(self, rows: pa.Table) -> list[Sequence[CatalogItem]]:
        """The items that the name in each of the resolved ``rows`` can mean, ordered by URN."""


def each_way(rows: pa.Table) -> Iterator[tuple[NamedBy, NDArray[np.intp], pa.Array]]:
    """The ways in which ``rows`` name items, with the positions of the rows that use each, and their names."""
    named_by = rows["named_by"].to_numpy()
    for way, column in COLUMNS.items():
        at = np.flatnonzero(named_by == way)
        if len(at):
            names = rows[column].combine_chunks()
            yield way, at, names if len(at) == len(rows) else names.take(pa.array(at))
