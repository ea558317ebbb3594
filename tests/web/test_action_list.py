"""One list of actions: each has its route on the pages and in the API, and no route has none."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
from flask import Flask
from marshmallow.validate import OneOf

from app.api.schemas import ImportInFull
from app.imports import actions, commands, undo
from app.imports.actions import ACTIONS, SELLER_ACTIONS, ActionContext, Confirmation, Who
from app.statuses import ImportKind, ImportStatus, RetriedRows

#: Importing the stored file again is allowed in every status; a separate page asks about it.
_ALWAYS = {"again"}
#: These change what is kept of an import, and not its run; clients change and delete the import itself.
_RECORD = {"edit", "dealt-with", "not-dealt-with", "delete"}
#: These correct its failed rows.
_FIX = {"fix", "fix/rows", "fix/take-back", "fix/import"}


def paths(app: Flask, base: str) -> set[str]:
    """What can be posted below the address of an import."""
    prefix = f"{base}/<uuid:public_id>/"
    return {
        rule.rule.removeprefix(prefix)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(prefix) and "POST" in (rule.methods or ())
    }


@pytest.mark.parametrize(
    ("base", "who", "others"),
    [
        ("/imports", Who.SELLER, _ALWAYS | _RECORD | _FIX | {"fix/start"}),
        ("/api/v1/imports", Who.SELLER, _ALWAYS | _FIX | {"fix/answers"}),
        ("/ops/imports", Who.OPERATOR, set()),
    ],
)
def test_every_action_has_its_route_and_every_route_its_action(
    app: Flask, base: str, who: Who, others: set[str]
) -> None:
    assert paths(app, base) == {action.path for action in ACTIONS if who in action.who} | others


def test_every_command_on_an_import_is_in_the_list() -> None:
    def is_on_import(command: Callable[..., object]) -> bool:
        return [*inspect.signature(command).parameters][:2] == ["seller_id", "public_id"]

    public = {
        command
        for name, command in inspect.getmembers(commands, inspect.isfunction)
        if command.__module__ == commands.__name__ and not name.startswith("_") and is_on_import(command)
    }
    others = {commands.import_again, commands.import_corrected}
    assert public | {undo.start} == {action.command for action in ACTIONS} | others


def test_the_api_describes_the_actions_of_the_list() -> None:
    validator = ImportInFull().fields["actions"].inner.validate  # type: ignore[attr-defined]
    assert isinstance(validator, OneOf)
    assert [*validator.choices] == [*SELLER_ACTIONS]


def test_what_cannot_be_taken_back_is_asked_first() -> None:
    asking = {action.name: action.confirmation for action in ACTIONS if action.confirmation}
    assert asking == {"terminate": Confirmation.TERMINATE, "undo": Confirmation.UNDO_PREVIEW}


@pytest.mark.parametrize("kind", ImportKind)
@pytest.mark.parametrize("status", ImportStatus)
def test_who_is_offered_what(status: ImportStatus, kind: ImportKind) -> None:
    one = ActionContext(status, kind, is_pausing=False, can_retry=[RetriedRows.FAILED], given_up=1)
    expected = {
        "RUNNING": ["pause", "terminate"],
        "PAUSED": ["resume", "terminate"],
    }.get(status, [])
    assert [action.name for action in actions.offer(one, Who.SELLER)] == [*expected, "retry-failed"]
    reopens = status in {"RUNNING", "FAILED"} and kind == "IMPORT"
    expected[1:1] = ["reopen"] * reopens
    assert [action.name for action in actions.offer(one, Who.OPERATOR)] == expected
