"""The command line: ``flask --app wsgi …`` for operators and scripts."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext
from redis import RedisError
from tqdm import tqdm

from app import accounts, catalog
from app.csvfile.rejected import FileRejected
from app.extensions import db
from app.imports import commands, progress, queue, reconcile, verify
from app.imports.progress import ImportProgress
from app.models import Import
from app.queries import imports, items
from app.statuses import FINAL_IMPORT_STATUSES, ImportStatus

DEMO_EMAIL = "demo@sluice.example"
DEMO_PASSWORD = "sluice-demo"
DEMO_CATALOG = Path(__file__).parent / "demo" / "catalog.csv"

#: What ``imports start --wait`` exits with; scripts rely on these numbers.
EXIT_CODES = {ImportStatus.COMPLETED: 0, ImportStatus.FAILED: 1, ImportStatus.TERMINATED: 3}
EXIT_REFUSED = 2

_POLL_SECONDS = 0.5
_FAULTS_SHOWN = 20
_PIECE_BYTES = 1 << 18

sellers_commands = AppGroup("sellers", help="Accounts of sellers and operators.")
catalog_commands = AppGroup("catalog", help="The items that listings are made for.")
imports_commands = AppGroup("imports", help="Bulk imports.")


def init_app(app: Flask) -> None:
    """Add the commands to ``flask``."""
    app.cli.add_command(sellers_commands)
    app.cli.add_command(catalog_commands)
    app.cli.add_command(imports_commands)
    app.cli.add_command(reconcile_command)
    app.cli.add_command(demo_command)


@sellers_commands.command("create")
@click.argument("email")
@click.option("--operator", is_flag=True, help="May look after the queues and everybody's imports.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it.")
def create_seller(email: str, operator: bool, password_stdin: bool) -> None:
    """Make an account for EMAIL."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        seller = accounts.create_seller(email, password, is_operator=operator)
    except accounts.AccountError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Made the {'operator' if operator else 'seller'} {seller.email}.")


@sellers_commands.command("list")
def list_sellers() -> None:
    """List all accounts."""
    for seller in accounts.list_sellers():
        click.echo(f"{seller.email}\t{'operator' if seller.is_operator else 'seller'}\t{seller.created_at:%Y-%m-%d}")


@catalog_commands.command("load")
@click.argument("file", type=click.Path(path_type=Path))
def load_catalog(file: Path) -> None:
    """Load the catalog FILE (.csv or .csv.gz); loading it again updates in place."""
    began = time.monotonic()
    try:
        replaced = catalog.load(file)
    except catalog.CatalogRejected as error:
        raise click.ClickException(f"{error} Nothing was changed.") from None
    changed = replaced.items - replaced.added
    click.echo(f"{replaced.added:,} items added, {changed:,} updated, in {time.monotonic() - began:.1f} s.")


@imports_commands.command("start")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--seller", "email", required=True, help="The e-mail address of the seller whose listings they are.")
@click.option("--check", "is_check", is_flag=True, help="Only find out what would come of the rows.")
@click.option("--wait", is_flag=True, help="Show the progress and wait for the end.")
def start_import(file: Path, email: str, is_check: bool, wait: bool) -> None:
    """Import FILE. With --wait: exit code 0 completed, 1 some rows failed (or would), 2 refused, 3 terminated."""
    seller = accounts.find_seller(email)
    if seller is None:
        click.echo(f"Refused: there is no seller {email}.", err=True)
        sys.exit(EXIT_REFUSED)
    try:
        started = commands.upload(seller.id, file.name, _pieces(file), is_check=is_check)
    except FileRejected as rejected:
        click.echo(f"Refused: {rejected.message}", err=True)
        sys.exit(EXIT_REFUSED)
    click.echo(f"{started.public_id}: {started.total:,} rows, {started.invalid:,} of them invalid.")
    if not is_check:
        _tell_earlier(started)
    if wait:
        ended = _wait(started)
        click.echo(f"{ended.status}: {_result(ended)}")
        sys.exit(EXIT_CODES[ended.status])


