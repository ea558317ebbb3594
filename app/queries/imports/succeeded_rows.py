"""What the database can tell of the rows that have succeeded, for whom no result of their own is stored."""

from __future__ import annotations

from app.csvfile.contract import Condition
from app.queries import ImportKey, driver_cursor


def listing_id(urn: str, condition: int, variants: str) -> str:
    """The id of a listing as people and programs see it: ``<urn>/<CONDITION>/<variants>``.

    It is made of what a seller has at most one listing of, so it never changes. The last part may be empty. No
    condition and no variant has a slash in it: an id can be taken apart from its end.
    """
    return f"{urn}/{Condition(condition).name}/{variants}"


def find_failed_lines(key: ImportKey, first: int, last: int) -> set[int]:
    """The lines from ``first`` to ``last`` of an import whose rows failed."""
    with driver_cursor() as cursor:
        cursor.execute(
            "select line from row_errors where seller_id = %s and import_id = %s and line between %s and %s",
            (*key, first, last),
        )
        return {line for (line,) in cursor}
