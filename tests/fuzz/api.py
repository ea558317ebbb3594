"""Has schemathesis ask a running API all that its document allows, and much that it does not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from app.extensions import db
from tests.conftest import make_seller, make_token
from tests.factories import csv_bytes, make_items, row
from tests.processes import ROOT

#: What else a path of a document may have are descriptions and parameters.
_METHODS = {"get", "put", "post", "patch", "delete"}
_TALLY = re.compile(r"^ *([\d,]+) generated.*$", re.MULTILINE)
#: That nobody counts what is asked; it would be refused soon.
UNLIMITED = {"API_REQUESTS_PER_MINUTE": "0", "API_UPLOADS_PER_HOUR": "0", "FILES_PER_DAY": "0"}


def send(address: str, token: str, data: bytes, path: str = "/api/v1/imports") -> dict[str, object]:
    """Send a file to the API; what it answers."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/csv"}
    with urllib.request.urlopen(urllib.request.Request(address + path, data, headers), timeout=30) as answer:
        return json.load(answer)


def ask(
    address: str, token: str, *, examples: int, seed: int | None, seconds: float | None, cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Ask all there is; the exit code is 0 when nothing was found.

    Without a seed the same is asked every time. Workers must run, so that imports come to an end.
    """
    make_items(3)
    # Things to find, so that more is asked than what is not there.
    bad = [row(price="1.99"), row(urn="urn:none"), row(quantity="x")]
    send(address, token, csv_bytes([row(urn=f"urn:test:{n}") for n in (1, 2, 3)] + bad))
    send(address, token, csv_bytes([row(mode="UPDATE", price=5)]), "/api/v1/imports?check=true")
    # It takes longer than a transaction may stand about. Its own --workers would be faster, but Python 3.11 fails when
    # several threads parse at a time, as hypothesis has them do.
    db.session.rollback()
    return subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", ROOT / "tests" / "schemathesis.toml"),
            *("run", f"{address}/api/v1/openapi.json", "--header", f"Authorization: Bearer {token}"),
            *("--phases", "coverage,fuzzing,stateful", "--max-examples", str(examples), "--no-color"),
            *(["--generation-deterministic"] if seed is None else ["--seed", str(seed)]),
        ],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def run(inputs: int, seed: int) -> str:
    """Ask an installation of its own some ``inputs`` things; how many it was asked.

    Raises AssertionError when something was found.
    """
    # Not at the top: it knows S3 too, which takes a second to read, and a test that only asks has servers already.
    from tests.chaos.home import Home

    home = Home(1, **UNLIMITED)
    try:
        with home.app.app_context(), home.web() as (address, _), tempfile.TemporaryDirectory() as folder:
            home.workers()
            token = make_token(make_seller("seller@example.com"))
            examples = max(inputs // _count_operations(address), 1)
            asked = ask(address, token, examples=examples, seed=seed, seconds=None, cwd=Path(folder))
            assert asked.returncode == 0, asked.stdout + asked.stderr
            tally = _TALLY.search(asked.stdout)
            assert tally, asked.stdout
            return tally[1]
    finally:
        home.close()


def _count_operations(address: str) -> int:
    """How many operations the document has, for each of which schemathesis makes up as many examples."""
    with urllib.request.urlopen(f"{address}/api/v1/openapi.json", timeout=30) as answer:
        paths = json.load(answer)["paths"].values()
    return sum(key in _METHODS for path in paths for key in path)
