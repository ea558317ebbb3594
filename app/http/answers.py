"""Reads the answers about failed rows, for pages and API: a rule or values for a group, or the cells of rows."""

import json
from collections.abc import Mapping
from typing import Any

from app.csvfile.causes import Cause
from app.csvfile.columns import COLUMNS
from app.imports.fixes.answers import FOR_GROUPS, REASON, UNIT, NewAnswer, Rule

#: The longest value of a cell, and of the reason for which rows are left out, in characters.
MAX_CELL, MAX_REASON = 4_000, 255
_MAX_VALUE = 1_000

_COLUMNS = frozenset(COLUMNS)
_KNOWN_CAUSES = {cause.slug for cause in Cause}


class AnswerRefused(Exception):
    """An answer cannot be understood; the message is a sentence that says why."""


def write(answer: NewAnswer) -> str:
    """An answer as the value of a button."""
    return json.dumps({**answer._asdict(), "cells": dict(answer.cells)}, separators=(",", ":"))


def read_text(text: str) -> NewAnswer:
    """The answer that ``write`` has written. Raises AnswerRefused."""
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise AnswerRefused("The answer cannot be read. Reload the page and try again.")
    return read(data)


def read(data: Mapping[str, Any]) -> NewAnswer:
    """The answer with these fields, which are those of ``NewAnswer``. Raises AnswerRefused."""
    texts = {name: data.get(name) or "" for name in ("rule", "cause", "column")}
    value, cells = data.get("value"), data.get("cells") or {}
    if not all(isinstance(text, str) for text in texts.values()) or not isinstance(value, str | None):
        raise AnswerRefused("rule, cause, column and value must be texts.")
    if texts["rule"] not in FOR_GROUPS:
        raise AnswerRefused(f"There is no rule “{texts['rule']:.40}”.")
    if texts["cause"] not in _KNOWN_CAUSES or texts["column"] not in {"", *COLUMNS}:
        raise AnswerRefused("There are no rows with this cause in this column.")
    if value is not None and (len(value) > _MAX_VALUE or "\0" in value):
        raise AnswerRefused("There are no rows with this value.")
    rule = Rule(texts["rule"])
    return NewAnswer(rule, texts["cause"], texts["column"], value, _read_cells(rule, cells))


def _read_cells(rule: Rule, cells: Any) -> dict[str, str]:
    known = {Rule.SET: _COLUMNS, Rule.SUGGESTED: frozenset({UNIT}), Rule.LEAVE_OUT: frozenset({REASON})}
    found = read_cells(cells, known.get(rule, frozenset()))
    if rule is Rule.SET and not found:
        raise AnswerRefused("Say which value to put in which column.")
    if len(found.get(REASON, "")) > MAX_REASON:
        raise AnswerRefused(f"Enter at most {MAX_REASON} characters as the reason.")
    return found


def read_cells(cells: Any, known: frozenset[str] = _COLUMNS) -> dict[str, str]:
    """Values by column. Raises AnswerRefused for a column that is not ``known`` and a value that no cell can have."""
    if not isinstance(cells, dict) or not all(isinstance(text, str) for text in (*cells, *cells.values())):
        raise AnswerRefused("The cells must be texts by the names of their columns.")
    if unknown := sorted(cells.keys() - known):
        raise AnswerRefused(f"There is no column “{unknown[0]:.40}” here.")
    for column, text in cells.items():
        if len(text) > MAX_CELL or "\0" in text:
            raise AnswerRefused(f"{column} is too long. Enter at most {MAX_CELL:,} characters.")
    return {column: text.replace("\r\n", "\n") for column, text in cells.items()}
