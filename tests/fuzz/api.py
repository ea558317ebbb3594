"""Has schemathesis send a running API requests that its document allows, and many that it does not."""

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

#: A path of a document may also have descriptions and parameters.
_METHODS = {"get", "put", "post", "patch", "delete"}
_TALLY = re.compile(r"^ *([\d,]+) generated.*$", re.MULTILINE)
#: Without limits, which would soon refuse the requests.
UNLIMITED = {"API_REQUESTS_PER_MINUTE": "0", "API_UPLOADS_PER_HOUR": "0", "FILES_PER_DAY": "0"}


def send(address: str, token: str, data: bytes, path: str = "/api/v1/imports") -> dict[str, object]:
    """Send a file to the API. Returns the answer."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/csv"}
    with urllib.request.urlopen(urllib.request.Request(address + path, data, headers), timeout=30) as answer:
        return json.load(answer)


def ask(
    address: str,
    token: str,
    *,
    examples: int,
    seed: int | None,
    seconds: float | None,
    cwd: Path,
    phases: str = "coverage,fuzzing,stateful",
) -> subprocess.CompletedProcess[str]:
    """Test all operations in these phases of schemathesis. Returns the exit code, 0 if nothing was found.

    Without a seed, the requests are always the same. Workers must run, so that imports end.
    """
    make_items(3)
    # Existing objects, so that not all requests answer 404.
    bad = [row(price="1.99"), row(urn="urn:none"), row(quantity="x")]
    send(address, token, csv_bytes([row(urn=f"urn:test:{n}") for n in (1, 2, 3)] + bad))
    send(address, token, csv_bytes([row(mode="UPDATE", price=5)]), "/api/v1/imports?check=true")
    # It takes longer than a transaction may be idle. Its own --workers would be faster, but Python 3.11 fails when
    # several threads parse at a time, as hypothesis does.
    db.session.rollback()
    return subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", ROOT / "tests" / "schemathesis.toml"),
            *("run", f"{address}/api/v1/openapi.json", "--header", f"Authorization: Bearer {token}"),
            *("--phases", phases, "--max-examples", str(examples), "--no-color"),
            *(["--generation-deterministic"] if seed is None else ["--seed", str(seed)]),
        ],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def run(inputs: int, seed: int) -> str:
    """Send about ``inputs`` requests to a separate installation. Returns their number.

    Raises AssertionError if something was found.
    """
    # Not at the top: it imports the S3 client, which takes a second, and a test that calls ask already has servers.
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
    """The number of operations in the document; schemathesis generates the same number of examples for each."""
    with urllib.request.urlopen(f"{address}/api/v1/openapi.json", timeout=30) as answer:
        paths = json.load(answer)["paths"].values()
    return sum(key in _METHODS for path in paths for key in path)
