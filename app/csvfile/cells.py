"""Splits single records into values, with the reader that the batches use."""

from __future__ import annotations

from collections.abc import Iterable

from app.csvfile.reader import read_blocks


def split_record(text: str) -> list[str]:
    """The values in the ``text`` of one record without its final line ending; its quotation marks may be broken.

    The line numbers in its problems are those of a record just below the header. The layout does not matter.
    """
    (cells,) = split_records([text])
    return cells


def split_records(texts: Iterable[str]) -> list[list[str]]:
    """The values of many records, several times as fast as one by one."""
    data = "".join(f"{text}\n" for text in texts).encode()
    return [cells for block in read_blocks([data], offset=0, line=2) for cells in block.cells]
