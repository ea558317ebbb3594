"""The files that tests upload."""

from __future__ import annotations

import csv
import re
from itertools import cycle, islice, product

from app.csvfile.contract import Condition
from app.demo import DEMO_CATALOG
from tests.factories import csv_bytes, row

_DEMO = DEMO_CATALOG.parent
MISTAKES = _DEMO / "with-mistakes.csv"
FIRST_IMPORT = _DEMO / "first-import.csv"

_VARIANTS = ["", "normal", "reverse", "de", "de|normal", "de|reverse", "normal|reverse", "de|normal|reverse"]

#: One in this many rows of ``long_file`` fails.
FAILING = 10


def mistakes() -> dict[int, int]:
    """The code of every line of MISTAKES that fails, as the page beside the file has it."""
    told = re.findall(r"^\| (\d+) \| (\d+) \|", (_DEMO / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {int(line): int(code) for line, code in told}


def long_file(rows: int = 5_500) -> bytes:
    """A file of two batches and many chunks; each row's REFERENCE is its line. From 5,601 rows on, listings repeat."""
    keys = islice(cycle(product(_VARIANTS, Condition, range(1, 101))), rows)
    return csv_bytes(
        row(
            urn=f"urn:test:{item}",
            condition=grade.name,
            variants=variants,
            price="1.99" if line % FAILING == 0 else line,
            reference=line,
        )
        for line, (variants, grade, item) in enumerate(keys, start=2)
    )


def references(data: bytes) -> list[int]:
    """The REFERENCE of every row of a file."""
    return [int(one["REFERENCE"]) for one in csv.DictReader(data.decode().splitlines())]
