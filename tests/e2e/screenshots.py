"""``make screenshots``: the pictures of README, docs and help, taken of a whole Sluice with demo catalog and files."""

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

from app.csvfile.contract import Condition
from app.demo import DEMO_CATALOG, DEMO_EMAIL, DEMO_PASSWORD
from app.local import private_servers
from tests.e2e.browser import open_chromium
from tests.e2e.files import FIRST_IMPORT, MISTAKES
from tests.e2e.window import sign_in, status_of, upload_and_follow
from tests.factories import csv_bytes, row
from tests.gate import Gate
from tests.processes import ROOT, answers, wait_until

PICTURES = ROOT / "docs" / "images"
#: What a page shows: small, since it counts towards the page's weight.
SERVED = ROOT / "app" / "static" / "pictures"
#: The chunks of each worker before the picture of an import on its way is taken.
_CHUNKS = 18
_WORKERS = 2


def main() -> None:
    """Take all pictures."""
    with tempfile.TemporaryDirectory(prefix="sluice-pictures-") as root, open_chromium() as chromium:
        home = Path(root) / "home"
        with _sluice(home) as address:
            gate = Gate(private_servers.find(home).database_url.replace("+psycopg", ""))
            _take_match(chromium.get(), address)
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
    page.get_by_role("button", name="Fix 24 rows").click()
    expect(page.get_by_role("heading", name="Fix failed rows")).to_be_visible()
    _save(page, "fix")
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


def _take_match(browser: Browser, address: str) -> None:
    """A file of the seller's own on its way: what its columns are, and what would be imported."""
    page = _open(browser, address)
    page.goto("/imports/match")
    file = {"name": "my cards.csv", "mimeType": "text/csv", "buffer": _own_file()}
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Match its columns").click()
    expect(page.get_by_role("heading", name="What each column is")).to_be_visible()
    page.get_by_label("Stand", exact=True).select_option("condition")
    page.get_by_label("Left", exact=True).select_option("quantity")
    _save(page, "match")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="What words in your file mean")).to_be_visible()
    page.get_by_role("combobox", name="Lovely").select_option("EX")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="What would be imported")).to_be_visible()
    preview = _open(browser, address, width=760, scale=1)
    preview.goto(page.url)
    changes = preview.locator(".match-changes > li")
    preview.locator(".match-changes").evaluate("list => list.replaceChildren(...[...list.children].slice(0, 3))")
    expect(changes).to_have_count(3)
    SERVED.mkdir(exist_ok=True)
    preview.locator("section", has=preview.locator(".match-changes")).screenshot(
        path=SERVED / "matching.png", animations="disabled"
    )


def _own_file() -> bytes:
    """Cards of the demo catalog as nobody's tool writes them."""
    catalog = list(csv.DictReader(io.StringIO(DEMO_CATALOG.read_text(encoding="utf-8"))))
    lines = ["Card;Nr.;Expansion;Stand;Each;Left"]
    for at, item in enumerate(catalog[:24]):
        grade = ("NM", "Lovely", "GD")[at % 3]
        lines.append(f"{item['name']};{item['number']};{item['set']};{grade};£{1 + at % 5},50;{(at + 2) % 7}")
    return "\n".join([*lines, ""]).encode("cp1252")


def _open(browser: Browser, address: str, *, dark: bool = False, width: int = 1200, scale: float = 1.5) -> Page:
    context = browser.new_context(
        base_url=address,
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
        color_scheme="dark" if dark else "light",
        viewport={"width": width, "height": 800},
        # Sharp enough for a page that shows them smaller.
        device_scale_factor=scale,
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
