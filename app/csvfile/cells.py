"""The values of single records, cut apart by the reader that the batches use."""

from __future__ import annotations

from collections.abc import Iterable

from app.csvfile.reader import read_blocks


def split_record(text: str) -> list[str]:
    """The values in the ``text`` of one record, broken quotation marks and all; without its final line ending.

    What is told of its lines holds for a record below the header, and nothing of it depends on its layout.
    """
    (cells,) = split_records([text])
    return cells


def split_records(texts: Iterable[str]) -> list[list[str]]:
    """The same of many records, several times as fast as one by one."""
    data = "".join(f"{text}\n" for text in texts).encode()
    return [cells for block in read_blocks([data], offset=0, line=2) for cells in block.cells]
