"""The command line: ``flask --app wsgi …`` for operators and scripts."""

import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path
from typing import Any, NoReturn

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext
from redis import RedisError
from tqdm import tqdm

from app import catalog, diagnosis, periodic_tasks
from app.csvfile.errors import FileRejected
from app.csvfile.visible import visible
from app.csvfile.warn import read_stored
from app.demo import DEMO_CATALOG, DEMO_EMAIL, DEMO_PASSWORD
from app.extensions import DATABASE_ERRORS, db
from app.humanize import counted, say_duration
from app.identity import sellers, sessions, tokens
from app.identity.passwords import WeakPassword
from app.imports import commands, conversion_job, conversions, ledger, mappings, reconcile, undo
from app.imports.errors import ImportNotFound, TransitionRefused
from app.imports.foreign import to_files
from app.imports.foreign.mapping import Mapping, MappingInvalid
from app.imports.foreign.reasons import Outcome
from app.imports.foreign.to_files import Money, Outputs
from app.imports.reports import progress
from app.imports.reports.progress import ImportProgress
from app.jobs import queue
from app.models import Import, Seller
from app.operators import cluster
from app.queries import items
from app.queries.imports import lookups
from app.statuses import FINAL_IMPORT_STATUSES, ImportKind, ImportStatus, TokenScope
from app.version import VERSION

#: Exit codes of ``imports start --wait``. Scripts rely on these numbers.
EXIT_CODES = {ImportStatus.COMPLETED: 0, ImportStatus.FAILED: 1, ImportStatus.TERMINATED: 3}
EXIT_REFUSED = 2
#: Exit code of every command when the database, Redis or the storage cannot be used.
EXIT_NOT_POSSIBLE_NOW = 4

_POLL_SECONDS = 0.5
_FAULTS_SHOWN = 20
_PIECE_BYTES = 1 << 18


class _Failed(click.ClickException):
    """A command failed; the message is printed with its control characters made visible."""

    def format_message(self) -> str:
        """The message as printed."""
        return visible(self.message)


class NotPossibleNow(Exception):
    """The command is not possible now; the message says why, and what to do."""


@contextmanager
def exiting_when_unavailable() -> Iterator[None]:
    """Exit with one sentence and code 4 when the database, Redis or the storage cannot be used inside."""
    try:
        yield
    except NotPossibleNow as error:
        _give_up(str(error))
    except (RedisError, *DATABASE_ERRORS) as error:
        fault = diagnosis.of_redis(error) if isinstance(error, RedisError) else diagnosis.of_database(error)
        if fault is None:
            raise
        _give_up(f"{fault.sentence} {fault.advice}")


@contextmanager
def _using_storage(outcome: str) -> Iterator[None]:
    """Raise NotPossibleNow, ending in the sentence ``outcome``, when the storage cannot be used inside."""
    try:
        yield
    except OSError as error:
        raise NotPossibleNow(f"{diagnosis.of_storage(error).sentence} {outcome}") from error


def _give_up(sentence: str) -> NoReturn:
    _say(sentence, err=True)
    sys.exit(EXIT_NOT_POSSIBLE_NOW)


def _refuse(why: object) -> NoReturn:
    _say(f"Refused: {why}", err=True)
    sys.exit(EXIT_REFUSED)


