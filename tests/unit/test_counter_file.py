"""What is counted survives its process, and a full disk costs neither the process nor the count."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict

from app.observability.counter_file import CounterFile
from tests.disks import fill, small_disk_at
from tests.processes import ROOT

#: Counts in a slot of the directory that is named, more and more kinds of requests, and prints what it has counted.
_COUNT = """
import sys
from pathlib import Path
from app.observability import metrics
metrics.share(Path(sys.argv[1]), "web")
for number in range(400):
    metrics.ROWS.labels(f"outcome {number}").inc()
    metrics.HTTP_SECONDS.labels("GET", f"/{number}", "200").observe(1)
print(sum(metrics.ROWS.labels(f"outcome {number}")._value.get() for number in range(400)))
"""


def in_file(path: Path) -> dict[str, float]:
    """The numbers as readers see them."""
    return {key: value for key, value, _, _ in MmapedDict.read_all_values_from_file(path)}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk_at(tmp_path / "disk", kilobytes=64) as disk:
        yield disk


def test_what_was_counted_is_read_by_the_library_and_by_the_next_holder(tmp_path: Path) -> None:
    path = tmp_path / "counter_web0.db"
    first = CounterFile(str(path))
    names = [f"{'n' * length}ü" for length in range(1, 20)]
    for number, name in enumerate(names):
        assert first.read_value(name) == (0.0, 0.0)
        first.write_value(name, float(number), 7.0)
    first.close()
    assert in_file(path) == {name: float(number) for number, name in enumerate(names)}
    second = CounterFile(str(path))
    assert [second.read_value(name) for name in names] == [(float(number), 7.0) for number in range(len(names))]
    second.write_value(names[0], 100.0, 0.0)
    second.write_value("new", 1.0, 0.0)
    assert in_file(path) == {**{name: float(n) for n, name in enumerate(names)}, names[0]: 100.0, "new": 1.0}


def test_it_goes_on_in_a_file_of_the_library(tmp_path: Path) -> None:
    path = tmp_path / "counter_web0.db"
    theirs = MmapedDict(str(path))
    theirs.write_value("requests", 3.0, 0.0)
    theirs.close()
    ours = CounterFile(str(path))
    assert ours.read_value("requests") == (3.0, 0.0)
    ours.write_value("rows", 5.0, 0.0)
    assert in_file(path) == {"requests": 3.0, "rows": 5.0}


def test_no_page_of_the_file_is_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "counter_web0.db"
    counted = CounterFile(str(path))
    for number in range(200):
        counted.write_value(f"a rather long name of a counter, number {number}", 1.0, 0.0)
    state = path.stat()
    assert state.st_blocks * 512 >= state.st_size


@pytest.mark.parametrize(
    "found", [b"", b"\x01", b"\0" * 64, b"\xff" * 64, b"\x40\0\0\0\0\0\0\0\xff\xff\xff\x0f" + b"x" * 60]
)
def test_a_broken_file_is_begun_anew(tmp_path: Path, found: bytes) -> None:
    path = tmp_path / "counter_web0.db"
    path.write_bytes(found)
    CounterFile(str(path)).write_value("rows", 1.0, 0.0)
    assert in_file(path) == {"rows": 1.0}


def test_on_a_full_disk_it_is_counted_in_memory_until_there_is_room(small_disk: Path) -> None:
    path = small_disk / "counter_web0.db"
    early = CounterFile(str(path))
    early.write_value("early", 1.0, 0.0)
    fill(small_disk)
    late = CounterFile(str(small_disk / "counter_web1.db"))
    for number in range(500):
        for counted in (early, late):
            counted.write_value(f"name {number}", float(number), 0.0)
    assert late.read_value("name 499") == (499.0, 0.0)
    assert not (small_disk / "counter_web1.db").exists()
    assert in_file(path)["early"] == 1.0
    (small_disk / "full").unlink()
    late.write_value("name 0", 10.0, 0.0)
    early.write_value("early", 2.0, 0.0)
    expected = {f"name {number}": float(number) for number in range(500)}
    assert in_file(small_disk / "counter_web1.db") == {**expected, "name 0": 10.0}
    assert in_file(path) == {**expected, "early": 2.0}


@pytest.mark.slow
@pytest.mark.parametrize("is_full", [False, True])
def test_a_process_on_a_full_disk_lives_and_counts(small_disk: Path, is_full: bool) -> None:
    directory = small_disk / "metrics"
    directory.mkdir()
    if is_full:
        # A file that the library has begun, with holes in it, as versions before left them.
        MmapedDict(str(directory / "counter_web0.db")).close()
        fill(small_disk)
    done = subprocess.run(
        [sys.executable, "-c", _COUNT, str(directory)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    # Even when it began with room: it counts more than the disk takes.
    assert (done.returncode, done.stdout) == (0, "400.0\n"), done.stderr
