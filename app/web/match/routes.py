"""The addresses of “Match your file”: what each asks for, does, and leads to."""

import uuid
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.config import current_settings
from app.csvfile.errors import FileRejected, round_size_down
from app.extensions import csrf
from app.http import downloads
from app.http.form_fields import is_on, read_form_key
from app.imports import conversions, mappings, match_flow
from app.imports.creation import find_imported
from app.imports.errors import ImportedBefore, TransitionRefused
from app.imports.foreign.mapping import Mapping, MappingInvalid
from app.imports.match_flow import Step
from app.models import Conversion
from app.statuses import ConversionStatus, ImportKind
from app.web import file_posts
from app.web.file_posts import PLAIN, lead_on, refuse
from app.web.live_page import is_fragment_request, render_live
from app.web.match import cards, columns, money, preview, reading, steps, words
from app.web.match.questions import AnswersRefused
from app.web.session import require_seller, seller_id

blueprint = Blueprint("match", __name__, url_prefix="/imports/match")
blueprint.before_request(require_seller)

#: What the page of each step shows (``context``), and the mapping with what its form says (``take``).
_PAGES = {
    Step.READING: reading,
    Step.COLUMNS: columns,
    Step.WORDS: words,
    Step.CARDS: cards,
    Step.MONEY: money,
}
_UNCONVERTED = {
    ConversionStatus.DRAFT: "Not worked through yet",
    ConversionStatus.QUEUED: "Being worked through",
    ConversionStatus.RUNNING: "Being worked through",
    ConversionStatus.FAILED: "Could not be worked through",
}


@blueprint.get("")
def form() -> ResponseReturnValue:
    """The form to choose a file from another tool."""
    return _render_form()


@blueprint.post("")
@csrf.exempt
def receive() -> ResponseReturnValue:
    """Store the file while it arrives, and match it; 303 to its first step, or the form again with what is wrong.

    As ``upload.receive``, of which it differs in that nothing is imported.
    """
    by = seller_id()
    try:
        with file_posts.receive(by, before_file=("form_key",), missing="Choose a file first.") as (body, pieces):
            draft = conversions.upload(by, body.file_name, pieces, form_key=read_form_key(body.fields))
            public_id = draft.public_id
            try:
                step = match_flow.begin(by, draft)
            except FileRejected:
                # What cannot be read as far as the first rows is not kept.
                conversions.delete(by, public_id)
                raise
    except FileRejected as rejected:
        return refuse(rejected, _render_form)
    return lead_on(_address(public_id, step), "Uploaded. Nothing is imported yet.")


@blueprint.get("/<uuid:public_id>")
def show(public_id: uuid.UUID) -> ResponseReturnValue:
    """What would be imported, with the buttons that do it; while the file is converted, how far that is."""
    one = conversions.get(seller_id(), public_id)
    if one.status in (ConversionStatus.QUEUED, ConversionStatus.RUNNING):
        here = _address(public_id, Step.PREVIEW)
        left = conversions.estimate_seconds_left(one)
        live = ("match/converting.html", "match/_converting.html")
        return render_live(*live, one=one, here=here, is_moving=True, seconds_left=left)
    if is_fragment_request():
        # The page that has waited for this loads itself.
        return render_template("match/_done.html", here=_address(public_id, Step.PREVIEW))
    return _render_preview(one)


@blueprint.post("/<uuid:public_id>/reading")
def read_otherwise(public_id: uuid.UUID) -> ResponseReturnValue:
    """Read the file as the form says; 303 to the same step, or on to the next."""
    by = seller_id()
    before = conversions.reading_of(conversions.get(by, public_id))
    try:
        draft = conversions.read_otherwise(by, public_id, reading.overrides(request.form, before))
        if draft.mapping is None:
            step = match_flow.rematch(by, draft)
        else:
            step = match_flow.convert(by, public_id)
    except FileRejected as rejected:
        if is_fragment_request():
            return Response(rejected.message, 422, content_type=PLAIN)
        return _render_step(conversions.get(by, public_id), Step.READING, rejected.message), 422
    if not is_on(request.form, "go"):
        step = Step.READING
    elif step is Step.READING:
        step = Step.COLUMNS
    return redirect(_address(public_id, step), 303)


def ask(public_id: uuid.UUID, step: Step) -> ResponseReturnValue:
    """A step: what was decided for the seller, and what only the seller knows."""
    one = conversions.get(seller_id(), public_id)
    if one.status in (ConversionStatus.QUEUED, ConversionStatus.RUNNING) or one.used_at is not None:
        return redirect(_address(public_id, Step.PREVIEW), 303)
    return _render_step(one, step)


def decide(public_id: uuid.UUID, step: Step) -> ResponseReturnValue:
    """Take the answers of a step; 303 to the next step that has a question, or to the preview."""
    by = seller_id()
    one = conversions.get(by, public_id)
    try:
        mapping: Mapping = _PAGES[step].take(one, request.form)
        following = match_flow.decide(by, public_id, mapping, after=step)
    except (MappingInvalid, FileRejected) as wrong:
        return _render_step(conversions.get(by, public_id), step, wrong), 422
    left = match_flow.of_step(match_flow.asked_in(conversions.get(by, public_id)), step)
    stays = is_on(request.form, "stay") or (is_on(request.form, "accept") and left)
    return redirect(_address(public_id, step if stays else following), 303)


