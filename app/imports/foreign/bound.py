"""Binds a mapping to the columns of a file, and reads groups of cells by their distinct combinations."""

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Mapping as Map

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.csvfile.rows import whole
from app.imports.foreign import words
from app.imports.foreign.mapping import Field, Joined, Mapping, Source, positions

#: Between the cells of a combination.
_SEPARATOR = "\x1f"
#: No more characters of a cell are looked at: nothing that decides anything is as long.
_LONGEST = 1_000


class Group:
    """Some columns of a file that are read together."""

    def __init__(self, columns: Iterable[int]) -> None:
        self.columns = [*dict.fromkeys(columns)]
        self._places = {column: at for at, column in enumerate(self.columns)}

    def combine(self, cells: pa.Table) -> pa.Array:
        """The combination of the cells of each row, as one text."""
        columns = [whole(cells.column(at)) for at in self.columns]
        if len(columns) < 2:
            return columns[0] if columns else pa.repeat("", len(cells))
        joined = pc.binary_join_element_wise(*columns, _SEPARATOR)
        if np.count_nonzero(bytes_of(joined) == ord(_SEPARATOR)) == len(cells) * (len(columns) - 1):
            return joined
        return pc.binary_join_element_wise(*(pc.replace_substring(one, _SEPARATOR, " ") for one in columns), _SEPARATOR)

    def split(self, combination: str) -> list[str]:
        """The cells of a combination, trimmed; empty where they say nothing."""
        cells = combination.split(_SEPARATOR) if len(self.columns) > 1 else [combination][: len(self.columns)]
        return [words.cleaned(cell[:_LONGEST]) for cell in cells]

    def at(self, cells: Sequence[str], columns: Collection[int]) -> list[str]:
        """Those of the split ``cells`` that stand in these columns of the file."""
        return [cells[self._places[column]] for column in columns if column in self._places]


class Bound:
    """A mapping with the positions of its columns in a file."""

    def __init__(self, mapping: Mapping, columns: Sequence[str]) -> None:
        self.mapping = mapping
        self._names = columns
        self.places: Map[Field, list[int]] = {to: self.find(source.columns) for to, source in mapping.sources.items()}
        self.filters = [self.find(one.columns) for one in mapping.filters]

    def find(self, names: Iterable[str]) -> list[int]:
        """The positions of columns."""
        return positions(self._names, *names)

    def group(self, fields: Iterable[Field], more: Iterable[int] = ()) -> Group:
        """The columns of these fields and ``more``."""
        return Group([*(at for to in fields for at in self.places.get(to, ())), *more])

    def values(self, group: Group, cells: Sequence[str], fields: Iterable[Field]) -> dict[Field, str]:
        """The values of fields in the split ``cells`` of a group, with the constants; that of a condition is apart."""
        return {
            to: value(source, group.at(cells, self.places[to])) or (source.constant if to != Field.CONDITION else "")
            for to in fields
            if (source := self.mapping.sources.get(to))
        }


def value(source: Source, cells: Sequence[str]) -> str:
    """The value of a field, by the cells of its columns."""
    filled = [cell for cell in cells if cell]
    return " ".join(filled) if source.joined is Joined.ALL else next(iter(filled), "")


def bytes_of(texts: pa.Array) -> NDArray[np.uint8]:
    """The bytes of all texts, one after the other."""
    _, bounds, data = texts.buffers()
    if data is None or not len(texts):
        return np.empty(0, np.uint8)
    ends = np.frombuffer(bounds, np.int32, len(texts) + 1, texts.offset * 4)
    return np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]


def has_any(texts: pa.Array, signs: bytes) -> bool:
    """Whether any of these bytes stands in any of the texts."""
    raw = bytes_of(texts).tobytes()
    return len(raw.translate(None, signs)) < len(raw)
