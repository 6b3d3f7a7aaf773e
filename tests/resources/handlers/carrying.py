"""A handler whose inputs have come from elsewhere and whose outputs go there. It does what the spec's `code` names."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable

from processors.protocol import EVENT_BYTES, Result
from processors.specs import CodeSpec
from processors.worker.context import Context


def handle(context: Context[CodeSpec]) -> Result:
    behaviours: dict[str, Callable[[Context[CodeSpec]], Result]] = {
        "copy": _copy, "many": _many, "link": _link, "two_names": _two_names, "grow": _grow, "sleep": _sleep,
        "show_request": _show_request, "lead_astray": _lead_astray, "say_much": _say_much,
    }  # fmt: skip
    return behaviours[context.spec.code](context)


def _copy(context: Context[CodeSpec]) -> Result:
    """Give the inputs back."""
    outputs = []
    for file in context.request.inputs:
        name = f"copies/{file.path}"
        (context.out / "copies").mkdir(exist_ok=True)
        shutil.copyfile(context.inputs / file.path, context.out / name)
        outputs.append(context.output(name, media_type="application/octet-stream", role="copy"))
    return Result(outputs=outputs)


def _many(context: Context[CodeSpec]) -> Result:
    """Leave as many files as `inputs` says."""
    (count,) = context.spec.inputs or ()
    names = [f"{number}.ts" for number in range(int(count))]
    for name in names:
        (context.out / name).write_text(f"this is {name}")
    return Result(outputs=[context.output(name, media_type="video/mp2t", role="segment") for name in names])


def _say_much(context: Context[CodeSpec]) -> Result:
    """Leave many files, and say so much of them that there is just room for it without their hashes."""
    result = _many(context)
    room = EVENT_BYTES - 2000 - len(json.dumps(result.model_dump(mode="json")))
    return result.model_copy(update={"details": {"said": "x" * room}})


def _link(context: Context[CodeSpec]) -> Result:
    """Leave a link to a file elsewhere, and call it a file."""
    (context.out / "link").write_text("x")
    output = context.output("link", media_type="text/plain", role="link")
    (context.out / "link").unlink()
    (context.out / "link").symlink_to("/etc/hostname")
    return Result(outputs=[output])


def _two_names(context: Context[CodeSpec]) -> Result:
    """Leave a second name of a file elsewhere."""
    os.link(context.out.parent / "events.ndjson", context.out / "link")
    return Result(outputs=[context.output("link", media_type="text/plain", role="link")])


def _grow(context: Context[CodeSpec]) -> Result:
    """Leave more than it says."""
    (context.out / "growing").write_text("x")
    output = context.output("growing", media_type="text/plain", role="text")
    with (context.out / "growing").open("wb") as file:
        file.truncate(context.request.output_limit_bytes)
    (context.out / "more").write_bytes(b"more")
    more = context.output("more", media_type="text/plain", role="text").model_copy(update={"size": 0})
    return Result(outputs=[output, more])


def _lead_astray(context: Context[CodeSpec]) -> Result:
    """Leave a link to another directory with such a file in the place of its own."""
    (context.out / "text").write_text("x")
    output = context.output("text", media_type="text/plain", role="text")
    own = context.out.parent
    own.rename(own.with_name("elsewhere"))
    own.symlink_to(own.with_name("elsewhere"))
    return Result(outputs=[output])


def _sleep(context: Context[CodeSpec]) -> Result:
    context.log("sleeping")
    time.sleep(600)
    return Result()


def _show_request(context: Context[CodeSpec]) -> Result:
    """Say all that the process knows: its request, its environment, and that of whoever started it."""
    context.log(repr(context.request.model_dump()))
    context.log(repr(dict(os.environ)))
    return Result()
