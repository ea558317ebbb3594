"""The same job as an expert would write it by hand, timed: one session, one transaction, no progress and no stop.

    python -m bench.expert [--with-room] DATABASE_URL CATALOG.csv.gz IMPORT.csv [UPDATE.csv]

It creates the schema ``expert`` in that database, with a twin of the product's listings table: the same columns and
indexes. It loads the catalog into it, untimed. Then it COPIES the file into an unlogged table, ANALYZES, resolves and
inserts all rows with one statement in the order of the key, and commits. UPDATE.csv, a file of UPDATE rows for these
listings, is worked on in the same way, by an UPDATE of what differs. The last line printed is the seconds of the last
file. The twin's pages are full, which is PostgreSQL's default and makes an INSERT cheaper; --with-room leaves the room
for updates that the product's pages have.
"""

from __future__ import annotations

import csv
import gzip
import sys
from pathlib import Path
from time import perf_counter

import psycopg

from app.csvfile.columns import Column
from app.csvfile.contract import CONDITION_CODES

_TABLES = """
drop schema if exists expert cascade;
create schema expert;
set search_path = expert;
create table items (
    id int generated always as identity primary key,
    urn text not null unique, game text not null, set_name text not null, name text not null);
create table external_ids (source smallint, external_id bigint, item_id int,
    primary key (source, external_id, item_id));
create table listings (like public.listings including all);
"""

_CODES, _NAMES = (
    f"array[{', '.join(f'{word!r}' for word in words)}]"
    for words in (CONDITION_CODES, (condition.name for condition in CONDITION_CODES.values()))
)
_RESOLVED = f"""
    select r.item_id, r.grade, coalesce(lower(s.variants), '') as variants, s.price::int as price,
           s.quantity::int as quantity, s.hidden, s.comment, s.notes, s.reference
    from staging s
    left join items u on u.urn = s.urn
    left join (
        select external_id::text as id, min(item_id) as item_id from external_ids
        where source = 1 group by 1 having count(*) = 1
    ) c on c.id = s.cardmarket_id
    left join (
        select external_id::text as id, min(item_id) as item_id from external_ids
        where source = 2 group by 1 having count(*) = 1
    ) t on t.id = s.tcgplayer_id
    left join (
        select lower(game) as game, lower(set_name) as set_name, lower(name) as name, min(id) as item_id
        from items group by 1, 2, 3 having count(*) = 1
    ) n on n.game = lower(s.game) and n.set_name = lower(s.set) and n.name = lower(s.name)
    cross join lateral (select
        case when s.urn is not null then u.id
             when s.cardmarket_id is not null then c.item_id
             when s.tcgplayer_id is not null then t.item_id
             else n.item_id end as item_id,
        coalesce(array_position({_CODES}, upper(s.condition)),
                 array_position({_NAMES}, upper(replace(s.condition, ' ', '_'))))::smallint as grade) r
    where s.price ~ '^[0-9]{{1,9}}$' and s.quantity ~ '^[0-9]{{1,6}}$' and r.grade is not null
      and coalesce(s.hidden, 'true') in ('true', 'false') and r.item_id is not null
"""
_INSERT = f"""
insert into listings (seller_id, item_id, condition, variants, price, quantity, hidden, comment, notes, reference,
                      created_import_id, created_line)
select 1, item_id, grade, variants, price, quantity, coalesce(hidden = 'true', false), comment, notes, reference, 1, 1
from ({_RESOLVED}) r
order by 2, 3, 4
on conflict do nothing
"""
_UPDATE = f"""
update listings l
set price = r.price, quantity = r.quantity, hidden = coalesce(r.hidden = 'true', l.hidden), comment = r.comment,
    notes = r.notes, reference = r.reference, updated_import_id = 2, updated_line = 1, updated_at = now()
from ({_RESOLVED}) r
where l.seller_id = 1 and l.item_id = r.item_id and l.condition = r.grade and l.variants = r.variants
  and (l.price, l.quantity, l.hidden, l.comment, l.notes, l.reference)
      is distinct from (r.price, r.quantity, coalesce(r.hidden = 'true', l.hidden), r.comment, r.notes, r.reference)
"""


def main(url: str, catalog: Path, files: list[Path], *, with_room: bool) -> None:
    """Load the catalog, import each file, and print the number of listings written and the last file's seconds."""
    with psycopg.connect(url) as database:
        _load(database, catalog)
        if with_room:
            (room,) = database.execute("select reloptions from pg_class where oid = 'public.listings'::regclass")
            database.execute(f"alter table listings set ({', '.join(room[0])})".encode())
        database.commit()
        for path, statement in zip(files, (_INSERT, _UPDATE), strict=False):
            began = perf_counter()
            written = _import(database, path, statement)
            seconds = perf_counter() - began
            print(f"{written} listings")
        print(f"{seconds:.3f}")


def _import(database: psycopg.Connection, path: Path, statement: str) -> int:
    # For a small file, the planner would otherwise read the names of the whole catalog once for every row.
    settings = {"search_path": "expert", "jit": "off", "work_mem": "'256MB'", "enable_nestloop": "off"}
    for name, value in settings.items():
        database.execute(f"set local {name} = {value}")
    database.execute(f"create unlogged table staging ({', '.join(f'{column.lower()} text' for column in Column)})")
    with (
        path.open("rb") as file,
        database.cursor().copy("copy staging from stdin (format csv, header, freeze)") as to,
    ):
        while piece := file.read(1 << 20):
            to.write(piece)
    database.execute("analyze staging")
    written = database.execute(statement.encode()).rowcount
    database.execute("drop table staging")
    database.commit()
    return written


def _load(database: psycopg.Connection, catalog: Path) -> None:
    with gzip.open(catalog, "rt", encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    database.execute(_TABLES)
    with database.cursor().copy("copy items (urn, game, set_name, name) from stdin") as to:
        for record in records:
            to.write_row((record["urn"], record["game"], record["set"], record["name"]))
    numbers: dict[str, int] = dict(database.execute("select urn, id from items").fetchall())
    with database.cursor().copy("copy external_ids from stdin") as to:
        for record in records:
            for source, column in enumerate(("cardmarket_ids", "tcgplayer_ids"), start=1):
                for one in {int(one) for one in record[column].split("|") if one}:
                    to.write_row((source, one, numbers[record["urn"]]))
    database.execute("analyze items, external_ids")


if __name__ == "__main__":
    arguments = [one for one in sys.argv[1:] if one != "--with-room"]
    main(arguments[0], Path(arguments[1]), [*map(Path, arguments[2:])], with_room="--with-room" in sys.argv)
