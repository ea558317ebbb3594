"""The upload check: reads a whole file once, counts its rows, and plans its batches."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np

from app.batch_plan import BatchPlan, rows_per_batch
from app.csvfile.columns import EXAMPLE, HEADER
from app.csvfile.errors import FileRejected, FileTooLarge
from app.csvfile.header import layout_of, take_header
from app.csvfile.reader import Stretch, check_text, find_records
from app.csvfile.texts import Indices
from app.csvfile.validate import Validator
from app.csvfile.warn import Warned, find_warned, sum_up

#: The beginning of a file, in bytes, that shows most of what it can be rejected for.
LOOK_BYTES = 64 * 1024

#: The number of stretches of a file that wait for the second thread, or are in its hands.
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of the upload check for a file that can be imported."""

    #: The header line with its byte-order mark and line ending.
    header: str
    #: Number of rows that are not blank.
    total: int
    #: The number of invalid rows among them, whatever the catalog and the listings contain.
    invalid: int
    #: The warnings, about valid and invalid rows.
    warnings: list[Warned]
    batches: list[BatchPlan]


def scan(pieces: Iterable[bytes], *, max_rows: int, max_bytes: int, workers: int = 0) -> Scan:
    """Check the file whose bytes are ``pieces`` while they arrive, and plan its batches for a number of ``workers``.

    Raises FileRejected as soon as it is certain that the file cannot be imported, and FileTooLarge beyond
    ``max_bytes``.
    """
    arriving = limited(pieces, max_bytes)
    header_line, beyond = take_header(arriving)
    header = header_line.decode()
    layout = layout_of(header)
    # The byte and the physical line at which each row begins. Batches are planned once the total is known.
    starts, lines = array("I" if max_bytes < 1 << 32 else "Q"), array("I")
    warned: list[Warned] = []
    invalid = 0
    at = len(header_line)
    stretches = find_records(chain([beyond], arriving), offset=at, line=2, layout=layout)
    # A thread starts when the first but not the last of them is there, and ends with this block.
    with ThreadPoolExecutor(1, "upload-check") as helper:
        for part in _judge(stretches, Validator(layout), helper):
            starts.frombytes(part.starts.astype(starts.typecode).tobytes())
            lines.frombytes(part.lines.astype(np.uint32).tobytes())
            invalid += part.invalid
            warned = sum_up([*warned, *part.warned])
            at = part.end
            if len(starts) > max_rows:
                raise FileRejected(
                    f"The file has more than {max_rows:,} rows. Split it into several files and upload them one by "
                    "one.",
                    lines[max_rows],
                )
    if not starts:
        raise FileRejected("The file has the header but no rows below it. Add at least one row.", 2)
    # Blank rows before the first row belong to the first batch, so that the batches cover the whole file.
    starts[0], lines[0] = len(header_line), 2
    return Scan(header, len(starts), invalid, warned, _plan(starts, lines, end_of_file=at, workers=workers))


class _Judged(NamedTuple):
    """What is known of the records of a stretch."""

    #: The byte of the file and the physical line at which each begins that is not blank; and the byte after the last.
    starts: Indices
    lines: Indices
    end: int
    #: The number of invalid ones.
    invalid: int
    warned: list[Warned]


def _judge(stretches: Iterable[Stretch], validator: Validator, helper: Executor) -> Iterator[_Judged]:
    """What is known of each of the ``stretches``, in order, and then the FileRejected that they raise.

    The ``helper`` judges them while the next ones arrive. As long as it has two, this thread does so as well.
    """

    def judge(stretch: Stretch) -> _Judged:
        block = stretch.read()
        found = validator.validate(block)
        starts = block.starts + block.offset
        warned = find_warned(block, stretch.layout)
        return _Judged(starts[found.filled], block.lines[found.filled], int(starts[-1]), len(found.invalid), warned)

    judged: deque[Future[_Judged]] = deque()
    try:
        for stretch in stretches:
            if stretch.is_last or sum(not one.done() for one in judged) == _AHEAD:
                judged.append(Future())
                judged[-1].set_result(judge(stretch))
            else:
                judged.append(helper.submit(judge, stretch))
            while judged and judged[0].done():
                yield judged.popleft().result()
    except FileRejected as rejected:
        judged.append(Future())
        judged[-1].set_exception(rejected)
    yield from (one.result() for one in judged)


def rehearse() -> None:
    """Check an example, so that what is imported and built at first use does not keep a first upload waiting."""
    file = f"{HEADER}\n{EXAMPLE}\n".encode()
    scan([file], max_rows=1, max_bytes=len(file))


def look(start: bytes, *, size: int, max_rows: int, max_bytes: int) -> None:
    """Raise FileRejected if a file of ``size`` bytes that begins with ``start`` is certain to be rejected.

    The rest of the file is not known yet, and may be wrong as well.
    """
    if size > max_bytes:
        raise FileTooLarge.beyond(max_bytes)
    if size <= len(start):
        scan([start], max_rows=max_rows, max_bytes=max_bytes)
        return
    _, beyond = take_header(iter([start]))
    # The last line may have been cut off within a character.
    check_text(beyond[: beyond.rfind(b"\n") + 1], 2)


def limited(pieces: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    """The same pieces. Raises FileTooLarge beyond ``max_bytes``."""
    arrived = 0
    for piece in pieces:
        arrived += len(piece)
        if arrived > max_bytes:
            raise FileTooLarge.beyond(max_bytes)
        yield piece


def _plan(starts: array[int], lines: array[int], *, end_of_file: int, workers: int) -> list[BatchPlan]:
    """Divide the rows into consecutive batches without gaps up to the end of the file."""
    size = rows_per_batch(len(starts), workers)
    firsts = range(0, len(starts), size)
    ends = [*(starts[first] for first in firsts[1:]), end_of_file]
    return [
        BatchPlan(starts[first], end, lines[first], min(size, len(starts) - first))
        for first, end in zip(firsts, ends, strict=True)
    ]
