"""The upload check alone and through the web server, and the memory that the web server needs for it."""

from __future__ import annotations

import json
import sys
from statistics import median

from bench import CHECKOUT, memory
from bench.context import Bench, say
from bench.services import BenchError, run
from bench.table import Measured


def measure(bench: Bench) -> None:
    """Check the large file both ways."""
    file = bench.file(bench.options.rows)
    details = bench.details["upload"] = {"rows": file.rows, "bytes": file.path.stat().st_size}
    alone = []
    for _ in range(bench.options.repeat):
        checked = json.loads(run([sys.executable, "-m", "bench.check", str(file.path)], cwd=CHECKOUT))
        if (checked["rows"], checked["invalid"]) != (file.rows, file.invalid):
            raise BenchError(f"The check counts {checked['rows']:,} rows, {checked['invalid']:,} of them invalid.")
        alone.append(checked["seconds"])
        say(f"  check alone: {alone[-1]:.2f} s")
    details |= {"alone_seconds": alone, "alone_growth_bytes": checked["growth_bytes"]}
    note = f"{median(alone):.2f} s, memory grows by {checked['growth_bytes'] / 2**20:.0f} MiB"
    bench.measured["check"] = Measured(file.rows / median(alone), note)

    bench.installation.empty()
    browser = bench.installation.sign_in()
    web = memory.family(bench.installation.pid(bench.installation.web))
    before = [memory.resident_bytes(pid) for pid in web]
    # Signing in has taken 64 MiB for a moment, to hash the password.
    for pid in web:
        memory.forget_peak(pid)
    uploads = []
    for _ in range(bench.options.repeat):
        uploaded = browser.upload(file.path)
        uploads.append(uploaded.seconds)
        say(f"  through the web server: {uploads[-1]:.2f} s")
        bench.terminate(uploaded, browser)
    peaks = [memory.peak_bytes(pid) for pid in web]
    details |= {"upload_seconds": uploads, "web_resident_bytes": before, "web_peak_bytes": peaks}
    bench.measured["check-http"] = Measured(file.rows / median(uploads), f"{median(uploads):.2f} s")
    if memory.is_known():
        growth = max(peak - resident for peak, resident in zip(peaks, before, strict=True))
        note = f"highest peak (VmHWM) of a web process {max(peaks) / 2**20:.0f} MiB"
        bench.measured["web-memory"] = Measured(growth / 2**20, note)