for _step in _PAGES:
    _path = f"/<uuid:public_id>/{_step}"
    blueprint.add_url_rule(_path, _step.value, ask, defaults={"step": _step})
    if _step is not Step.READING:
        blueprint.add_url_rule(_path, f"decide_{_step}", decide, methods=["POST"], defaults={"step": _step})


@blueprint.post("/<uuid:public_id>/start")
def start(public_id: uuid.UUID) -> ResponseReturnValue:
    """Import the converted file, or check it with ``check``; 303 to the import or the check."""
    by = seller_id()
    one = conversions.get(by, public_id)
    kind = ImportKind.of_switch(check=is_on(request.form, "check"))
    try:
        if is_on(request.form, "remember") and one.mapping is not None and one.used_at is None:
            name = request.form.get("name", "")
            mappings.save(by, name, steps.mapping_of(one))
            conversions.name_mapping(by, public_id, name)
    except mappings.NameRefused as refused:
        return _render_preview(conversions.get(by, public_id), str(refused)), 422
    try:
        started = conversions.start(
            by,
            public_id,
            kind,
            form_key=read_form_key(request.form),
            refuse_repeated=kind is ImportKind.IMPORT and not is_on(request.form, "again"),
        )
    except ImportedBefore:
        # The page tells that itself.
        return _render_preview(conversions.get(by, public_id)), 409
    except FileRejected as rejected:
        return refuse(rejected, lambda sentence: _render_preview(conversions.get(by, public_id), sentence))
    return redirect(url_for("details.show", public_id=started.public_id), 303)


@blueprint.get("/<uuid:public_id>/left-out.csv")
def left_out_csv(public_id: uuid.UUID) -> ResponseReturnValue:
    """The rows that are left out or open, with the reason."""
    return downloads.left_out_before(conversions.get(seller_id(), public_id))


@blueprint.post("/<uuid:public_id>/cancel")
def cancel(public_id: uuid.UUID) -> ResponseReturnValue:
    """Stop converting; 303 to the columns."""
    conversions.cancel(seller_id(), public_id)
    return redirect(_address(public_id, Step.COLUMNS), 303)


@blueprint.post("/<uuid:public_id>/convert")
def convert(public_id: uuid.UUID) -> ResponseReturnValue:
    """Convert the file as it is mapped now; 303 to the preview."""
    by = seller_id()
    return redirect(_address(public_id, match_flow.convert(by, public_id, after=Step.PREVIEW)), 303)


@blueprint.post("/<uuid:public_id>/copy")
def copy(public_id: uuid.UUID) -> ResponseReturnValue:
    """Match a file that was imported or checked once more; 303 to its columns, or with ``decide`` to what is open."""
    by, is_deciding = seller_id(), is_on(request.form, "decide")
    made = conversions.copy(by, public_id, decide=is_deciding).public_id
    step = match_flow.convert(by, made) if is_deciding else Step.COLUMNS
    return redirect(_address(made, step), 303)


@blueprint.post("/<uuid:public_id>/delete")
def delete(public_id: uuid.UUID) -> ResponseReturnValue:
    """Delete the file, of which nothing was imported; 303 to the upload page."""
    conversions.delete(seller_id(), public_id)
    flash("The file was deleted. Nothing from it was imported.", "success")
    return redirect(url_for("upload.form"), 303)


def _address(public_id: uuid.UUID, step: Step) -> str:
    if step is Step.PREVIEW:
        return url_for("match.show", public_id=public_id)
    return url_for(f"match.{step.value}", public_id=public_id)


def _render_form(error: str | None = None) -> str:
    settings = current_settings()
    return render_template(
        "match/form.html",
        error=error,
        form_key=uuid.uuid4(),
        formats=steps.format_names(),
        unfinished=[(one, _say_state(one)) for one in conversions.list_unfinished(seller_id())],
        max_rows=settings.max_rows,
        max_size=round_size_down(settings.max_upload_bytes),
    )


def _say_state(one: Conversion) -> str:
    """How far a file is of which nothing was imported yet."""
    if one.status != ConversionStatus.CONVERTED:
        return _UNCONVERTED[ConversionStatus(one.status)]
    count = one.undecided
    return f"{count:,} {'row is' if count == 1 else 'rows are'} open" if count else "Ready to check or import"


def _render_step(one: Conversion, step: Step, error: Exception | str | None = None) -> str:
    try:
        context: dict[str, Any] = _PAGES[step].context(one, request.values)
    except OSError as away:
        raise TransitionRefused("The uploaded file cannot be read. Upload it again.") from away
    context |= {"steps": steps.links(one, step), "format": steps.format_of(one)}
    context["wrong_answers"] = error.wrong if isinstance(error, AnswersRefused) else {}
    return render_template(f"match/{step.value}.html", one=one, here=step, error=error, **context)


def _render_preview(one: Conversion, error: str | None = None) -> str:
    earlier = None if one.used_at or one.decides else find_imported(one.seller_id, one.sha256)
    return render_template(
        "match/preview.html",
        one=one,
        here=Step.PREVIEW,
        steps=steps.links(one, Step.PREVIEW),
        error=error,
        repeated=earlier.public_id if earlier else None,
        form_keys={"import": uuid.uuid4(), "check": uuid.uuid4()},
        **preview.context(one),
    )
