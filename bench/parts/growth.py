"""How rows/s depend on rows, workers, catalog, existing listings and kinds of rows; a plot for each.

Where they can do the same, the expert's SQL and the floor are drawn beside ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import NamedTuple

from app.csvfile.contract import Mode
from bench import CHECKOUT, environment, files
from bench.browser import Browser
from bench.context import TRIALS, Bench, Settled, say
from bench.files import USUAL_FAILING
from bench.rivals import run_expert, run_floor

#: The place of a point on the plot, as a number or in words, and the rows/s there, by who reached them.
Point = tuple[float | str, dict[str, float]]

_ROWS = (1_000, 5_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000)
_WORKERS = (1, 2, 4)
_CATALOGS = (40_000, 400_000, 1_000_000)
_IMAGES = CHECKOUT / "docs" / "images"
#: The number of sellers who share a full table; the first of them uploads.
_SELLERS = 5
#: Files of no more rows than this are measured several times: they take a moment.
_QUICK_ROWS, _QUICK_TIMES = 20_000, 3

_OURS, _EXPERT, _FLOOR = "Sluice", "the expert's SQL", "the floor"


def rows(bench: Bench) -> None:
    """From 1,000 rows up to those of the large file."""
    counts = [count for count in _ROWS if count <= bench.options.rows]
    points = [(count, _speeds(bench, _creating(bench, count))) for count in counts]
    _keep(bench, "rows", "rows in the file", [*points], kind="line", caption="two workers, no listings before")


def workers(bench: Bench) -> None:
    """One, two and four workers, and as many sessions of the floor; the expert's SQL has one session."""
    count = _usual(bench)
    points: list[Point] = []
    try:
        for number in _WORKERS:
            bench.installation.start_workers(number)
            points.append((number, _speeds(bench, _creating(bench, count), sessions=number)))
    finally:
        bench.installation.start_workers()
    _keep(bench, "workers", "workers", points, caption=f"{count:,} rows; the database shares the cores with them")


def catalogs(bench: Bench) -> None:
    """Invented catalogs of 40,000 items and more."""
    count = _usual(bench)
    points: list[Point] = []
    for items in _CATALOGS:
        # Ten times as many items as rows are enough, and small trials stay quick.
        if items > max(10 * bench.options.rows, min(_CATALOGS)):
            continue
        with bench.with_catalog(items) as other:
            points.append((items, _speeds(other, _creating(other, count))))
    _keep(bench, "catalog", "items in the catalog", points, caption=f"{count:,} rows, two workers")


