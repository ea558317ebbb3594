"""A model of Sluice on a cluster: the rows a second that N workers, M nodes and a mix of sellers reach, and the limit.

``python -m bench.cluster`` prints what it says beside what was measured, then what it expects of installations that
nobody has built, and draws that into ``docs/images``. Each row costs processor time on its worker, on the coordinator
and on the node of its seller; a worker waits for the database meanwhile. The slowest of the parts is the limit. Locks
within PostgreSQL, memory, vacuum and failures are not in the model. ``docs/scaling.md`` has its assumptions.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import median
from typing import Any

from bench import CHECKOUT
from bench.environment import draw
from bench.services import BenchError

#: Citus' default: a seller hashes to a shard, and shards are dealt out to the nodes in turn.
_SHARDS = 32
#: Placements of the sellers that are tried; the median counts.
_PLACEMENTS = 201
#: Workers that are never the limit.
_PLENTY = 100_000
_PICTURE = CHECKOUT / "docs" / "images" / "cluster-model.svg"


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time in microseconds: for each row, and for each batch however many rows it has."""

    row: float
    batch: float = 0

    @classmethod
    def through(cls, first: tuple[float, float], second: tuple[float, float]) -> Cost:
        """The cost that explains two measurements, each the rows of a batch and the microseconds a row."""
        (few, at_few), (many, at_many) = first, second
        batch = (at_few - at_many) / (1 / few - 1 / many)
        return cls(at_few - batch / few, batch)

    def of(self, rows: float) -> float:
        """Microseconds a row, in batches of ``rows``."""
        return self.row + self.batch / rows


