"""How texts of the catalog are split into words for searches: in Python for what is searched, in SQL for the items."""

import re
import unicodedata
from collections.abc import Iterable

#: Between words. The first one joins the parts of a name key.
_SEPARATORS = '\x1f !"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'
#: Inside words, and left out: Farfetch'd is searched as farfetchd.
_LEFT_OUT = "'’"
#: Latin letters with an accent, by the plain letter that stands for them: é is searched as e.
_PLAIN = {
    letter: base
    for letter in map(chr, range(0xE0, 0x180))
    if (base := unicodedata.normalize("NFD", letter)[0]).isascii() and base.islower()
}

# What PostgreSQL's translate() takes: letters without a counterpart are left out.
_FROM = "".join(_PLAIN) + _SEPARATORS + _LEFT_OUT
_TO = "".join(_PLAIN.values()) + " " * len(_SEPARATORS)
_TABLE = {ord(letter): _TO[at] if at < len(_TO) else None for at, letter in enumerate(_FROM)}


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


#: SQL: the words of an item's game, set, name and number, as a tsvector. Its index finds the beginnings of words.
#: Written as PostgreSQL shows it again, so that a test can compare the two.
ITEM_WORDS = (
    "array_to_tsvector(array_remove(string_to_array(translate((name_key || ' ') || lower(number), "
    f"{_literal(_FROM)}, {_literal(_TO)}), ' '), ''))"
)


def split_words(folded: str) -> list[str]:
    """The words in a text (``csvfile.contract.fold``) as ITEM_WORDS has them, each once."""
    return [*dict.fromkeys(folded.translate(_TABLE).split())]


def words_query(words: Iterable[str]) -> str:
    """A tsquery that matches items with all these words.

    An item has a word if one of its own begins with it. A number must be the whole word: 4 does not mean 40.
    """
    return " & ".join(f"'{word}'" if re.fullmatch("[0-9]+", word) else f"'{word}':*" for word in words)
