"""The speed of pages and searches for a seller with millions of listings, and the cost of an export."""

from __future__ import annotations

from statistics import median
from time import perf_counter

from bench import memory
from bench.browser import Browser
from bench.context import Bench, say
from bench.files import File
from bench.services import BenchError
from bench.table import Measured

_REQUESTS = 7
#: The number of listings for each of the ROWS: ten million beside two million items.
_LISTINGS_PER_ROW = 5
_FEW_HIDDEN = 1_000
#: Five words, so that each occurs in a fifth of the names.
_NAMES = "Alder Birch Cedar Dogwood Elm".split()

#: The searches beside the first pages, by the number of hidden listings at the time. No listing is in condition POOR,
#: and no item is called nowhere.
_SEARCHES = {
    "none hidden": (
        "text=alder",
        "text=alder+12345",
        "text=nowhere",
        "text=set",
        "urn=urn:listings:set/700/card/33",
        "urn=urn:listings:set/700/",
        "urn=urn:listings:",
        "urn=urn:nowhere",
        *(f"condition={name}" for name in ("MT", "NM", "EX", "GD", "LP", "PL", "PO")),
        "hidden=no",
        "hidden=yes",
        "text=alder&condition=PO",
        "text=nowhere&condition=NM&hidden=no",
        "urn=urn:listings:&text=nowhere",
        "urn=urn:listings:&condition=PO",
        "urn=urn:listings:set/70&condition=PO",
    ),
    "few hidden": ("hidden=yes", "hidden=yes&text=nowhere", "hidden=yes&condition=PO", "hidden=yes&text=alder"),
    "many hidden": (
        "hidden=yes",
        "hidden=no",
        "hidden=yes&text=nowhere",
        "hidden=yes&condition=PO",
        "hidden=no&condition=NM",
        "hidden=yes&text=alder&condition=PO",
        "hidden=no&urn=urn:listings:",
    ),
}


def measure(bench: Bench) -> None:
    """Create a catalog and listings without an import, request their pages, search them, and export some."""
    bench.installation.empty()
    try:
        _measure(bench)
    finally:
        # The other parts expect their own catalog.
        bench.installation.empty()
        bench.installation.database.execute("truncate items, external_ids")
        bench.installation.flask("catalog", "load", str(bench.catalog.path))
        bench.installation.settle()


