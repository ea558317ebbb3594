"""The form that edits listings in place: its fields, and the changes that they ask for."""

import re
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from werkzeug.datastructures import MultiDict

from app.csvfile.columns import Column
from app.csvfile.contract import MAX_PRICE, MIN_PRICE, Condition, in_pounds
from app.csvfile.parse import Wrong, parse_quantity, read_price
from app.listings import Edit

#: More than stand on a page.
_MOST_ROWS = 200
_PERCENT = re.compile(r"([+\-−])\s*([0-9]{1,3}(?:\.[0-9]{1,2})?)\s*%")

_NO_PRICE = f"Enter a price in pounds, from {in_pounds(MIN_PRICE)} to {in_pounds(MAX_PRICE)}, such as 5.10."


class Invalid(ValueError):
    """What was entered is no value; the message says what to enter."""


class Row(NamedTuple):
    """A listing in the form, as it was sent."""

    urn: str
    condition: Condition
    variants: str
    price: str
    quantity: str
    is_selected: bool
    #: What was shown in the two fields.
    price_was: str
    quantity_was: str

    @property
    def key(self) -> tuple[str, Condition, str]:
        """The listing."""
        return self.urn, self.condition, self.variants


@dataclass
class Entered:
    """What a seller has entered."""

    rows: list[Row]
    #: New values for all selected rows; empty: none.
    price: str
    quantity: str
    #: Sentences about invalid fields, by row (None: those for all selected rows) and field.
    faults: dict[tuple[tuple[str, Condition, str] | None, str], str] = field(default_factory=dict)

    def find_edits(self, action: str) -> list[Edit]:
        """The changes of all rows, if ``faults`` stays empty. Values that were not touched stay as they are.

        The ``action`` is done with the selected rows: ``set``, ``hide`` or ``show``; another one is ignored.
        """
        edits = []
        for row in self.rows:
            chosen = action if row.is_selected else ""
            price = self._read(row.key, "price", row.price, row.price_was)
            quantity = self._read(row.key, "quantity", row.quantity, row.quantity_was)
            if chosen == "set":
                was = price or read_price(f"£{row.price_was}")[0]
                price = self._read(None, "price", self.price, "", was=was) or price
                for_all = self._read(None, "quantity", self.quantity, "")
                quantity = quantity if for_all is None else for_all
            edit = Edit(*row.key, price, quantity, {"hide": True, "show": False}.get(chosen))
            if (edit.price, edit.quantity, edit.hidden) != (None, None, None):
                edits.append(edit)
        return edits

    def _read(
        self, key: tuple[str, Condition, str] | None, name: str, text: str, shown: str, *, was: int | None = None
    ) -> int | None:
        """The value in a field; None if it was not touched or is invalid. Percentages are of the price it ``was``."""
        if text == shown:
            return None
        try:
            return parse_count(text) if name == "quantity" else parse_pounds(text, was=was)
        except Invalid as invalid:
            self.faults[key, name] = str(invalid)
            return None


def read_form(form: MultiDict[str, str]) -> Entered:
    """Parse the form. Raises KeyError or ValueError for one that was not made by the page."""
    texts = {name: value.replace("\0", "").strip() for name, value in form.items()}
    selected = set(form.getlist("selected"))
    rows = []
    for number in range(1, _MOST_ROWS + 1):
        if f"urn-{number}" not in texts:
            break
        rows.append(
            Row(
                texts[f"urn-{number}"],
                Condition[texts[f"condition-{number}"]],
                texts[f"variants-{number}"],
                texts[f"price-{number}"],
                texts[f"quantity-{number}"],
                "all" in selected or str(number) in selected,
                texts[f"price-was-{number}"],
                texts[f"quantity-was-{number}"],
            )
        )
    return Entered(rows, texts.get("price", ""), texts.get("quantity", ""))


def parse_pounds(text: str, *, was: int | None = None) -> int:
    """A price in pence from one in pounds, or from a change in percent of the price that it ``was``. Raises Invalid."""
    if was is not None and (percent := _PERCENT.fullmatch(text)):
        share = Decimal(percent[2]) * (1 if percent[1] == "+" else -1)
        pence = int((was * (100 + share) / 100).quantize(Decimal(1), ROUND_HALF_UP))
        if not MIN_PRICE <= pence <= MAX_PRICE:
            raise Invalid(f"That makes a price of {in_pounds(max(pence, 0))}. {_NO_PRICE}")
        return pence
    readings = read_price(f"£{text.removeprefix('£')}")
    if len(readings) != 1:
        raise Invalid(_NO_PRICE)
    return readings[0]


def parse_count(text: str) -> int:
    """A quantity, as the import reads it. Raises Invalid."""
    try:
        return parse_quantity(text)
    except Wrong as wrong:
        raise Invalid(wrong.cause.problem(Column.QUANTITY, **wrong.facts).message) from None


def write_pounds(pence: int) -> str:
    """A price as it stands in a field: 1234.50."""
    return f"{pence // 100}.{pence % 100:02}"
