"""The filter of listings in the query of a URL."""

from __future__ import annotations

from collections.abc import Mapping

from app.csvfile.contract import CONDITION_CODES, Condition, fold, quoted
from app.http.query_filter import Asked
from app.queries.listings.search import Filter

#: Longest text that is searched for, in characters: each word costs a look-up.
_MAX_TEXT = 100
#: Longer than any URN.
_MAX_URN = 1_000

_HIDDEN = {"yes": True, "no": False}
_CONDITIONS = {**CONDITION_CODES, **Condition.__members__}


def read_filter(args: Mapping[str, str]) -> Asked[Filter]:
    """Parse the filter. Invalid fields are ignored, and reported as faults."""
    # The database rejects a NUL, and no item contains one.
    texts = {name: args.get(name, "").replace("\0", "").strip() for name in ("text", "urn", "condition", "hidden")}
    texts["text"], texts["urn"] = texts["text"][:_MAX_TEXT], texts["urn"][:_MAX_URN]
    faults: dict[str, str] = {}
    condition = _CONDITIONS.get(texts["condition"].upper().replace(" ", "_").replace("-", "_"))
    if texts["condition"] and condition is None:
        faults["condition"] = f"There is no condition {quoted(texts['condition'])}. Choose one of the list."
    hidden = _HIDDEN.get(texts["hidden"].lower())
    if texts["hidden"] and hidden is None:
        faults["hidden"] = f"{quoted(texts['hidden'])} is neither yes nor no. Choose hidden or visible listings."
    # Each word once: a repeated word adds no condition.
    words = tuple(dict.fromkeys(fold(texts["text"]).split()))
    wanted = Filter(words=words, urn=texts["urn"], condition=condition, hidden=hidden)
    values = {name: value for name, value in texts.items() if value and name not in faults}
    if condition is not None:
        values["condition"] = condition.name
    if hidden is not None:
        values["hidden"] = texts["hidden"].lower()
    return Asked(wanted, values, faults)
