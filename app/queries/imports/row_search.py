"""Searches the failed rows of all of a seller's imports for a text, a bounded window at a time."""

import uuid
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from app.queries import as_columns, fetch, fetch_value
from app.queries.imports.row_errors import RecordedError, recorded_error
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
        import_id, line = position
        query = f"""
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
        """
        values = {"seller_id": seller_id, "import_id": import_id, "line": line}
        rows = fetch(query, values, text=text.lower(), rows=_WINDOW_ROWS)
        more = find_more([_place(row) for row in rows if row.is_foreign and not row.is_found])
        found = [_place(row) for row in rows if row.is_found or _place(row) in more][:most]
        if len(found) == most:
            position = found[-1]
        else:
            position = _place(rows[-1]) if rows and rows[-1].is_last else None
        yield SearchWindow(found, position)


def _place(row: Any) -> RowPlace:
    return (row.import_id, row.line)


def find_public_id(seller_id: int, import_id: int) -> uuid.UUID | None:
    """The public id of an import, also of one that is deleted: its rows may be read before they are removed."""
    query = "select public_id from imports where seller_id = %(seller_id)s and id = %(import_id)s"
    found: uuid.UUID | None = fetch_value(query, seller_id=seller_id, import_id=import_id)
    return found


def find_import_id(seller_id: int, public_id: uuid.UUID) -> int | None:
    """The id of an import of the seller, also of one that is deleted."""
    query = "select id from imports where seller_id = %(seller_id)s and public_id = %(public_id)s"
    found: int | None = fetch_value(query, seller_id=seller_id, public_id=public_id)
    return found


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
    import_ids, lines = as_columns(places)
    query = """
        select i.public_id, i.file_name, coalesce(i.name, i.file_name) as name, i.created_at, r.*,
            r.messages as sentences
        from unnest(%(import_ids)b::bigint[], %(lines)b::int[]) with ordinality as k (import_id, line, place)
        join row_errors r on r.seller_id = %(seller_id)s and r.import_id = k.import_id and r.line = k.line
        join imports i on i.seller_id = %(seller_id)s and i.id = k.import_id
        order by k.place
    """
    rows = fetch(query, seller_id=seller_id, import_ids=import_ids, lines=lines)
    return [FoundRow(row.public_id, row.file_name, row.name, row.created_at, recorded_error(row)) for row in rows]
