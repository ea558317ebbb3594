"""Runs the requested parts, prints the table, and saves the results."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from http.client import HTTPException

import psycopg

from app.local.private_servers import PrivateServerError
from bench import report
from bench.browser import WrongAnswer
from bench.context import DEFAULT_ROWS, Bench, Options, say
from bench.parts import GROWTH, TABLE
from bench.services import BenchError
from bench.table import fill

_FEWEST_ROWS = 100


def main() -> int:
    """Measure. Returns 0 if every measured target is met, 1 if one is missed, 2 if nothing could be measured."""
    _read_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Read before our own processes start.
    load = os.getloadavg()[0]
    try:
        options = _options()
        bench = Bench.start(options)
    except (BenchError, PrivateServerError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    try:
        return _run(bench, load)
    except KeyboardInterrupt:
        say("\nStopping ...")
        return 130
    finally:
        # The clean-up itself must not be interrupted.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        bench.installation.close()


def _run(bench: Bench, load: float) -> int:
    options = bench.options
    if load > 0.5:
        say(f"The machine has other work to do (load {load:.1f}), which makes the numbers worse.")
    reasons: dict[str, str] = {}
    for name in options.only:
        say(f"\n{name}")
        try:
            (TABLE | GROWTH)[name](bench)
        except (BenchError, WrongAnswer, OSError, HTTPException, psycopg.Error) as error:
            # The other parts are measured all the same.
            reasons[name] = str(error).splitlines()[0]
            say(f"  not measured: {error}")
    lines = fill(bench.measured, reasons, rows=options.rows, small=options.small)
    if asked := [line for line in lines if line.target.part in options.only]:
        report.show(asked)
    report.keep(bench, lines, load)
    return 1 if reasons or any(line.verdict == "missed" for line in lines) else 0


def _read_arguments() -> None:
    """End with the usage if anything is asked on the command line: what is measured is told by variables."""
    parts = ", ".join(TABLE | GROWTH)
    argparse.ArgumentParser(
        "python -m bench",
        description=__doc__,
        epilog=f"Set by variables: ONLY (some of {parts}, table and growth), ROWS, REPEAT, SEED.",
    ).parse_args()


def _options() -> Options:
    only = [name for name in os.environ.get("ONLY", "").replace(",", " ").split() if name] or list(TABLE)
    names: list[str] = []
    for name in only:
        names += list(GROWTH) if name == "growth" else list(TABLE) if name == "table" else [name]
    known = TABLE | GROWTH
    if unknown := [name for name in names if name not in known]:
        raise BenchError(f"There is no part {unknown[0]!r}. ONLY takes {', '.join(known)}, table and growth.")
    return Options(
        names,
        rows=_number("ROWS", DEFAULT_ROWS, at_least=_FEWEST_ROWS),
        repeat=_number("REPEAT", 1),
        seed=_number("SEED", 1),
    )


def _number(name: str, default: int, at_least: int = 1) -> int:
    text = os.environ.get(name, "").replace(",", "").replace("_", "") or str(default)
    if not text.isdecimal() or int(text) < at_least:
        raise BenchError(f"{name} must be a whole number from {at_least}, not {text!r}.")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
