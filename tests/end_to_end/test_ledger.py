"""While workers write as fast as they can, the numbers on every page add up and agree with each other."""

from __future__ import annotations

import re

from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from app.models import Seller
from tests.end_to_end.test_faults import generate
from tests.factories import look, make_items, start
from tests.pages import page, words
from tests.processes import wait_until, workers
from tests.web.test_details import errors_on, rows_of_batches

#: Failed rows on the details and on a page of errors.
_ERRORS_IN_DETAILS, _ERRORS_ON_A_PAGE = 10, 25


def test_the_ledger_is_true_on_every_page_in_mid_import(
    environ: dict[str, str], client: FlaskClient, seller: Seller
) -> None:
    make_items(400)
    with workers({**environ, "CHUNK_SECONDS": "0.001"}):
        started = start(seller, generate(20_000))
        address = f"/imports/{started.public_id}"
        wait_until(lambda: look(started).processed)
        is_over = False
        while not is_over:
            is_over = bool(look(started).finished_at)
            check_import(page(client, "/imports"))
            check_import(page(client, f"{address}/panel"))
            check_details(page(client, address))
            check_errors(page(client, f"{address}/errors"))


def check_import(soup: BeautifulSoup) -> tuple[int, int, int]:
    """Total, successful and failed of the one import on a page, which says them in several ways."""
    (element,) = soup.select("[data-import-id]")
    total, successful, failed = (int(element[f"data-{name}"]) for name in ("total", "successful", "failed"))
    assert successful + failed <= total
    expected = {
        "Total": total,
        "Successful": successful,
        "Failed": failed,
        "Not processed": total - successful - failed,
    }
    for tile in element.select("dl.tiles > div"):
        assert number(tile.dd.contents[0]) == expected[words(tile.dt)]
        if words(tile.dt) == "Successful" and successful and (effects := tile.select_one(".tile-detail")):
            assert sum(map(number, words(effects).split(", "))) == successful
    for bar in element.select("[role=progressbar]"):
        assert (int(bar["aria-valuemax"]), int(bar["aria-valuenow"])) == (total, successful + failed)
    return total, successful, failed


def check_details(soup: BeautifulSoup) -> None:
    """The batches add up to the import, and the failed rows are those that were counted."""
    counters = check_import(soup)
    batches = [tuple(map(number, cells[2:5])) for cells in rows_of_batches(soup)]
    assert all(successful + failed <= total for total, successful, failed in batches)
    assert tuple(map(sum, zip(*batches, strict=True))) == counters
    assert len(errors_on(soup)) == min(counters[2], _ERRORS_IN_DETAILS)


def check_errors(soup: BeautifulSoup) -> None:
    """The heading says how many rows have failed."""
    _, _, failed = check_import(soup)
    assert number(words(soup.select_one("section p")).split(" failed row")[0]) == failed
    assert len(errors_on(soup)) == min(failed, _ERRORS_ON_A_PAGE)


def number(text: str) -> int:
    """The number with which a text begins."""
    return int(re.match("[0-9,]+", text.strip())[0].replace(",", ""))
