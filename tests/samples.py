"""The shared samples, if available: real data with their expected outcomes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from app import catalog
from app.extensions import db
from app.queries.items import Replaced

SHARED = Path(__file__).resolve().parents[2] / "shared"
SAMPLES = SHARED / "samples"
CATALOG = SHARED / "catalog" / "pokemon.csv.gz"

needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"the samples are not there: {SAMPLES}")


def load_catalog() -> Replaced:
    """Load the catalog over new connections, as its command does.

    The foreign keys of one that has loaded a few items before are checked by a plan for a few, which reads the whole
    table for each external id: a minute instead of a second.
    """
    db.session.rollback()
    db.engine.dispose()
    return catalog.load(CATALOG)


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
