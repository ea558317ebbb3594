"""Factories for test data: plain functions with keyword defaults."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from sqlalchemy import select

from app.csvfile.columns import COLUMNS, LAYOUTS, as_cell
from app.csvfile.contract import Condition, name_key
from app.extensions import db
from app.imports import commands
from app.imports.reports import progress
from app.imports.reports.progress import ImportProgress
from app.models import Import, Item, Seller
from app.queries import ImportKey, items
from app.queries.imports import row_errors
from app.queries.listings import listings
from app.statuses import ImportKind


def row(**values: object) -> dict[str, str]:
    """A valid CREATE row, changed by ``values`` (by column, in lower case)."""
    cells = dict.fromkeys(COLUMNS, "")
    cells |= {"MODE": "CREATE", "URN": "urn:test:1", "CONDITION": "NM", "PRICE": "100", "QUANTITY": "1"}
    return cells | {column.upper(): str(value) for column, value in values.items()}


def cells(**values: object) -> list[str]:
    """The cells of ``row``."""
    return list(row(**values).values())


def csv_bytes(rows: Iterable[dict[str, str]], *, newline: str = "\n", columns: Sequence[str] = COLUMNS) -> bytes:
    """A file of ``rows`` with its header; values outside of ``columns`` are left out."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns, lineterminator=newline, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def with_header(body: str | bytes) -> bytes:
    """A file whose lines below the header are ``body``, written by hand for the columns of the first layout."""
    return f"{','.join(LAYOUTS[0])}\n".encode() + (body.encode() if isinstance(body, str) else body)


def make_items(count: int = 3, *, variants: tuple[str, ...] = ("normal", "reverse", "de")) -> list[int]:
    """Items ``urn:test:1`` to ``urn:test:<count>`` in the catalog, item n with the Cardmarket id n; their ids."""
    items.replace(
        items.NewItem(
            f"urn:test:{n}",
            "Game",
            "Set",
            f"Name {n}",
            str(n),
            "",
            list(variants),
            name_key("Game", "Set", f"Name {n}"),
            [n],
            [],
        )
        for n in range(1, count + 1)
    )
    db.session.commit()
    return list(db.session.scalars(select(Item.id).order_by(Item.id)))


def start(
    seller: Seller, rows: Iterable[dict[str, str]] | bytes, *, file_name: str = "stock.csv", is_check: bool = False
) -> Import:
    """An import or check that was just uploaded."""
    data = rows if isinstance(rows, bytes) else csv_bytes(rows)
    return commands.upload(seller.id, file_name, [data], kind=ImportKind.of_switch(check=is_check))


def look(started: Import) -> ImportProgress:
    """The view model of an import now."""
    seller_id, public_id = started.seller_id, started.public_id
    db.session.rollback()
    return progress.get(seller_id, public_id)


def listed(seller: Seller) -> set[tuple[str, ...]]:
    """All listings of a seller as texts, in the format of the samples' expectations."""
    return {
        (
            one.urn,
            Condition(one.condition).name,
            one.variants,
            *map(as_cell, one.values.values()),
        )
        for page in listings.iter_pages(seller.id)
        for one in page
    }


def failures(started: Import) -> list[tuple[int, int]]:
    """Line and code of every failed row, in the order of the file."""
    return [(error.line, error.code) for page in row_errors.iter_pages(ImportKey.of(started)) for error in page]
