"""The drawing of the house: every import between the packages of ``app`` goes downwards."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.processes import ROOT

#: The floors, lowest first. A module does not import its neighbours on the same floor.
FLOORS: list[set[str]] = [
    {"app.batch_plan"},
    {
        "app.catalog_words",
        "app.config",
        "app.csvfile",
        "app.extensions",
        "app.file_lock",
        "app.humanize",
        "app.redis_client",
        "app.statuses",
        "app.version",
    },
    {"app.database", "app.identity.passwords", "app.import_fields", "app.models", "app.rate_limits", "app.storage"},
    {"app.audit", "app.diagnosis", "app.queries"},
    {"app.queries.identity", "app.queries.listings"},
    {"app.queries.deliveries"},
    {"app.queries.imports"},
    {"app.queries.operations"},
    {"app.jobs"},
    {
        "app.catalog",
        "app.demo",
        "app.identity",
        "app.imports.errors",
        "app.imports.foreign",
        "app.imports.letting_go",
        "app.observability",
    },
    {"app.imports.settling"},
    {"app.imports.reports", "app.imports.worker"},
    {"app.imports"},
    {"app.deliveries", "app.listings", "app.operators", "app.periodic_tasks"},
    {"app.http"},
    {"app.api", "app.cli", "app.web"},
    {"app.local"},
    {"app"},
]
HEIGHTS = {room: height for height, floor in enumerate(FLOORS) for room in floor}

#: Where a library is spoken to; the others know only what these rooms make of it.
LIBRARIES = {
    "rq": ("app.jobs",),
    "rq_dashboard": ("app.web.queues",),
    "boto3": ("app.storage",),
}
#: Tables and settings of sessions are declared here; statements stand in ``app.queries`` alone.
DECLARATIONS = ("app.models", "app.database")
SQL = re.compile(r"\s*(select\s|insert into\s|update \w+\s+set\s|delete from\s|with \w+ as\s*\()")
STATEMENTS = {"text", "select", "insert", "update", "delete", "func", "exists"}


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(file): file for file in sorted((ROOT / "app").rglob("*.py"))}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text())


def room_of(module: str) -> str:
    """The innermost room of a module."""
    while module not in HEIGHTS:
        module = module.rpartition(".")[0]
    return module


@cache
def imports_of(module: str) -> list[tuple[str, str]]:
    """The modules that ``module`` imports, wherever in its text, and the name taken from each; empty for all of it."""
    found = []
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: import by the full name"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.append((whole, "") if whole in FILES else (str(node.module), alias.name))
    return found


def is_in(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def test_every_module_has_a_floor() -> None:
    # A module in no room but the root is on the top floor, where nothing may import it.
    assert [module for module in FILES if room_of(module) == "app"] == ["app"]


def test_imports_go_downwards() -> None:
    assert [*upward_imports()] == []


def upward_imports() -> Iterator[tuple[str, str]]:
    for module in FILES:
        here = room_of(module)
        for name, _ in imports_of(module):
            if is_in(name, ("app",)) and room_of(name) != here and HEIGHTS[room_of(name)] >= HEIGHTS[here]:
                yield module, name


def test_every_room_is_there() -> None:
    assert set(HEIGHTS) - set(FILES) == set()


def test_only_queries_have_sql() -> None:
    assert [*sql_elsewhere()] == []


def sql_elsewhere() -> Iterator[tuple[str, str]]:
    for module in FILES:
        if module in DECLARATIONS or is_in(module, ("app.queries",)):
            continue
        for source, name in imports_of(module):
            if is_in(source, ("sqlalchemy",)) and name in STATEMENTS:
                yield module, name
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
                yield module, node.value


def test_libraries_are_spoken_to_in_one_place() -> None:
    elsewhere = [
        (module, library)
        for module in FILES
        for library, rooms in LIBRARIES.items()
        if not is_in(module, rooms) and any(is_in(name, (library,)) for name, _ in imports_of(module))
    ]
    assert elsewhere == []
