"""Statements name the seller of the tables that grow with rows, and join no other's to them; see ``app.queries``.

The statements are read from the modules: from their constants and f-strings, in which what is known is filled in, and
from the queries made of models.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.extensions import db
from app.models import BY_SELLER, ON_ALL_NODES
from tests.unit.test_architecture import FILES, tree_of

TABLES = {model.__tablename__ for model in BY_SELLER}
COPIED = {model.__tablename__ for model in ON_ALL_NODES}
MODULES = [name for name in FILES if name.startswith("app.queries")]
#: Finds what is left over, whosever it is.
_ACROSS_SELLERS = re.compile(r"select seller_id, import_id from (claims|left_alone|earlier_values)\b")
#: Stands in a statement for what is known only when the program runs.
_UNKNOWN = "…"

#: A table that is read or changed, with its alias. What is inserted has a seller: the column has no default.
_USE = re.compile(
    rf"\b(?:from|join|using|update)\s+({'|'.join(sorted(TABLES))}|(?:(?<=delete from )|(?<=ctid from )){_UNKNOWN})"
    r"(?![\w.])(?:\s+(?!where\b|order\b|group\b|left\b|cross\b|join\b|set\b|on\b|union\b)(\w+))?"
)
#: The same of any table but those of which every node has a copy.
_ANY_USE = re.compile(_USE.pattern.replace("|".join(sorted(TABLES)), "|".join(sorted({*db.metadata.tables} - COPIED))))


def find_unnamed(sql: str) -> list[str]:
    """The tables whose seller a statement does not name by a parameter, next to where it uses them."""
    return [
        use[1]
        for level in _levels(_plain(_ACROSS_SELLERS.sub("", sql)))
        for use in _USE.finditer(level)
        if not re.search(rf"(?<![.\w]){use[2] + '[.]' if use[2] else ''}seller_id = [?]", level)
    ]


def find_mixed(sql: str) -> list[str]:
    """What of a statement a cluster refuses, or moves rows of all sellers for.

    It is a join of these tables with the ledger in a sub-select, or with those of all sellers; a sub-select on the one
    that refers to the other around it; and a change in a WITH that goes by ctid.
    """
    sql = _plain(sql)
    tables = {use[2] or use[1]: use[1] for use in _ANY_USE.finditer(sql)}
    found = []
    *inner, outer = _levels(sql)
    for level in (*inner, outer):
        own = {use[2] or use[1]: use[1] for use in _ANY_USE.finditer(level)}
        here = {*own, *re.findall(r"\[\]\s+(?:as\s+)?(\w+)", level)}
        around = {tables[name] for name in re.findall(r"\b(\w+)\.", level) if name in tables.keys() - here}
        ledger = {name: table for name, table in own.items() if table not in TABLES}
        if 0 < len(ledger) < len(own):
            named = {name for name in ledger if level is outer and f"{name}.seller_id = ?" in level}
            found += [table for name, table in ledger.items() if name not in named]
        elif own:
            found += sorted(around & TABLES if ledger else around - TABLES)
        if level is not outer and re.match(r"\s*(update|delete)\b.*\bctid\b", level, re.DOTALL):
            found.append("ctid")
    return found


def _plain(sql: str) -> str:
    """A statement without comments and texts, and with a question mark for each parameter."""
    return re.sub(r"%\(\w+\)[bs]|%[bs]|(?<!:):\w+", "?", re.sub(r"--.*|'[^']*'", "''", sql))


def _levels(sql: str) -> Iterator[str]:
    """What stands in each pair of parentheses, without what stands in others in it, and what stands in none."""
    while inner := re.search(r"\(([^()]*)\)", sql):
        yield inner[1]
        sql = f"{sql[: inner.start()]}[]{sql[inner.end() :]}"
    yield sql


class Texts(ast.NodeVisitor):
    """Collects the texts of a module, with the parts of its f-strings as far as they are known."""

    def __init__(self, module: str) -> None:
        self.of_module = self.known = dict(vars(importlib.import_module(module)))
        self.found: list[str] = []
        self.visit(tree_of(module))

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        around = self.known
        self.known = {name: value for name, value in around.items() if name not in _arguments(node)}
        self.generic_visit(node)
        self.known = around

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        if isinstance(node.targets[0], ast.Name) and self.known is not self.of_module:
            is_text = isinstance(node.value, ast.Constant | ast.JoinedStr)
            self.known[node.targets[0].id] = self.value_of(node.value) if is_text else None

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.found.append(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self.found.append(self.value_of(node))

    def value_of(self, node: ast.expr) -> Any:
        if isinstance(node, ast.JoinedStr):
            return "".join(map(self.value_of, node.values))
        if isinstance(node, ast.FormattedValue):
            value = self.value_of(node.value)
            return value if isinstance(value, str) else _UNKNOWN
        try:
            return eval(compile(ast.Expression(node), "", "eval"), self.known)
        except (AttributeError, NameError, TypeError):
            return None


def _arguments(node: ast.FunctionDef) -> set[str]:
    return {one.arg for one in (*node.args.args, *node.args.kwonlyargs)}


@pytest.fixture(scope="module")
def texts() -> list[tuple[str, str]]:
    """Every text of every module, with the name of the module."""
    return [(module, text) for module in MODULES for text in Texts(module).found]


def test_statements_name_the_seller_and_join_nothing_across_machines(texts: list[tuple[str, str]]) -> None:
    assert [(found, *text) for text in texts if (found := find_unnamed(text[1]) + find_mixed(text[1]))] == []


def test_parameters_have_names(texts: list[tuple[str, str]]) -> None:
    assert [text for text in texts if re.search(r"(?<!%)%[sbt]\b", text[1])] == []


def test_queries_made_of_models_name_the_seller() -> None:
    models = {model.__name__ for model in BY_SELLER}
    functions = [node for module in MODULES for node in tree_of(module).body if isinstance(node, ast.FunctionDef)]
    for function in functions:
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
        asked = {
            name.id
            for call in calls
            if isinstance(call.func, ast.Name) and call.func.id in {"select", "delete", "update", "exists"}
            for argument in call.args
            for name in ast.walk(argument)
            if isinstance(name, ast.Name) and name.id in models
        }
        text = ast.unparse(function)
        named = {model for model in models if f"{model}.seller_id == key.seller_id" in text}
        assert asked <= named or "filter_by(**key._asdict())" in text, function.name


def test_every_table_is_found(texts: list[tuple[str, str]]) -> None:
    used = {use[1] for use in _USE.finditer("\n".join(text for _, text in texts))}
    assert used == {*TABLES, _UNKNOWN}
    assert all([*model.__table__.primary_key][0].name == "seller_id" for model in BY_SELLER)


@pytest.mark.parametrize(
    ("sql", "unnamed"),
    [
        ("select 1 from listings where seller_id = %s", []),
        ("select 1 from row_errors e where e.seller_id = %(seller_id)s and e.line = 1", []),
        ("select 1 from row_errors e where seller_id = %(seller_id)s", ["row_errors"]),
        ("update listings l set price = k.price from k where l.ctid = k.place", ["listings"]),
        ("delete from claims where ctid = any(array(select ctid from claims where seller_id = %s))", ["claims"]),
        (
            "select 1 from row_errors e join corrections c on c.seller_id = e.seller_id where e.seller_id = %s",
            ["corrections"],
        ),
        ("select 1 from imports i where exists (select from claims c where c.seller_id = i.seller_id)", ["claims"]),
        (f"delete from {_UNKNOWN} where import_id = %s", [_UNKNOWN]),
    ],
)
def test_what_is_found(sql: str, unnamed: list[str]) -> None:
    assert find_unnamed(sql) == unnamed


@pytest.mark.parametrize(
    ("sql", "mixed"),
    [
        ("select 1 from listings l join items i on i.id = l.item_id where l.seller_id = ?", []),
        ("select 1 from row_errors e join imports i on i.seller_id = %(seller)s and i.id = e.import_id", []),
        ("select 1 from row_errors e join imports i on i.seller_id = e.seller_id", ["imports"]),
        ("select 1 from imports i where (i.seller_id, i.id) in (select seller_id, import_id from claims)", []),
        ("select 1 from imports i where exists (select from claims c where c.import_id = i.id)", ["imports"]),
        ("select (select max(b.number) from batches b where b.import_id = c.import_id) from claims c", ["claims"]),
        ("with k as (select 1 from claims c join imports i on i.seller_id = ?) select 1 from k", ["imports"]),
        ("with k as (update listings l set price = 1 where l.ctid = any(?) returning 1) select 1 from k", ["ctid"]),
        ("delete from claims where seller_id = ? and ctid = any(array(select ctid from claims))", []),
    ],
)
def test_what_joins_across_machines(sql: str, mixed: list[str]) -> None:
    assert find_mixed(sql) == mixed
