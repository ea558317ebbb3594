"""``make screenshots``: the pictures of the README, taken of a whole Sluice with the demo catalog and demo files."""

from __future__ import annotations

import csv
import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, product
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from app.cli import DEMO_CATALOG
from app.csvfile.contract import Condition
from app.local import private_servers
from app.local.launch import DEMO_EMAIL, DEMO_PASSWORD
from tests.e2e.browser import open_chromium
from tests.e2e.files import FIRST_IMPORT, MISTAKES
from tests.e2e.gate import Gate
from tests.e2e.window import sign_in, status_of, upload_and_follow
from tests.factories import csv_bytes, row
from tests.processes import ROOT, answers, wait_until

PICTURES = ROOT / "docs" / "images"
#: The chunks of each worker before the picture of an import on its way is taken.
_CHUNKS = 18
_WORKERS = 2


def main() -> None:
    """Take all pictures."""
    with tempfile.TemporaryDirectory(prefix="sluice-pictures-") as root, open_chromium() as chromium:
        home = Path(root) / "home"
        with _sluice(home) as address:
            gate = Gate(private_servers.find(home).database_url.replace("+psycopg", ""))
            _take(chromium.get(), address, gate)
            gate.dispose()


@contextmanager
def _sluice(home: Path) -> Iterator[str]:
    """The processes of ``make run``, in a separate home."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    elsewhere = {"DATABASE_URL", "REDIS_URL", "STORAGE_URL"}
    environ = {name: value for name, value in os.environ.items() if name not in elsewhere} | {
        "SLUICE_HOME": str(home),
        "PORT": str(port),
        "WORKERS": str(_WORKERS),
        # Workers are held still for the picture, and are not to be taken for dead.
        "LEASE_SECONDS": "60",
        "CHUNK_SECONDS": "0.001",
    }
    process = subprocess.Popen([sys.executable, "-m", "app.local.launch"], cwd=ROOT, env=environ)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), seconds=120)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _take(browser: Browser, address: str, gate: Gate) -> None:
    page = _open(browser, address)
    upload_and_follow(page, FIRST_IMPORT.read_bytes(), name=FIRST_IMPORT.name)
    status_of(page, "COMPLETED")
    mistakes = upload_and_follow(page, MISTAKES.read_bytes(), name=MISTAKES.name)
    status_of(page, "FAILED")
    gate.close()
    details = upload_and_follow(page, _stock(), name="spring-stock.csv")
    for number in range(_CHUNKS):
        gate.wait_for(_WORKERS)
        gate.step()
        # Some seconds of life, uneven as life is, so that there is a speed to tell and to draw.
        time.sleep(0.3 + number % 4 * 0.2)
    gate.wait_for(_WORKERS)

    page.goto(details)
    _save(page, "details")
    page.goto(f"{mistakes}/errors")
    _save(page, "errors")
    dark = _open(browser, address, dark=True)
    dark.goto("/imports")
    dark.locator(f"a[href='{details}/panel']").click()
    expect(dark.get_by_role("link", name="View full details")).to_be_visible()
    _save(dark, "my-imports-dark")


def _open(browser: Browser, address: str, *, dark: bool = False) -> Page:
    context = browser.new_context(
        base_url=address,
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
        color_scheme="dark" if dark else "light",
        viewport={"width": 1200, "height": 760},
        # Sharp enough for a page that shows them smaller.
        device_scale_factor=1.5,
    )
    page = context.new_page()
    sign_in(page, DEMO_EMAIL, DEMO_PASSWORD)
    return page


def _save(page: Page, name: str) -> None:
    page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")


def _stock() -> bytes:
    """Some ten thousand listings of the demo catalog's items, a few of them with mistakes."""
    catalog = list(csv.DictReader(io.StringIO(DEMO_CATALOG.read_text(encoding="utf-8"))))
    mistakes = cycle([{"price": "1.99"}, {"condition": "Near Mnt"}, {"urn": "urn:demo:nowhere"}, {"quantity": "0"}])
    rows = []
    for grade, item in product(Condition, catalog):
        for variants in item["variants"].split("|"):
            values = {"urn": item["urn"], "condition": grade.name, "variants": variants, "price": 100 + len(rows) % 900}
            rows.append(row(**values | (next(mistakes) if len(rows) % 37 == 36 else {})))
    return csv_bytes(rows)


if __name__ == "__main__":
    main()
