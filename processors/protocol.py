"""The contract between the host and an instance: requests, events, results, paths, version.

Both sides import this module, the words of vocabulary.py and the specs, which belong to it, and nothing else of each
other. JSON on the wire is camelCase; snake_case is accepted as well. A spec refuses unknown fields; a message ignores
them, so that a host and a worker of neighbouring versions can talk. Golden files in tests/resources/protocol/ hold
every message as it once was: they must keep parsing.

An instance sees these directories:

    /inputs/<token>/   what the attempt reads (mounted read-only)
    /spool/<token>/    out/, events.ndjson and, written last and by rename, result.json; an attempt that is over in
                       moments, and whose request has `inlineBytes`, may leave nothing there: should its worker die, it
                       is made again
    /models/           models of this machine, of the inference service only (mounted read-only)
    /run/pitchey/      worker.sock, on which the worker speaks HTTP/1.1:

        GET    /health                             Health
        POST   /attempts?follow=1                  AttemptRequest -> 202 and, when asked to follow, the events as below;
                                                   409 known token, 429 no slot, 503 draining
        POST   /groups                             AttemptGroup -> 202 and, of each of its attempts, Told as NDJSON: its
                                                   events until the last one, or the Refusal of what was not taken
        GET    /attempts/{token}/events?after=SEQ  events as NDJSON until the last one; may be asked again from any SEQ
        DELETE /attempts/{token}?grace=SECONDS     TERM to the attempt's process group, KILL after the grace;
                                                   202, or 200 when it has ended already
        POST   /drain                              no new attempts from now on; 200

An instance that shares no files with the host has none of these from it. In front of its worker stands a porter
(processors/porter), which is reached over TCP, takes `Authorization: Bearer SECRET`, and answers the same requests: it
fetches the inputs by the links that come with the request, hands the attempt to the worker, and stores the outputs by
links that it asks for with a `links` event. It takes two requests more:

        POST   /attempts/{token}/links             Links -> 200; also when nobody waits for them any more
        DELETE /attempts/{token}/spool             forget an attempt that has ended, and remove its files;
                                                   200, or 409 while it runs

    Any other answer has a Refusal as its body: 400 for what is not understood, 401 without the secret, 404 for an
    unknown token or path, 405 for a wrong method, 413 for a request of more than 64 MiB. The token is known also when
    an earlier worker has had it. An attempt whose spec is not valid is taken (202), and ends as rejected.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

from processors.vocabulary import ENDING_NAME as ENDING_NAME
from processors.vocabulary import EVENTS_NAME as EVENTS_NAME
from processors.vocabulary import INPUTS_DIR as INPUTS_DIR
from processors.vocabulary import MODELS_DIR as MODELS_DIR
from processors.vocabulary import OUT_DIR_NAME as OUT_DIR_NAME
from processors.vocabulary import PROTOCOL_VERSION as PROTOCOL_VERSION
from processors.vocabulary import RUN_DIR as RUN_DIR
from processors.vocabulary import SOCKET_NAME as SOCKET_NAME
from processors.vocabulary import SPOOL_DIR as SPOOL_DIR
from processors.vocabulary import Reason as Reason
from processors.vocabulary import Service as Service

TOKEN_PATTERN = r"^[a-z0-9]{1,32}\.[0-9]{1,9}$"
EVENT_BYTES = 4 * 2**20  #: that one event may have, or another answer: a result with many outputs is the longest
MOST_OUTPUTS = 20_000  #: of an attempt, where they go by links: the segments of a day of video, and a bound


# --- messages: host -> instance --------------------------------------------------------------------------------------


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _finite(details: dict[str, Any]) -> dict[str, Any]:
    if not _is_finite(details):
        raise ValueError("NaN and infinity are no JSON")
    return details


Details = Annotated[dict[str, Any], AfterValidator(_finite)]  #: facts for programs; what comes out is JSON


class Message(BaseModel):
    """Base of what crosses the socket: unknown fields are ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        defer_build=True,
        allow_inf_nan=False,
    )

    def wire(self) -> bytes:
        """The message as one line of camelCase JSON, without the newline."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class InputFile(Message):
    """A file that the host has put into the attempt's input directory."""

    field: str  #: the spec's field that named it, in snake_case
    path: str  #: file name inside /inputs/<token>/; chosen by the host, never by the user
    name: str  #: what the user called it; for messages only
    size: int
    sha256: str
    url: str | None = Field(default=None, repr=False)  #: a link to GET it by, where no files are shared; a secret


class AttemptRequest(Message):
    """Start one attempt."""

    protocol: int = PROTOCOL_VERSION
    token: str = Field(pattern=TOKEN_PATTERN)  #: fencing token, and the name of the directories
    service: Service
    spec: dict[str, Any]
    inputs: list[InputFile] = []
    timeout_seconds: float = Field(gt=0)
    output_limit_bytes: int = Field(gt=0)
    #: outputs up to this size may come within the result, and then nothing is left in the spool
    inline_bytes: Annotated[int, Field(gt=0)] | None = None