class _Command(click.Command):
    """A command that accepts only UTF-8 text, and exits with a sentence when what it needs cannot be used."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        for parameter in self.get_params(ctx):
            value = ctx.params.get(parameter.name or "")
            if isinstance(value, str) and not _is_text(value):
                raise click.BadParameter(f"“{visible(value)}” is not UTF-8 text.", ctx, parameter)
        with exiting_when_unavailable():
            try:
                return super().invoke(ctx)
            except (sellers.AccountError, WeakPassword, tokens.TokenError) as error:
                raise _Failed(str(error)) from None


class _Commands(AppGroup):
    """A group of such commands."""

    command_class = _Command


sellers_commands = _Commands("sellers", help="Accounts of sellers and operators.")
catalog_commands = _Commands("catalog", help="The items that can be listed.")
imports_commands = _Commands("imports", help="Bulk imports.")
tokens_commands = _Commands("tokens", help="Tokens for clients of the API.")
cluster_commands = _Commands("cluster", help="A database cluster with the extension Citus.")

_password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it."
)


def init_app(app: Flask) -> None:
    """Add the commands to ``flask``."""
    groups = (sellers_commands, catalog_commands, imports_commands, tokens_commands, cluster_commands)
    for command in (*groups, reconcile_command, demo_command, version_command):
        app.cli.add_command(command)


@sellers_commands.command("create")
@click.argument("email")
@click.option("--operator", is_flag=True, help="Can see /ops: the installation and every seller's imports.")
@_password_option
def create_seller(email: str, operator: bool, password_stdin: bool) -> None:
    """Create an account for EMAIL."""
    seller = sellers.create_seller(email, _read_password(from_stdin=password_stdin), is_operator=operator)
    _say(f"Created the {'operator' if operator else 'seller'} {seller.email}.")


@sellers_commands.command("set-password")
@click.argument("email")
@_password_option
def set_password(email: str, password_stdin: bool) -> None:
    """Set the password of EMAIL, and end all their sessions."""
    sellers.set_password(_get_seller(email), _read_password(from_stdin=password_stdin))
    _say(f"{email} has a new password and is signed out everywhere.")


@sellers_commands.command("sign-out")
@click.argument("email")
def sign_out(email: str) -> None:
    """End all sessions of EMAIL; API tokens stay valid."""
    _say(f"Ended {sessions.end_all(_get_seller(email).id)} sessions.")


@sellers_commands.command("list")
def list_sellers() -> None:
    """List all accounts."""
    for seller in sellers.list_sellers():
        _say(seller.email, "operator" if seller.is_operator else "seller", f"{seller.created_at:%Y-%m-%d}")


@catalog_commands.command("load")
@click.argument("file", type=click.Path(path_type=Path))
def load_catalog(file: Path) -> None:
    """Load the catalog FILE (.csv or .csv.gz); loading it again updates in place."""
    began = time.monotonic()
    try:
        replaced = catalog.load(file)
    except catalog.CatalogRejected as error:
        raise _Failed(f"{error} Nothing was changed.") from None
    changed = replaced.items - replaced.added
    _say(f"{replaced.added:,} items added, {changed:,} updated, in {time.monotonic() - began:.1f} s.")


@imports_commands.command("start")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--seller", "email", required=True, help="Email address of the seller who owns the listings.")
@click.option("--check", "is_check", is_flag=True, help="Check the file without importing it.")
@click.option("--mapping", "mapping_name", help="Convert FILE, which another tool made, with this saved mapping first.")
@click.option("--wait", is_flag=True, help="Show progress and wait until the import has finished.")
def start_import(file: Path, email: str, is_check: bool, mapping_name: str | None, wait: bool) -> None:
    """Import FILE.

    Exit codes: 2 rejected, 4 not possible now; with --wait also 0 completed, 1 some rows failed (or would fail), 3
    terminated.
    """
    seller = sellers.find_seller(email)
    if seller is None:
        _refuse(f"there is no seller {email}.")
    try:
        with _using_storage("Nothing was imported."):
            kind = ImportKind.of_switch(check=is_check)
            if mapping_name is None:
                started = commands.upload(seller.id, file.name, _pieces(file), kind=kind)
            else:
                started = _convert_and_start(seller.id, file, mapping_name, kind)
    except FileRejected as rejected:
        _refuse(rejected.message)
    _say(f"{started.public_id}: {started.total:,} rows, {started.invalid:,} of them invalid.")
    for warned in read_stored(started.warnings):
        _say(f"Warning: {warned.sentence}", err=True)
    if not is_check:
        _report_earlier(started)
    if wait:
        _exit_with_result(started)


def _convert_and_start(seller_id: int, file: Path, mapping_name: str, kind: ImportKind) -> Import:
    """Convert FILE in this process, and start it. Raises FileRejected."""
    brought = conversions.bring(seller_id, file.name, _pieces(file), mapping_name=mapping_name, kind=kind)
    with tqdm(total=1000, file=sys.stderr, bar_format="Converting {percentage:3.0f}%|{bar}| {elapsed}") as bar:
        conversion_job.run(seller_id, brought.id, brought.attempt, tell=lambda done: bar.update(done - bar.n))
    db.session.rollback()
    converted = conversions.get(seller_id, brought.public_id)
    started = conversions.find_import(converted)
    if started is None:
        raise FileRejected(converted.reason or "The file is still being converted by a worker, which starts it then.")
    apart = f"{converted.added:,} added, {converted.left_out:,} left out, {converted.undecided:,} undecided"
    _say(f"{converted.rows:,} rows in the file: {converted.converted:,} converted, {apart}.")
    if guess := conversions.guess_of(converted):
        _say(f"Warning: {guess}", err=True)
    return started


@imports_commands.command("undo")
@click.argument("public_id", metavar="ID", type=click.UUID)
@click.option("--preview", "is_preview", is_flag=True, help="Only show what an undo would do.")
@click.option("--wait", is_flag=True, help="Show progress and wait until the undo has finished.")
def undo_import(public_id: uuid.UUID, is_preview: bool, wait: bool) -> None:
    """Undo the import ID: remove the listings that it created, and put back those that it updated.

    Listings that have changed since are kept. Exit codes: 2 refused; with --wait also 0 completed, 1 not all of it, 3
    terminated.
    """
    found = _get_import(public_id)
    try:
        if is_preview:
            foreseen = undo.preview(found.seller_id, public_id)
            _say(
                f"An undo would remove {foreseen.removed:,} listings, put {foreseen.put_back:,} back, and keep"
                f" {foreseen.kept:,} that have changed since. Nothing was changed."
            )
            return
        started = undo.start(found.seller_id, public_id)
    except ImportNotFound:
        raise _Failed(f"The import {public_id} has been deleted.") from None
    except TransitionRefused as refused:
        _refuse(refused)
    _say(f"{started.public_id}: {started.total:,} listings.")
    if wait:
        _exit_with_result(started)


@imports_commands.command("convert")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--seller", "email", required=True, help="Email address of the seller who has the listings.")
@click.option("--mapping", "mapping_name", help="Name of a saved mapping, or a file that a mapping was exported to.")
@click.option(
    "--rate", "rates", multiple=True, metavar="CODE=POUNDS", help="Pounds for a unit of a currency: USD=0.79."
)
@click.option("--currency", default="", metavar="CODE", help="Currency of the prices, where the file does not say.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The converted file.")
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), required=True, help="What became of each row."
)
def convert_file(
    file: Path, email: str, mapping_name: str | None, rates: tuple[str, ...], currency: str, out: Path, report: Path
) -> None:
    """Convert FILE, which another tool made, into the import format. Nothing is imported.

    Without --mapping it is converted as far as its format is recognised or its columns are sure. Exit code: 2 refused.
    """
    seller = _get_seller(email)
    try:
        mapping = _find_mapping(seller.id, mapping_name) if mapping_name else None
        saved = [Mapping.from_json(one.mapping) for one in mappings.list_saved(seller.id)]
        money = Money(dict(_split_rate(rate) for rate in rates), currency.upper())
        done = to_files.convert_file(file, Outputs(out, report), seller.id, mapping=mapping, saved=saved, money=money)
    except (FileRejected, MappingInvalid) as refused:
        _refuse(refused)
    except OSError as error:
        raise _Failed(f"{error.filename or file} cannot be read or written: {error.strerror}.") from error
    counts = ", ".join(f"{done.counts[outcome]:,} {outcome.word}" for outcome in Outcome)
    _say(f"{done.rows:,} rows: {counts}.")
    if done.guess:
        _say(f"Warning: {done.guess} Set it with --currency.", err=True)
    for question, count in done.questions.most_common(_FAULTS_SHOWN):
        _say(f"Open in {count:,} rows: {question.kind} {question.word}".rstrip(), err=True)


def _find_mapping(seller_id: int, name: str) -> Mapping:
    """The mapping in the file of this name, or the saved one."""
    if (path := Path(name)).is_file():
        try:
            return Mapping.from_text(path.read_text("utf-8"))
        except UnicodeDecodeError as error:
            raise MappingInvalid(f"{name} is not UTF-8 text.") from error
    try:
        return mappings.load(seller_id, name)
    except mappings.MappingNotFound as error:
        raise MappingInvalid(f"There is no saved mapping “{name}”, and no file of that name.") from error


def _split_rate(rate: str) -> tuple[str, str]:
    code, sign, pounds = rate.partition("=")
    if not sign:
        raise MappingInvalid(f"“{rate}” is not a rate such as USD=0.79.")
    return code.strip().upper(), pounds.strip()


@imports_commands.command("verify")
@click.argument("public_id", metavar="ID", type=click.UUID)
def verify_import(public_id: uuid.UUID) -> None:
    """Recount import ID from its file, listings and errors. Exit code 0 if the counts are right, 1 if not."""
    found = _get_import(public_id)
    if found.status == ImportStatus.RUNNING:
        raise _Failed("The import is running. Pause it, or wait for its end.")
    if not found.is_undo and (found.source_removed_at or found.errors_removed_at):
        raise _Failed("The uploaded file has been deleted, so nothing can be counted again.")
    with _using_storage("Nothing could be counted."):
        faults = list(ledger.find_faults(found))
    for fault in faults[:_FAULTS_SHOWN]:
        _say(fault)
    if faults:
        raise _Failed(f"{len(faults)} faults found.")
    what = "listings" if found.is_undo else "rows"
    _say(f"{found.file_name}: all {found.total:,} {what} are accounted for.")


@tokens_commands.command("create")
@click.option("--seller", "email", required=True, help="Email address of the seller that the token acts for.")
@click.option("--name", required=True, help="What the token is for.")
@click.option("--read-only", is_flag=True, help="The token can read everything but change nothing.")
@click.option("--expires", "days", type=int, metavar="DAYS", help="Expires after DAYS days (default: never).")
def create_token(email: str, name: str, read_only: bool, days: int | None) -> None:
    """Create a token and print it, this once, on standard output."""
    scope = TokenScope.READ if read_only else TokenScope.READ_WRITE
    token, secret = tokens.create(_get_seller(email).id, name, scope=scope, days=days)
    until = f"expires on {token.expires_at:%Y-%m-%d}" if token.expires_at else "never expires"
    _say(f"Created the {token.scope} token “{token.name}” ({token.public_id}), which {until}.", err=True)
    _say(secret)


@tokens_commands.command("list")
@click.option("--seller", "email", required=True, help="Email address of the seller.")
def list_tokens(email: str) -> None:
    """List a seller's tokens: ID, ending, scope, created, last used, expires, name."""
    for one in tokens.list_all(_get_seller(email).id):
        days = (f"{day:%Y-%m-%d}" if day else "-" for day in (one.created_at, one.last_used_at, one.expires_at))
        _say(str(one.public_id), f"…{one.ending}", one.scope, *days, one.name)


