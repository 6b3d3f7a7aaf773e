"""A handler whose libraries cannot be loaded."""

from __future__ import annotations

from processors.protocol import Result
from processors.specs import CodeSpec
from processors.worker.context import Context


def warm() -> None:
    raise ImportError("libmissing.so")


def handle(context: Context[CodeSpec]) -> Result:
    return Result()
