"""A multipart form with one file in it, read while it arrives: the file never touches memory or disk as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

_READ_BYTES = 64 * 1024
#: All other fields of the form together.
_MAX_FIELD_BYTES = 64 * 1024
_MAX_PARTS = 20


class FileForm:
    """The multipart body of ``request``, whose one file stands in the field ``file_field``."""

    def __init__(self, request: Request, file_field: str) -> None:
        boundary = request.mimetype_params.get("boundary", "")
        if request.mimetype != "multipart/form-data" or not boundary:
            raise BadRequest("The request is not a form with a file in it.")
        self._stream = request.stream
        self._decoder = MultipartDecoder(boundary.encode(), max_parts=_MAX_PARTS)
        self._file_field = file_field
        self._events = self._read_events()
        #: The fields that have arrived so far; all of them once ``pieces`` is exhausted.
        self.fields: dict[str, str] = {}
        #: As the client calls it; empty when the form came without a file.
        self.file_name = ""

    def open_file(self) -> bool:
        """Read up to the beginning of the file; false when the form has none."""
        for event in self._events:
            if isinstance(event, File) and event.name == self._file_field and event.filename:
                self.file_name = event.filename
                return True
            self._take(event)
        return False

    def pieces(self) -> Iterator[bytes]:
        """The bytes of the file as they arrive, and then the rest of the form.

        Raises BadRequest when the body is broken or ends early, so that half a file is never taken for a whole one.
        """
        for event in self._events:
            if not isinstance(event, Data):
                raise BadRequest("The form is broken.")
            if event.data:
                yield event.data
            if not event.more_data:
                break
        for event in self._events:
            self._take(event)

    def _take(self, event: Event) -> None:
        """Keep a field, and pass over anything else that has no meaning for this form."""
        if not isinstance(event, Field | File):
            return
        value = b""
        for data in self._events:
            if not isinstance(data, Data):
                raise BadRequest("The form is broken.")
            value += data.data
            if len(value) > _MAX_FIELD_BYTES:
                raise RequestEntityTooLarge
            if not data.more_data:
                break
        if isinstance(event, Field):
            self.fields[event.name] = value.decode(errors="replace")

    def _read_events(self) -> Iterator[Event]:
        try:
            while True:
                event = self._decoder.next_event()
                if isinstance(event, Epilogue):
                    return
                if isinstance(event, NeedData):
                    # Empty at the end, which the decoder refuses unless the form is complete.
                    self._decoder.receive_data(self._stream.read(_READ_BYTES) or None)
                else:
                    yield event
        except ValueError:
            raise BadRequest("The form is broken, or the connection ended before the whole file was there.") from None