class AttemptGroup(Message):
    """Start attempts at once, and follow them on one connection: for those that are over in moments."""

    attempts: list[AttemptRequest] = Field(min_length=1)


class Links(Message):
    """The answer to a `links` event; in the order in which it has asked. Links are secrets."""

    ask: int  #: of the event
    inputs: list[str] = Field(default=[], repr=False)  #: to GET
    outputs: list[str] = Field(default=[], repr=False)  #: to PUT


# --- messages: instance -> host --------------------------------------------------------------------------------------


class OutputFile(Message):
    """A file that the attempt left in its out directory."""

    path: str  #: relative to out/, with forward slashes
    media_type: str
    role: str  #: what it is to the job: video, thumbnail, ...
    size: int
    details: Details = {}  #: what was measured of it: width, durationSeconds, ...
    text: str | None = None  #: all that is in it, in UTF-8, where it is no file; only where the request allows it
    sha256: str | None = None  #: of one that was stored by a link: what has to be found there


class Result(Message):
    """What a successful attempt gives."""

    outputs: list[OutputFile] = []
    details: Details = {}


class Failure(Message):
    """What a failed attempt says."""

    code: str  #: stable, for programs: not_media, thumbnail_after_end, ...
    message: str  #: one sentence for a person; names the input
    hint: str | None = None  #: the way out
    retryable: bool
    reason: Reason


class Metrics(Message):
    """What an attempt used."""

    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class _Event(Message):
    seq: int = Field(ge=1)  #: counts from 1 in each attempt, without gaps
    at: float  #: Unix time in seconds


class AcceptedEvent(_Event):
    """The attempt has a slot and starts."""

    type: Literal["accepted"] = "accepted"


class ProgressEvent(_Event):
    """How far the attempt is."""

    type: Literal["progress"] = "progress"
    fraction: float | None = Field(None, ge=0, le=1)  #: unknown when the length of the work is
    stage: str
    eta_seconds: float | None = None
    speed: float | None = None  #: seconds of media per second of work


class LogEvent(_Event):
    """A line that a program of the attempt, or the worker itself, has written; or a piece of an answer."""

    type: Literal["log"] = "log"
    stream: Literal["stdout", "stderr", "worker", "answer"]
    line: str


class MetricEvent(_Event):
    """What the attempt has used so far."""

    type: Literal["metric"] = "metric"
    metrics: Metrics


class StoredFile(Message):
    """An output that is to be stored by a link."""

    number: int = Field(ge=0)  #: its place among the outputs of the result
    size: int = Field(ge=0)
    sha256: str


class LinksEvent(_Event):
    """The attempt waits for links. Only of an instance that shares no files with the host."""

    type: Literal["links"] = "links"
    ask: int = Field(ge=1)  #: counts from 1; the answer names it, and only the last one is waited for
    inputs: list[int] = []  #: numbers of the request's inputs whose links have run out
    outputs: list[StoredFile] = []


class ResultEvent(_Event):
    """The attempt succeeded. Always the last event."""

    type: Literal["result"] = "result"
    result: Result
    metrics: Metrics


class ErrorEvent(_Event):
    """The attempt failed. Always the last event."""

    type: Literal["error"] = "error"
    error: Failure
    metrics: Metrics


Event = Annotated[
    AcceptedEvent | ProgressEvent | LogEvent | MetricEvent | LinksEvent | ResultEvent | ErrorEvent,
    Field(discriminator="type"),
]
Ending = Annotated[ResultEvent | ErrorEvent, Field(discriminator="type")]  #: also what result.json holds

EVENT: TypeAdapter[Event] = TypeAdapter(Event, config=ConfigDict(defer_build=True))
ENDING: TypeAdapter[Ending] = TypeAdapter(Ending, config=ConfigDict(defer_build=True))


class CgroupUsage(Message):
    """What the instance as a whole uses, by its own control group; None where the kernel does not say."""

    version: Literal[1, 2] | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    cpu_seconds: float | None = None
    oom_kills: int | None = None


class Health(Message):
    """The answer of GET /health."""

    protocol: int = PROTOCOL_VERSION
    service: Service
    slots: int
    attempts: list[str] = []  #: tokens of the attempts that run
    draining: bool = False
    loaded_models: list[str] = []
    model_bytes: dict[str, int] | None = None  #: of memory that each of these counts for
    uptime_seconds: float
    usage: CgroupUsage = Field(default_factory=CgroupUsage)


class Refusal(Message):
    """The body of every answer that is not 2xx."""

    code: str
    message: str


class Told(Message):
    """What is said of one attempt of a group."""

    token: str
    event: Event | None = None
    status: int | None = None  #: as of an answer, where it was refused
    refusal: Refusal | None = None