@imports_commands.command("verify")
@click.argument("public_id", metavar="ID", type=click.UUID)
def verify_import(public_id: uuid.UUID) -> None:
    """Count the import ID again from its file, its listings and its errors. Exit code 0: the books are true, 1: not."""
    one = imports.find_of_anybody(public_id)
    if one is None:
        raise click.ClickException(f"There is no import {public_id}.")
    if one.status == ImportStatus.RUNNING:
        raise click.ClickException("The import is running. Pause it, or wait for its end.")
    if one.source_removed_at or one.errors_removed_at:
        raise click.ClickException("The uploaded file is not kept any more, so nothing can be counted again.")
    faults = list(verify.find_faults(one))
    for fault in faults[:_FAULTS_SHOWN]:
        click.echo(fault)
    if faults:
        raise click.ClickException(f"{len(faults)} faults found.")
    click.echo(f"{one.file_name}: all {one.total:,} rows are accounted for.")


def _tell_earlier(started: Import) -> None:
    """Say on standard error, where it does not disturb a script, whether a file was imported before."""
    for earlier in imports.find_same_file(started.seller_id, started.sha256):
        if earlier.id < started.id:
            when = earlier.created_at.astimezone(UTC)
            click.echo(
                f"These bytes were imported before: {earlier.file_name}, {when:%Y-%m-%d %H:%M} UTC, {earlier.status} "
                f"({earlier.public_id}).",
                err=True,
            )
            return


def _result(ended: ImportProgress) -> str:
    if ended.is_check:
        return (
            f"{ended.successful:,} of {ended.total:,} rows would be imported ({ended.created:,} created, "
            f"{ended.updated:,} updated, {ended.unchanged:,} left as they are), {ended.failed:,} would fail, "
            f"{ended.not_processed:,} not checked. Nothing was written."
        )
    return (
        f"{ended.successful:,} of {ended.total:,} rows imported, {ended.failed:,} failed, "
        f"{ended.not_processed:,} not processed."
    )


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while piece := source.read(_PIECE_BYTES):
            yield piece


def _wait(started: Import) -> ImportProgress:
    """Show a progress bar until the import is over."""
    seller_id, public_id = started.seller_id, started.public_id
    with suppress(RedisError):
        if not queue.count_workers():
            click.echo("No worker is running: nothing moves until “python worker.py” is started.", err=True)
    with tqdm(total=started.total, unit=" rows", file=sys.stderr) as bar:
        while True:
            # A new transaction for each look, so that it sees what the workers have committed since.
            db.session.rollback()
            current = progress.get(seller_id, public_id)
            bar.update(current.processed - bar.n)
            bar.set_postfix_str("Pausing…" if current.is_pausing else current.status.value.capitalize())
            if current.status in FINAL_IMPORT_STATUSES:
                return current
            time.sleep(_POLL_SECONDS)


@click.command("reconcile")
@with_appcontext
def reconcile_command() -> None:
    """Repair and settle whatever is in need of it now, as the workers do every few seconds."""
    repairs = reconcile.sweep(force=True)
    if repairs is None:
        click.echo("A worker is at it at this moment.")
        return
    click.echo(
        f"{repairs.taken_back} batches taken back, {repairs.lost_jobs} lost jobs found, {repairs.settled} imports "
        f"settled, {repairs.sent} batches sent."
    )


@click.command("demo")
@with_appcontext
def demo_command() -> None:
    """Load the demo catalog and make the demo seller, unless there is a catalog already."""
    if items.is_empty():
        replaced = catalog.load(DEMO_CATALOG)
        click.echo(f"Loaded the demo catalog: {replaced.items} items.")
    db.session.rollback()
    if not accounts.list_sellers():
        accounts.create_seller(DEMO_EMAIL, DEMO_PASSWORD)
        click.echo(f"Made the demo seller {DEMO_EMAIL}.")
