"""Uploads that can be gone on with: tus 1.0 (tus.io), with its extensions creation, expiration and termination.

tus and not the draft of the IETF: it is finished and has clients in every language, and it needs no interim responses,
which the server beneath does not send. That a file is what it was when it was announced is said once, as `sha256` in
Upload-Metadata, and looked at when its last piece has come.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import partial
from http import HTTPStatus

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pitchey_cli.api.call import Call
from pitchey_cli.api.problems import Refused, too_large
from pitchey_cli.artifacts.incoming import About, Incoming
from pitchey_cli.domain.errors import InputNotFound, InputRejected, UsageError
from pitchey_cli.operations.orders import UPLOAD, Upload, file_name

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,termination"
OFFSET_STREAM = "application/offset+octet-stream"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PIECE_BYTES = 1 << 20  # written at once, by a thread


async def describe_uploads(call: Call) -> Response:
    """Say which tus this is, and how large a file may be."""
    largest = str(call.desk.wiring.settings.limits.input_bytes)
    headers = {"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, "Tus-Max-Size": largest}
    return _answer(HTTPStatus.NO_CONTENT, headers)


async def begin_upload(call: Call) -> Response:
    """Begin an upload, as tus 1.0 has it; 200 when the same file is known already, with how much of it has come.

    Upload-Metadata has `filename`, and `sha256` where the sender knows it: then the same file is found again by whoever
    sends it, after a crash as well.
    """
    _check_version(call)
    length = _number(call, "upload-length")
    limit = call.desk.wiring.settings.limits.input_bytes
    if length > limit:
        raise too_large("The file", limit)
    said = _metadata(call.header("upload-metadata") or "")
    digest = said.get("sha256", "").lower()
    if digest and not _SHA256.fullmatch(digest):
        raise InputRejected("sha256 in Upload-Metadata has 64 hexadecimal digits.", hint="It may be left out.")
    about = About(file_name(said.get("filename", "upload"), "file name"), length, digest)
    upload, is_new = await call.desk.uploads.run(lambda: call.desk.incoming.begin(call.actor.organisation, about))
    upload = await _checked(call, upload)
    headers = {"Location": f"/v1/uploads/{upload.id}", "Upload-Offset": str(upload.offset)}
    return _answer(HTTPStatus.CREATED if is_new else HTTPStatus.OK, headers | _expires(call, upload))


async def get_upload(call: Call) -> Response:
    """Say how much of an upload has come. A job names it as `upload:ID` once all of it is there."""
    _check_version(call)
    upload = await _checked(call, await _find(call))
    headers = {"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.about.length)}
    return _answer(HTTPStatus.OK, headers | _expires(call, upload))


async def continue_upload(call: Call) -> Response:
    """Take the next piece of an upload, from the offset that it has. Of a piece that breaks off, what came is kept.

    An empty piece at the end asks whether all of it is there and right.
    """
    _check_version(call)
    if call.media_type != OFFSET_STREAM:
        text = f"A piece of an upload is {OFFSET_STREAM}."
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "media-type", text)
    offset = _number(call, "upload-offset")
    with _busy(call, call.part("upload")):
        upload = await _find(call)
        if offset != upload.offset:
            text = f"The upload has {upload.offset:,} bytes, and the piece begins at {offset:,}."
            headers = {"Upload-Offset": str(upload.offset), "Connection": "close"}
            raise Refused(HTTPStatus.CONFLICT, "offset", text, hint="HEAD says where to go on.", headers=headers)
        offset = await _take(call, upload)
        if offset == upload.about.length and not upload.is_whole:
            await _finish(call, upload)
    return _answer(HTTPStatus.NO_CONTENT, {"Upload-Offset": str(offset)} | _expires(call, await _find(call)))


async def remove_upload(call: Call) -> Response:
    """Throw an upload away."""
    _check_version(call)
    with _busy(call, call.part("upload")):
        upload = await _find(call)
        await call.desk.uploads.run(lambda: call.desk.incoming.remove(upload))
    return _answer(HTTPStatus.NO_CONTENT, {})


async def _take(call: Call, upload: Incoming) -> int:
    """Write what comes; the offset then. A client that goes away has given what it has given."""
    at, held = upload.offset, bytearray()

    async def write() -> None:
        nonlocal at
        if held:
            await call.desk.uploads.run(partial(call.desk.incoming.append, upload, bytes(held), at))
            at += len(held)
            held.clear()

    try:
        async for chunk in call.request.stream():
            if at + len(held) + len(chunk) > upload.about.length:
                hint = "Its Upload-Length says so: begin another one for a larger file."
                raise too_large("What comes of the upload", upload.about.length, hint=hint)
            held += chunk
            if len(held) >= _PIECE_BYTES:
                await write()
        await write()
    except (ClientDisconnect, Refused):
        await write()
        raise
    return at


async def _checked(call: Call, upload: Incoming) -> Incoming:
    """An upload as it is; one of which all has come, and which a crash has kept from being compared, is compared now.

    Raises:
        Refused: another request is at that, or it is something else than was announced.
    """
    if not upload.is_unchecked:
        return upload
    with _busy(call, upload.id):
        found = await _find(call, upload.id)
        if found.is_unchecked:
            await _finish(call, found)
        return await _find(call, upload.id)


async def _finish(call: Call, upload: Incoming) -> None:
    try:
        await call.desk.uploads.run(lambda: call.desk.incoming.finish(upload))
    except InputRejected as error:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        raise Refused(status, "checksum", str(error), hint=error.hint) from error


async def _find(call: Call, upload_id: str = "") -> Incoming:
    whose = call.actor.organisation
    wanted = upload_id or call.part("upload")
    return await call.desk.uploads.run(lambda: call.desk.incoming.find(whose, wanted))


def _busy(call: Call, upload_id: str) -> contextlib.AbstractContextManager[None]:
    return call.desk.busy(f"{call.actor.organisation}/{upload_id}")


def _expires(call: Call, upload: Incoming) -> dict[str, str]:
    return {"Upload-Expires": formatdate(call.desk.incoming.expires_at(upload), usegmt=True)}


def _answer(status: int, headers: dict[str, str]) -> Response:
    return Response(None, status, headers={"Tus-Resumable": VERSION, "Cache-Control": "no-store", **headers})


def _check_version(call: Call) -> None:
    if call.header("tus-resumable") != VERSION:
        headers = {"Tus-Version": VERSION}
        text = f"This takes tus {VERSION}."
        hint = f"Tus-Resumable: {VERSION}"
        raise Refused(HTTPStatus.PRECONDITION_FAILED, "tus-version", text, hint=hint, headers=headers)


def _number(call: Call, name: str) -> int:
    text = call.header(name) or ""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Refused(HTTPStatus.BAD_REQUEST, "not-a-number", f"{name.title()} is missing, or no number of bytes.")
    return int(text)


def _metadata(text: str) -> dict[str, str]:
    """What Upload-Metadata says: pairs of a key and a text in base 64, with commas between."""
    found: dict[str, str] = {}
    for pair in filter(None, (each.strip() for each in text.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError) as error:
            text = f"{key[:40]!r} in Upload-Metadata is no base 64 of UTF-8."
            raise Refused(HTTPStatus.BAD_REQUEST, "metadata", text) from error
    return found


async def kept_uploads(call: Call, *asked: object) -> dict[str, Incoming]:
    """The whole uploads that something names, by their ids; what is none of them the order refuses by itself."""
    found: dict[str, Incoming] = {}
    for upload_id in ids_in(asked):
        with contextlib.suppress(InputNotFound):
            upload = await _checked(call, await _find(call, upload_id))
            if not upload.is_whole:
                text = f"Of the upload {upload_id} {upload.offset:,} of {upload.about.length:,} bytes have come."
                raise UsageError(text, hint="Go on with it first: HEAD says where.")
            found[upload_id] = upload
    return found


def as_uploads(kept: Mapping[str, Incoming]) -> dict[str, Upload]:
    """The same, as orders have the files that come with them."""
    return {upload_id: Upload(each.path, each.about.file_name) for upload_id, each in kept.items()}


def note_taken(call: Call, kept: Mapping[str, Incoming]) -> None:
    """Jobs have them now."""
    for each in kept.values():
        with contextlib.suppress(OSError):
            call.desk.incoming.taken(each, now=time.time())


def ids_in(value: object) -> set[str]:
    """The ids of all uploads that something names as `upload:ID`."""
    if isinstance(value, str):
        return {value.removeprefix(UPLOAD)} if value.startswith(UPLOAD) else set()
    if isinstance(value, dict):
        value = list(value.values())
    return set().union(*map(ids_in, value)) if isinstance(value, (list, tuple)) else set()
