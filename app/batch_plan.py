"""How the rows of a file, or the listings of an undo, are divided into batches."""

from dataclasses import dataclass

#: To claim and to end a batch costs as much as some thousand rows.
MIN_BATCH_ROWS = 5_000
MAX_BATCH_ROWS = 25_000
#: Number of batches to aim for: more would cost more than they bring.
_BATCHES, _BATCHES_PER_WORKER = 80, 4


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """The slice of the file that one batch will read; in an undo, the slice of the places where its listings stand."""

    start_byte: int
    end_byte: int
    #: The physical line at ``start_byte``; 0 in an undo.
    first_line: int
    #: Number of its rows that are not blank, or of its listings.
    rows: int


def rows_per_batch(total: int, workers: int) -> int:
    """The number of rows in a batch of a file with ``total`` rows; the last batch may have fewer.

    ``workers`` is the number of workers that listen; 0 if it is not known.
    """
    batches = min(_BATCHES, _BATCHES_PER_WORKER * workers) or _BATCHES
    return min(MAX_BATCH_ROWS, max(MIN_BATCH_ROWS, -(-total // batches)))
