"""The text that rows are searched for, in the query of a URL."""

from collections.abc import Mapping
from typing import NamedTuple

#: A shorter text is in nearly every row; a longer one is in none.
MIN_TEXT, MAX_TEXT = 2, 255


class RowText(NamedTuple):
    """What to search for; empty, with a sentence if it was given but cannot be searched for."""

    text: str
    fault: str = ""


def read_text(args: Mapping[str, str]) -> RowText:
    """Parse the text."""
    # The database rejects a NUL, and no row contains one.
    text = args.get("text", "").replace("\0", "").strip()[:MAX_TEXT]
    if text and len(text) < MIN_TEXT:
        return RowText("", f"Enter at least {MIN_TEXT} characters.")
    return RowText(text)
