"""Reads a multipart form with one file while it arrives; the file is never held in memory or on disk as a whole."""

from collections.abc import Collection, Iterator

from flask import Request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Event, Field, File, MultipartDecoder, NeedData, State

from app.http.form_fields import FormRefused

_READ_BYTES = 64 * 1024
#: Maximum size of everything in the body besides the file: the preamble, the headers of the parts, the other fields and
#: the boundaries.
_MAX_AROUND_FILE_BYTES = 128 * 1024
_MAX_PARTS = 20
_FILE = "file"


class FileForm:
    """The multipart body of ``request``, whose one file is in the field “file”.

    It is read up to its closing boundary. Besides the file it may have each of the fields once, and nothing else: a
    misspelt field must not be ignored silently. Those of ``before_file`` decide what is done with the file, and behind
    it would be read too late.
    """

    def __init__(self, request: Request, *, before_file: Collection[str] = (), anywhere: Collection[str] = ()) -> None:
        boundary = request.mimetype_params.get("boundary", "")
        if request.mimetype != "multipart/form-data" or not boundary:
            raise BadRequest("The request is not a form with a file in it.")
        self._stream = request.stream
        self._decoder = MultipartDecoder(boundary.encode(), max_parts=_MAX_PARTS)
        self._before_file = before_file
        self._known = {*before_file, *anywhere}
        self._events = self._read_events()
        #: Number of bytes read that do not belong to the file.
        self._around_file = 0
        self._has_file = False
        #: The fields that have arrived so far; all of them once ``pieces`` is exhausted.
        self.fields: dict[str, str] = {}
        #: The client's name for the file; empty if the form has no file.
        self.file_name = ""

    def open_file(self) -> bool:
        """Read up to the beginning of the file. Returns false if the form has none.

        Raises BadRequest, RequestEntityTooLarge, and FormRefused for a field that the form must not have.
        """
        for event in self._events:
            if isinstance(event, File) and event.name == _FILE and event.filename:
                self.file_name = event.filename
                self._has_file = True
                return True
            self._take(event)
        return False

    def pieces(self) -> Iterator[bytes]:
        """The bytes of the file as they arrive, and then the rest of the form.

        Raises BadRequest when the body is broken or ends early, so that half a file is never taken for a whole one;
        else as ``open_file`` does.
        """
        for event in self._events:
            if not isinstance(event, Data):
                raise BadRequest("The form is broken.")
            if event.data:
                self._around_file -= len(event.data)
                yield event.data
            if not event.more_data:
                break
        for event in self._events:
            self._take(event)

    def _take(self, event: Event) -> None:
        """Store a field; skip the preamble."""
        if not isinstance(event, Field | File):
            return
        self._refuse_unknown(event)
        value = bytearray()
        for data in self._events:
            if not isinstance(data, Data):
                raise BadRequest("The form is broken.")
            value += data.data
            if not data.more_data:
                break
        if isinstance(event, Field):
            self.fields[event.name] = value.decode(errors="replace")

    def _refuse_unknown(self, event: Field | File) -> None:
        name = event.name or ""
        if isinstance(event, File) and name == _FILE:
            if self._has_file:
                raise FormRefused(name, f"It has a second file, “{event.filename}”. Send one file at a time.")
            # A browser sends a part with an empty file name if no file was chosen.
            return
        if isinstance(event, Field) and name == _FILE:
            raise FormRefused(name, "It has no file name. Send it as a file, with its name.")
        if name not in self._known or isinstance(event, File):
            known = ", ".join(sorted(self._known))
            raise FormRefused(name, f"Unknown field. Besides the file (“{_FILE}”) the form takes: {known}.")
        if name in self.fields:
            raise FormRefused(name, "The form has it twice. Send it once.")
        if self._has_file and name in self._before_file:
            # Above all, a file that was only to be checked must not be imported.
            raise BadRequest(f"The form has {name} after the file. Put it before the file.")

    def _read_events(self) -> Iterator[Event]:
        try:
            while self._decoder.state is not State.EPILOGUE:
                event = self._decoder.next_event()
                if not isinstance(event, NeedData):
                    yield event
                    continue
                self._check_budget()
                data = self._stream.read(_READ_BYTES)
                self._around_file += len(data)
                # None marks the end, which the decoder rejects unless the form is complete.
                self._decoder.receive_data(data or None)
        except ValueError:
            raise BadRequest("The form is broken, or the connection ended before the whole file had arrived.") from None
        # Bytes beyond the closing boundary do not belong to the form.
        self._around_file -= len(self._decoder.buffer)
        self._check_budget()

    def _check_budget(self) -> None:
        if self._around_file > _MAX_AROUND_FILE_BYTES:
            raise RequestEntityTooLarge(
                f"The form has more than {_MAX_AROUND_FILE_BYTES // 1024} KiB beside the file. "
                "Send only the file and the fields that belong to it."
            )
