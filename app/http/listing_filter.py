"""The filter and the order of listings in the query of a URL."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.csvfile.contract import CONDITION_CODES, MAX_TEXT_LENGTH, Condition, fold, quoted
from app.http.query_filter import ParsedFilter, read_texts, right_values
from app.queries.listings.search import ListingFilter, Order, Stock

#: Longest texts that are searched for, in characters: each word costs a look-up, and no URN or text is longer.
_TEXT_LENGTHS = {"text": 100, "urn": 1_000, "own": MAX_TEXT_LENGTH}

_CONDITIONS = {**CONDITION_CODES, **Condition.__members__}
_HIDDEN = {"yes": True, "no": False}
_STOCKS = {stock.value: stock for stock in Stock}
_ORDERS = {order.value: order for order in Order}


def _read_condition(text: str) -> Condition | None:
    return _CONDITIONS.get(text.upper().replace(" ", "_").replace("-", "_"))


def _read_date(text: str) -> datetime | None:
    """The beginning of a day in UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _read_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


#: How the other fields are read, and what is said of a text that is read as None.
_PARSERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "condition": (_read_condition, "There is no condition {}. Choose one from the list."),
    "hidden": (lambda text: _HIDDEN.get(text.lower()), "{} is neither yes nor no. Choose hidden or visible listings."),
    "stock": (lambda text: _STOCKS.get(text.lower()), "{} is neither out nor low nor in. Choose one from the list."),
    "since": (_read_date, "{} is not a date. Enter it as year-month-day, such as 2026-01-31."),
    "import": (_read_id, "{} is not the ID of an import."),
}
_MAX_LENGTHS = _TEXT_LENGTHS | dict.fromkeys(_PARSERS, 100)


def read_filter(args: Mapping[str, str]) -> ParsedFilter[ListingFilter]:
    """Parse the filter. Invalid fields are ignored, and reported as faults."""
    texts = read_texts(args, _MAX_LENGTHS)
    found = {name: parse(texts[name]) for name, (parse, _) in _PARSERS.items()}
    faults = {
        name: sentence.format(quoted(texts[name]))
        for name, (_, sentence) in _PARSERS.items()
        if texts[name] and found[name] is None
    }
    wanted = ListingFilter(
        # Each word once: a repeated word adds no condition.
        words=tuple(dict.fromkeys(fold(texts["text"]).split())),
        urn=texts["urn"],
        condition=found["condition"],
        hidden=found["hidden"],
        stock=found["stock"],
        changed_since=found["since"],
        import_id=found["import"],
        own_text=texts["own"],
    )
    values = right_values(texts, faults)
    if found["condition"]:
        values["condition"] = found["condition"].name
    values |= {name: values[name].lower() for name in ("hidden", "stock") if name in values}
    return ParsedFilter(wanted, values, faults)


def read_order(args: Mapping[str, str]) -> Order:
    """Parse the order; an unknown one is that of the catalog."""
    return _ORDERS.get(args.get("sort", ""), Order.CATALOG)
