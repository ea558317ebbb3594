"""Validates the cells of a row and returns its values."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from django.core.exceptions import ValidationError

_CONDITIONS = ["MT", "NM", "EX", "GD", "LP", "PL", "PO"]
_CONDITION_NAMES = ["MINT", "NEAR_MINT", "EXCELLENT", "GOOD", "LIGHT_PLAYED", "PLAYED", "POOR"]
_GRADES = {word: grade for words in (_CONDITIONS, _CONDITION_NAMES) for grade, word in enumerate(words, start=1)}
_SEPARATORS = re.compile(r"[\s_-]+")
_VARIANT = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_HIDDEN = {"": False, "false": False, "true": True}
_MOST_CHARACTERS = 255


def name_key(*names: str) -> str:
    """The key by which names are compared."""
    return "\x1f".join(" ".join(unicodedata.normalize("NFC", name).casefold().split()) for name in names)


def check(row: dict[str, str]) -> dict[str, Any]:
    """The values of a row that creates a listing. Raises ValidationError with every problem."""
    problems: dict[str, str] = {}
    values: dict[str, Any] = {"seller_id": 1}
    if row["MODE"].strip().upper() != "CREATE":
        problems["MODE"] = "Write CREATE."
    values["condition"] = _GRADES.get(_SEPARATORS.sub("_", row["CONDITION"].strip()).upper())
    if values["condition"] is None:
        problems["CONDITION"] = "No such condition."
    for column, most in (("PRICE", 100_000_000), ("QUANTITY", 1_000_000)):
        text = row[column].strip()
        if not text.isdecimal() or not 1 <= int(text) <= most:
            problems[column] = f"Write a whole number from 1 to {most}."
        else:
            values[column.lower()] = int(text)
    variants = {one.strip().lower() for one in row["VARIANTS"].split("|")} if row["VARIANTS"].strip() else set()
    if not all(map(_VARIANT.fullmatch, variants)):
        problems["VARIANTS"] = "Not a variant."
    values["variants"] = "|".join(sorted(variants))
    values["hidden"] = _HIDDEN.get(row["HIDDEN"].strip().lower())
    if values["hidden"] is None:
        problems["HIDDEN"] = "Write true or false."
    for column in ("COMMENT", "NOTES", "REFERENCE"):
        values[column.lower()] = row[column].strip() or None
        if len(row[column].strip()) > _MOST_CHARACTERS:
            problems[column] = "Too long."
    if problems:
        raise ValidationError(problems)
    return values