@tokens_commands.command("revoke")
@click.argument("public_id", metavar="ID", type=click.UUID)
@click.option("--seller", "email", required=True, help="Email address of the seller.")
def revoke_token(public_id: uuid.UUID, email: str) -> None:
    """Revoke the token ID immediately."""
    try:
        name = tokens.revoke(_get_seller(email).id, public_id)
    except tokens.TokenNotFound:
        raise _Failed(f"{email} has no token {public_id}.") from None
    _say(f"Revoked the token “{name}”.")


@cluster_commands.command("distribute")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
def distribute_tables(dry_run: bool) -> None:
    """Distribute the tables that grow with rows over the nodes of the cluster, by seller. Repeating it does no harm.

    Exit code: 2 refused.
    """
    todo = cluster.plan(cluster.look())
    for refusal in todo.refusals:
        _say(f"Refused: {refusal}", err=True)
    for step in todo.steps if dry_run or todo.refusals else []:
        about = f", about {say_duration(step.seconds)}" if step.seconds else ""
        _say(f"{step.subject}: {step.sentence}{about}.", f"{step.statement};")
    if todo.refusals:
        sys.exit(EXIT_REFUSED)
    if not todo.steps:
        _say("Everything is distributed already.")
    if dry_run:
        return
    for step in cluster.distribute(todo):
        _say(f"{step.subject}: {step.sentence}. Done.")
    if left := cluster.plan(cluster.look()).steps:
        raise _Failed(f"This had no effect; do it by hand, if need be on each node: {left[0].statement}")


