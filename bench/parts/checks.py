"""Whether a check takes longer than the import that it predicts, and whether their numbers agree."""

from __future__ import annotations

from bench import files
from bench.context import Bench, say
from bench.table import Measured


def measure(bench: Bench) -> None:
    """Check and import a file of new listings; then check and import rows of every kind."""
    bench.installation.empty()
    file = bench.file(bench.options.rows)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    # In this order, neither always finds cold servers or full tables.
    for is_check in (True, False, False, True):
        uploaded = bench.installation.sign_in().upload(file.path, is_check=is_check)
        seconds[is_check].append(bench.see_through(uploaded, file).seconds)
        say(f"  {'check' if is_check else 'import'} {seconds[is_check][-1]:.1f} s")
    checks, imports = sum(seconds[True]), sum(seconds[False])
    bench.measured["check-time"] = Measured(checks / imports, f"{checks / 2:.1f} s against {imports / 2:.1f} s")

    bench.installation.empty()
    browser = bench.installation.sign_in()
    earlier = bench.file(bench.options.small)
    bench.run_import(earlier, browser)
    mixed = bench.installation.root / "every-kind.csv"
    files.write_every_kind(mixed, earlier, bench.catalog, seed=bench.options.seed)
    counts = []
    for is_check in (True, False):
        uploaded = browser.upload(mixed, is_check=is_check)
        bench.wait_for_end(uploaded)
        counts.append(bench.count(uploaded))
    predicted, counted = counts
    numbers = ", ".join(f"{count:,} {name}" for name, count in predicted.items())
    differing = sum(predicted[name] != counted[name] for name in counted)
    bench.measured["check-exact"] = Measured(differing, f"predicted {numbers}")
    say(f"  predicted {numbers}; came {counted}")
    bench.details["checks"] = {
        "check_seconds": seconds[True],
        "import_seconds": seconds[False],
        "predicted": predicted,
        "counted": counted,
    }
