"""Reads and validates the rows of a slice of a file, any number at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from app.csvfile.causes import Problem
from app.csvfile.header import layout_of
from app.csvfile.reader import Block, read_blocks
from app.csvfile.rows import SCHEMA
from app.csvfile.validate import Validated, Validator


@dataclass(slots=True)
class Lines:
    """Consecutive records of a file: valid, invalid and blank ones."""

    #: The byte of the file, and the physical line, just after them.
    end_byte: int
    next_line: int
    #: The number of records.
    count: int = 0
    #: The valid rows, a table of ``rows.SCHEMA``.
    rows: pa.Table = field(default_factory=SCHEMA.empty_table)
    #: All problems of each invalid row, by the line on which it begins.
    wrong: dict[int, list[Problem]] = field(default_factory=dict)
    _blocks: list[Block] = field(default_factory=list)

    def text(self, line: int) -> str:
        """The record that begins on ``line``, without its final line ending."""
        block = next(block for block in self._blocks if line < block.lines[-1])
        return _without_ending(block.text(int(np.searchsorted(block.lines, line))))

    def texts(self, lines: Iterable[int]) -> list[str]:
        """The records that begin on ``lines``, which are in order, without their final line endings."""
        wanted = np.fromiter(lines, np.int64)
        texts: list[str] = []
        for block in self._blocks:
            first, stop = np.searchsorted(wanted, block.lines[[0, -1]])
            texts += map(_without_ending, block.texts(np.searchsorted(block.lines, wanted[first:stop])))
        return texts


def _without_ending(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


class _Part(NamedTuple):
    """A block of which the records from ``first`` on were not taken yet."""

    block: Block
    found: Validated
    rows: pa.Table
    first: int


class LineReader:
    """Reads and validates the records in ``pieces``, which begin at byte ``offset`` and physical line ``line``.

    ``header`` is the header line of their file.
    """

    def __init__(self, pieces: Iterable[bytes], *, header: str, offset: int, line: int) -> None:
        #: The layout of its file.
        self.layout = layout_of(header)
        self._blocks = read_blocks(pieces, offset=offset, line=line, layout=self.layout)
        self._validator = Validator(self.layout)
        self._rest: _Part | None = None
        self._end_byte, self._next_line = offset, line

    def take(self, count: int) -> Lines:
        """The next ``count`` records, or fewer at the end of the slice.

        Raises FileRejected for bytes that cannot be a row.
        """
        taken = Lines(self._end_byte, self._next_line)
        tables = []
        while taken.count < count and (part := self._rest or self._read_block()):
            tables.append(self._take_from(part, count - taken.count, taken))
        self._end_byte, self._next_line = taken.end_byte, taken.next_line
        if tables:
            taken.rows = pa.concat_tables(tables)
        return taken

    def _read_block(self) -> _Part | None:
        block = next(self._blocks, None)
        if block is None:
            return None
        found = self._validator.validate(block)
        return _Part(block, found, found.rows(), 0)

    def _take_from(self, part: _Part, count: int, taken: Lines) -> pa.Table:
        """Add up to ``count`` records of ``part`` to ``taken``, and return their valid rows."""
        block, found, rows, first = part
        stop = min(first + count, len(block))
        self._rest = part._replace(first=stop) if stop < len(block) else None
        taken.count += stop - first
        taken.end_byte, taken.next_line = block.offset + int(block.starts[stop]), int(block.lines[stop])
        taken.wrong |= found.problems(first, stop)
        taken._blocks.append(block)
        begin, end = np.searchsorted(rows["line"].to_numpy(), block.lines[[first, stop]])
        return rows.slice(begin, end - begin)
