"""The drawing of the house: every import between the packages of ``app`` goes downwards."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

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
TREES = {module: ast.parse(file.read_text()) for module, file in FILES.items()}


def room_of(module: str) -> str:
    """The innermost room of a module."""
    while module not in HEIGHTS:
        module = module.rpartition(".")[0]
    return module


def imports_of(module: str) -> Iterator[tuple[str, str]]:
    """The modules that ``module`` imports, wherever in its text, and the name taken from each; empty for all of it."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: import by the full name"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole, "") if whole in FILES else (str(node.module), alias.name)


def is_in(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


@pytest.mark.parametrize("module", FILES)
def test_imports_go_downwards(module: str) -> None:
    here = room_of(module)
    # A module in no room but the root is on the top floor, where nothing may import it.
    assert here != "app" or module == "app", "give the new module a floor"
    others = {name for name, _ in imports_of(module) if is_in(name, ("app",)) and room_of(name) != here}
    assert {name for name in others if HEIGHTS[room_of(name)] >= HEIGHTS[here]} == set()


def test_every_room_is_there() -> None:
    assert set(HEIGHTS) - set(FILES) == set()


@pytest.mark.parametrize("module", [module for module in FILES if not is_in(module, ("app.queries",))])
def test_only_queries_have_sql(module: str) -> None:
    if module in DECLARATIONS:
        return
    taken = {name for source, name in imports_of(module) if is_in(source, ("sqlalchemy",))}
    assert taken & STATEMENTS == set()
    texts = (node.value for node in ast.walk(TREES[module]) if isinstance(node, ast.Constant))
    assert [text for text in texts if isinstance(text, str) and SQL.match(text)] == []


@pytest.mark.parametrize("module", FILES)
def test_libraries_are_spoken_to_in_one_place(module: str) -> None:
    for library, rooms in LIBRARIES.items():
        uses = any(is_in(name, (library,)) for name, _ in imports_of(module))
        assert not uses or is_in(module, rooms), f"{module} imports {library}"