def listings(bench: Bench) -> None:
    """An empty listings table, and fuller ones, up to five times the rows of the large file."""
    count = _usual(bench)
    points: list[Point] = []
    for there in (0, bench.options.rows // 2, 5 * bench.options.rows):
        points.append((f"{there:,}", _speeds(bench, _Job(count, partial(_import_beside, bench, count, there)))))
    _keep(bench, "listings", "listings there are already", points,
          caption=f"{count:,} rows, two workers; a fifth of the listings are the same seller's")  # fmt: skip


def kinds(bench: Bench) -> None:
    """Only CREATE, only UPDATE of the created listings, both mixed, and a file of which half of the rows fail."""
    count = _usual(bench)
    mixed = files.write_mixed(bench.installation.root, bench.catalog, count, seed=bench.options.seed)
    created, updated = (bench.file(count, failing=0, mode=mode) for mode in (Mode.CREATE, Mode.UPDATE))
    jobs = {
        "CREATE": _creating(bench, count, failing=0),
        "UPDATE": _Job(
            count, partial(_import_after, bench, created, updated), partial(run_expert, bench, created, updated)
        ),
        "UPDATE and CREATE": _Job(mixed.all.rows, partial(_import_after, bench, mixed.there, mixed.all)),
        "half of the rows fail": _creating(bench, count, failing=0.5, has_floor=False),
    }
    points: list[Point] = [(name, _speeds(bench, job)) for name, job in jobs.items()]
    _keep(bench, "kinds", "what the rows ask for", points, caption=f"{count:,} rows, two workers")


# --- How a point is measured -----------------------------------------------------------------------------------------


class _Job(NamedTuple):
    """What is measured at a point."""

    rows: int
    ours: Callable[[], Settled]
    #: Returns seconds; None: it has no way to do this.
    expert: Callable[[], float] | None = None
    #: Whether the floor stores the listings that our import has made.
    has_floor: bool = False


def _usual(bench: Bench) -> int:
    """The number of rows if it is not what varies: a quarter of the large file."""
    return max(bench.options.rows // 4, 1_000)


def _creating(bench: Bench, count: int, *, failing: float = USUAL_FAILING, has_floor: bool = True) -> _Job:
    file = bench.file(count, failing=failing)
    return _Job(count, partial(bench.run_import, file, look=0.01), partial(run_expert, bench, file), has_floor)


def _speeds(bench: Bench, job: _Job, *, sessions: int = 2) -> dict[str, float]:
    """The median rows/s of the requested number of runs of each."""
    speeds: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(max(bench.options.repeat, _QUICK_TIMES if job.rows <= _QUICK_ROWS else 1)):
        bench.installation.empty()
        settled = job.ours()
        speeds[_OURS].append(settled.rows_per_second)
        say(f"  {settled.rows:,} rows in {settled.seconds:.2f} s")
        if job.has_floor:
            floor = run_floor(bench, sessions)
            speeds[_FLOOR].append(floor.rows / floor.seconds)
        if job.expert:
            speeds[_EXPERT].append(job.rows / job.expert())
    return {name: median(found) for name, found in speeds.items()}


def _import_after(bench: Bench, there: files.File, file: files.File) -> Settled:
    browser = bench.installation.sign_in()
    bench.run_import(there, browser)
    bench.installation.settle()
    return bench.run_import(file, browser, look=0.01)


def _import_beside(bench: Bench, count: int, there: int) -> Settled:
    browsers = [bench.installation.sign_in() for _ in range(_SELLERS)]
    if there:
        say(f"  Filling the table with {there:,} listings ...")
        for browser in browsers:
            _fill(bench, browser, there // _SELLERS)
        bench.installation.database.execute("analyze listings")
        bench.installation.settle()
    return bench.run_import(bench.file(count), browsers[0], look=0.01)


def _fill(bench: Bench, browser: Browser, count: int) -> None:
    """Give a seller listings that no file names, spread evenly over the catalog and so over the index."""
    bench.installation.database.execute(
        """
        insert into listings (seller_id, item_id, condition, variants, price, quantity, hidden, comment, reference,
                              created_import_id, created_line)
        select s.id, held.item_id, held.condition, 'held-' || held.n, 150, 1, false,
               'Pack fresh, sleeved since opening', 'OLD-' || held.item_id, 0, 0
        from sellers s, (
            select i.id as item_id, condition, n
            from items i, generate_series(1, 7) condition,
                 generate_series(1, (select ceil(%(count)s / (7.0 * count(*)))::int from items)) n
            order by n, i.id, condition limit %(count)s
        ) held
        where s.email = %(email)s
        order by 1, 2, 3, 4
        """,
        {"count": count, "email": browser.email},
    )


# --- What is kept ----------------------------------------------------------------------------------------------------


def _keep(bench: Bench, name: str, x: str, points: list[Point], *, caption: str, kind: str = "bar") -> None:
    plot = {
        "title": f"Rows per second by {x}",
        "x": x,
        "kind": kind,
        "places": [place for place, _ in points],
        "series": dict(_series(points)),
        "caption": caption,
    }
    bench.details[f"grow-{name}"] = plot
    for place, speeds in points:
        say(f"  {place}: {', '.join(f'{who} {speed:,.0f}' for who, speed in speeds.items())} rows/s")
    picture = (_IMAGES if bench.options.is_full_size else TRIALS) / f"speed-by-{name}.svg"
    environment.draw(picture, plot)
    say(f"  drawn: {picture.relative_to(CHECKOUT)}")


def _series(points: list[Point]) -> Iterator[tuple[str, list[float | None]]]:
    """The rows/s of each at all places, None where it was not measured."""
    for who in (_OURS, _EXPERT, _FLOOR):
        speeds = [there.get(who) for _, there in points]
        if any(speeds):
            yield who, speeds
