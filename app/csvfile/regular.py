"""Tells the regular lines of a text, which are records of their own without doubt and are parsed together by Arrow."""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv as arrow_csv

from app.csvfile.texts import Indices, Mask, holds

_TAB, _LF, _CR, _SPACE, _QUOTE = b'\t\n\r "'


def judge_lines(data: bytes, separator: str = ",", quote: str = '"') -> tuple[Indices, Mask]:
    """The byte at which each line begins, with the end of the last; and for each line whether it is regular.

    Where there is any doubt about a line, it is not. ``data`` is in UTF-8 or in an encoding of one byte a character.
    Without a ``quote``, quotation marks are characters like others.
    """
    # The byte before the first one and the byte after the last one are LF.
    raw = np.frombuffer(data + b"\n", np.uint8)
    low = np.flatnonzero(raw[:-1] < _SPACE)
    is_end = raw[low] == _LF
    ends, others = low[is_end] + 1, low[~is_end]
    # The last line of a file may have no ending.
    unended = [len(data)] if data and not data.endswith(b"\n") else []
    starts = np.concatenate([[0], ends, unended]).astype(np.intp)
    firsts, returns = starts[:-1], others[raw[others] == _CR]
    doubts = [
        starts[len(ends) : -1],
        others[(raw[others] != _CR) & (raw[others] != _TAB)],
        # A CR that stands alone, and empty lines.
        returns[(raw[returns + 1] != _LF) | (raw[returns - 1] == _LF)],
        firsts[raw[firsts] == _LF],
        *(_misplaced_quotes(raw, starts, separator) if quote else ()),
    ]
    if b"\x7f" in data:
        doubts.append(np.flatnonzero(raw == 0x7F))
    if b"\xc2" in data or holds(data, b"\xef\xbb"):
        # The controls beyond ASCII, and the byte-order mark, which Arrow would skip.
        leads = np.flatnonzero((raw == 0xC2) | (raw == 0xEF))
        nexts = raw[leads + 1]
        doubts.append(leads[np.where(raw[leads] == 0xC2, nexts < 0xA0, nexts == 0xBB)])
    is_regular = np.ones(len(firsts), np.bool_)
    is_regular[np.searchsorted(starts, np.concatenate(doubts), side="right") - 1] = False
    return starts, is_regular


def _misplaced_quotes(raw: npt.NDArray[np.uint8], starts: Indices, separator: str) -> Sequence[Indices]:
    """Places in all lines whose quotation marks do not enclose whole values.

    In other lines, the marks open and close in turns. One opens at the beginning of a value, and one closes at its end;
    between the two of a doubled mark, a value is closed and opened again.
    """
    marks = np.flatnonzero(raw == _QUOTE)
    if not len(marks):
        return ()
    counts = np.diff(np.searchsorted(marks, starts))
    is_unpaired = counts % 2 == 1
    if is_unpaired.any():
        marks = marks[~np.repeat(is_unpaired, counts)]
    opens, closes = marks[::2], marks[1::2]
    is_odd = _is_odd_beside_quote(separator)
    return opens[is_odd[raw[opens - 1]]], closes[is_odd[raw[closes + 1]]], starts[:-1][is_unpaired]


@cache
def _is_odd_beside_quote(separator: str) -> Mask:
    """By byte: whether it can stand neither before an opening mark nor after a closing one.

    A CR before an opening mark stands alone.
    """
    return ~np.isin(np.arange(256), [ord(separator), _QUOTE, _CR, _LF])


def parse_lines(
    data: bytes, names: Sequence[str], types: Mapping[str, pa.DataType], separator: str = ",", quote: str = '"'
) -> tuple[list[pa.Array], Indices]:
    """The cells of regular lines, column by column, and the lines that have not one for each of the ``names``.

    ``types`` are those of the columns that are wanted.
    """
    misfits: list[int] = []

    def skip(row: arrow_csv.InvalidRow) -> str:
        misfits.append(row.number - 1)
        return "skip"

    table = arrow_csv.read_csv(
        pa.BufferReader(data),
        read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=len(data)),
        parse_options=arrow_csv.ParseOptions(delimiter=separator, quote_char=quote or False, invalid_row_handler=skip),
        convert_options=arrow_csv.ConvertOptions(column_types=types, include_columns=[*types], check_utf8=False),
    )
    columns = [column.chunk(0) if column.num_chunks else pa.array([], column.type) for column in table.columns]
    return columns, np.array(misfits, np.intp)


def join_lines(data: bytes, starts: Indices, wanted: Indices) -> bytes:
    """The bytes of the ``wanted`` lines."""
    if len(wanted) == len(starts) - 1:
        return data
    runs = np.split(wanted, np.flatnonzero(np.diff(wanted) > 1) + 1) if len(wanted) else []
    return b"".join(data[starts[run[0]] : starts[run[-1] + 1]] for run in runs)