@cluster_commands.command("status")
def show_cluster() -> None:
    """Show the nodes, and the largest shards of the listings with their largest sellers. Exit code: 2 no cluster."""
    facts = cluster.look()
    todo = cluster.plan(facts)
    for node in facts.nodes:
        role = "coordinator" if node.is_coordinator else "node"
        _say(f"{role} {node.id}", node.address, "does not answer" if node.settings is None else "answers")
    for complaint in (*todo.refusals, *(f"{step.subject}: {step.sentence}." for step in todo.steps)):
        _say(f"To do: {complaint}", err=True)
    if not facts.nodes:
        sys.exit(EXIT_REFUSED)
    for large in cluster.list_large_shards(facts.nodes):
        sellers = ", ".join(f"{email} ({counted(count, 'listing')})" for email, count in large.sellers)
        _say(f"shard {large.shard.id}", large.shard.node, cluster.say_size(large.shard.size), sellers)


def _say(*cells: str, err: bool = False) -> None:
    """Print a line, its cells separated by tabs. Control characters in them are made visible."""
    click.echo("\t".join(map(visible, cells)), err=err)


def _is_text(value: str) -> bool:
    """Whether an argument was UTF-8. Python represents other bytes by surrogates, which no database stores."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_password(*, from_stdin: bool) -> str:
    try:
        password: str = (
            sys.stdin.readline().rstrip("\r\n")
            if from_stdin
            else click.prompt("Password", hide_input=True, confirmation_prompt=True)
        )
        # Fails where other bytes have become surrogates; see ``_is_text``.
        password.encode()
    except UnicodeError:
        raise _Failed("The password is not UTF-8 text.") from None
    return password


def _get_seller(email: str) -> Seller:
    seller = sellers.find_seller(email)
    if seller is None:
        raise _Failed(f"There is no seller {email}.")
    return seller


def _get_import(public_id: uuid.UUID) -> Import:
    found = lookups.find_of_any_seller(public_id)
    if found is None:
        raise _Failed(f"There is no import {public_id}.")
    return found


def _report_earlier(started: Import) -> None:
    """Report on standard error, which scripts do not read, that the same file was imported before."""
    for earlier in lookups.find_same_file(started.seller_id, started.sha256):
        if earlier.id < started.id:
            when = earlier.created_at.astimezone(UTC)
            _say(
                f"This file has already been imported: {earlier.file_name}, {when:%Y-%m-%d %H:%M} UTC, "
                f"{earlier.status} ({earlier.public_id}).",
                err=True,
            )
            return


def _exit_with_result(started: Import) -> NoReturn:
    """Wait for the end of an import, and exit with the code that says how it ended."""
    ended = _wait(started)
    _say(f"{ended.status}: {_result(ended)}")
    sys.exit(EXIT_CODES[ended.status])


def _result(ended: ImportProgress) -> str:
    if ended.is_check:
        return (
            f"{ended.successful:,} of {ended.total:,} rows would be imported ({ended.created:,} created, "
            f"{ended.updated:,} updated, {ended.unchanged:,} unchanged), {ended.failed:,} would fail, "
            f"{ended.not_processed:,} not checked. Nothing was written."
        )
    if ended.is_undo:
        return (
            f"{ended.created:,} listings removed, {ended.updated:,} put back, {ended.unchanged:,} kept, "
            f"{ended.not_processed:,} not processed."
        )
    return (
        f"{ended.successful:,} of {ended.total:,} rows imported, {ended.failed:,} failed, "
        f"{ended.not_processed:,} not processed."
    )


def _pieces(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as source:
            while piece := source.read(_PIECE_BYTES):
                yield piece
    except OSError as error:
        # Must not be mistaken for an error of the storage.
        raise click.UsageError(f"{file} cannot be read: {error.strerror}.") from error


def _wait(started: Import) -> ImportProgress:
    """Show a progress bar until the import is over."""
    seller_id, public_id = started.seller_id, started.public_id
    with suppress(RedisError):
        if not queue.count_workers():
            _say("No worker is running. Start one with “python worker.py”.", err=True)
    with tqdm(total=started.total, unit=" rows", file=sys.stderr) as bar:
        while True:
            # A new transaction for each poll, to see what the workers have committed since.
            db.session.rollback()
            current = progress.get(seller_id, public_id)
            bar.update(current.processed - bar.n)
            bar.set_postfix_str("Pausing…" if current.is_pausing else current.status.value.capitalize())
            if current.status in FINAL_IMPORT_STATUSES:
                return current
            time.sleep(_POLL_SECONDS)


@click.command("reconcile", cls=_Command)
@with_appcontext
def reconcile_command() -> None:
    """Run the reconciler once."""
    repairs = reconcile.sweep(force=True)
    periodic_tasks.run_due()
    if repairs is None:
        _say("The reconciler is already running on a worker.")
        return
    _say(
        f"{repairs.reclaimed} batches reclaimed, {repairs.lost_jobs} lost jobs found, {repairs.settled} imports "
        f"settled, {repairs.sent} batches sent."
    )


@click.command("demo", cls=_Command)
@with_appcontext
def demo_command() -> None:
    """Load the demo catalog and create the demo seller, unless they exist."""
    if items.is_empty():
        replaced = catalog.load(DEMO_CATALOG)
        _say(f"Loaded the demo catalog: {replaced.items} items.")
    db.session.rollback()
    if not sellers.list_sellers():
        sellers.create_seller(DEMO_EMAIL, DEMO_PASSWORD)
        _say(f"Created the demo seller {DEMO_EMAIL}.")


@click.command("version")
def version_command() -> None:
    """Print the version of Sluice."""
    _say(f"Sluice {VERSION}")
