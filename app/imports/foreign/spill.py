"""Keeps entries of one size in a temporary file, so that only a part of them is in memory at a time."""

from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_Entries = NDArray[np.void]


class Spill:
    """Entries of ``kind`` in ``file``, to be read by part or by addition."""

    def __init__(self, file: IO[bytes], kind: np.dtype[np.void]) -> None:
        self._file = file
        self._kind = kind
        #: For each addition where each of its parts begins, and where the last ends, counted in entries.
        self._bounds: list[NDArray[np.int64]] = []

    def add(self, entries: _Entries, parts: NDArray[Any]) -> None:
        """Add ``entries``, each to its part, numbered from 0; all are added before any are read."""
        self._bounds.append(len(self) + np.cumsum([0, *np.bincount(parts)]))
        self._file.write(entries[np.argsort(parts, kind="stable")].tobytes())

    def __len__(self) -> int:
        """The number of entries."""
        return int(self._bounds[-1][-1]) if self._bounds else 0

    def __iter__(self) -> Iterator[_Entries]:
        """The entries of each addition, those of one part after those of another."""
        for bounds in self._bounds:
            yield self._read(bounds[0], bounds[-1])

    def parts(self) -> Iterator[_Entries]:
        """The entries of each part in the order in which they were added; what is changed in them is kept."""
        for part in range(max(map(len, self._bounds), default=1) - 1):
            places = [(bounds[part], bounds[part + 1]) for bounds in self._bounds if part + 1 < len(bounds)]
            entries = np.concatenate([self._read(*place) for place in places])
            yield entries
            at = 0
            for begin, end in places:
                self._file.seek(begin * self._kind.itemsize)
                self._file.write(entries[at : at + end - begin].tobytes())
                at += end - begin

    def _read(self, begin: int, end: int) -> _Entries:
        self._file.seek(begin * self._kind.itemsize)
        return np.frombuffer(self._file.read((end - begin) * self._kind.itemsize), self._kind)
