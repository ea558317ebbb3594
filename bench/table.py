"""The table of targets: what is measured, the target, and whether it was met."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A line of the table before the measurement."""

    name: str
    #: The part that measures it.
    part: str
    #: ``{rows}``, ``{half}``, ``{quarter}`` and ``{small}`` stand for the rows of the large file, shares of it, and
    #: those of the small file.
    what: str
    #: With ``{}`` in place of the number.
    unit: str
    limit: float | None = None
    is_met: Callable[[float, float], bool] = operator.le

    @property
    def wanted(self) -> str:
        """The target in words."""
        if self.limit is None:
            return "–"
        return f"{_WORDS[self.is_met]} {self.show(self.limit)}"

    def show(self, value: float) -> str:
        """A number with its unit."""
        return self.unit.format(value)


_WORDS: dict[Callable[[float, float], bool], str] = {
    operator.le: "at most",
    operator.lt: "under",
    operator.ge: "at least",
}

TARGETS = (
    Target("import", "import", "{rows} CREATE rows, upload answered → settled, 2 workers, against the expert's SQL",
           "{:.2f} of its time", 0.6),
    Target("import-floor", "import", "the same against the floor", "{:.1f} times", 1.9),
    Target("import-small", "import", "{small} rows against the expert's SQL", "{:.2f} of its time", 0.7),
    Target("import-small-floor", "import", "the same against the floor", "{:.1f} times", 3),
    Target("import-click", "import", "20,000 rows, Upload clicked → settled, against the expert's SQL",
           "{:.2f} of its time", 1.0),
    Target("update", "kinds", "{quarter} UPDATE rows that change their listings, Upload clicked → settled, against the "
           "expert's UPDATE", "{:.2f} of its time", 0.7),
    Target("mixed", "kinds", "{half} rows, half UPDATE, half CREATE of which two in five exist, against the two halves",
           "{:.2f} of their time", 1.2),
    Target("deadlocks", "kinds", "deadlocks in them", "{:.0f}", 0),
    Target("again", "kinds", "{small} rows uploaded again, every listing exists, against the first time",
           "{:.2f} of its time", 1.2),
    Target("catalog", "catalog", "rows/s with a catalog of 1,000,000 items against the usual one", "{:.2f}", 0.9,
           operator.ge),
    Target("catalog-memory", "catalog", "what it adds to a worker's own memory", "{:.0f} MiB", 8),
    Target("check", "upload", "upload check of {rows} rows, alone", "{:,.0f} rows/s", 1_200_000, operator.ge),
    Target("check-http", "upload", "upload check of {rows} rows, Upload clicked → answered", "{:,.0f} rows/s", 900_000,
           operator.ge),
    Target("web-memory", "upload", "memory growth of the web process over that upload", "{:.1f} MiB", 64, operator.lt),
    Target("worker-memory", "import", "a worker's own (private) peak memory, {rows} rows", "{:.0f} MiB", 120,
           operator.lt),
    Target("python", "python", "Python's part of a CREATE row, read to COPY", "{:.2f} µs", 2.5),
    Target("django-fast", "django", "rows/s against django-import-export in its fastest mode, the same 20,000 rows",
           "{:.1f} times", 12, operator.ge),
    Target("django-default", "django", "rows/s against django-import-export in its default mode",
           "{:.0f} times", 250, operator.ge),
    Target("pause", "stops", "Pause, click → stopped, under full load, 95 of 100", "{:.3f} s", 0.3, operator.lt),
    Target("terminate", "stops", "Terminate, click → stopped, under full load, 95 of 100", "{:.3f} s", 0.3,
           operator.lt),
    Target("slow-healthz", "slow", "/healthz beside 64 slow uploads of 8 sellers, worst", "{:.2f} s", 1),
    Target("slow-page", "slow", "My Imports beside them, worst", "{:.2f} s", 1),
    Target("slow-pause", "slow", "Pause or Resume beside them, clicked → answered, worst", "{:.2f} s", 1),
    Target("page", "pages", "details page under full load, 95 of 100", "{:.0f} ms", 60, operator.lt),
    Target("age", "pages", "age of the counters under full load, worst", "{:.2f} s", 0.5),
    Target("errors-page", "errors", "pages of an import with a quarter of {rows} rows failed, the slowest, median",
           "{:.0f} ms", 150, operator.lt),
    Target("errors-filter", "errors", "any filter over them, the slowest, median", "{:.0f} ms", 500, operator.lt),
    Target("fix-answer", "fixes", "one answer for {quarter} failed rows of one group, pressed → applied", "{:.1f} s", 5,
           operator.lt),
    Target("fix-page", "fixes", "the page of corrections with {quarter} failed rows, and meanwhile, 95 of 100",
           "{:.0f} ms", 300, operator.lt),
    Target("check-time", "checks", "checking {rows} rows against importing them", "{:.2f} of its time", 1.0),
    Target("check-exact", "checks", "numbers in which the import of {small} rows of every kind differs from its check",
           "{:.0f}", 0),
    Target("ten-alone", "ten", "ten rows, Upload clicked → COMPLETED, alone, worst", "{:.2f} s", 0.2, operator.lt),
    Target("ten-beside", "ten", "ten rows while {rows} rows of another seller run, worst", "{:.2f} s", 1, operator.lt),
    Target("listings-page", "listings", "pages of one seller's listings, five times {rows}, the slowest, median",
           "{:.0f} ms", 300, operator.lt),
    Target("listings-search", "listings", "any search in them, the slowest, median", "{:.0f} ms", 300, operator.lt),
    Target("export-memory", "listings", "memory growth of the web process over an export of half of {rows} listings",
           "{:.1f} MiB", 32, operator.lt),
    Target("foreign", "foreign", "a foreign CSV file of {rows} rows converted", "{:,.0f} rows/s", 200_000, operator.ge),
    Target("undo-created", "undo", "undo of {rows} created rows, against the import that made them",
           "{:.2f} of its time", 1.0),
    Target("undo-updated", "undo", "undo of {half} updated rows, against the import that made them",
           "{:.2f} of its time", 1.0),
    Target("undo-kept", "undo", "what the earlier values of updated listings cost an import of {small} UPDATE rows",
           "{:.0f} %", 10),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurement of a line."""

    value: float
    #: Further figures for the reader: "median 0.41 s of 10".
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table."""

    target: Target
    #: In words.
    what: str
    measured: Measured | None
    #: Why it was not measured.
    reason: str = ""

    @property
    def shown(self) -> str:
        """The measurement in words."""
        return self.target.show(self.measured.value) if self.measured else "–"

    @property
    def verdict(self) -> str:
        """Whether the target was met."""
        if self.measured is None:
            return f"not measured: {self.reason}"
        if self.target.limit is None:
            return "–"
        return "met" if self.target.is_met(self.measured.value, self.target.limit) else "missed"


def fill(measured: dict[str, Measured], reasons: dict[str, str], *, rows: int, small: int) -> list[Line]:
    """The table of the measurements; ``reasons`` tells by part why some are missing."""
    return [
        Line(
            target,
            target.what.format(rows=f"{rows:,}", half=f"{rows // 2:,}", quarter=f"{rows // 4:,}", small=f"{small:,}"),
            measured.get(target.name),
            reasons.get(target.part, "not asked for"),
        )
        for target in TARGETS
    ]
