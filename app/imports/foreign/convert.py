"""Converts a foreign file into the import format: block by block, with where each line of it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from app.csvfile.columns import HEADER
from app.imports.foreign.mapping import Mapping
from app.imports.foreign.reading import Reading
from app.imports.foreign.reasons import Outcome, Reason

#: The header of a converted file, with its line end.
HEADER_LINE = f"{HEADER}\n".encode()


@dataclass(frozen=True)
class Converted:
    """What some consecutive rows of a foreign file came to. An array has an element for each row, unless it says so."""

    #: Lines of the import format in UTF-8, each with its line end, and none with a line break inside.
    data: bytes
    #: The line in the converted file of the first of them. The header is line 1.
    first_line: int
    #: For each of these lines the row it came from, as a position in the arrays below.
    from_rows: NDArray[np.int32]
    #: The first physical line of each row, or the row of the sheet.
    lines: NDArray[np.int32]
    #: Where its bytes begin in the text of the file, and how many there are.
    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]
    #: What it came to: numbers of ``Outcome``.
    outcomes: NDArray[np.int8]
    #: Why: a position in ``reasons``, or -1.
    reason_at: NDArray[np.int32]
    reasons: list[Reason]
    #: Rows (as positions) and the lines of the converted file to which they were added. A row can make several lines
    #: and be added to others.
    added_rows: NDArray[np.int32]
    added_lines: NDArray[np.int32]

    def outcome_counts(self) -> dict[Outcome, int]:
        """How many rows came to each outcome."""
        counts = np.bincount(self.outcomes, minlength=len(Outcome))
        return {outcome: int(counts[outcome]) for outcome in Outcome}


def convert(
    source: BinaryIO,
    reading: Reading,
    mapping: Mapping,
    seller_id: int,
    *,
    on_read: Callable[[int], None] = lambda _rows: None,
) -> Iterator[Converted]:
    """Convert the file that was read as ``reading``.

    It is worked through once, and each block is laid by in a temporary file, until it is known which rows are for the
    same listing: the first of them gets the quantities of all. Memory holds 8 bytes a row for that. ``on_read`` is told
    the number of rows after each block; all are read before the first ``Converted`` comes.

    Reads the catalog and the seller's listings in the session's transaction.
    """
    raise NotImplementedError
