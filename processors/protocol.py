"""The whole contract between the host and an instance: specs, requests, events, results, paths, version.

Both sides import this module, the words of vocabulary.py, which belong to it, and nothing else of each other. JSON on
the wire is camelCase; snake_case is accepted as well. A spec refuses unknown fields; a message ignores them, so that a
host and a worker of neighbouring versions can talk. Golden files in tests/resources/protocol/ hold every message as it
once was: they must keep parsing.

An instance sees three directories:

    /inputs/<token>/   what the attempt reads (mounted read-only)
    /spool/<token>/    out/, events.ndjson and, written last and by rename, result.json
    /run/pitchey/      worker.sock, on which the worker speaks HTTP/1.1:

        GET    /health                             Health
        POST   /attempts                           AttemptRequest -> 202; 409 known token, 429 no slot, 503 draining
        GET    /attempts/{token}/events?after=SEQ  events as NDJSON until the last one; may be asked again from any SEQ
        DELETE /attempts/{token}?grace=SECONDS     TERM to the attempt's process group, KILL after the grace;
                                                   202, or 200 when it has ended already
        POST   /drain                              no new attempts from now on; 200

    Any other answer has a Refusal as its body: 400 for what is not understood, 404 for an unknown token or path,
    405 for a wrong method, 413 for a request of more than 64 MiB. The token is known also when an earlier worker has
    had it. An attempt whose spec is not valid is taken (202), and ends as rejected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import from_json, to_json

from processors.names import problem_among
from processors.slot_needs import (
    AROUND_SECONDS,
    COMPILER_MEMORY_BYTES,
    COMPILER_SECONDS,
    FETCHING_SECONDS,
    HEADROOM_BYTES,
    MIB,
)
from processors.vocabulary import ENDING_NAME as ENDING_NAME
from processors.vocabulary import EVENTS_NAME as EVENTS_NAME
from processors.vocabulary import INPUTS_DIR as INPUTS_DIR
from processors.vocabulary import OUT_DIR_NAME as OUT_DIR_NAME
from processors.vocabulary import PROTOCOL_VERSION as PROTOCOL_VERSION
from processors.vocabulary import RUN_DIR as RUN_DIR
from processors.vocabulary import SOCKET_NAME as SOCKET_NAME
from processors.vocabulary import SPOOL_DIR as SPOOL_DIR
from processors.vocabulary import Reason as Reason
from processors.vocabulary import Service as Service

# --- specs: what a job asks of a service -----------------------------------------------------------------------------


class Spec(BaseModel):
    """Base of the five specs: unknown fields are errors."""

    # Validators are built when first needed: most commands need few of them, and start faster for it.
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, defer_build=True
    )

    #: values that the contract knows, and this version cannot make
    not_served: ClassVar[frozenset[str]] = frozenset()

    #: fields that name files: a path or URL on the host's side, fetched by the host before the attempt starts
    input_fields: ClassVar[tuple[str, ...]] = ()

    #: the field that a file's own text becomes part of the spec in: read by the host when the job is submitted
    content_field: ClassVar[str] = ""

    #: what the suffix of that file says of other fields
    by_suffix: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    #: the field that names more files, a path or URL by the name that each is to have; fetched as those of input_fields
    attached_field: ClassVar[str] = ""

    #: the field that what is piped into the command becomes
    piped_field: ClassVar[str] = ""

    def kind(self) -> str:
        """What an instance should have warm for it, as a model or a language; jobs of one kind need the same."""
        return ""

    def output_paths(self) -> list[str]:
        """The outputs that the spec alone tells: what stands in their way is found before the work, and not after."""
        return []

    def memory_bytes(self) -> int | None:
        """What an attempt takes of its instance's memory, where the spec bounds it; else None."""
        return None

    def larger_than(self, memory_bytes: int) -> str:
        """Why an instance with so much memory is too small, and what would fit, in the words of the spec."""
        return f"it does not fit into {memory_bytes} bytes of memory"

    def longest_seconds(self) -> float | None:
        """How long an attempt may take, where the spec bounds that; else None."""
        return None


Quality = Literal["low", "medium", "high", "ultra"]

