"""Files that come with a request, as multipart/form-data: written to the disk as they come, never held in memory.

The part `job` or `jobs` is JSON and says what is to be done. Every other part is a file, and specs name it as
`upload:NAME`. Names that lead anywhere are refused here, before a byte of the file is taken.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from pitchey_cli.api.call import Call, as_json, gone
from pitchey_cli.api.problems import Refused, too_large
from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import StoreError
from pitchey_cli.operations.orders import Upload, file_name

MULTIPART = "multipart/form-data"
if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

ORDER_PARTS = frozenset({"job", "jobs"})
_MOST_PARTS = 200
_MOST_HEADER_BYTES = 8 * 1024  # of one part
_FRAMING_BYTES = 1 << 20  # boundaries and headers of all parts, beside their contents


@dataclass
class Form:
    """What came."""

    order: object = None  #: JSON; None where no part had any
    uploads: dict[str, Upload] = field(default_factory=dict)


@asynccontextmanager
async def form_of(call: Call) -> AsyncIterator[Form]:
    """Take all parts of a request; the files are removed at the end.

    Raises:
        Refused: it is no form, or larger than it may be.
        InputRejected: the name of a file is none.
    """
    settings = call.desk.wiring.settings
    limit = settings.limits.input_bytes + settings.api.body_bytes + _FRAMING_BYTES
    call.check_length(limit)
    _, options = parse_options_header((call.header("content-type") or "").encode("latin-1"))
    boundary = options.get(b"boundary")
    if not boundary or len(boundary) > 70:  # RFC 2046, 5.1.1
        raise Refused(HTTPStatus.BAD_REQUEST, "not-a-form", "The Content-Type names no boundary of 1 to 70 characters.")
    root = layout.uploads(call.desk.wiring.state_dir)
    root.mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=root))
    try:
        parts = _Parts(folder, json_limit=settings.api.body_bytes, file_limit=settings.limits.input_bytes)
        await _feed(call, MultipartParser(boundary, parts.callbacks()), parts, limit)
        yield parts.form
    finally:
        await call.desk.uploads.tidy(lambda: shutil.rmtree(folder, ignore_errors=True))


async def _feed(call: Call, parser: MultipartParser, parts: _Parts, limit: int) -> None:
    taken = 0
    try:
        async for chunk in call.request.stream():
            taken += len(chunk)
            if taken > limit:
                raise too_large("The body", limit)
            parser.write(chunk)
            if parts.pending_bytes:
                await call.desk.uploads.run(parts.flush)
        parser.finalize()
    except MultipartParseError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "not-a-form", "The body is no multipart/form-data.") from error
    except ClientDisconnect as error:
        raise gone() from error
    except OSError as error:
        raise StoreError(f"What was sent cannot be kept: {error.strerror}.", hint="Try again later.") from error
    finally:
        with contextlib.suppress(OSError):
            parts.close()
    if not parts.is_complete:
        raise Refused(HTTPStatus.BAD_REQUEST, "not-a-form", "The form ends before its last part does.")


class _Parts:
    """Takes the parts as the parser finds them. Writing to the disk is put off until the parser is through a chunk."""

    def __init__(self, folder: Path, *, json_limit: int, file_limit: int) -> None:
        self.form = Form()
        self.is_complete = False
        self.pending_bytes = 0
        self._folder, self._json_limit, self._file_limit = folder, json_limit, file_limit
        self._count = 0
        self._pending: list[tuple[IO[bytes], bytes]] = []
        self._header: list[bytes] = [b"", b""]
        self._headers: dict[str, bytes] = {}
        self._header_bytes = 0
        self._order: bytearray | None = None
        self._file: IO[bytes] | None = None
        self._opened: list[IO[bytes]] = []
        self._size = 0
        self._name = ""

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._head(0, data[start:end]),
            "on_header_value": lambda data, start, end: self._head(1, data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": lambda data, start, end: self._take(data[start:end]),
            "on_part_end": self._end,
            "on_end": self._done,
        }

    def flush(self) -> None:
        """Write what the parser has found to the disk."""
        for file, data in self._pending:
            file.write(data)
        self._pending.clear()
        self.pending_bytes = 0

    def close(self) -> None:
        self.flush()
        for file in self._opened:
            file.close()

    def _begin(self) -> None:
        self._count += 1
        if self._count > _MOST_PARTS:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", f"A form has {_MOST_PARTS} parts at most.")
        self._headers, self._header_bytes, self._size = {}, 0, 0

    def _head(self, which: int, data: bytes) -> None:
        self._header_bytes += len(data)
        if self._header_bytes > _MOST_HEADER_BYTES:
            raise too_large("The head of a part", _MOST_HEADER_BYTES)
        self._header[which] += data

    def _header_end(self) -> None:
        name, value = self._header
        self._headers[name.decode("latin-1").lower()] = value
        self._header = [b"", b""]

    def _headers_end(self) -> None:
        kind, options = parse_options_header(self._headers.get("content-disposition", b""))
        self._name = _text(options.get(b"name", b""))
        if kind != b"form-data" or not self._name:
            raise Refused(HTTPStatus.BAD_REQUEST, "not-a-form", "A part of the form has no name.")
        if self._name in ORDER_PARTS:
            if self.form.order is not None or self._order is not None:
                raise Refused(HTTPStatus.BAD_REQUEST, "not-a-form", "Two parts of the form say what is to be done.")
            self._order = bytearray()
            return
        name = file_name(self._name, "part")
        if name in self.form.uploads:
            raise Refused(HTTPStatus.BAD_REQUEST, "not-a-form", f"Two parts of the form are called {name!r}.")
        if b"filename" not in options:
            hint = "What is to be done is a part `job` or `jobs` with JSON; files have a filename."
            raise Refused(HTTPStatus.BAD_REQUEST, "not-a-form", f"The part {name!r} is no file.", hint=hint)
        called = file_name(_text(options[b"filename"]), "file name")
        path = self._folder / str(self._count)  # never a name that somebody chose
        self.form.uploads[name] = Upload(path, called)
        self._file = path.open("xb")
        self._opened.append(self._file)

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        if self._order is not None:
            if self._size > self._json_limit:
                raise too_large(f"The part {self._name!r}", self._json_limit)
            self._order += data
        elif self._file is not None:
            if self._size > self._file_limit:
                raise too_large(f"The file {self._name!r}", self._file_limit)
            self._pending.append((self._file, data))
            self.pending_bytes += len(data)

    def _end(self) -> None:
        if self._order is not None:
            self.form.order = as_json(bytes(self._order), f"The part {self._name!r}")
        self._order = self._file = None

    def _done(self) -> None:
        self.is_complete = True


def _text(value: bytes) -> str:
    """A name in a form: browsers and programs send UTF-8 (HTML, multipart/form-data encoding algorithm)."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "not-a-form", "A name in the form is not UTF-8.") from error
