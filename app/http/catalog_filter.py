"""The search of the catalog in the query of a URL."""

from collections.abc import Mapping

from app.catalog_words import split_words
from app.csvfile.contract import MAX_ID_DIGITS, fold
from app.http.query_filter import ParsedFilter, read_texts, right_values
from app.queries.item_search import ItemFilter

#: Longer than any URN.
_MAX_LENGTHS = dict.fromkeys(("text", "game", "set"), 1_000)
#: Each further word costs a look-up, and hardly narrows a search.
_MAX_WORDS = 12


def read_filter(args: Mapping[str, str]) -> ParsedFilter[ItemFilter]:
    """Parse the search. A text may be words, the beginning of a URN, or the id of an item at another marketplace."""
    values = read_texts(args, _MAX_LENGTHS)
    text = values["text"]
    words = tuple(split_words(fold(text))[:_MAX_WORDS])
    faults: dict[str, str] = {}
    if text and not words:
        faults["text"] = "Enter a letter or a digit of what you are looking for."
    if not (values["game"] and values["set"]):
        # The two name a set together.
        values |= {"game": "", "set": ""}
    wanted = ItemFilter(
        words=words,
        urn=text if ":" in text and " " not in text else "",
        external_id=int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS else None,
        game=values["game"],
        set_name=values["set"],
    )
    return ParsedFilter(wanted, right_values(values, faults), faults)
