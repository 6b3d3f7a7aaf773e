"""What a slot and its supervisor say to each other, over the container's attached stdin and stdout.

    slot        ready    at once, and then it waits
    supervisor  job      one document; then the bytes of its files, in order, and those of its stdin, in raw frames
    slot        begin    one document before each program: the compiler, where there is one, and the job's own
    slot        report   one document; then the bytes of the streams and of the outputs that it lists, in raw frames
    slot        end      one document; the slot ends by itself

Raw frames never reach across the border between two files. A job that is not understood, or asks for what is not
allowed, is answered by a report of REJECTED. When the supervisor closes stdin, the slot ends at once, and the job with
it. Names of fields are camelCase; unknown fields are ignored. Neither side believes the other: sizes, counts and names
are looked at on both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from processors.code.reading import BadDocument, Fields
from processors.names import problem_among
from processors.slot_needs import HEADROOM_BYTES as HEADROOM_BYTES
from processors.slot_needs import MIB

SLOT_PROTOCOL_VERSION = 1

JOB_DIR = "/job"  #: where the files of a job are, and where its programs start
TMP_DIR = "/tmp"
OUT_DIR_NAME = "out"  #: made for the program
RETURN_FD = 3  #: on which a program gives a value back

UID_VARIABLE = "PITCHEY_SLOT_UID"  #: whom the job's processes are; no two slots of a host have the same at a time
LANDLOCK_VARIABLE = "PITCHEY_SLOT_LANDLOCK"  #: "auto" as far as the kernel has it, "required", or "off"
UIDS = (1000, (1 << 31) - 1)
PROXY_VARIABLE = "PITCHEY_SLOT_PROXY"  #: "1" when there is a proxy, whose directory is mounted on PROXY_DIR
FORWARDER_UID = 999  #: who carries connections there: neither root nor one that a job may be

PROXY_DIR = "/run/pitchey-proxy"
PROXY_SOCKET = f"{PROXY_DIR}/proxy.sock"
CA_BUNDLE = f"{PROXY_DIR}/ca-bundle.crt"  #: where the host has one of its own
PROXY_HOST, PROXY_PORT = "127.0.0.1", 3128  #: as programs in the slot know it
PACKAGES_DIR = "/packages"  #: mounted read-only: what was prepared for the job

MAX_FILES = 512
MAX_FILE_BYTES = 64 * MIB
MAX_STDIN_BYTES = 4 * MIB  #: the first process keeps it until the program has read it
MAX_STREAM_BYTES = 4 * MIB  #: likewise
MAX_OUTPUT_FILES = 256  #: with their names, a report has to fit into a frame
MAX_OUTPUT_BYTES = 256 * MIB
MAX_PATTERNS = 64
MAX_TEXT = 64 << 10
MAX_SECONDS = 86400
_MAX_ARGUMENTS = 256


class PhaseLimits(NamedTuple):
    """What one program of a job may use."""

    wall_seconds: float
    memory_bytes: int  #: of the program and all that it starts, together
    cpu_seconds: float | None = None  #: likewise
    stdout_bytes: int = MIB
    stderr_bytes: int = MIB
    return_bytes: int = MIB
    file_bytes: int = 64 * MIB  #: of each file
    open_files: int = 256  #: of each process
    processes: int = 128  #: and threads; a second fence: the container's own limit is the one whose hits are counted

    def document(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "wallSeconds": self.wall_seconds,
            "memoryBytes": self.memory_bytes,
            "cpuSeconds": self.cpu_seconds,
            "stdoutBytes": self.stdout_bytes,
            "stderrBytes": self.stderr_bytes,
            "returnBytes": self.return_bytes,
            "fileBytes": self.file_bytes,
            "openFiles": self.open_files,
            "processes": self.processes,
        }

    @staticmethod
    def read(fields: Fields) -> PhaseLimits:
        """Read what was sent."""
        return PhaseLimits(
            wall_seconds=fields.number("wallSeconds", 0.01, MAX_SECONDS),
            memory_bytes=fields.whole("memoryBytes", MIB, 1 << 44),
            cpu_seconds=fields.number("cpuSeconds", 0.01, MAX_SECONDS) if fields.has("cpuSeconds") else None,
            stdout_bytes=fields.whole("stdoutBytes", 0, MAX_STREAM_BYTES),
            stderr_bytes=fields.whole("stderrBytes", 0, MAX_STREAM_BYTES),
            return_bytes=fields.whole("returnBytes", 0, MAX_STREAM_BYTES),
            file_bytes=fields.whole("fileBytes", 0, 1 << 40),
            open_files=fields.whole("openFiles", 16, 1 << 16),
            processes=fields.whole("processes", 1, 1 << 12),
        )


class Phase(NamedTuple):
    """One program of a job: the compiler, or what was asked for."""

    command: tuple[str, ...]
    environment: dict[str, str]
    limits: PhaseLimits

    def document(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "command": list(self.command),
            "environment": self.environment,
            "limits": self.limits.document(),
        }

    @staticmethod
    def read(fields: Fields) -> Phase:
        """Read what was sent."""
        command = fields.texts("command", _MAX_ARGUMENTS, MAX_TEXT)
        if not command or not command[0].startswith("/"):
            raise BadDocument("command does not start with the path of a program")
        return Phase(
            command, fields.environment("environment", 256, MAX_TEXT), PhaseLimits.read(fields.inner("limits"))
        )


class JobFile(NamedTuple):
    """A file that comes with a job."""

    name: str
    size: int


class Collection(NamedTuple):
    """Which of the files that a job leaves are wanted."""

    patterns: tuple[str, ...] = (f"{OUT_DIR_NAME}/**",)  #: see names.matches
    max_files: int = 64
    max_bytes: int = 16 * MIB  #: of all together


class Job(NamedTuple):
    """All that a slot is given."""

    files: tuple[JobFile, ...]
    run: Phase
    compile: Phase | None = None
    stdin_bytes: int = 0
    collection: Collection = Collection()

    def document(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "type": "job",
            "protocol": SLOT_PROTOCOL_VERSION,
            "files": [{"name": file.name, "size": file.size} for file in self.files],
            "stdinBytes": self.stdin_bytes,
            "compile": self.compile.document() if self.compile else None,
            "run": self.run.document(),
            "outputs": {
                "patterns": list(self.collection.patterns),
                "maxFiles": self.collection.max_files,
                "maxBytes": self.collection.max_bytes,
            },
        }

    @staticmethod
    def read(document: dict[str, Any]) -> Job:
        """Read what was sent.

        Raises:
            BadDocument: it is not to be run; says why.
        """
        fields = Fields(document)
        if fields.text("type", 16) != "job":
            raise BadDocument("a job was expected")
        fields.whole("protocol", SLOT_PROTOCOL_VERSION, SLOT_PROTOCOL_VERSION)
        files = tuple(
            JobFile(file.text("name", 4096), file.whole("size", 0, MAX_FILE_BYTES))
            for file in fields.inners("files", MAX_FILES)
        )
        if problem := problem_among((file.name for file in files), reserved=(OUT_DIR_NAME,)):
            raise BadDocument(problem)
        outputs = fields.inner("outputs")
        return Job(
            files=files,
            run=Phase.read(fields.inner("run")),
            compile=Phase.read(fields.inner("compile")) if fields.has("compile") else None,
            stdin_bytes=fields.whole("stdinBytes", 0, MAX_STDIN_BYTES),
            collection=Collection(
                outputs.texts("patterns", MAX_PATTERNS, 1024),
                outputs.whole("maxFiles", 0, MAX_OUTPUT_FILES),
                outputs.whole("maxBytes", 0, MAX_OUTPUT_BYTES),
            ),
        )


BEGIN = "begin"
COMPILE, RUN = "compile", "run"  #: the programs of a job, in their order


def begin_document(phase: str) -> dict[str, Any]:
    """Said before a program is started: from here on the job may have done something."""
    return {"type": BEGIN, "phase": phase}


class Ready(NamedTuple):
    """What a slot says first."""

    uid: int
    landlock: int  #: version of the kernel's interface; 0 where it is not used
    cgroup: int  #: 1 or 2; 0 where there is none to be read, and then limits are the engine's alone
    protocol: int = SLOT_PROTOCOL_VERSION

    def document(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "type": "ready",
            "protocol": self.protocol,
            "uid": self.uid,
            "landlock": self.landlock,
            "cgroup": self.cgroup,
        }

    @staticmethod
    def read(document: dict[str, Any]) -> Ready:
        """Read what was sent."""
        fields = Fields(document)
        if fields.text("type", 16) != "ready":
            raise BadDocument("the slot does not say that it is ready")
        return Ready(
            uid=fields.whole("uid", *UIDS),
            landlock=fields.whole("landlock", 0, 1 << 16),
            cgroup=fields.whole("cgroup", 0, 2),
            protocol=fields.whole("protocol", 1, 1 << 16),
        )
