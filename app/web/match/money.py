"""The step that asks what the prices in the file are."""

from collections.abc import Mapping as Map
from dataclasses import replace
from typing import Any, NamedTuple

from app.imports import conversions, match_flow
from app.imports.foreign import words
from app.imports.foreign.block_converter import BlockConverter
from app.imports.foreign.bound import Bound
from app.imports.foreign.mapping import Field, Mapping, MappingInvalid, Source
from app.imports.foreign.money import CURRENCIES, OWN_CURRENCY, Pricing, read_amount
from app.imports.foreign.preview import prices_of
from app.imports.foreign.reasons import Reason
from app.imports.foreign.sample import Sample, count_with_currency
from app.imports.match_flow import Step
from app.models import Conversion
from app.web.match.steps import mapping_of

#: What all prices of a file lack together.
_ASKED = {"currency-unknown", "rate-missing"}


class PriceRow(NamedTuple):
    """A cell with a price, and what it comes to."""

    cell: str
    pence: int | None
    why: str


def context(one: Conversion, form: Map[str, str]) -> dict[str, Any]:
    """What the page shows, with what is chosen in the form already, although it is not saved yet."""
    reading, mapping, wrong = conversions.reading_of(one), mapping_of(one), ""
    try:
        mapping = _with_money(mapping, form)
    except MappingInvalid as error:
        wrong = str(error)
    bound, pricing = Bound(mapping, reading.columns), Pricing(mapping)
    places = [*bound.places.get(Field.PRICE, ()), *bound.places.get(Field.FOIL_PRICE, ())]
    currency = bound.places.get(Field.CURRENCY, [])
    with match_flow.source_of(one) as file:
        sample = Sample(file, reading)
        # The price of a graded card or of one that is sold out is nobody's.
        sample.keep(BlockConverter(bound).for_sale)
        pairs = [pair for at in places for pair in sample.pairs(at, currency[0] if currency else None)]
        telling, of_prices = count_with_currency(sample, places, currency)
    if constant := mapping.sources.get(Field.PRICE, Source()).constant:
        pairs.append((constant, ""))
    prices = [(f"{cell} {code}".strip(), pricing.price([words.cleaned(cell)], code)) for cell, code in pairs]
    waits = {price.slug for _, price in prices if isinstance(price, Reason)} & _ASKED
    asked = match_flow.of_step(match_flow.asked_in(one), Step.MONEY)
    codes = {question.word for question in asked if question.kind == "rate"} | {*mapping.money.rates}
    codes |= {amount.currency for cell, _ in pairs if (amount := read_amount(cell))} | {mapping.money.currency}
    foreign = sorted(codes - {"", OWN_CURRENCY})
    is_told = bool(currency) or any((amount := read_amount(cell)) and amount.currency for cell, _ in pairs)
    return {
        "money": mapping.money,
        "wrong": wrong,
        "currencies": CURRENCIES,
        "is_told": is_told,
        "lacking": [code for code in foreign if code not in mapping.money.rates],
        "rates": {code: form.get(f"rate-{code}", mapping.money.rates.get(code, "")) for code in foreign},
        "prices": [row for cell, price in prices if (row := _row(cell, price))][:8],
        "waits": waits,
        "range": None if waits else prices_of(sample, mapping, reading.columns),
        "has_prices": bool(pairs),
        "judged": sample.rows,
        "telling": telling,
        "of_prices": of_prices,
    }


def take(one: Conversion, form: Map[str, str]) -> Mapping:
    """The mapping with the money in the form. Raises MappingInvalid."""
    return _with_money(mapping_of(one), form)


def _with_money(before: Mapping, form: Map[str, str]) -> Mapping:
    currency, decimal = form.get("currency", before.money.currency), form.get("decimal", before.money.decimal)
    if currency and currency not in CURRENCIES:
        raise MappingInvalid(f"There is no currency “{currency}”.")
    if decimal not in ("", ".", ","):
        raise MappingInvalid("The decimal sign is a point or a comma.")
    is_minor = form.get("unit", "minor" if before.money.minor else "major") == "minor"
    mapping = replace(before, money=replace(before.money, currency=currency, decimal=decimal, minor=is_minor))
    named = {name.removeprefix("rate-"): value.strip() for name, value in form.items() if name.startswith("rate-")}
    return mapping.with_rates({code: rate.replace(",", ".") for code, rate in named.items() if rate})


def _row(cell: str, price: int | Reason) -> PriceRow | None:
    """What a cell comes to; None if it says nothing or 0, or if what it waits for is said once for all."""
    if isinstance(price, int):
        return PriceRow(cell, price, "")
    return PriceRow(cell, None, price.sentence) if price.slug not in {"price-missing", *_ASKED} else None
