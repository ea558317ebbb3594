"""What the database knows of successful rows, for which no result is stored."""

from __future__ import annotations

from app.csvfile.contract import Condition
from app.queries import ImportKey, driver_cursor


def listing_id(urn: str, condition: int, variants: str) -> str:
    """The public id of a listing: ``<urn>/<CONDITION>/<variants>``.

    It consists of the listing key, so it never changes. The last part may be empty. Conditions and variants contain no
    slash, so an id can be parsed from its end.
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
