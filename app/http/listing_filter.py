"""Which listings a page or an export is to have, as its address says it."""

from __future__ import annotations

from collections.abc import Mapping

from app.csvfile.contract import CONDITION_CODES, Condition, fold, quoted
from app.http.query_filter import Asked
from app.queries.listings.search import Filter

#: Longer texts are not searched for; no item has so many words, and each of them costs a look.
_MAX_TEXT = 100
#: Longer than any URN.
_MAX_URN = 1_000

_HIDDEN = {"yes": True, "no": False}
_CONDITIONS = {**CONDITION_CODES, **Condition.__members__}


def read_filter(args: Mapping[str, str]) -> Asked[Filter]:
    """The filter that an address asks for; what makes no sense in it is told as a fault and does not matter."""
    # No item and no URN has a NUL in it, and the database takes none.
    texts = {name: args.get(name, "").replace("\0", "").strip() for name in ("text", "urn", "condition", "hidden")}
    texts["text"], texts["urn"] = texts["text"][:_MAX_TEXT], texts["urn"][:_MAX_URN]
    faults: dict[str, str] = {}
    condition = _CONDITIONS.get(texts["condition"].upper().replace(" ", "_").replace("-", "_"))
    if texts["condition"] and condition is None:
        faults["condition"] = f"There is no condition {quoted(texts['condition'])}. Choose one of the list."
    hidden = _HIDDEN.get(texts["hidden"].lower())
    if texts["hidden"] and hidden is None:
        faults["hidden"] = f"{quoted(texts['hidden'])} is neither yes nor no. Choose hidden or visible listings."
    # Each word once, as the same one twice is no further condition.
    words = tuple(dict.fromkeys(fold(texts["text"]).split()))
    wanted = Filter(words=words, urn=texts["urn"], condition=condition, hidden=hidden)
    values = {name: value for name, value in texts.items() if value and name not in faults}
    if condition is not None:
        values["condition"] = condition.name
    if hidden is not None:
        values["hidden"] = texts["hidden"].lower()
    return Asked(wanted, values, faults)
