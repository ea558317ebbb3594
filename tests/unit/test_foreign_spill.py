"""Entries in a temporary file are read by part and by addition, and memory holds only some of them."""

import tempfile
import tracemalloc

import numpy as np

from app.imports.foreign.spill import Spill

KIND = np.dtype([("number", "<i4"), ("part", "<i4"), ("sum", "<i8")])


def test_entries_are_read_by_part_and_by_addition_and_are_not_held() -> None:
    count, additions = 5_000, 40
    all_parts = np.random.default_rng(7).integers(0, 20, (additions, count), np.int32)
    # Some parts come late, and one addition is empty.
    all_parts[:3] %= 7
    numbers = np.arange(additions * count, dtype=np.int32).reshape(additions, count)
    with tempfile.TemporaryFile() as file:
        tracemalloc.start()
        spill = Spill(file, KIND)
        for at, parts in enumerate(all_parts):
            entries = np.zeros(count, KIND)
            entries["number"], entries["part"] = numbers[at], parts
            spill.add(entries, parts)
        spill.add(np.zeros(0, KIND), np.zeros(0, np.int32))
        for part, entries in enumerate(spill.parts()):
            assert np.array_equal(entries["number"], numbers[all_parts == part])
            entries["sum"] = np.cumsum(entries["number"], dtype=np.int64)
        read = [
            entries[["number", "sum"]][np.argsort(entries["number"])][-1].item() for entries in spill if len(entries)
        ]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < numbers.size * KIND.itemsize / 4
        ends = [numbers[at][-1] for at in range(additions)]
        sums = [int(numbers[(all_parts == all_parts[at, -1]) & (numbers <= ends[at])].sum()) for at in range(additions)]
        assert read == [*zip(ends, sums, strict=True)]