def _measure(bench: Bench) -> None:
    items, count = bench.options.rows, bench.options.rows * _LISTINGS_PER_ROW
    say(f"  Making {items:,} items and {count:,} listings ...")
    first_item = _make_items(bench, items)
    browser = bench.installation.sign_in()
    seller_id = _make_listings(bench, browser, first_item, items, count)
    bench.installation.settle()
    bench.installation.database.execute("analyze items, listings")

    pages = {"the first page": browser.time("/listings", _REQUESTS)}
    for share in (1, 50, 99):
        place = f"urn:listings:set/{items * share // 100 // 200}/card/1/END/"
        pages[f"the page after {share} % of them"] = browser.time(f"/listings?after={place}", _REQUESTS)
    searches: dict[str, list[float]] = {}
    for state, queries in _SEARCHES.items():
        if state != "none hidden":
            _hide(bench, seller_id, first_item, _FEW_HIDDEN if state == "few hidden" else items // 2)
        for query in queries:
            searches[f"{query}, {state}"] = browser.time(f"/listings?{query}", _REQUESTS)
    bench.details["listings"] = {"items": items, "listings": count, "page_seconds": pages, "search_seconds": searches}
    for name, seconds in (("listings-page", pages), ("listings-search", searches)):
        slowest = max(seconds, key=lambda what: median(seconds[what]))
        worst = max(map(max, seconds.values()))
        note = f"{slowest} is the slowest of {len(seconds)}, worst {worst * 1000:.0f} ms; {count:,} listings"
        bench.measured[name] = Measured(median(seconds[slowest]) * 1000, note)
        say(f"  {name}: {median(seconds[slowest]) * 1000:.0f} ms, {slowest}")
    _export(bench, first_item, items)


def _make_items(bench: Bench, count: int) -> int:
    """Add ``count`` items to the catalog. Returns the id of the first."""
    database = bench.installation.database
    database.execute(
        """
        insert into items (urn, game, "set", name, number, rarity, variants, name_key)
        select 'urn:listings:set/' || set || '/card/' || number, 'Cards', 'Set ' || set, name, number, 'Common',
            '{de,holo,reverse}', 'cards' || chr(31) || 'set ' || set || chr(31) || lower(name)
        from (
            select n, (n / 200)::text as set, (n %% 200)::text as number,
                (%s::text[])[1 + n %% 5] || ' ' || (%s::text[])[1 + n / 5 %% 5] || ' ' || n as name
            from generate_series(0, %s::int - 1) n
        ) made order by n
        """,
        (_NAMES, _NAMES, count),
    )
    database.execute("update catalog set version = version + 1")
    row = database.execute("select id from items where urn = 'urn:listings:set/0/card/0'").fetchone()
    assert row is not None
    return int(row[0])


def _make_listings(bench: Bench, browser: Browser, first_item: int, items: int, count: int) -> int:
    """Create ``count`` listings of ``items`` items, not in the order of their keys. Returns the id of the seller."""
    database = bench.installation.database
    row = database.execute("select id from sellers where email = %s", (browser.email,)).fetchone()
    assert row is not None
    (seller_id,) = row
    (import_id,) = database.execute(
        """
        insert into imports (seller_id, public_id, file_name, storage_key, file_size, sha256, header, total, invalid,
            status, finished_at)
        values (%s, gen_random_uuid(), 'stock.csv', 'none', 1, '', '', %s, 0, 'COMPLETED', now()) returning id
        """,
        (seller_id, count),
    ).fetchone() or (0,)
    database.execute(
        """
        insert into listings (seller_id, item_id, condition, variants, price, quantity, hidden, comment, notes,
            reference, created_import_id, created_line)
        select %(seller)s, %(first)s + (n * 7919::bigint %% %(items)s)::int, 1 + n / %(items)s %% 6,
            case when n %% 2 = 0 then '' else 'de|reverse' end, 1 + n %% 5000, 1 + n %% 9, false,
            case when n %% 10 = 0 then 'He said "fine",' || chr(10) || 'and left' end, 'Box ' || n %% 500, 'REF-' || n,
            %(import)s, n + 2
        from generate_series(0, %(count)s::int - 1) n
        """,
        {"seller": seller_id, "first": first_item, "items": items, "import": import_id, "count": count},
    )
    return int(seller_id)


def _hide(bench: Bench, seller_id: int, first_item: int, count: int) -> None:
    """Hide about ``count`` listings, those of the first items."""
    bench.installation.database.execute(
        "update listings set hidden = true where seller_id = %s and item_id < %s and not hidden",
        (seller_id, first_item + count // _LISTINGS_PER_ROW),
    )
    bench.installation.settle()


def _export(bench: Bench, first_item: int, items: int) -> None:
    """Export the listings of another seller, upload the file, and verify that nothing has changed."""
    installation, count = bench.installation, items // 2
    browser = installation.sign_in()
    seller_id = _make_listings(bench, browser, first_item, items, count)
    installation.settle()
    path = installation.root / "export.csv"
    web = installation.pid(installation.web)
    browser.get("/listings")
    before = {pid: memory.resident_bytes(pid) for pid in memory.family(web)}
    with memory.Watch(web, memory.resident_bytes) as watch:
        began = perf_counter()
        browser.download("/listings/export.csv", path)
        seconds = perf_counter() - began
    growth = max(watch.peaks[pid] - resident for pid, resident in before.items())
    values = _values(bench, seller_id)
    bench.see_through(browser.upload(path), File(path, count, {}))
    if _values(bench, seller_id) != values:
        raise BenchError("An export that was uploaded has changed listings.")
    size = path.stat().st_size / 2**20
    bench.details["listings"] |= {"exported": count, "export_seconds": seconds, "export_growth_bytes": growth}
    note = f"{count:,} listings, {size:.0f} MiB in {seconds:.1f} s; uploaded again they are unchanged"
    bench.measured["export-memory"] = Measured(growth / 2**20, note)
    say(f"  export: memory grows by {growth / 2**20:.1f} MiB, {seconds:.1f} s")


def _values(bench: Bench, seller_id: int) -> object:
    """A fingerprint of all values of a seller's listings."""
    return bench.installation.database.execute(
        """
        select count(*), sum(hashtextextended(
            row(item_id, condition, variants, price, quantity, hidden, comment, notes, reference)::text, 0
        )::numeric)
        from listings where seller_id = %s
        """,
        (seller_id,),
    ).fetchone()