RESOLUTION_PATTERN = r"^[1-9]\d{1,4}x[1-9]\d{1,4}$"
TOKEN_PATTERN = r"^[a-z0-9]{1,32}\.[0-9]{1,9}$"
BITRATE_PATTERN = r"^[1-9]\d{0,8}(\.\d{1,3})?[kKM]?$"
BITRATES = ("10k", "500M")  # of a video: encoders fail below, and 8K at 60 frames per second takes half of the upper


def bits_per_second(text: str) -> int:
    """Read a bit rate as ffmpeg writes it: 800000, 2500k, 4M."""
    factor = {"k": 1000, "K": 1000, "M": 1_000_000}.get(text[-1])
    return round(float(text[:-1]) * factor) if factor else round(float(text))


class Watermark(Spec):
    """A text or an image over the picture."""

    text: str | None = Field(None, max_length=500)
    image_url: str | None = None
    position: Literal["top-left", "top-right", "bottom-left", "bottom-right", "center"] = "bottom-right"
    opacity: float = Field(0.5, ge=0, le=1)


class VideoSpec(Spec):
    """Transcode a video, take thumbnails from it, or both."""

    input_fields = ("input_url",)
    not_served = frozenset({"hls"})

    input_url: str = Field(min_length=1, description="Path or URL of the video.")
    output_format: Literal["mp4", "webm", "hls", "thumbnail"] = Field(
        "mp4", description="mp4 (H.264, AAC), webm (VP9, Opus), or thumbnail for pictures only."
    )
    quality: Quality = Field("medium", description="Quality tier: low, medium, high or ultra.")
    resolution: str | None = Field(
        None,
        pattern=RESOLUTION_PATTERN,
        description="The box the picture is fitted into, as 1280x720; its shape is kept.",
    )
    bitrate: str | None = Field(
        None, pattern=BITRATE_PATTERN, description="Video bit rate as 2500k or 4M; else by quality."
    )
    framerate: float | None = Field(None, gt=0, le=240, description="Frames per second, at most 240.")
    thumbnail_times: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = Field(
        None, max_length=100, description="Seconds at which to take a JPEG, as 1,2.5,8."
    )
    watermark: Watermark | None = Field(None, description="A text or an image over the picture.")

    @field_validator("watermark", mode="before")
    @classmethod
    def _no_watermark(cls, value: Any) -> Any:
        if value is not None:  # whatever is in it: its mistakes are of no interest yet
            raise ValueError("watermark is not served by this version")
        return value

    @field_validator("bitrate")
    @classmethod
    def _sensible(cls, bitrate: str | None) -> str | None:
        least, most = BITRATES
        if bitrate is not None and not bits_per_second(least) <= bits_per_second(bitrate) <= bits_per_second(most):
            raise ValueError(f"bitrate {bitrate} is not between {least} and {most}")
        return bitrate

    @model_validator(mode="after")
    def _what_this_version_serves(self) -> VideoSpec:
        if self.output_format in self.not_served:
            raise ValueError("outputFormat hls is not served by this version; mp4, webm and thumbnail are")
        if self.output_format == "thumbnail" and self.thumbnail_times == []:
            raise ValueError("thumbnailTimes is empty: name at least one time, or leave it out for the middle frame")
        return self

    def kind(self) -> str:
        """The format: encoders differ in the memory they need."""
        return self.output_format

    def output_paths(self) -> list[str]:
        """The video, unless only pictures are wanted, and the thumbnails."""
        is_video = self.output_format != "thumbnail"
        times = self.thumbnail_times if self.thumbnail_times is not None or is_video else [0.0]
        count = len(dict.fromkeys(times or ()))
        thumbnails = [f"thumbnail-{number:03}.jpg" for number in range(1, count + 1)]
        return [f"video.{self.output_format}", *thumbnails] if is_video else thumbnails


class DocumentSpec(Spec):
    """Turn a document into text, HTML, Markdown or pictures."""

    input_fields = ("document_url",)

    document_url: str = Field(min_length=1, description="Path or URL of the document.")
    output_formats: list[Literal["text", "html", "markdown", "preview"]] = Field(["text"], min_length=1)
    ocr_enabled: bool = False
    language: str = "eng"
    extract_images: bool = False
    generate_preview: bool = False


