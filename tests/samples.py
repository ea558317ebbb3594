"""The shared samples, if available: real data with their expected outcomes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
SAMPLES = SHARED / "samples"
CATALOG = SHARED / "catalog" / "pokemon.csv.gz"

needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"the samples are not there: {SAMPLES}")


def expected_errors(name: str) -> list[tuple[int, int]]:
    """The line and code of every row of the sample that must fail."""
    with (SAMPLES / f"{name}.errors.csv").open(newline="", encoding="utf-8") as file:
        return [(int(row["line"]), int(row["code"])) for row in csv.DictReader(file)]


def expected_listings(name: str) -> set[tuple[str, ...]]:
    """All the seller's listings after the sample, as the values of its columns."""
    with (SAMPLES / f"{name}.listings.csv").open(newline="", encoding="utf-8") as file:
        return {tuple(row) for row in csv.reader(file)} - {
            ("urn", "condition", "variants", "price", "quantity", "hidden", "comment", "notes", "reference")
        }
