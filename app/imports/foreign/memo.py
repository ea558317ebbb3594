"""Remembers what was decided for distinct values, as numbers."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
_Value = TypeVar("_Value")

#: What is remembered, in values and in bytes, before all is forgotten.
_MOST_VALUES, _MOST_BYTES = 100_000, 8 << 20


class Memo:
    """Remembers for each text or number a few numbers."""

    def __init__(self, width: int, kind: pa.DataType) -> None:
        self._known = pa.array([], kind)
        self._rows = np.zeros((0, width), np.int64)

    def find(self, keys: pa.Array, make: Callable[[list[Any]], list[tuple[int, ...]]]) -> Ints:
        """The numbers of each of ``keys``; ``make`` gives those of the ones not seen before."""
        if len(self._known) > _MOST_VALUES or self._known.nbytes > _MOST_BYTES:
            self._known, self._rows = self._known[:0], self._rows[:0]
        at = pc.index_in(keys, value_set=self._known)
        if at.null_count:
            new = keys.filter(pc.is_null(at)).unique()
            self._rows = np.concatenate([self._rows, np.array(make(new.to_pylist()), np.int64)])
            self._known = pa.concat_arrays([self._known, new])
            at = pc.index_in(keys, value_set=self._known)
        found: Ints = self._rows[at.to_numpy()]
        return found


class Numbered(list[_Value]):
    """Distinct values by their numbers, in the order in which they came."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[Hashable, int] = {}

    def number(self, value: _Value, key: Hashable) -> int:
        """The number of a value: that of the first with the same ``key``."""
        number = self._numbers.setdefault(key, len(self))
        if number == len(self):
            self.append(value)
        return number
