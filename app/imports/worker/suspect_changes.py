"""Probable mistakes in the changes of a chunk: prices that move by much, and listings whose quantity becomes 0."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.queries.imports.listing_warnings import STRIKING_PERCENT, Counted, Kind


def find(changes: pa.Table) -> Iterator[Counted]:
    """The probable mistakes in ``changes``, as ``Target.change`` takes them."""
    before, after, quantities = (np.asarray(changes[name], np.int64) for name in ("old_price", "price", "quantity"))
    # Of several rows for a listing, perhaps in different batches, only the highest line sets its values.
    is_set = np.asarray(changes["is_higher"])
    lines = np.asarray(changes["line"])
    moves_much = np.abs(after - before) * 100 > before * STRIKING_PERCENT
    yield from _count(Kind.PRICE_MOVES, is_set & moves_much, lines, before, after)
    yield from _count(Kind.SOLD_OUT, is_set & (quantities == 0), lines, quantities, quantities)


def _count(
    kind: Kind,
    is_one: NDArray[np.bool_],
    lines: NDArray[np.int32],
    before: NDArray[np.int64],
    after: NDArray[np.int64],
) -> Iterator[Counted]:
    places = np.flatnonzero(is_one)
    if len(places):
        factors = np.maximum(before, after)[places] / np.maximum(np.minimum(before, after), 1)[places]
        most = places[np.lexsort((lines[places], -factors))[0]]
        yield Counted(kind, len(places), int(lines[most]), int(before[most]), int(after[most]))
