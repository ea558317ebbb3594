"""Prints the table, and saves it with all figures in ``bench/results`` and ``docs/performance.md``."""

from __future__ import annotations

import json
from typing import Any

from bench import CHECKOUT, machine
from bench.context import TRIALS, Bench, say
from bench.parts import GROWTH, TABLE
from bench.table import Line

#: Committed, unlike the results of trials with fewer rows or parts.
_RESULTS = CHECKOUT / "bench" / "results"
_PAGE = CHECKOUT / "docs" / "performance.md"
_BEGIN, _END = "<!-- table: begin -->", "<!-- table: end -->"
_HEAD = ("what", "measured", "target", "verdict")


def show(lines: list[Line]) -> None:
    """Print lines of the table."""
    rows = [_HEAD, *((line.what, line.shown, line.target.wanted, line.verdict) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    print()
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]))
    print()
    for line in lines:
        if line.measured is not None and line.measured.note:
            print(f"{line.target.name}: {line.measured.note}")


def keep(bench: Bench, lines: list[Line], load: float) -> None:
    """Write the results; those of a complete run are committed and published."""
    about = {**machine.describe(bench.installation), "load_before": load, "catalog": bench.catalog.description}
    options = {"only": bench.options.only, "rows": bench.options.rows, "repeat": bench.options.repeat}
    results = {
        "machine": about,
        "options": {**options, "seed": bench.options.seed},
        "table": [_as_json(line) for line in lines if line.measured is not None],
        "details": bench.details,
    }
    is_whole = set(bench.options.only) >= set(TABLE)
    is_growth = set(bench.options.only) == set(GROWTH)
    is_kept = (is_whole or is_growth) and bench.options.is_full_size
    directory = _RESULTS if is_kept else TRIALS
    directory.mkdir(parents=True, exist_ok=True)
    parts = "" if is_whole else "-growth" if is_growth else "-" + "-".join(bench.options.only)
    path = directory / f"{about['date']}-{about['commit']}{parts}.json"
    path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    say(f"\nResults are in {path.relative_to(CHECKOUT)}.")
    if is_whole and is_kept:
        _update_page(lines, results)
        say(f"docs/{_PAGE.name} shows them.")


def _as_json(line: Line) -> dict[str, Any]:
    assert line.measured is not None
    return {
        "name": line.target.name,
        "what": line.what,
        "value": line.measured.value,
        "measured": line.shown,
        "target": line.target.wanted,
        "verdict": line.verdict,
        "note": line.measured.note,
    }


def _update_page(lines: list[Line], results: dict[str, Any]) -> None:
    page = _PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(_BEGIN)
    _, found, after = rest.partition(_END)
    if not found:
        say(f"docs/{_PAGE.name} has no place for the table.")
        return
    _PAGE.write_text(f"{before}{_BEGIN}\n{_markdown(lines, results)}\n{_END}{after}", encoding="utf-8")


def _markdown(lines: list[Line], results: dict[str, Any]) -> str:
    about = results["machine"]
    sentence = (
        f"{about['date']}, commit {about['commit']}, seed {results['options']['seed']}; {about['processor']}, "
        f"{about['cores']} cores, {about['memory_gib']:.0f} GiB, {about['kernel']}, Python {about['python']}, "
        f"PostgreSQL {about['postgresql']} at its defaults, Redis {about['redis']}; {about['catalog']}."
    )
    table = ["| what | measured | target | verdict | |", "|---|---:|---:|---|---|"]
    for line in lines:
        note = line.measured.note if line.measured else ""
        table.append(f"| {line.what} | {line.shown} | {line.target.wanted} | {line.verdict} | {note} |")
    return "\n".join([sentence, "", *table])
