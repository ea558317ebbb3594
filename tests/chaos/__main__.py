"""Runs the trials, prints a table of them and keeps it in docs/faults.md."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import datetime
import os
import random
import signal
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import click
import psutil
from redis import Redis
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db
from tests.chaos import faults, stops
from tests.chaos.bench import Bench, Tally
from tests.chaos.home import Home
from tests.processes import ROOT

_PAGE = ROOT / "docs" / "faults.md"
_BEGIN, _END = "<!-- table: begin -->", "<!-- table: end -->"
#: Maximum recovery time after a single death.
_RECOVERY_LIMIT_SECONDS = 15.0
#: One mix on a small file, with a lease so short that its recoveries are short as well: what `make test` runs.
_SHORT_LEASE = {"LEASE_SECONDS": "3", "TICK_SECONDS": "0.5"}
_SHORT_SHARE = 0.4
_ONE_MIX_MINUTES = 0.001
#: Faults that are a single death or equivalent.
_DEATHS = set(
    "horse worker both tree frozen redis-empty web-enqueue postgres-fast postgres-kill "
    "clock-workers-forward clock-workers-back clock-database-forward clock-database-back".split()
)


@dataclass
class Line:
    """A line of the table."""

    name: str
    what: str
    runs: int = 0
    kills: int = 0
    recoveries: list[float] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    troubles: list[str] = field(default_factory=list)
    skipped: str = ""

    def add(self, tally: Tally, runs: int = 1) -> None:
        """Count one trial."""
        if tally.skipped:
            self.skipped = tally.skipped
            return
        self.runs += runs
        self.kills += tally.kills
        self.recoveries += tally.recoveries
        self.lost += tally.lost
        self.doubled += tally.doubled
        self.troubles += tally.troubles

    @property
    def verdict(self) -> str:
        """The verdict in a word."""
        if self.skipped:
            return f"skipped: {self.skipped}"
        if self.lost or self.doubled or self.troubles:
            return "WRONG"
        if self.name in _DEATHS and max(self.recoveries, default=0) >= _RECOVERY_LIMIT_SECONDS:
            return "TOO SLOW"
        return "right"

    def cells(self) -> list[str]:
        """The cells of the table."""
        median = f"{statistics.median(self.recoveries):.1f} s" if self.recoveries else "–"
        worst = f"{max(self.recoveries):.1f} s" if self.recoveries else "–"
        numbers = [str(number) for number in (self.runs, self.kills or "–")]
        return [self.what, *numbers, median, worst, str(self.lost), str(self.doubled), self.verdict]


def main() -> int:
    """Run what the command line asks for. Returns the exit code."""
    options = _options()
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    home = Home(options.workers, **(_SHORT_LEASE if options.short else {}))
    atexit.register(home.close)
    with home.app.app_context():
        click.echo(f"seed {options.seed}; starting")
        bench = Bench(home, quick=options.quick, share=_SHORT_SHARE if options.short else 1)
        click.echo(f"quiet: {bench.rows} rows in {bench.quiet_seconds:.1f} s, {bench.quiet.counters}")
        machine = _machine(home)
        lines = list(_run_all(bench, options))
        with contextlib.suppress(SQLAlchemyError):
            # Leaving the context would fail with a connection that was cut.
            db.session.remove()
    minutes = (time.monotonic() - began) / 60
    table = _table(lines)
    click.echo(f"\n{table}\n\n{sum(line.kills for line in lines)} kills, {minutes:.0f} minutes, seed {options.seed}")
    is_right = all(line.verdict == "right" or line.skipped for line in lines)
    if not (options.only or options.quick):
        today = datetime.datetime.now(datetime.UTC).date()
        kills = sum(line.kills for line in lines)
        _write_page(
            f"{today}, seed {options.seed}, {bench.rows:,} rows, {options.workers} workers, {machine}; "
            f"{kills} kills in {minutes:.0f} minutes.\n\n{table}"
        )
    if not is_right:
        click.echo(f"\nThe log of the processes ends:\n{home.last_words()}")
    return 0 if is_right else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="what the random moments follow from")
    parser.add_argument("--only", action="append", metavar="WORD", help="only faults whose short name has this word")
    parser.add_argument("--runs", type=int, help="runs of each fault, instead of its own number")
    parser.add_argument("--stops", type=int, help="stops of each kind, instead of its own number")
    parser.add_argument("--mix-minutes", type=float, default=3.0, help="how long the random mix goes on")
    parser.add_argument("--workers", type=int, default=3, help="2 to 4; stops always have 4")
    parser.add_argument("--quick", action="store_true", help="shorter outages; the page is not written")
    parser.add_argument("--short", action="store_true", help="one short mix and nothing else")
    options = parser.parse_args()
    if options.short:
        options.only, options.mix_minutes, options.quick = ["mix"], _ONE_MIX_MINUTES, True
    return options


def _run_all(bench: Bench, options: argparse.Namespace) -> list[Line]:
    lines = []
    for name, what, runs, run in faults.faults():
        if _is_wanted(name, options):
            line = Line(name, what)
            lines.append(line)
            for number in range(options.runs or runs):
                _try(line, bench, run, random.Random(f"{options.seed} {name} {number}"))
    if _is_wanted("mix", options) and options.mix_minutes:
        line = Line("mix", "a random mix of these")
        lines.append(line)
        ends_at = time.monotonic() + 60 * options.mix_minutes
        while time.monotonic() < ends_at:
            _try(line, bench, faults.mix, random.Random(f"{options.seed} mix {line.runs}"))
    if any(_is_wanted(f"stop-{name}", options) for name, _, _ in stops.KINDS):
        lines += _run_stops(bench, options)
    return lines


def _run_stops(bench: Bench, options: argparse.Namespace) -> list[Line]:
    lines = []
    if bench.home.wanted_workers != 4:
        bench.home.stop_workers()
        bench.home.wanted_workers = 4
    trials = stops.Stops(bench)
    for name, what, times in stops.KINDS:
        if _is_wanted(f"stop-{name}", options):
            line = Line(f"stop-{name}", what)
            lines.append(line)
            began = time.monotonic()
            tally = trials.run(name, options.stops or times, random.Random(f"{options.seed} {name}"))
            tally.notes = [f"{len(tally.notes)} were over before"] if tally.notes else []
            line.add(tally, options.stops or times)
            _report(line, tally, time.monotonic() - began)
    return lines


def _is_wanted(name: str, options: argparse.Namespace) -> bool:
    return not options.only or any(word in name for word in options.only)


def _try(line: Line, bench: Bench, run: Callable[[Bench, random.Random], Tally], chance: random.Random) -> None:
    began = time.monotonic()
    try:
        # The trial before may have stopped them.
        bench.home.workers()
        tally = run(bench, chance)
    except Exception as error:  # noqa: BLE001 - a trial that breaks is a trial that failed, and the others go on
        tally = Tally(troubles=[f"{type(error).__name__}: {error}"])
        # It may have left servers down.
        bench.home.ensure_servers()
        with contextlib.suppress(SQLAlchemyError):
            db.session.remove()
    line.add(tally)
    _report(line, tally, time.monotonic() - began)


def _report(line: Line, tally: Tally, seconds: float) -> None:
    recovered = f"recovered in {', '.join(f'{one:.1f}' for one in tally.recoveries)} s" if tally.recoveries else ""
    said = [f"{tally.kills} kills" if tally.kills else "", recovered, *tally.notes, tally.skipped]
    click.echo(
        f"{line.name:22} {seconds:5.1f} s  lost {tally.lost} doubled {tally.doubled}  {'; '.join(filter(None, said))}"
    )
    for trouble in tally.troubles[:8]:
        click.echo(f"    {trouble}")


def _table(lines: list[Line]) -> str:
    head = ["fault", "runs", "kills", "recovery, median", "recovery, worst", "lost", "doubled", "verdict"]
    rows = [head, ["---", *["---:"] * 6, "---"], *(line.cells() for line in lines)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _machine(home: Home) -> str:
    with home.connect() as connection:
        postgres = connection.info.server_version // 10_000
    with Redis.from_url(home.environ["REDIS_URL"]) as client:
        redis = ".".join(client.info("server")["redis_version"].split(".")[:2])
    memory = round(psutil.virtual_memory().total / (1 << 30))
    return f"{os.cpu_count()} cores, {memory} GiB, PostgreSQL {postgres}, Redis {redis}"


def _write_page(measured: str) -> None:
    page = _PAGE.read_text()
    before, rest = page.split(_BEGIN)
    after = rest.split(_END)[1]
    _PAGE.write_text(f"{before}{_BEGIN}\n{measured}\n{_END}{after}")
    click.echo(f"written to {_PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
