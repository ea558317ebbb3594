"""Reads prices: the amount and currency of a cell, and what it comes to in pence."""

import re
from collections.abc import Collection
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from app.csvfile.contract import MAX_PRICE
from app.imports.foreign.mapping import LEAVE_OUT, Kind, Mapping, word_of
from app.imports.foreign.reasons import Reason, ask, reason

#: The code of each currency, and what else cells and headers say for it.
_SIGNS_OF = {
    "GBP": "£",
    "EUR": "€ EURO",
    "USD": "$ US$",
    "CAD": "C$ CA$",
    "AUD": "A$ AU$",
    "NZD": "NZ$",
    "JPY": "¥",
    "CHF": "FR.",
    "PLN": "ZŁ",
    "CZK": "KČ",
    "BRL": "R$",
    "KRW": "₩",
} | dict.fromkeys("SEK NOK DKK HUF MXN SGD HKD".split(), "")
_SIGNS = {sign: code for code, signs in _SIGNS_OF.items() for sign in (code, *signs.split())}
#: The currencies of which the smallest unit is the unit.
_WITHOUT_MINOR = {"JPY", "KRW"}
#: That of listings.
OWN_CURRENCY = "GBP"
#: The currencies that a seller can choose, our own first.
CURRENCIES = (OWN_CURRENCY, *sorted(_SIGNS_OF.keys() - {OWN_CURRENCY}))
_PARTS = re.compile(
    r"(?P<before>[^0-9.,+-]*)"
    r"(?P<number>[-+]?[0-9][0-9., '’]*?|[-+]?[.,][0-9]+)"
    r"(?P<dash>[.,]-{1,2})?(?P<after>[^0-9.,]*)"
)
_CODE = re.compile(r"[A-Z]{3}")


class Amount(NamedTuple):
    """What a cell says."""

    #: The possible values, one or two: with the separator as a decimal sign, and as a thousands separator.
    values: tuple[Decimal, ...]
    #: The ISO code; empty if the cell does not tell.
    currency: str
    #: The decimal sign that it certainly has; empty if it has none, or is unclear.
    decimal: str


def currency_of(text: str) -> str:
    """The ISO code that a text stands for, or empty."""
    sign = text.strip().upper().replace(" ", "")
    return _SIGNS.get(sign, sign if _CODE.fullmatch(sign) else "")


def currency_in(header: str) -> str:
    """The currency that a header tells, as in “Price (€)” or “Price in GBP”, or empty."""
    found = {_SIGNS[one] for one in re.findall(r"[£€¥]|\b[A-Z]{3}\b", header) if one in _SIGNS}
    return found.pop() if len(found) == 1 else ""


def read_amount(text: str) -> Amount | None:
    """The amount in a cell; None if it is no price."""
    parts = _PARTS.fullmatch(text.replace("\xa0", " ").replace("\u202f", " ").strip())
    if not parts:
        return None
    signs = {one for one in (parts["before"].strip(), parts["after"].strip()) if one}
    currencies = {currency_of(one) for one in signs}
    if len(currencies) > 1 or "" in currencies:
        return None
    number = parts["number"].strip()
    read = None if number.startswith("-") else _read_number(number.lstrip("+"))
    return read and Amount(read[0], "".join(currencies), read[1])


def _read_number(number: str) -> tuple[tuple[Decimal, ...], str] | None:
    """The possible values of digits and separators, and the certain decimal sign."""
    digits = re.sub(r"[ '’]", "", number)
    if digits != number and not re.fullmatch(r"[0-9]{1,3}(?:[ '’][0-9]{3})+(?:[.,][0-9]*)?", number):
        return None
    signs = re.findall("[.,]", digits)
    if not signs:
        return (Decimal(digits),), ""
    if len(set(signs)) == 2:
        last = signs[-1]
        whole, _, decimals = digits.rpartition(last)
        grouped = rf"[0-9]{{1,3}}(?:\{signs[0]}[0-9]{{3}})+"
        return _decimal(whole, decimals, last) if re.fullmatch(grouped, whole) and signs.count(last) == 1 else None
    if len(signs) > 1:
        is_grouped = re.fullmatch(rf"[0-9]{{1,3}}(?:\{signs[0]}[0-9]{{3}})+", digits)
        return ((Decimal(re.sub("[.,]", "", digits)),), "") if is_grouped else None
    whole, _, decimals = digits.partition(signs[0])
    if len(decimals) == 3 and 1 <= len(whole) <= 3 and whole.strip("0") and digits == number:
        return (Decimal(f"{whole}.{decimals}"), Decimal(whole + decimals)), signs[0] + "?"
    return _decimal(whole, decimals, signs[0])


def _decimal(whole: str, decimals: str, sign: str) -> tuple[tuple[Decimal, ...], str]:
    whole = re.sub("[.,]", "", whole)
    return (Decimal(f"{whole or '0'}.{decimals or '0'}"),), sign


def guess_decimal(cells: Collection[str]) -> str:
    """The decimal sign of a column, if its certain cells agree on one; empty if they do not or there are none."""
    found = {one.decimal for cell in cells if (one := read_amount(cell)) and one.decimal in (".", ",")}
    return found.pop() if len(found) == 1 else ""


def guess_currency(cells: Collection[str]) -> str:
    """The only currency that cells of a column tell, or empty."""
    found = {one.currency for cell in cells if (one := read_amount(cell)) and one.currency}
    return found.pop() if len(found) == 1 else ""


class Pricing:
    """Turns cells into pence by the rules of a mapping."""

    def __init__(self, mapping: Mapping) -> None:
        self._money = mapping.money
        self._answers = mapping.answers.get(Kind.PRICE, {})
        rates = mapping.money.rates.items()
        self._rates = {OWN_CURRENCY: Decimal(1), **{code: Decimal(rate) for code, rate in rates}}

    def price(self, cells: Collection[str], currency: str, *, copies: int = 1) -> int | Reason:
        """The price in pence of one of ``copies``: the first of the cells that is not empty or 0; or why there is none.

        That is a reason without a question if its seller leaves the row out.
        """
        for text in filter(None, cells):
            answer = self._answers.get(word_of(Kind.PRICE, text), "")
            amount = read_amount(text) or read_amount(answer)
            if amount is None:
                is_left_out = answer == LEAVE_OUT
                return reason("answered", word=text) if is_left_out else ask("price-unreadable", Kind.PRICE, text)
            if any(amount.values):
                told = amount.currency or currency_of(currency) or self._money.currency
                return self._pence(text, amount, told, copies)
        return ask("price-missing", "price-missing", "")

    def _pence(self, text: str, amount: Amount, currency: str, copies: int) -> int | Reason:
        value = self._value(amount)
        if value is None:
            return ask("price-decimal", "decimal", text)
        if not currency:
            return ask("currency-unknown", "currency", "")
        rate = self._rates.get(currency)
        if rate is None:
            return ask("rate-missing", "rate", currency)
        if not self._money.minor or currency in _WITHOUT_MINOR:
            value *= 100
        elif value % 1:
            return ask("price-fraction", "price", text)
        if value * rate / copies > MAX_PRICE:
            return ask("price-too-high", "price", text)
        pence = int((value * rate / copies).quantize(Decimal(1), ROUND_HALF_UP))
        return pence or ask("price-too-low", "price", text)

    def _value(self, amount: Amount) -> Decimal | None:
        if len(amount.values) == 1:
            return amount.values[0]
        if not self._money.decimal:
            return None
        as_decimal, as_thousands = amount.values
        return as_decimal if amount.decimal[0] == self._money.decimal else as_thousands
