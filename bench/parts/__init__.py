"""The parts of a run; each measures some lines of the table, or how cost grows in one respect."""

from __future__ import annotations

from bench.context import Part
from bench.parts import (
    catalogs,
    checks,
    errors,
    fixes,
    foreign,
    growth,
    importing,
    kinds,
    listings,
    pages,
    processor,
    rival,
    slow,
    stops,
    ten,
    undo,
    upload,
)

#: The default parts, in order.
TABLE: dict[str, Part] = {
    "import": importing.measure,
    "kinds": kinds.measure,
    "catalog": catalogs.measure,
    "python": processor.measure,
    "django": rival.measure,
    "upload": upload.measure,
    "stops": stops.measure,
    "slow": slow.measure,
    "pages": pages.measure,
    "errors": errors.measure,
    "fixes": fixes.measure,
    "checks": checks.measure,
    "ten": ten.measure,
    "listings": listings.measure,
    "undo": undo.measure,
    "foreign": foreign.measure,
}

#: How cost grows, a plot each; ``growth`` stands for all of them.
GROWTH: dict[str, Part] = {
    "grow-rows": growth.rows,
    "grow-workers": growth.workers,
    "grow-catalog": growth.catalogs,
    "grow-listings": growth.listings,
    "grow-kinds": growth.kinds,
}
