"""The words that host and instance share: services, reasons, names of directories and files.

A part of the protocol, in a module of its own because it needs nothing: the commands that only look at the queue import
this and not the messages, whose library takes longer to load than all the rest of `pitchey status`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

PROTOCOL_VERSION = 1

INPUTS_DIR = "/inputs"
SPOOL_DIR = "/spool"
MODELS_DIR = "/models"
RUN_DIR = "/run/pitchey"
SOCKET_NAME = "worker.sock"
OUT_DIR_NAME = "out"
EVENTS_NAME = "events.ndjson"
ENDING_NAME = "result.json"

GPU_VARIABLE = "PITCHEY_GPU"  #: set in instances that were given the graphics cards: models run there, or not at all
#: frameworks of models that only variants of the inference image run: the word in such an image's name
VARIANTS = {"torch": "torch", "torchscript": "torch", "tensorflow": "tensorflow"}


class Service(StrEnum):
    """The five services."""

    VIDEO = "video"
    DOCUMENT = "document"
    INFERENCE = "inference"
    MEDIA = "media"
    CODE = "code"


def variant_name(words: Iterable[str]) -> str:
    """What the image of inference is called that runs more: `inference-torch`."""
    return "-".join([Service.INFERENCE, *sorted(words)])


class Reason(StrEnum):
    """Why an attempt ended. What follows from it is decided on the host (domain/states.py)."""

    COMPLETED = "completed"
    FAILED = "failed"  #: the work itself failed
    TIMEOUT = "timeout"
    OOM = "oom"  #: the kernel killed it for memory
    INSTANCE_LOST = "instance_lost"  #: the instance went away under it
    INTERRUPTED = "interrupted"  #: handed back by a daemon that stops
    CANCELLED = "cancelled"
    REJECTED = "rejected"  #: the input or the spec can never work
