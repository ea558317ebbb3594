"""What is too old goes, and nothing that is in motion or still needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app import periodic_tasks
from app.extensions import db
from app.imports import commands, retention
from app.imports.errors import TransitionRefused
from app.models import Import, Seller
from app.periodic_tasks import Task
from app.queries import periodic
from app.queries.imports import retention as old
from tests.api.conftest import make_program, problem
from tests.conftest import storage_root
from tests.factories import csv_bytes, look, make_items, row, start
from tests.pages import buttons, page, read
from tests.states import STATES, everything, make

RUNNING, PAUSED, COMPLETED, FAILED, TERMINATED, GIVEN_UP = STATES[1], *STATES[3:]


@pytest.fixture(autouse=True)
def keep(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Keep everything for ever, but for what a test says."""

    def set_days(**days: int) -> None:
        settings = app.extensions["sluice_settings"]
        for name in ("sources", "errors", "imports"):
            object.__setattr__(settings, f"keep_{name}_days", days.get(name, 0))

    before = app.extensions["sluice_settings"]
    kept = {f"keep_{name}_days": getattr(before, f"keep_{name}_days") for name in ("sources", "errors", "imports")}
    set_days()
    yield set_days
    for name, value in kept.items():
        object.__setattr__(before, name, value)


def age(one: Import, days: int) -> None:
    db.session.execute(
        text("update imports set finished_at = finished_at - make_interval(days => :days) where id = :id"),
        {"days": days, "id": one.id},
    )
    db.session.commit()


def count(table: str) -> int:
    db.session.rollback()
    return db.session.execute(text(f"select count(*) from {table}")).scalar_one()


def test_without_settings_nothing_goes(seller: Seller) -> None:
    age(make(FAILED, seller), 9999)
    before = everything()
    assert retention.remove_old()
    assert everything() == before


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_what_is_in_motion_stays_however_old_it_is(seller: Seller, keep, state, storage_files) -> None:
    made = make(state, seller)
    db.session.execute(text("update imports set created_at = created_at - interval '999 days'"))
    age(made, 9)
    keep(sources=1, errors=1, imports=1)
    assert retention.remove_old()
    is_over = state.status not in {"RUNNING", "PAUSED"}
    assert count("imports") == (0 if is_over else 1)
    assert len(storage_files()) == (0 if is_over else 1)
    if is_over:
        assert [count(table) for table in ("batches", "row_errors", "error_groups")] == [0, 0, 0]


def test_what_is_young_stays(seller: Seller, keep) -> None:
    age(make(FAILED, seller), 9)
    before = everything()
    keep(sources=10, errors=10, imports=10)
    assert retention.remove_old()
    assert everything() == before


def test_a_file_goes_when_no_import_that_shares_it_needs_it(
    seller: Seller, keep, run_jobs: Callable[[], None], storage_files
) -> None:
    make_items()
    first = start(seller, [row()])
    run_jobs()
    second = commands.import_again(seller.id, first.public_id)
    age(first, 9)
    keep(sources=1)
    retention.remove_old()
    assert len(storage_files()) == 1, "the second is running"
    run_jobs()
    retention.remove_old()
    assert len(storage_files()) == 1, "the second has just ended"
    age(second, 9)
    retention.remove_old()
    assert storage_files() == []
    with pytest.raises(FileNotFoundError):
        commands.import_again(seller.id, first.public_id)


def test_who_starts_an_import_of_a_file_comes_before_its_removal(seller: Seller, keep, storage_files) -> None:
    made = make(FAILED, seller)
    age(made, 9)
    key = old.ImportKey(seller.id, made.id)
    assert old.hold_source(key)
    with db.engine.connect() as other, other.begin():
        other.execute(text("set local lock_timeout = '50ms'"))
        with pytest.raises(Exception, match="lock timeout"):
            other.execute(text("select 1 from imports for no key update"))
    db.session.rollback()
    assert old.give_up_source(old.StoredFile(seller.id, made.storage_key), days=1)
    assert not old.hold_source(key)


def test_pages_say_what_is_not_kept(client: FlaskClient, seller: Seller, keep) -> None:
    made = make(FAILED, seller)
    age(made, 9)
    keep(sources=1, errors=1)
    assert retention.remove_old()
    soup = page(client, f"/imports/{made.public_id}")
    assert "The uploaded file has been deleted." in soup.text
    assert "The failed rows have been deleted." in soup.text
    assert "Retry failed rows" not in buttons(soup)
    assert look(made).failed == 1, "the counters stay"
    assert "have been deleted" in page(client, f"/imports/{made.public_id}/errors").text
    for name in ("source", "succeeded", "failed", "errors", "as-updates", "remaining"):
        answer = client.get(f"/imports/{made.public_id}/{name}.csv")
        if name != "remaining":
            assert "deleted" in read(answer, 404).text
    with pytest.raises(TransitionRefused, match="deleted"):
        commands.retry(seller.id, made.public_id, commands.RetriedRows.FAILED)


