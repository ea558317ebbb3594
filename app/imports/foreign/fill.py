"""Fills cells in that stand only in another row: further up, or in the parent of a variation."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.csvfile.rows import whole
from app.imports.foreign.bound import Bound
from app.imports.foreign.mapping import FillDown, Parents, normal

#: Characters of parents that are remembered, with so many for each beside its cells.
_CHARACTERS, _BESIDE = 32_000_000, 100


class Filler:
    """Fills in the blocks of one file, one after the other."""

    def __init__(self, bound: Bound) -> None:
        self._bound = bound
        down, parents = bound.mapping.fill_down, bound.mapping.parents
        self._down = _Down(down, bound) if down else None
        self._parents = _Parents(parents, bound) if parents else None

    def __call__(self, cells: pa.Table) -> pa.Table:
        """The cells of the next block, filled in."""
        for part in (self._down, self._parents):
            if part:
                cells = part.fill(cells)
        return cells


class _Down:
    """See ``mapping.FillDown``."""

    def __init__(self, rule: FillDown, bound: Bound) -> None:
        self._columns = bound.find(rule.columns)
        self._by = next(iter(bound.find([rule.by])), None)
        #: For each column the last value, and what ``by`` was there.
        self._last: dict[int, tuple[str, str]] = {}

    def fill(self, cells: pa.Table) -> pa.Table:
        if self._by is None or not len(cells):
            return cells
        by = whole(cells.column(self._by))
        for at in self._columns:
            column = whole(cells.column(at))
            is_there = pc.not_equal(column, "")
            nothing = pa.scalar(None, pa.string())
            value, of = self._last.get(at, (None, None))
            values = _forward(pc.if_else(is_there, column, nothing), value)
            keys = _forward(pc.if_else(is_there, by, nothing), of)
            self._last[at] = (values[-1].as_py(), keys[-1].as_py())
            filled = pc.if_else(pc.fill_null(pc.equal(keys, by), False), values, column)
            cells = cells.set_column(at, cells.field(at), pc.fill_null(filled, ""))
        return cells


def _forward(column: pa.Array, before: str | None) -> pa.Array:
    return pc.fill_null_forward(pa.concat_arrays([pa.array([before], pa.string()), column])).slice(1)


class _Parents:
    """See ``mapping.Parents``."""

    def __init__(self, rule: Parents, bound: Bound) -> None:
        places = [next(iter(bound.find([name])), None) for name in (rule.parent, rule.key, rule.id, rule.kind)]
        self._columns = bound.find(rule.columns)
        self._places = None if None in places else [place for place in places if place is not None]
        self._words = pa.array(map(normal, rule.words), pa.string())
        self._known: dict[str, list[str]] = {}
        self._room = _CHARACTERS

    def fill(self, cells: pa.Table) -> pa.Table:
        if self._places is None:
            return cells
        parent, key, own_id, kind = (whole(cells.column(at)) for at in self._places)
        for at in _indices(pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(kind)), self._words)):
            if self._room > 0:
                names = key[at].as_py(), f"id:{own_id[at].as_py()}"
                values = [cells.column(column)[at].as_py() for column in self._columns]
                self._room -= _BESIDE + sum(map(len, (*names, *values)))
                self._known |= dict.fromkeys(names, values)
        children = [at for at in _indices(pc.not_equal(parent, "")) if parent[at].as_py() in self._known]
        for place, column in enumerate(self._columns):
            texts = cells.column(column).to_pylist() if children else []
            for at in children:
                texts[at] = texts[at] or self._known[parent[at].as_py()][place]
            if children:
                cells = cells.set_column(column, cells.field(column), pa.array(texts, pa.string()))
        return cells


def _indices(flags: pa.Array) -> list[int]:
    found: list[int] = np.flatnonzero(flags.to_numpy(zero_copy_only=False)).tolist()
    return found
