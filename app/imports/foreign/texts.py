"""The texts of listings: cells joined to one line each."""

from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.csvfile.columns import VALUES, Column
from app.csvfile.rows import whole
from app.imports.foreign.bound import Bound, has_any
from app.imports.foreign.mapping import Field, Joined
from app.imports.foreign.memo import Ints

_TEXTS = (Field.COMMENT, Field.NOTES, Field.REFERENCE)
#: A comment of cards that were altered.
_ALTERED = "Altered"
#: Control characters, line breaks among them, as RE2 names them.
_CONTROLS = r"[\p{Cc}\x{2028}\x{2029}]"
#: With what they begin in UTF-8.
_BEGINS = bytes([*range(0x20), 0x7F, 0xC2, 0xE2])


def texts_of(bound: Bound, cells: pa.Table, rows: Ints, is_altered: NDArray[np.bool_]) -> dict[str, pa.Array]:
    """The texts of the listings in ``rows``, without line breaks and control characters."""
    found: dict[str, pa.Array] = {}
    for to in _TEXTS:
        source, places = bound.mapping.sources.get(to), bound.places.get(to, [])
        columns = [one_line(whole(cells.column(at)).take(pa.array(rows))) for at in places]
        joined = [_join(columns)] if columns and source and source.joined is Joined.ALL else columns
        if source and source.constant:
            constant = pa.array([source.constant], pa.string()).take(pa.array(np.zeros(len(rows), np.int32)))
            joined = [*joined, one_line(constant)]
        if joined:
            found[to.name] = pc.coalesce(*joined)
    if is_altered.any():
        marks = pc.if_else(pa.array(is_altered), _ALTERED, pa.scalar(None, pa.string()))
        found[Field.COMMENT.name] = _join([marks, *filter(None, [found.get(Field.COMMENT.name)])])
    return found


def find_unsaid(bound: Bound) -> dict[str, str]:
    """The columns of the import format with texts of which the file says nothing, with their fields in a listing."""
    sources = bound.mapping.sources
    unsaid = (to for to in _TEXTS if not bound.places.get(to) and not (to in sources and sources[to].constant))
    return {to.name: VALUES[Column[to.name]].name for to in unsaid}


def _join(columns: list[pa.Array]) -> pa.Array:
    """The texts that are there, separated by commas; null where there is none."""
    # Arrow's own way to skip nulls leaves rows of nothing else out.
    return reduce(lambda one, two: pc.coalesce(pc.binary_join_element_wise(one, two, ", "), one, two), columns)


def one_line(texts: pa.Array) -> pa.Array:
    """Texts without line breaks and control characters, trimmed; null where nothing is left."""
    if has_any(texts, _BEGINS):
        texts = pc.replace_substring_regex(texts, rf"\s*{_CONTROLS}+\s*", " ")
    trimmed = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