def test_without_its_failed_rows_nobody_can_say_which_succeeded(
    app: Flask, client: FlaskClient, seller: Seller, keep
) -> None:
    made = make(FAILED, seller)
    age(made, 9)
    keep(errors=1)
    assert retention.remove_old()
    soup = page(client, f"/imports/{made.public_id}")
    assert "source.csv" in (links := " ".join(link["href"] for link in soup.select("main a")))
    assert "succeeded.csv" not in links
    program = make_program(app, seller)
    for name in ("failed.csv", "errors.csv", "as-updates.csv", "succeeded.csv"):
        assert "deleted" in read(client.get(f"/imports/{made.public_id}/{name}"), 404).text
        assert "deleted" in str(problem(program.get(f"imports/{made.public_id}/{name}"), 404, "not-found"))
    assert "deleted" in str(problem(program.get(f"imports/{made.public_id}/errors"), 404, "not-found"))
    assert client.get(f"/imports/{made.public_id}/source.csv").status_code == 200


def test_where_nothing_failed_there_is_nothing_to_miss(client: FlaskClient, seller: Seller, keep) -> None:
    made = make(COMPLETED, seller)
    age(made, 9)
    keep(errors=1)
    assert retention.remove_old()
    assert client.get(f"/imports/{made.public_id}/succeeded.csv").status_code == 200


def test_a_batch_without_its_file_is_not_tried_again(seller: Seller, keep) -> None:
    made = make(GIVEN_UP, seller)
    age(made, 9)
    keep(sources=1)
    retention.remove_old()
    with pytest.raises(TransitionRefused, match="deleted"):
        commands.reopen(seller.id, made.public_id)


def test_a_parent_stays_as_long_as_its_retry(seller: Seller, keep, run_jobs: Callable[[], None]) -> None:
    made = make(FAILED, seller)
    child = commands.retry(seller.id, made.public_id, commands.RetriedRows.FAILED)
    run_jobs()
    age(made, 9)
    keep(imports=1)
    retention.remove_old()
    assert count("imports") == 2
    age(child, 9)
    retention.remove_old()
    assert count("imports") == 0
    assert count("audit_log") > 0, "what was done stays on record"


def test_a_stored_file_without_an_import_goes(seller: Seller, environ: dict[str, str], keep, storage_files) -> None:
    made = make(RUNNING, seller)
    root = storage_root(environ)
    orphan = root / str(seller.id) / "00000000-0000-4000-8000-000000000000.csv"
    not_ours = root / "somebody" / "report.csv"
    for path in (orphan, not_ours):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(csv_bytes([row()]))
    assert retention.remove_unneeded(older_than_seconds=3600) == 0, "its upload may be about to be committed"
    assert retention.remove_unneeded(older_than_seconds=-1) == 1
    assert storage_files() == sorted([made.storage_key, str(Path("somebody", "report.csv"))])


def due() -> set[str]:
    return periodic.find_due({task.name: task.every_seconds for task in periodic_tasks.TASKS})


def test_each_task_is_done_by_one_host_once_in_its_interval(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    tasks = [Task(name, seconds, lambda name=name: done.append(name)) for name, seconds in (("a", 60), ("b", 3600))]
    monkeypatch.setattr(periodic_tasks, "TASKS", tasks)
    for _ in range(2):
        periodic_tasks.run_due()
    assert done == ["a", "b"]
    db.session.execute(text("update periodic_tasks set last_run_at = last_run_at - interval '2 minutes'"))
    db.session.commit()
    assert not periodic.take_turn("b", every_seconds=3600)
    periodic_tasks.run_due()
    assert done == ["a", "b", "a"]


def test_a_task_that_fails_holds_up_no_other(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def fail() -> None:
        raise OSError("the storage is away")

    tasks = [Task("fails", 60, fail), Task("works", 60, lambda: done.append("works"))]
    monkeypatch.setattr(periodic_tasks, "TASKS", tasks)
    periodic_tasks.run_due()
    assert done == ["works"]


def test_the_tick_removes_a_little_at_a_time(seller: Seller, keep, monkeypatch: pytest.MonkeyPatch) -> None:
    age(make(FAILED, seller), 9)
    keep(errors=1)
    monkeypatch.setattr(retention, "_SECONDS", 0)
    periodic_tasks.run_due()
    assert count("row_errors") == 0
    assert due() == {"remove old files and rows"}, "the rest comes at the next tick"
    periodic_tasks.run_due()
    assert due() == set()
