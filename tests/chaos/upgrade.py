"""An upgrade from another release, with the processes of both: imports go on through it, and nothing is lost.

    .venv/bin/python -m tests.chaos.upgrade REVISION

It checks out REVISION, imports with its processes, migrates, replaces the processes, and compares the outcome of every
import with that of a run without an upgrade. It uses this checkout's packages for both.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
from sqlalchemy import select

from app.extensions import db
from app.models import Import
from examples.sluice_client import Sluice
from tests.chaos.files import ITEMS, File, starting_file, trial_file
from tests.chaos.home import Home
from tests.chaos.ledger import Outcome, Started, book_faults, compare, outcome
from tests.processes import ROOT, wait_until

_END_SECONDS = 300
#: Enough rows that several batches are over and others are not.
_SOME_ROWS = 8_000
_PASSWORD = "only for trials, and known to everybody"


class Run(NamedTuple):
    """An import or check, and what it is here for."""

    what: str
    client: Sluice
    id: str
    is_check: bool

    def state(self) -> dict[str, Any]:
        """The import as the API describes it."""
        return self.client.get(f"/api/v1/imports/{self.id}")

    def press(self, button: str) -> dict[str, Any]:
        """Press a button. Raises Refused."""
        return self.client.post(f"/api/v1/imports/{self.id}/{button}")

    @property
    def is_over(self) -> bool:
        """Whether it is in a final status."""
        return self.state()["status"] not in {"RUNNING", "PAUSED"}

    @property
    def processed(self) -> int:
        """The number of processed rows."""
        state = self.state()
        return int(state["successful"] + state["failed"])


class Upgrade:
    """One upgrade of one installation."""

    def __init__(self, release: Path) -> None:
        self.home = Home(2, code=release)
        self.file = trial_file()
        self.runs: list[Run] = []
        self._clients: list[Sluice] = []
        self._directory = Path(tempfile.mkdtemp(dir=self.home.root))
        for name, data in (("stock.csv", self.file.data), ("start.csv", starting_file().data)):
            (self._directory / name).write_bytes(data)
        catalog = self._directory / "catalog.csv"
        header = "urn,game,set,name,number,rarity,variants,cardmarket_ids,tcgplayer_ids"
        items = (f"urn:test:{n},Game,Set,Name {n},{n},,normal|reverse|de,{n}," for n in range(1, ITEMS + 1))
        catalog.write_text("\n".join([header, *items, ""]))
        self.home.flask("catalog", "load", str(catalog))

    def client(self, address: str) -> Sluice:
        """A new seller with the initial listings."""
        email = f"seller{time.monotonic_ns()}@example.com"
        self.home.flask("sellers", "create", email, "--password-stdin", typed=_PASSWORD)
        token = self.home.flask("tokens", "create", "--seller", email, "--name", "trial").split()[-1]
        client = Sluice(address, token)
        self._clients.append(client)
        first = Run("start", client, client.upload(self._directory / "start.csv")["id"], is_check=False)
        wait_until(lambda: first.is_over)
        return client

    def start(self, what: str, client: Sluice, *, check: bool = False) -> Run:
        """Upload the file."""
        started = client.upload(self._directory / "stock.csv", check=check)
        self.runs.append(Run(what, client, started["id"], check))
        return self.runs[-1]

    def migrate(self) -> None:
        """Run this release's migrations; processes that are started from now on are this release's."""
        self.home.code = ROOT
        began = time.monotonic()
        self.home.flask("db", "upgrade")
        click.echo(f"  migrated in {time.monotonic() - began:.1f} s")

    def tell(self, when: str) -> None:
        """Print how far every import is."""
        states = [(run.what, run.state()) for run in self.runs]
        told = (f"{what} {one['status']} {one['successful'] + one['failed']:,}" for what, one in states)
        click.echo(f"  {when}: {'; '.join(told)}")

    def run_quietly(self, client: Sluice) -> None:
        """A check and an import that no upgrade disturbs."""
        for check in (True, False):
            quiet = self.start("quiet check" if check else "quiet", client, check=check)
            wait_until(lambda quiet=quiet: quiet.is_over, seconds=_END_SECONDS)  # type: ignore[misc]

    def run_three(self, clients: Sequence[Sluice]) -> Run:
        """A paused import, a running one, which is returned, and a check."""
        paused = self.start("paused", clients[0])
        wait_until(lambda: paused.processed)
        paused.press("pause")
        wait_until(lambda: paused.state()["status"] == "PAUSED")
        running = self.start("running", clients[1])
        self.start("check", clients[2], check=True)
        return running

    def move(self, address: str) -> None:
        """Have every seller use another web server."""
        for client in self._clients:
            client.address = address

    def finish(self) -> None:
        """Resume what is paused, wait for the end of everything, and compare. Raises SystemExit if anything differs."""
        for run in self.runs:
            if run.state()["status"] == "PAUSED":
                run.press("resume")
        for run in self.runs:
            wait_until(lambda run=run: run.is_over, seconds=_END_SECONDS)  # type: ignore[misc]
        self.tell("over")
        troubles = [*self.troubles(), *self.retry(), *self.home.logged_errors()]
        for trouble in troubles:
            click.echo(f"  WRONG: {trouble}")
        if troubles:
            raise SystemExit(1)
        click.echo(f"  right: {len(self.runs)} runs, and retries of the failed rows of those that were imports")

    def troubles(self) -> Iterator[str]:
        """Compare every outcome with the first of its kind, which no upgrade has disturbed."""
        with self.home.app.app_context():
            quiet: dict[bool, Outcome] = {}
            for run in self.runs:
                found = db.session.scalars(select(Import).where(Import.public_id == run.id)).one()
                started = Started.of(found)
                result = _outcome(started, self.file, is_check=run.is_check)
                difference = compare(result, quiet.setdefault(run.is_check, result))
                troubles = [*difference.troubles, *list(book_faults(started))[:5]]
                yield from (f"{run.what}: {trouble}" for trouble in troubles)
                if difference.lost or difference.doubled:
                    yield f"{run.what}: {difference.lost} lost, {difference.doubled} doubled"
            db.session.remove()

    def retry(self) -> Iterator[str]:
        """Retry the failed rows of every import with this release; where none has changed, they fail again."""
        for run in self.runs:
            if run.is_check:
                continue
            failed = self._directory / "failed.csv"
            run.client.download(f"/api/v1/imports/{run.id}/failed.csv", failed)
            if not failed.stat().st_size:
                yield f"{run.what}: failed.csv is empty"
            state = run.state()
            retry = Run("retry", run.client, run.press("retry?rows=FAILED")["id"], is_check=False)
            wait_until(lambda retry=retry: retry.is_over)  # type: ignore[misc]
            again = retry.state()
            if (again["total"], again["failed"]) != (state["failed"], state["failed"]):
                yield f"{run.what}: of {state['failed']} failed rows, a retry took {again['total']}"


def _outcome(started: Started, file: File, *, is_check: bool) -> Outcome:
    result = outcome(started, file)
    # A check writes nothing: its seller has the listings of other imports.
    return result._replace(listings={}) if is_check else result


def replaced_one_by_one(trial: Upgrade) -> None:
    """Migrate below the running processes, replace the web server, then let workers of both releases work at once."""
    with trial.home.web() as (address, _):
        old_workers = trial.home.workers()
        clients = [trial.client(address) for _ in range(7)]
        trial.run_quietly(clients[0])
        running = trial.run_three(clients[1:4])
        crossing = trial.start("paused by the old, resumed by the new", clients[4])
        wait_until(lambda: running.processed)
        trial.tell("before")
        trial.migrate()
        trial.tell("migrated")
        trial.start("uploaded to the old", clients[5])
        crossing.press("pause")
    with trial.home.web() as (address, _):
        trial.move(address)
        wait_until(lambda: crossing.state()["status"] != "RUNNING")
        crossing.press("resume")
        uploaded = trial.start("uploaded to the new", trial.client(address))
        trial.start("checked by the new", clients[6], check=True)
        new_workers = trial.home.start_workers()
        trial.tell("workers of both")
        wait_until(lambda: uploaded.processed > _SOME_ROWS, seconds=60)
        trial.home.replace_workers(old_workers, new_workers)
        trial.tell("workers of the new")
        trial.finish()


def stopped_and_started(trial: Upgrade) -> None:
    """Kill all processes, migrate, and start those of this release."""
    with trial.home.web() as (address, web):
        trial.home.workers()
        clients = [trial.client(address) for _ in range(4)]
        trial.run_quietly(clients[0])
        running = trial.run_three(clients[1:4])
        wait_until(lambda: running.processed > _SOME_ROWS)
        trial.tell("before")
        trial.home.kill_workers()
        trial.home.kill_web(web)
    trial.migrate()
    with trial.home.web() as (address, _):
        trial.move(address)
        trial.home.workers()
        trial.tell("started")
        trial.finish()


def main() -> None:
    """Try both ways to upgrade."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.upgrade", description=__doc__)
    parser.add_argument("revision", help="the release before, as Git names it")
    revision = parser.parse_args().revision
    with tempfile.TemporaryDirectory() as directory:
        release = Path(directory) / "release"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(release), revision], check=True)
        try:
            for way in (replaced_one_by_one, stopped_and_started):
                click.echo(f"{way.__name__.replace('_', ' ')}:")
                trial = Upgrade(release)
                try:
                    way(trial)
                except Exception:
                    click.echo(trial.home.last_words())
                    raise
                finally:
                    trial.home.close()
        finally:
            subprocess.run([*git, "remove", "--force", str(release)], check=True)


if __name__ == "__main__":
    sys.exit(main())
