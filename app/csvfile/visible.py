"""Invisible and control characters: shows them as text, names them in sentences, and removes them."""

import re
import unicodedata

#: Looks like a hyphen, but is another character, so the difference is invisible.
_NON_BREAKING_HYPHEN = "\u2011"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
#: Control characters but for tab and line breaks, and what Unicode will never assign to a character.
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
#: Their signs, such as ␁; U+FFFD for those that have none.
_SIGNS = {chr(code): chr(0x2400 + code) for code in range(0x20)} | {"\x7f": "␡"}
_UNSIGNED = str.maketrans({sign: char for char, sign in _SIGNS.items() if _NOT_TEXT.match(char)})
_NAMED = {"\n": "[line break]", "\r": "[line break]", "\t": "[tab]"}


def with_signs(text: str) -> str:
    """``text`` with signs in place of the characters that no page and no field of a form can have."""
    return _NOT_TEXT.sub(lambda found: _SIGNS.get(found[0], "\ufffd"), text)


def without_signs(text: str) -> str:
    """The text that ``with_signs`` shows so, but for characters without a sign of their own."""
    return text.translate(_UNSIGNED)


def without_controls(text: str) -> str:
    """``text`` without control characters, with a space for those that separate words."""
    return _CONTROL.sub(lambda found: " " if found[0].isspace() else "", text).strip()


def visible(text: str) -> str:
    """``text`` with each invisible character replaced by its name: ``[U+200B ZERO WIDTH SPACE]``.

    Invisible is what Python calls unprintable: control and formatting characters, surrogates, private ones, and every
    space except U+0020.
    """
    if text.isprintable() and _NON_BREAKING_HYPHEN not in text:
        return text
    return "".join(map(_sign, text.replace("\r\n", "\n")))


def _sign(character: str) -> str:
    if character.isprintable() and character != _NON_BREAKING_HYPHEN:
        return character
    return _NAMED.get(character) or f"[{' '.join(filter(None, _code_and_name(character)))}]"


def _code_and_name(character: str) -> tuple[str, str]:
    """The code point and its name in Unicode; control characters have none."""
    return f"U+{ord(character):04X}", unicodedata.name(character, "")


def trim(text: str) -> str:
    """``text`` without white space and invisible characters (Unicode Cf, U+2011) at its ends."""
    if text.isascii():
        return text.strip()
    start, end = 0, len(text)
    while start < end and _is_blank(text[start]):
        start += 1
    while start < end and _is_blank(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_blank(character: str) -> bool:
    return character.isspace() or _is_invisible(character)


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or character == _NON_BREAKING_HYPHEN


def typed(text: str) -> str:
    """``text`` as typed by hand: with plain spaces and hyphens, without invisible characters."""
    if text.isascii():
        return text.strip()
    return "".join(map(_key, text)).strip()


def _key(character: str) -> str:
    if character == _NON_BREAKING_HYPHEN:
        return "-"
    category = unicodedata.category(character)
    return " " if category == "Zs" else "" if category == "Cf" else character


def describe_invisible(text: str) -> str:
    """The first invisible character in ``text``: “an invisible U+200B (ZERO WIDTH SPACE)”. Empty if it has none."""
    found = next(filter(_is_invisible, text), "")
    if not found:
        return ""
    code, name = _code_and_name(found)
    return f"{'a' if found == _NON_BREAKING_HYPHEN else 'an invisible'} {code} ({name})"
