"""A release that adds a column, while imports of the release before it run, are paused and are over."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
from flask_migrate import upgrade
from redis import Redis

from app import create_app
from app.csvfile.header import layout_of
from app.csvfile.lines import LineReader
from app.extensions import db
from app.imports import commands
from app.imports.worker.catalog_cache import known_items
from app.imports.worker.chunk import complete, write
from app.imports.worker.targets import target_of
from app.models import Import
from app.queries import BatchKey
from app.queries.imports import transitions
from app.queries.listings.listings import Run
from app.storage import current_storage, iter_range
from tests.conftest import make_seller
from tests.end_to_end.new_column import work
from tests.factories import make_items, row, start
from tests.processes import ROOT

#: What a release that adds a column touches, besides its test.
_COLUMN = """
    LOCATION = _text("LOCATION", "Where it lies.", "Where it lies, or null.", "Shelf 17", limit=40, since=2)
"""
_FIELD = "    location: Mapped[str | None] = mapped_column(Text)\n"
_EARLIER_FIELD = "    location: Mapped[list[str | None] | None] = mapped_column(ARRAY(Text))\n"
_MIGRATION = '''"""where a listing lies"""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    op.add_column("listings", sa.Column("location", sa.Text(), nullable=True))
    op.add_column("earlier_values", sa.Column("location", sa.ARRAY(sa.Text()), nullable=True))
'''

#: Rows of each import, and those of its first chunk.
ROWS, CHUNK_ROWS = 200, 80


@pytest.fixture
def own_environ(environ: dict[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    """An installation whose database is another one than that of all other tests."""
    url, name = environ["DATABASE_URL"], f"new_column_{Path(environ['SLUICE_HOME']).parent.name}".replace("-", "_")
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"drop database if exists {name} with (force)")
        admin.execute(f"create database {name} template template0")
        yield {
            **environ,
            "DATABASE_URL": url.replace("/sluice?", f"/{name}?"),
            "STORAGE_URL": f"file://{tmp_path / 'storage'}",
        }
        admin.execute(f"drop database {name} with (force)")
    with Redis.from_url(environ["REDIS_URL"]) as redis:
        redis.flushdb()


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The source of the release that adds the column."""
    release = tmp_path / "release"
    for name in ("app", "migrations", "tests"):
        shutil.copytree(ROOT / name, release / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", release)
    _insert(release / "app/csvfile/columns.py", before="\n\nCOLUMNS: tuple[str, ...]", text=_COLUMN)
    _insert(release / "app/models.py", before="    created_import_id: Mapped[int]", text=_FIELD)
    _insert(release / "app/models.py", before="\n\nclass KeptListing", text=_EARLIER_FIELD)
    versions = release / "migrations/versions"
    head = max(path.name[:4] for path in versions.glob("[0-9]*.py"))
    (versions / "9999_location.py").write_text(_MIGRATION.format(head=head))
    return release


def _insert(path: Path, *, before: str, text: str) -> None:
    source = path.read_text()
    assert source.count(before) == 1
    path.write_text(source.replace(before, text + before))


def _write_a_chunk(started: Import) -> None:
    """Do what a worker does that hands its batch back after a chunk, because a release stops it."""
    key = BatchKey(started.seller_id, started.id, 1)
    claim = transitions.claim(key, 1)
    assert claim is not None
    pieces = iter_range(current_storage(), claim.storage_key, claim.cursor, claim.end_byte)
    target = target_of(key, claim.kind, Run(key.of_import, layout_of(claim.header), claim.digest_format))
    known = known_items(claim.catalog_version)
    reader = LineReader(
        pieces,
        header=claim.header,
        offset=claim.cursor,
        line=claim.cursor_line,
        complete=partial(complete, known_items=known, target=target),
    )
    write(key, 1, reader.take(CHUNK_ROWS), target)
    transitions.release(key, 1)
    db.session.commit()


def _upgrade(release: Path, environ: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.end_to_end.new_column"]
    done = subprocess.run(command, cwd=release, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(300)
def test_a_new_column_leaves_older_imports_and_files_as_they_are(
    own_environ: dict[str, str], release: Path, tmp_path: Path
) -> None:
    app = create_app(own_environ)
    with app.app_context():
        upgrade()
        seller = make_seller("seller@example.com")
        make_items(ROWS + 100)
        every = range(1, ROWS + 1)
        ended = [row(urn=f"urn:test:{n}", comment="old") for n in every]
        start(seller, [*ended, row(price="x"), row(urn="urn:none")], file_name="ended.csv")
        work()
        changes = [row(mode="UPDATE", urn=f"urn:test:{n}", price=200, notes="new") for n in every]
        start(seller, changes[:10], file_name="check.csv", is_check=True)
        work()
        # In the end it says of some listings what they were before it: such rows change nothing.
        again = [row(mode="UPDATE", urn=f"urn:test:{n}", comment="old") for n in range(1, 51)]
        _write_a_chunk(start(seller, [*changes, *again], file_name="running.csv"))
        paused = start(seller, [row(urn=f"urn:test:{n}", condition="EX") for n in every], file_name="paused.csv")
        _write_a_chunk(paused)
        commands.pause(seller.id, paused.public_id)
        db.session.remove()
        db.engine.dispose()
    _upgrade(release, own_environ)
