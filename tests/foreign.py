"""Foreign files for tests: a stock list with semicolons in Windows-1252, and what it takes to convert it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import numpy as np

from app.extensions import db
from app.imports import conversion_job, conversions
from app.imports.foreign.convert import Converted
from app.imports.foreign.mapping import Field, Mapping, Money, Source
from app.imports.foreign.reading import Reading, blocks
from app.imports.foreign.reasons import Outcome, reason
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


def fake(
    source: BinaryIO, reading: Reading, mapping: Mapping, seller_id: int, *, on_read: Callable[[int], None]
) -> Iterator[Converted]:
    line, seen = 2, {}
    for block in blocks(source, reading):
        on_read(len(block))
        data, from_rows, outcomes, reason_at, added = [], [], [], [], []
        reasons = [reason("quantity-zero"), reason("price-missing")]
        for at, (card, condition, price, amount, comment) in enumerate(
            zip(*(column.to_pylist() for column in block.cells), strict=True)
        ):
            key = (card, condition)
            reason_at.append(-1)
            if amount == "0":
                outcomes.append(Outcome.LEFT_OUT)
                reason_at[-1] = 0
            elif not price:
                outcomes.append(Outcome.OPEN)
                reason_at[-1] = 1
            elif key in seen:
                outcomes.append(Outcome.ADDED)
                reasons.append(reason("added", line=seen[key]))
                reason_at[-1] = len(reasons) - 1
                added.append((at, seen[key]))
            else:
                outcomes.append(Outcome.ROW)
                pence = round(float(price.replace(",", ".")) * 100)
                data.append(f"CREATE,,,,,{card},,{condition},{pence},{amount},,,{comment},,\n")
                seen[key] = line + len(from_rows)
                from_rows.append(at)
        yield Converted(
            "".join(data).encode(),
            line,
            np.array(from_rows, np.int32),
            block.lines.astype(np.int32),
            block.starts,
            block.lengths.astype(np.int32),
            np.array(outcomes, np.int8),
            np.array(reason_at, np.int32),
            reasons,
            np.array([a for a, _ in added], np.int32),
            np.array([b for _, b in added], np.int32),
        )
        line += len(from_rows)
