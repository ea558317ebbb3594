"""Foreign files for tests: a stock list with semicolons in Windows-1252, and what it takes to convert it."""

from __future__ import annotations

from collections.abc import Sequence

from app.extensions import db
from app.imports import conversion_job, conversions
from app.imports.foreign.mapping import Field, Mapping, Money, Source
from app.models import Conversion, Seller
from app.statuses import ImportKind

COLUMNS = ("idProduct", "Condition", "Price", "Amount", "Comments")
HEADER = ";".join(COLUMNS)
MAPPING = Mapping(
    columns=COLUMNS,
    sources={
        Field.CARDMARKET_ID: Source(("idProduct",)),
        Field.CONDITION: Source(("Condition",)),
        Field.PRICE: Source(("Price",)),
        Field.QUANTITY: Source(("Amount",)),
        Field.COMMENT: Source(("Comments",)),
    },
    money=Money(currency="GBP", decimal=","),
)


def foreign_bytes(rows: Sequence[str], *, ending: str = "\r\n") -> bytes:
    """A file of these rows, which are text in the file's own format."""
    return ending.join([HEADER, *rows, ""]).encode("cp1252")


def draft(
    seller: Seller, rows: Sequence[str] | bytes, *, file_name: str = "bestand.csv", **options: object
) -> Conversion:
    """A draft with its mapping."""
    data = rows if isinstance(rows, bytes) else foreign_bytes(rows)
    made = conversions.upload(seller.id, file_name, [data], **options)  # type: ignore[arg-type]
    return conversions.set_mapping(seller.id, made.public_id, MAPPING)


def convert(seller: Seller, rows: Sequence[str] | bytes, *, start_as: ImportKind | None = None) -> Conversion:
    """A file that was converted in this process, and perhaps started."""
    made = draft(seller, rows)
    conversions.convert(seller.id, made.public_id, start_as=start_as, in_background=False)
    conversion_job.run(seller.id, made.id, made.attempt)
    db.session.rollback()
    return conversions.get(seller.id, made.public_id)
