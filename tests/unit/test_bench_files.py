"""The files that are measured with: the same every time, and wrong exactly where they say so."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from app.csvfile.causes import Code
from app.csvfile.contract import Mode
from app.csvfile.scan import scan
from bench import catalog, files
from bench.catalog import Catalog
from bench.files import File

ROWS = 3_000


@pytest.fixture(scope="module")
def goods(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    path = tmp_path_factory.mktemp("bench") / "catalog.csv.gz"
    catalog.invent(path, 2_000)
    return catalog.read(path, "invented items")


def rows_of(file: File) -> list[list[str]]:
    with file.path.open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines))[1:]


def test_the_same_seed_writes_the_same_file(goods: Catalog, tmp_path: Path) -> None:
    first, second, other = (
        files.write(tmp_path / name, goods, ROWS, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first.path.read_bytes() == second.path.read_bytes() != other.path.read_bytes()


@pytest.mark.parametrize("failing", [0, files.USUAL_FAILING, 0.5])
def test_the_upload_check_finds_what_the_file_says(goods: Catalog, tmp_path: Path, failing: float) -> None:
    file = files.write(tmp_path / "a", goods, ROWS, seed=1, failing=failing)
    found = scan([file.path.read_bytes()], max_rows=ROWS, max_bytes=1 << 30)
    assert (found.total, found.invalid) == (ROWS, file.invalid)
    assert file.failed == pytest.approx(ROWS * failing, rel=0.5)
    assert goods.ambiguous_names
    assert set(file.failing) == (set(Code) if failing else set())


def test_an_update_file_has_the_keys_of_the_create_file(goods: Catalog, tmp_path: Path) -> None:
    create, update = (
        files.write(tmp_path / mode, goods, ROWS, seed=1, failing=0, mode=mode) for mode in (Mode.CREATE, Mode.UPDATE)
    )
    keys = [list(files.sample_keys(goods, ROWS, seed=1)) for _ in range(2)]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == ROWS
    assert [row[10] for row in rows_of(create)] == [row[10] for row in rows_of(update)]


def test_a_mixed_file_changes_every_listing_that_is_there_and_creates_two_in_five_again(
    goods: Catalog, tmp_path: Path
) -> None:
    mixed = files.write_mixed(tmp_path, goods, ROWS, seed=1)
    # A row's reference, the last column, tells the listing key that it was written for.
    there, updates, creates, both = (rows_of(file) for file in (mixed.there, mixed.updates, mixed.creates, mixed.all))
    assert [len(rows) for rows in (there, updates, creates, both)] == [ROWS // 2, ROWS // 2, ROWS // 2, ROWS]
    before = {row[-1]: row for row in there}
    assert {row[-1] for row in updates} == before.keys()
    assert all(row[8] != before[row[-1]][8] for row in updates)
    assert sum(row[-1] in before for row in creates) == mixed.creates.failed == mixed.all.failed == ROWS // 5
    assert [row for row in both if row[0] == Mode.UPDATE] == updates
    assert [row for row in both if row[0] == Mode.CREATE] == creates
    assert both[: len(updates)] != updates


def test_more_keys_than_there_are_cannot_be_had(goods: Catalog) -> None:
    with pytest.raises(ValueError, match="only [0-9,]+ different listings"):
        next(files.sample_keys(goods, 10**9, seed=1))
