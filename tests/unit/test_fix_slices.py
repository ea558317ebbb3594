"""The texts of corrected rows: their cells are quoted as everywhere else."""

from __future__ import annotations

import random

import pyarrow as pa

from app.csvfile.write import csv_lines
from app.imports.fixes import slices


def test_rows_are_written_as_csv() -> None:
    chosen = random.Random(1)
    columns = [["".join(chosen.choices('aé ,"\n\r', k=chosen.randrange(4))) for _ in range(300)] for _ in range(3)]
    texts = slices.as_texts([pa.array(column, pa.string()) for column in columns])
    assert [f"{text}\n" for text in texts.to_pylist()] == [*csv_lines(zip(*columns, strict=True))]
    assert slices.as_file(texts).decode() == "".join(csv_lines(zip(*columns, strict=True)))
