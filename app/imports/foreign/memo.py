"""Remembers what was decided for distinct values, as numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Memo:
    """Remembers for each text or number a few numbers."""

    def __init__(self, width: int) -> None:
        self._places: dict[object, int] = {}
        self._rows = np.zeros((1024, width), np.int64)

    def __len__(self) -> int:
        return len(self._places)

    def find(self, keys: Sequence[Any], make: Callable[[list[Any]], list[tuple[int, ...]]]) -> Ints:
        """The numbers of each of ``keys``; ``make`` gives those of the ones not seen before."""
        places = self._places
        found = [*map(places.get, keys)]
        if None in found:
            self._add([key for key in keys if key not in places], make)
            found = [*map(places.get, keys)]
        return self._rows[np.array(found, np.int64)]

    def _add(self, keys: list[Any], make: Callable[[list[Any]], list[tuple[int, ...]]]) -> None:
        end = len(self._places) + len(keys)
        if end > len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros((end, self._rows.shape[1]), np.int64)])
        self._rows[len(self._places) : end] = make(keys)
        self._places.update(zip(keys, range(len(self._places), end), strict=True))