# Measured on a Citus cluster, with files of 200,000 and 1,000,000 rows in eighty batches each.
PLAIN = Cost.through((2_500, 5.5), (12_500, 5.0))
COORDINATOR = Cost.through((2_500, 3.6), (12_500, 2.0))
NODE = Cost.through((2_500, 4.4), (12_500, 4.5))
#: Bytes of WAL a row, there.
WAL, COORDINATOR_WAL = 257, 1.2


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of the database."""

    cores: float = 8
    #: The share of its processor time that can be used before everything waits.
    usable: float = 0.8
    #: Megabytes of WAL that its disk takes a second.
    wal: float = 500

    def rows(self, cost: float, wal: float) -> float:
        """Rows a second, at ``cost`` microseconds and ``wal`` bytes each."""
        return min(self.cores * self.usable * 1e6 / cost, self.wal * 1e6 / wal)


@dataclass(frozen=True, slots=True)
class Sluice:
    """An installation, and what it is asked to import. Without nodes, the coordinator is a plain PostgreSQL."""

    workers: int
    nodes: int = 0
    coordinator: Machine = Machine()
    node: Machine = Machine()
    #: Rows that each seller imports at the same time, in any unit.
    sellers: Sequence[float] = (1.0,) * 100
    #: Rows of a batch and of a chunk.
    batch: int = 25_000
    chunk: int = 5_000
    #: Microseconds of a worker's processor for a row: Python's part in docs/performance.md.
    python: float = 5.3
    #: Trips to the database a chunk, milliseconds for each, and those of a flush to disk.
    trips: int = 10
    trip: float = 0.5
    flush: float = 1.0

    def limits(self) -> dict[str, float]:
        """Rows a second that each part allows. The least of them is what the whole reaches."""
        # Two phases: the node prepares, the coordinator commits, the node commits.
        flushes = 3 if self.nodes else 1
        waits = (self.trips * self.trip + flushes * self.flush) * 1e3 / self.chunk
        if not self.nodes:
            database = PLAIN.of(self.batch)
            return {
                "workers": self.workers * 1e6 / (self.python + database + waits),
                "database": self.coordinator.rows(database, WAL),
            }
        coordinator, node = COORDINATOR.of(self.batch), NODE.of(self.batch)
        return {
            "workers": self.workers * 1e6 / (self.python + coordinator + node + waits),
            "coordinator": self.coordinator.rows(coordinator, COORDINATOR_WAL),
            "busiest node": self.node.rows(node, WAL) / busiest_share(self.sellers, self.nodes),
        }

    def limit(self) -> tuple[str, float]:
        """The part that stops this installation, and the rows a second that it reaches."""
        return min(self.limits().items(), key=lambda found: found[1])


def busiest_share(sellers: Sequence[float], nodes: int) -> float:
    """The share of all rows that goes to the busiest node, in the median of many placements by hash."""
    chance = Random(1)
    shares = []
    for _ in range(_PLACEMENTS):
        loads = [0.0] * nodes
        for rows in sellers:
            loads[chance.randrange(_SHARDS) % nodes] += rows
        shares.append(max(loads) / sum(sellers))
    return median(shares)


def uneven(sellers: int) -> list[float]:
    """Sellers of whom the second has half as much as the first, the third a third, and so on."""
    return [1 / rank for rank in range(1, sellers + 1)]


@dataclass(frozen=True, slots=True)
class Point:
    """What the model says of something that was measured."""

    what: str
    measured: float
    modelled: float

    @property
    def off(self) -> float:
        """How far the model is from the measurement, as a share of it."""
        return abs(self.modelled / self.measured - 1)


def points() -> list[Point]:
    """The ratios that were measured with everything on two cores, none of which is used to fit the model."""
    return [
        Point("speed against plain PostgreSQL, 200,000 rows", 0.95, _on_two_cores(2_500, 90_735)),
        Point("the same, four sellers at once", 1.02, _on_two_cores(2_500, 90_735)),
        Point("the same, 2 × 1,000,000 rows", 0.96, _on_two_cores(12_500, 130_305)),
        Point("servers' worth of import that a coordinator drives, 200,000 rows", 1.6, _servers(2_500)),
        Point("the same, 1,000,000 rows", 2.5, _servers(12_500)),
        Point("share of the WAL that nodes write", 0.995, WAL / (WAL + COORDINATOR_WAL)),
    ]


def _on_two_cores(batch: int, speed: float) -> float:
    """The speed of a cluster as a share of plain PostgreSQL's, which is ``speed`` rows a second, on the same two cores.

    Both cores are busy, so what PostgreSQL does not use of them goes to the rest, whose part of a row does not change.
    """
    together = 2e6 / speed
    rest = together - PLAIN.of(batch)
    return together / (rest + COORDINATOR.of(batch) + NODE.of(batch))


def _servers(batch: int) -> float:
    return PLAIN.of(batch) / COORDINATOR.of(batch)


def main() -> int:
    """Print and draw. Returns 2 if nothing could be drawn."""
    for point in points():
        print(f"{point.what}: {point.modelled:.3g}, measured {point.measured:.3g}")
    mixes = {"100 equal sellers": [1.0] * 100, "100 uneven sellers": uneven(100), "one seller": [1.0]}
    for mix, sellers in mixes.items():
        for cores in (8, 32):
            print(f"\n{mix}, a coordinator of {cores} cores, nodes of 8")
            for nodes in (0, 2, 4, 8, 16):
                most = Sluice(_PLENTY, nodes, Machine(cores), sellers=sellers)
                part, speed = most.limit()
                enough = speed * _PLENTY / most.limits()["workers"]
                print(f"{nodes or 'no':>4} nodes: {speed:>9,.0f} rows/s from {enough:,.0f} workers on; limit: {part}")
    try:
        draw(_PICTURE, plot())
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"\nDrawn: {_PICTURE.relative_to(CHECKOUT)}")
    return 0


def plot() -> dict[str, Any]:
    """Rows a second over the number of workers, for one machine and two clusters."""
    workers = [2, 4, 8, 16, 32, 64, 128, 256]
    installations = {
        "8 nodes, coordinator of 32 cores": (8, 32),
        "4 nodes, coordinator of 8 cores": (4, 8),
        "plain PostgreSQL, 8 cores": (0, 8),
    }
    return {
        "title": "Worked out: rows per second by workers and nodes",
        "x": "workers",
        "kind": "line",
        "places": workers,
        "series": {
            name: [Sluice(count, nodes, Machine(cores), sellers=uneven(100)).limit()[1] for count in workers]
            for name, (nodes, cores) in installations.items()
        },
        "caption": "a model, not a measurement; 100 uneven sellers, nodes of 8 cores",
    }


if __name__ == "__main__":
    sys.exit(main())