class InferenceParameters(Spec):
    """What steers a model."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    threshold: float | None = Field(default=None, ge=0, le=1)


class InferenceSpec(Spec):
    """Run a model over some input."""

    model: str = Field(min_length=1)
    input_data: Any
    parameters: InferenceParameters = Field(default_factory=InferenceParameters)
    output_format: Literal["json", "text", "binary"] = "json"

    def kind(self) -> str:
        """The model."""
        return self.model


class AudioSettings(Spec):
    """Codec settings of an audio output."""

    codec: str = "aac"
    bitrate: str = Field("128k", pattern=BITRATE_PATTERN)
    sample_rate: int = Field(48000, ge=8000, le=192000)


class MediaSpec(Spec):
    """Encode audio and media for delivery."""

    input_fields = ("input_media",)

    input_media: str = Field(min_length=1, description="Path or URL of the media file.")
    output_presets: list[str] = Field(min_length=1)
    generate_thumbnails: bool = False
    audio_settings: AudioSettings | None = None


def _named_well(files: dict[str, str] | None) -> dict[str, str] | None:
    if problem := problem_among(files or ()):
        raise ValueError(problem)
    return files


def _as_it_is_sent(value: list[Any]) -> list[Any]:
    """Values of any kind cross sockets inside a request, which is nested itself; nothing may become another there."""
    try:
        from_json(to_json([[[[value]]]]), allow_inf_nan=False)
    except ValueError:
        text = "inputs cannot be sent as JSON: they hold half of a character, NaN or Infinity, or are nested too deep"
        raise ValueError(text) from None
    return value


Line = Annotated[str, Field(max_length=65536, pattern=r"^[^\x00]*$")]  #: goes to a program; the kernel takes no NUL
FileText = Annotated[str, Field(max_length=64 << 20)]
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
FUNCTION_PATTERN = r"^[A-Za-z_$][A-Za-z0-9_$]*$"


class CodeSpec(Spec):
    """Run a program that nobody trusts."""

    content_field = "code"
    attached_field = "input_files"
    piped_field = "stdin"
    by_suffix: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        ".py": {"language": "python"},
        ".js": {"language": "javascript"},
        ".mjs": {"language": "javascript"},
        ".cjs": {"language": "javascript"},
        ".go": {"language": "go"},
        ".rs": {"language": "rust"},
    }

    language: Literal["javascript", "python", "go", "rust"] = Field(description="javascript, python, go or rust.")
    code: str = Field(max_length=4 << 20, description="The program itself; main.py, main.js, main.go or main.rs.")
    inputs: Annotated[list[Any], AfterValidator(_as_it_is_sent)] | None = Field(
        None,
        description="Arguments of the function main in Python and JavaScript; else, and in Go and Rust, JSON on stdin.",
    )
    timeout: float = Field(10, gt=0, le=3600, description="Seconds that the program may take; else 10.")
    memory_limit: int = Field(
        128, ge=16, le=65536, description="Megabytes for the program and all that it starts; else 128."
    )
    allow_networking: bool = Field(False, description="Whether the program may use the network.")
    stdin: str | None = Field(None, max_length=4 << 20, description="What the program reads from stdin.")
    args: list[Line] | None = Field(None, max_length=200, description="Arguments on the program's command line.")
    files: Annotated[dict[str, FileText] | None, AfterValidator(_named_well)] = Field(
        None, max_length=400, description="More files beside the program, as text by name."
    )
    input_files: Annotated[dict[str, Line] | None, AfterValidator(_named_well)] = Field(
        None, max_length=100, description="More files beside the program, a path or URL by name; any bytes."
    )
    environment: dict[Annotated[str, Field(max_length=256, pattern=VARIABLE_PATTERN)], Line] | None = Field(
        None, max_length=200, description="Environment variables of the program."
    )
    entry_point: str | None = Field(
        None,
        max_length=256,
        pattern=FUNCTION_PATTERN,
        description="The function that is called with the inputs, in Python and JavaScript; main when it is there.",
    )
    outputs: list[Annotated[str, Field(min_length=1, max_length=1000)]] | None = Field(
        None, max_length=64, description="Which files to keep, as out/**,*.png; all that is in out, if not said."
    )
    compile_options: list[Line] | None = Field(
        None, max_length=32, description="Options of the compiler, in Go and Rust."
    )
    compile_timeout: float | None = Field(None, gt=0, le=600, description="Seconds that compiling may take; else 30.")
    seed: int | None = Field(
        None, ge=0, lt=1 << 63, description="Makes chance repeatable, where the language has a seed."
    )

    packages: list[Annotated[Line, Field(min_length=1)]] | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Packages: requests==2.32.3 in Python, lodash@4 in JavaScript, example.org/module@v1.2.3 in Go.",
    )
    lock: str | None = Field(
        None,
        min_length=1,
        max_length=4 << 20,
        description="Instead of packages: a requirements.txt, a package-lock.json, or a go.sum beside go.mod in files.",
    )

    @model_validator(mode="after")
    def _what_the_language_has(self) -> CodeSpec:
        if problem := problem_among([*(self.files or ()), *(self.input_files or ())]):
            raise ValueError(problem)
        if self.language == "rust" and (self.packages or self.lock):
            raise ValueError("packages and lock are not for Rust: a program has its standard library, and no more")
        if self.packages and self.lock:
            raise ValueError("packages and lock cannot be said together: a lock names them all")
        if self.language in ("go", "rust"):
            if self.entry_point is not None:
                raise ValueError(
                    f"entryPoint is for Python and JavaScript; a program in {self.language} starts at main"
                )
            if self.inputs is not None and self.stdin is not None:
                raise ValueError(f"inputs come on stdin in {self.language}: leave out one of inputs and stdin")
        elif self.compile_options:
            raise ValueError(f"compileOptions are for Go and Rust; nothing is compiled in {self.language}")
        return self

    def kind(self) -> str:
        """The language."""
        return self.language

    def memory_bytes(self) -> int:
        """Of the slot: what the program may take, or its compiler, and what is around it."""
        return max(self.memory_limit * MIB, COMPILER_MEMORY_BYTES.get(self.language, 0)) + HEADROOM_BYTES

    def larger_than(self, memory_bytes: int) -> str:
        """Names memoryLimit."""
        most = (memory_bytes - HEADROOM_BYTES) // MIB
        return f"memoryLimit {self.memory_limit} is too large: {most} is the most that any instance has for a program"

    def longest_seconds(self) -> float:
        """Compiling, the program, and what is around it."""
        is_compiled = self.language in COMPILER_MEMORY_BYTES
        compiling = (self.compile_timeout or COMPILER_SECONDS) if is_compiled else 0.0
        fetching = FETCHING_SECONDS if self.packages or self.lock else 0.0
        return self.timeout + compiling + fetching + AROUND_SECONDS


SPECS: dict[Service, type[Spec]] = {
    Service.VIDEO: VideoSpec,
    Service.DOCUMENT: DocumentSpec,
    Service.INFERENCE: InferenceSpec,
    Service.MEDIA: MediaSpec,
    Service.CODE: CodeSpec,
}


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


class AttemptRequest(Message):
    """Start one attempt."""

    protocol: int = PROTOCOL_VERSION
    token: str = Field(pattern=TOKEN_PATTERN)  #: fencing token, and the name of the directories
    service: Service
    spec: dict[str, Any]
    inputs: list[InputFile] = []
    timeout_seconds: float = Field(gt=0)
    output_limit_bytes: int = Field(gt=0)


# --- messages: instance -> host --------------------------------------------------------------------------------------


class OutputFile(Message):
    """A file that the attempt left in its out directory."""

    path: str  #: relative to out/, with forward slashes
    media_type: str
    role: str  #: what it is to the job: video, thumbnail, ...
    size: int
    details: Details = {}  #: what was measured of it: width, durationSeconds, ...


class Result(Message):
    """What a successful attempt gives."""

    outputs: list[OutputFile] = []
    details: Details = {}


class Failure(Message):
    """What a failed attempt says."""

    code: str  #: stable, for programs: not_a_video, thumbnail_after_end, ...
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
    """A line that a program of the attempt, or the worker itself, has written."""

    type: Literal["log"] = "log"
    stream: Literal["stdout", "stderr", "worker"]
    line: str


class MetricEvent(_Event):
    """What the attempt has used so far."""

    type: Literal["metric"] = "metric"
    metrics: Metrics


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
    AcceptedEvent | ProgressEvent | LogEvent | MetricEvent | ResultEvent | ErrorEvent, Field(discriminator="type")
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
    uptime_seconds: float
    usage: CgroupUsage = Field(default_factory=CgroupUsage)


class Refusal(Message):
    """The body of every answer that is not 2xx."""

    code: str
    message: str
