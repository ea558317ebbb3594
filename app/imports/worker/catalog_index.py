"""An index of the catalog's names in numpy arrays, which finds thousands of names at a time by hashes of 64 bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

#: The columns of ``Index.entries``.
ITEM_ID, COUNT, VARIANT_SET, FIRST = range(4)
#: The entry of a name that means nothing.
UNKNOWN = np.array([0, 0, -1, 0], np.int32)

#: Odd, so that multiplying by them loses nothing.
_MIX, _MIX_AGAIN = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)
_WORD = 8
#: For each number of bytes, a mask for as many first bytes of a word.
_MASKS = np.array([(1 << 8 * count) - 1 for count in range(_WORD + 1)], np.uint64)
_LAST_HASH = np.array([np.iinfo(np.uint64).max], np.uint64)


def hash_ids(ids: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The hash of each of ``ids``. Different ids have different hashes."""
    hashes: NDArray[np.uint64] = ids.astype(np.uint64) * _MIX
    hashes ^= hashes >> _HALF
    hashes *= _MIX_AGAIN
    hashes ^= hashes >> _HALF
    return hashes


def hash_texts(texts: pa.StringArray, seed: int) -> NDArray[np.uint64]:
    """The hash of each of ``texts``, none of them null. Different texts hardly ever have the same."""
    bounds, data = bounds_and_data(texts)
    # So that a word can be read at every byte, also at the last one.
    padded = np.zeros(len(data) + _WORD, np.uint8)
    padded[: len(data)] = data
    words: NDArray[np.uint64] = np.ndarray((len(data) + 1,), "<u8", padded, strides=(1,))
    starts, lengths = bounds[:-1].astype(np.int64), np.diff(bounds).astype(np.int64)
    now: NDArray[np.uint64] = (lengths.astype(np.uint64) + np.uint64(seed)) * _MIX
    hashes = now.copy()
    # Word after word, of those texts that are long enough.
    rest = np.arange(len(texts))
    while len(rest):
        word = words[starts]
        if lengths.min() < _WORD:
            word &= _MASKS[np.minimum(lengths, _WORD)]
        now ^= word
        now *= _MIX_AGAIN
        now ^= now >> _HALF
        starts += _WORD
        lengths -= _WORD
        goes_on = lengths > 0
        if not goes_on.all():
            hashes[rest] = now
            rest, now, starts, lengths = rest[goes_on], now[goes_on], starts[goes_on], lengths[goes_on]
    return hashes


def bounds_and_data(texts: pa.StringArray) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """The bytes of all ``texts`` together, and where each begins among them and the last one ends."""
    _, bounds, data = texts.buffers()
    if not len(texts):
        return np.zeros(1, np.int32), np.zeros(0, np.uint8)
    at = np.frombuffer(bounds, np.int32, len(texts) + 1, texts.offset * 4)
    size = int(at[-1] - at[0])
    # A buffer that is empty may not be there.
    return at - at[0], np.frombuffer(data, np.uint8, size, at[0]) if size else np.zeros(0, np.uint8)


class Index(NamedTuple):
    """Finds what names mean by their hashes."""

    #: The hashes of all names in ascending order, and after them the largest number.
    hashes: NDArray[np.uint64]
    #: For each value of a hash's first bits, the position of the first name whose hash begins with it or a higher one.
    buckets: NDArray[np.int32]
    #: For each name the id of its item (0 if it means several), the number of its items, their set of variants (-1 if
    #: it means several), and the position of the first in ``items``. After them UNKNOWN.
    entries: NDArray[np.int32]
    #: The items of each name, as rows of the catalog.
    items: NDArray[np.int32]

    @classmethod
    def build(
        cls,
        hashes: NDArray[np.uint64],
        items: NDArray[np.int32],
        ids: NDArray[np.int32],
        variant_sets: NDArray[np.int32],
    ) -> Index:
        """The index of names with these ``hashes``, each of which means the catalog's row ``items`` at its position.

        ``ids`` and ``variant_sets`` belong to the rows of the catalog.
        """
        order = np.lexsort((items, hashes))
        hashes, items = hashes[order], items[order]
        is_first = np.ones(len(hashes), bool)
        is_first[1:] = hashes[1:] != hashes[:-1]
        first = np.flatnonzero(is_first)
        entries = np.empty((len(first) + 1, 4), np.int32)
        entries[:-1, COUNT] = np.diff(first, append=len(hashes))
        entries[:-1, FIRST] = first
        is_one = entries[:-1, COUNT] == 1
        entries[:-1, ITEM_ID] = np.where(is_one, ids[items[first]], 0)
        entries[:-1, VARIANT_SET] = np.where(is_one, variant_sets[items[first]], -1)
        entries[-1] = UNKNOWN
        bits = max(1, len(first).bit_length())
        edges = np.arange(1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
        buckets = np.searchsorted(hashes[first], edges).astype(np.int32)
        return cls(np.append(hashes[first], _LAST_HASH), buckets, entries, items)

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Index:
        """The index with these ``arrays``, each of one dimension."""
        return cls(**arrays)._replace(entries=arrays["entries"].reshape(-1, len(UNKNOWN)))

    @property
    def size(self) -> int:
        """The number of names."""
        return len(self.entries) - 1

    def find(self, hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
        """The entries of the names with these ``hashes``; UNKNOWN for a hash that no name has."""
        bits = len(self.buckets).bit_length() - 1
        at = self.buckets[hashes >> np.uint64(64 - bits)]
        before = np.flatnonzero(self.hashes[at] < hashes)
        while len(before):
            at[before] += 1
            before = before[self.hashes[at[before]] < hashes[before]]
        at[self.hashes[at] != hashes] = self.size
        entries: NDArray[np.int32] = self.entries.take(at, axis=0)
        return entries
