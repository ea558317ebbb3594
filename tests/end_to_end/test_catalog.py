"""The snapshot of the catalog that the workers of a host share."""

from __future__ import annotations

from pathlib import Path

import psutil
from flask import Flask

from app.extensions import db
from app.models import Seller
from app.queries import items
from tests.factories import look, make_items, row, start
from tests.processes import horses, wait_until, workers

ROWS = 4_000


def snapshot(environ: dict[str, str]) -> Path:
    """The file of the newest version of the catalog."""
    db.session.rollback()
    return Path(environ["SLUICE_HOME"]) / "catalog" / f"{items.version()}.arrow"


def has_mapped(horse: psutil.Process, path: Path) -> bool:
    try:
        return str(path) in Path(f"/proc/{horse.pid}/maps").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_workers_map_the_newest_catalog(app: Flask, environ: dict[str, str], seller: Seller) -> None:
    make_items(ROWS)
    first = snapshot(environ)
    with workers({**environ, "CHUNK_SECONDS": "0.001"}, 1) as supervisor:
        wait_until(first.exists)
        started = start(seller, [row(urn=f"urn:test:{n}") for n in range(1, ROWS + 1)])
        wait_until(lambda: any(has_mapped(horse, first) for horse in horses(supervisor)))
        wait_until(lambda: look(started).status == "COMPLETED")
        assert look(started).created == ROWS
        make_items(ROWS + 1)
        wait_until(snapshot(environ).exists)
        assert not first.exists()
