"""The shared samples have exactly the expected outcomes with real workers, as a check predicts, and can be undone."""

from __future__ import annotations

from flask import Flask

from app.imports import commands, undo
from app.imports.reports.progress import ImportProgress
from app.models import Import
from tests.conftest import make_seller
from tests.factories import failures, listed, look, start
from tests.processes import wait_until, workers
from tests.samples import SAMPLES, expected_errors, expected_listings, load_catalog, needs_samples


def wait_for_end(started: Import, status: str = "FAILED") -> ImportProgress:
    wait_until(lambda: look(started).status == status)
    return look(started)


def numbers(one: ImportProgress) -> tuple[int, ...]:
    return one.created, one.updated, one.unchanged, one.failed


@needs_samples
def test_samples(app: Flask, environ: dict[str, str]) -> None:
    assert load_catalog() == (39_376, 39_376)
    sellers = [make_seller(f"{name}@example.com") for name in ("first", "second")]
    with workers(environ, 4):
        for seller, name in (
            (sellers[0], "mixed-5000"),
            (sellers[1], "awkward"),
            (sellers[0], "update-3000"),
            (sellers[1], "awkward-updates"),
        ):
            before = listed(seller)
            checked = start(seller, (SAMPLES / f"{name}.csv").read_bytes(), file_name=f"{name}.csv", is_check=True)
            foretold = wait_for_end(checked)
            assert failures(checked) == expected_errors(name)
            assert listed(seller) == before
            started = commands.import_checked(seller.id, checked.public_id)
            ended = wait_for_end(started)
            assert failures(started) == expected_errors(name)
            assert numbers(ended) == numbers(foretold)
            assert listed(seller) == expected_listings(name)
            assert (ended.failed, ended.not_processed) == (len(expected_errors(name)), 0)
            undone = wait_for_end(undo.start(seller.id, started.public_id), "COMPLETED")
            assert listed(seller) == before
            assert (undone.created, undone.unchanged, undone.not_processed) == (ended.created, 0, 0)
            wait_for_end(commands.import_again(seller.id, started.public_id))
            assert listed(seller) == expected_listings(name)
    assert load_catalog() == (39_376, 0)
