"""What imports are compared with, on a twin of the product's own table: the expert's SQL, and the floor."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import psycopg

from bench import CHECKOUT
from bench.context import Bench, say
from bench.files import File
from bench.services import BenchError, Installation, run

#: As many rows as the product's largest chunk.
_CHUNK_ROWS = 5_000
_KEY = "seller_id, item_id, condition, variants"


def run_expert(bench: Bench, file: File, update: File | None = None, *, with_room: bool = False) -> float:
    """The seconds of the expert's SQL for a file, or for ``update`` after it. Empties the product's tables first.

    ``with_room``: its table has the product's room for updates, instead of full pages.

    Raises BenchError if it wrote fewer listings than the file has valid rows.
    """
    bench.installation.empty()
    files = [file, update] if update else [file]
    with _schema(bench.installation, "expert"):
        command = ["-m", "bench.expert", *["--with-room"] * with_room]
        command += [bench.installation.database_url, str(bench.catalog.path)]
        output = run([sys.executable, *command, *(str(one.path) for one in files)], cwd=CHECKOUT)
    *written, seconds = output.split("\n")[-len(files) - 2 : -1]
    for one, line in zip(files, written, strict=True):
        # It has fewer rules than the product, and so accepts some invalid rows; an UPDATE of equal values is none.
        least = one.rows - one.failed if one is file else 0.9 * (one.rows - one.failed)
        if int(line.split()[0]) < least:
            raise BenchError(f"The expert's SQL wrote only {line} of {one.rows - one.failed:,}.")
    say(f"  expert's SQL, {files[-1].rows:,} rows: {float(seconds):.2f} s")
    return float(seconds)


@dataclass(frozen=True, slots=True)
class Floor:
    """What PostgreSQL alone takes to store listings that are resolved already."""

    rows: int
    seconds: float


def run_floor(bench: Bench, sessions: int = 2) -> Floor:
    """COPY the listings of the import before into a twin, in the chunks in which a batch would have written them.

    A chunk is 5,000 consecutive rows of the file, sorted by key, and has a commit of its own; the ``sessions`` take
    turns. The rows are in this process's memory before, in PostgreSQL's binary format.
    """
    installation = bench.installation
    with _schema(installation, "floor"):
        installation.database.execute(
            f"""
            create schema floor;
            create table floor.listings (like public.listings including all);
            create unlogged table floor.resolved as
                select *, (row_number() over (order by created_line) - 1) / {_CHUNK_ROWS} as chunk from public.listings;
            create index on floor.resolved (chunk)
            """.encode()
        )
        chunks = list(_read_chunks(installation))
        installation.settle()
        connections = [psycopg.connect(installation.database_url, application_name="bench") for _ in range(sessions)]
        threads = [
            threading.Thread(target=_copy, args=(connection, chunks[at::sessions]))
            for at, connection in enumerate(connections)
        ]
        began = perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = perf_counter() - began
        for connection in connections:
            connection.close()
        rows, expected = (_count(installation, table) for table in ("floor.listings", "public.listings"))
    if rows != expected:
        raise BenchError(f"The floor has {rows:,} of {expected:,} listings.")
    say(f"  floor, {rows:,} resolved rows: {seconds:.2f} s")
    return Floor(rows, seconds)


def _read_chunks(installation: Installation) -> Iterator[bytes]:
    columns = _columns(installation)
    last = installation.database.execute("select coalesce(max(chunk), -1) from floor.resolved").fetchone()
    assert last is not None
    for chunk in range(last[0] + 1):
        query = f"select {columns} from floor.resolved where chunk = {chunk} order by {_KEY}"
        with installation.database.cursor().copy(f"copy ({query}) to stdout (format binary)".encode()) as copy:
            yield b"".join(bytes(piece) for piece in copy)


def _columns(installation: Installation) -> str:
    found = installation.database.execute(
        """
        select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
        where attrelid = 'public.listings'::regclass and attnum > 0 and not attisdropped
        """
    ).fetchone()
    assert found is not None
    return str(found[0])


def _copy(connection: psycopg.Connection, chunks: Sequence[bytes]) -> None:
    for chunk in chunks:
        with connection.cursor().copy("copy floor.listings from stdin (format binary)") as copy:
            copy.write(chunk)
        connection.commit()


def _count(installation: Installation, table: str) -> int:
    found = installation.database.execute(f"select count(*) from {table}".encode()).fetchone()
    assert found is not None
    return int(found[0])


@contextmanager
def _schema(installation: Installation, name: str) -> Iterator[None]:
    """A schema in the product's database while a rival uses it, so that its table can be a twin."""
    drop = f"drop schema if exists {name} cascade".encode()
    installation.database.execute(drop)
    try:
        yield
    finally:
        installation.database.execute(drop)
        installation.settle()
