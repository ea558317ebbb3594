"""The filter and the order of listings in the query of a URL."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from app.csvfile.contract import CONDITION_CODES, MAX_TEXT_LENGTH, Condition, fold, quoted
from app.http.query_filter import ParsedFilter
from app.queries.listings.search import ListingFilter, Order, Stock

_FIELDS = ("text", "urn", "condition", "hidden", "stock", "since", "import", "own")
#: Longest texts that are searched for, in characters: each word costs a look-up, and no URN or text is longer.
_MAX_LENGTHS = {"text": 100, "urn": 1_000, "own": MAX_TEXT_LENGTH}

_HIDDEN = {"yes": True, "no": False}
_STOCKS = {stock.value: stock for stock in Stock}
_ORDERS = {order.value: order for order in Order}
_CONDITIONS = {**CONDITION_CODES, **Condition.__members__}


def read_filter(args: Mapping[str, str]) -> ParsedFilter[ListingFilter]:
    """Parse the filter. Invalid fields are ignored, and reported as faults."""
    # The database rejects a NUL, and no item contains one.
    texts = {name: args.get(name, "").replace("\0", "").strip() for name in _FIELDS}
    for name, limit in _MAX_LENGTHS.items():
        texts[name] = texts[name][:limit]
    faults: dict[str, str] = {}
    condition = _CONDITIONS.get(texts["condition"].upper().replace(" ", "_").replace("-", "_"))
    if texts["condition"] and condition is None:
        faults["condition"] = f"There is no condition {quoted(texts['condition'])}. Choose one from the list."
    hidden = _HIDDEN.get(texts["hidden"].lower())
    if texts["hidden"] and hidden is None:
        faults["hidden"] = f"{quoted(texts['hidden'])} is neither yes nor no. Choose hidden or visible listings."
    stock = _STOCKS.get(texts["stock"].lower())
    if texts["stock"] and stock is None:
        faults["stock"] = f"{quoted(texts['stock'])} is neither out nor low nor in. Choose one from the list."
    changed_since = _read_date(texts["since"])
    if texts["since"] and changed_since is None:
        faults["since"] = f"{quoted(texts['since'])} is not a date. Enter it as year-month-day, such as 2026-01-31."
    import_id = _read_id(texts["import"])
    if texts["import"] and import_id is None:
        faults["import"] = f"{quoted(texts['import'])} is not the ID of an import."
    wanted = ListingFilter(
        # Each word once: a repeated word adds no condition.
        words=tuple(dict.fromkeys(fold(texts["text"]).split())),
        urn=texts["urn"],
        condition=condition,
        hidden=hidden,
        stock=stock,
        changed_since=changed_since,
        import_id=import_id,
        own_text=texts["own"],
    )
    values = {name: value for name, value in texts.items() if value and name not in faults}
    if condition is not None:
        values["condition"] = condition.name
    values |= {name: values[name].lower() for name in ("hidden", "stock") if name in values}
    return ParsedFilter(wanted, values, faults)


def read_order(args: Mapping[str, str]) -> Order:
    """Parse the order; an unknown one is that of the catalog."""
    return _ORDERS.get(args.get("sort", ""), Order.CATALOG)


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
