"""How rows/s depend on rows, workers, catalog, existing listings and kinds of rows; a plot for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from statistics import median

from app.csvfile.contract import Mode
from bench import CHECKOUT, catalog, environment
from bench.browser import Browser
from bench.context import TRIALS, Bench, Settled, say
from bench.files import USUAL_FAILING
from bench.services import Installation, run

Point = tuple[float | str, float]

_ROWS = (20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000)
_WORKERS = (1, 2, 4)
_CATALOGS = (40_000, 400_000, 2_000_000)
_IMAGES = CHECKOUT / "docs" / "images"
#: The number of sellers who share a full table; the first of them uploads.
_SELLERS = 5


def rows(bench: Bench) -> None:
    """From 20,000 rows up to those of the large file."""
    counts = [count for count in _ROWS if count <= max(bench.options.rows, min(_ROWS))]
    points: list[Point] = [(count, _speed(bench, partial(_import, bench, count))) for count in counts]
    _keep(bench, "rows", "rows in the file", points, kind="line", caption="two workers, no listings before")


def workers(bench: Bench) -> None:
    """One, two and four workers."""
    count = _usual(bench)
    points: list[Point] = []
    try:
        for number in _WORKERS:
            bench.installation.start_workers(number)
            points.append((number, _speed(bench, partial(_import, bench, count))))
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
        with _with_catalog(bench, items) as other:
            points.append((items, _speed(other, partial(_import, other, count))))
    _keep(bench, "catalog", "items in the catalog", points, caption=f"{count:,} rows, two workers")


def listings(bench: Bench) -> None:
    """An empty listings table, and fuller ones, up to five times the rows of the large file."""
    count = _usual(bench)
    points: list[Point] = []
    for there in (0, bench.options.rows // 2, 5 * bench.options.rows):
        points.append((f"{there:,}", _speed(bench, partial(_import_beside, bench, count, there))))
    _keep(bench, "listings", "listings there are already", points,
          caption=f"{count:,} rows, two workers; a fifth of the listings are the same seller's")  # fmt: skip


def kinds(bench: Bench) -> None:
    """Only CREATE, only UPDATE of the created listings, and a file of which half of the rows fail."""
    count = _usual(bench)
    create = _speed(bench, partial(_import, bench, count, failing=0))
    update = _speed(bench, partial(_update, bench, count))
    failing = _speed(bench, partial(_import, bench, count, failing=0.5))
    points: list[Point] = [("CREATE", create), ("UPDATE", update), ("half of the rows fail", failing)]
    _keep(bench, "kinds", "what the rows ask for", points, caption=f"{count:,} rows, two workers")


# --- How a point is measured -----------------------------------------------------------------------------------------


def _usual(bench: Bench) -> int:
    """The number of rows if it is not what varies: a quarter of the large file."""
    return max(bench.options.rows // 4, 1_000)


def _speed(bench: Bench, measure: Callable[[], Settled]) -> float:
    """The median rows/s of the requested number of imports."""
    speeds = []
    for _ in range(bench.options.repeat):
        bench.installation.empty()
        settled = measure()
        speeds.append(settled.rows_per_second)
        say(f"  {settled.rows:,} rows in {settled.seconds:.2f} s")
    return median(speeds)


def _import(bench: Bench, count: int, *, failing: float = USUAL_FAILING) -> Settled:
    return bench.run_import(bench.file(count, failing=failing))


def _update(bench: Bench, count: int) -> Settled:
    browser = bench.installation.sign_in()
    bench.run_import(bench.file(count, failing=0), browser)
    bench.installation.settle()
    return bench.run_import(bench.file(count, failing=0, mode=Mode.UPDATE), browser)


def _import_beside(bench: Bench, count: int, there: int) -> Settled:
    browsers = [bench.installation.sign_in() for _ in range(_SELLERS)]
    if there:
        say(f"  Filling the table with {there:,} listings ...")
        for browser in browsers:
            _fill(bench, browser, there // _SELLERS)
        bench.installation.database.execute("analyze listings")
        bench.installation.settle()
    return bench.run_import(bench.file(count), browsers[0])


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


@contextmanager
def _with_catalog(bench: Bench, items: int) -> Iterator[Bench]:
    """A second installation, with an invented catalog."""
    say(f"  Loading {items:,} invented items into an installation of their own ...")
    installation = Installation()
    try:
        path = installation.root / "catalog.csv.gz"
        catalog.invent(path, items)
        installation.flask("catalog", "load", str(path))
        yield replace(bench, installation=installation, catalog=catalog.read(path, "invented items"), _files={})
    finally:
        installation.close()
        # This has released all servers that this process held.
        bench.installation.hold_servers()


# --- What is kept ----------------------------------------------------------------------------------------------------


def _keep(bench: Bench, name: str, x: str, points: list[Point], *, caption: str, kind: str = "bar") -> None:
    plot = {"title": f"Rows per second by {x}", "x": x, "kind": kind, "points": points, "caption": caption}
    bench.details[f"grow-{name}"] = plot
    for place, speed in points:
        say(f"  {place}: {speed:,.0f} rows/s")
    python = str(environment.python())
    picture = (_IMAGES if bench.options.is_full_size else TRIALS) / f"speed-by-{name}.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    run([python, str(CHECKOUT / "bench" / "draw.py"), str(picture)], cwd=CHECKOUT, answer=json.dumps(plot))
    say(f"  drawn: {picture.relative_to(CHECKOUT)}")
