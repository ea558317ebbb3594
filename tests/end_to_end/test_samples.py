"""The shared samples give exactly what must come of them, with real workers."""

from __future__ import annotations

import pytest
from flask import Flask

from app import catalog
from tests.conftest import make_seller
from tests.factories import failures, listed, look, start
from tests.processes import wait_until, workers
from tests.samples import CATALOG, SAMPLES, expected_errors, expected_listings, needs_samples


@needs_samples
@pytest.mark.parametrize("count", [1, 4])
def test_samples(app: Flask, environ: dict[str, str], count: int) -> None:
    catalog.load(CATALOG)
    sellers = [make_seller(f"{name}@example.com") for name in ("first", "second")]
    with workers(environ, count):
        for seller, name in (
            (sellers[0], "mixed-5000"),
            (sellers[1], "awkward"),
            (sellers[0], "update-3000"),
            (sellers[1], "awkward-updates"),
        ):
            started = start(seller, (SAMPLES / f"{name}.csv").read_bytes(), file_name=f"{name}.csv")
            wait_until(lambda started=started: look(started).status == "FAILED")
            ended = look(started)
            assert failures(started) == expected_errors(name)
            assert listed(seller) == expected_listings(name)
            assert (ended.failed, ended.not_processed) == (len(expected_errors(name)), 0)
