"""The values of single records, cut apart by the reader that the batches use."""

from __future__ import annotations

from app.csvfile.reader import read_blocks


def split_record(text: str) -> list[str]:
    """The values in the ``text`` of one record, broken quotation marks and all; without its final line ending.

    What is told of its lines holds for a record below the header.
    """
    (block,) = read_blocks([f"{text}\n".encode()], offset=0, line=2)
    (cells,) = block.cells
    return cells
