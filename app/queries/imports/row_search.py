"""Searches the failed rows of all of a seller's imports for a text, a bounded window at a time."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from app.queries import as_columns, driver_cursor
from app.queries.imports.row_errors import RecordedError
from app.queries.status_sets import KIND_CHECK

#: Number of failed rows that a window reads. Rows have no index by their texts: it would cost every import.
_WINDOW_ROWS = 20_000

#: The id of an import, and a line of it.
RowPlace = tuple[int, int]

#: After the newest import.
START: RowPlace = (2**63 - 1, 0)


class SearchWindow(NamedTuple):
    """The result of a window of the search."""

    #: The matching rows, newest import first, and in each from its last line to its first.
    found: list[RowPlace]
    #: The last row that was read; None: there are no more.
    reached: RowPlace | None


def iter_windows(
    seller_id: int, text: str, *, after: RowPlace, most: int, find_more: Callable[[list[RowPlace]], set[RowPlace]]
) -> Iterator[SearchWindow]:
    """The failed rows that follow ``after`` and contain ``text`` in any case, at most ``most`` from each window.

    ``find_more`` chooses among the other rows of converted imports those whose own text, in the storage, contains it.
    Rows of checks are left out: a check has written nothing, and its file fails again when it is imported.
    """
    position: RowPlace | None = after
    while position is not None:
        with driver_cursor() as cursor:
            cursor.execute(
                f"""
                select import_id, line, number = %(rows)s as is_last, is_found, is_foreign from (
                    select r.import_id, r.line, row_number() over (order by r.import_id desc, r.line desc) as number,
                        i.id is not null and strpos(lower(r."row"), %(text)s) > 0 as is_found,
                        i.conversion_id is not null as is_foreign
                    from (
                        select import_id, line, "row" from row_errors
                        where seller_id = %(seller_id)s and (import_id, line) < (%(import_id)s, %(line)s)
                        order by import_id desc, line desc limit %(rows)s
                    ) r
                    left join imports i on i.seller_id = %(seller_id)s and i.id = r.import_id
                        and i.kind <> {KIND_CHECK} and i.deleted_at is null
                ) r
                where is_found or is_foreign or number = %(rows)s order by import_id desc, line desc
                """,
                {
                    "seller_id": seller_id,
                    "text": text.lower(),
                    "import_id": position[0],
                    "line": position[1],
                    "rows": _WINDOW_ROWS,
                },
            )
            rows = cursor.fetchall()
        more = find_more([row[:2] for row in rows if row[4] and not row[3]])
        found: list[RowPlace] = [row[:2] for row in rows if row[3] or row[:2] in more][:most]
        if len(found) == most:
            position = found[-1]
        else:
            position = rows[-1][:2] if rows and rows[-1][2] else None
        yield SearchWindow(found, position)


def find_public_id(seller_id: int, import_id: int) -> uuid.UUID | None:
    """The public id of an import, also of one that is deleted: its rows may be read before they are removed."""
    with driver_cursor() as cursor:
        row = cursor.execute(
            "select public_id from imports where seller_id = %s and id = %s", (seller_id, import_id)
        ).fetchone()
        return row[0] if row else None


def find_import_id(seller_id: int, public_id: uuid.UUID) -> int | None:
    """The id of an import of the seller, also of one that is deleted."""
    with driver_cursor() as cursor:
        row = cursor.execute(
            "select id from imports where seller_id = %s and public_id = %s", (seller_id, public_id)
        ).fetchone()
        return row[0] if row else None


class FoundRow(NamedTuple):
    """A failed row, and the import it is of."""

    public_id: uuid.UUID
    file_name: str
    #: What its seller calls the import.
    name: str
    created_at: datetime
    error: RecordedError


def load(seller_id: int, places: Collection[RowPlace]) -> list[FoundRow]:
    """The failed rows at ``places``, in their order; those that have been deleted are left out."""
    if not places:
        return []
    with driver_cursor() as cursor:
        cursor.execute(
            f"""
            select i.public_id, i.file_name, coalesce(i.name, i.file_name), i.created_at,
                {", ".join(f'r."{name}"' for name in _COLUMNS)}
            from unnest(%b::bigint[], %b::int[]) with ordinality as k (import_id, line, place)
            join row_errors r on r.seller_id = %s and r.import_id = k.import_id and r.line = k.line
            join imports i on i.seller_id = %s and i.id = k.import_id
            order by k.place
            """,
            (*as_columns([*places]), seller_id, seller_id),
        )
        return [_found(*row) for row in cursor.fetchall()]


#: Where the fields of a RecordedError are stored.
_COLUMNS = [{"sentences": "messages"}.get(name, name) for name in RecordedError._fields]


def _found(public_id: uuid.UUID, file_name: str, name: str, created_at: datetime, *error: Any) -> FoundRow:
    return FoundRow(public_id, file_name, name, created_at, RecordedError(*error))
