"""From jobs that were checked here to orders of a server: their files are sent first, and named by what they became.

The server checks everything once more and decides what only it knows: its settings, its cache, its quotas.
"""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_camel

from pitchey_cli.domain.errors import InputRejected
from pitchey_cli.domain.job import JobId
from pitchey_cli.domain.moments import later
from pitchey_cli.domain.pipeline import Pipeline, Reference
from pitchey_cli.operations.drafts import Draft
from pitchey_cli.operations.orders import UPLOAD
from pitchey_cli.operations.pipelines import Run
from pitchey_cli.operations.sources import Source
from pitchey_cli.operations.submit import StageProgress, own_key
from pitchey_cli.remote.client import Client
from pitchey_cli.remote.uploads import upload

_MOST_JOBS = 1000  # that a server takes in one request
_MOST_BYTES = 3 * 1024 * 1024  # of a request: a server takes 4 MiB unless it is set otherwise
_NOT_SENT = frozenset({"explain_cache"})  # is said here, once the jobs are there
_MOMENTS = ("run_at", "deadline")  # which mean what they mean here, where the clock may have another zone


@dataclass
class Ordering:
    """Orders of one command: a file that several jobs name is sent once."""

    client: Client
    limit_bytes: int  #: of a file, as the server has set it
    progress: StageProgress | None = None
    _sent: dict[tuple[str, str], str] = field(default_factory=dict)

    def place(
        self, service: str, drafts: Sequence[Draft], words: Mapping[str, Any], *, now: datetime, is_waited_for: bool
    ) -> tuple[list[JobId], list[str]]:
        """Send the files and the orders; the ids of the jobs, and what the server has to say.

        A thousand jobs are all of them queued or none; of more, each thousand.
        """
        orders = []
        for draft in drafts:
            with draft.blamed():
                orders.append(self._order(service, draft, words, now, is_waited_for=is_waited_for))
        ids: list[JobId] = []
        notices: list[str] = []
        for chunk in _chunks(orders):
            has_keys = any("idempotency_key" in each for each in chunk)
            # A key for the whole, so that it may be sent again when nobody knows whether it was heard.
            key = "" if has_keys else secrets.token_urlsafe(18)
            said = self.client.post("/v1/jobs", {"jobs": chunk}, key=key, is_read=_all_have_keys(chunk))
            ids += [JobId(each["id"]) for each in said["jobs"]]
            notices += said["notices"]
        return ids, list(dict.fromkeys(notices))

    def _order(
        self, service: str, draft: Draft, words: Mapping[str, Any], now: datetime, *, is_waited_for: bool
    ) -> dict[str, Any]:
        said = {**words, **draft.queueing}
        if said.get("idempotency_key"):
            said["idempotency_key"] = own_key(said["idempotency_key"], draft)
        if is_waited_for:
            said["spot_ok"] = True  # whoever waits for it sees when its node is taken away
        return {"service": service, "name": draft.name, "spec": self._spec(draft), **_words(said, now)}

    def _spec(self, draft: Draft) -> dict[str, Any]:
        spec = copy.deepcopy(draft.spec)
        for path, source in draft.sources:
            if not source.is_url:
                # A video that holds nothing is a mistake; an __init__.py beside a program holds nothing.
                may_be_empty = bool(source.called and draft.checked.content_field)
                _put(spec, path, source.called, self._upload(source, may_be_empty=may_be_empty))
        return spec

    def _upload(self, source: Source, *, may_be_empty: bool = False) -> str:
        """Send a file, unless it has been; how orders name it."""
        key = (source.location, source.file_name)
        if key not in self._sent:
            path = Path(source.location)
            size = path.stat().st_size
            if size > self.limit_bytes:
                text = f"{path} has {size:,} bytes, and the server takes {self.limit_bytes:,}."
                raise InputRejected(text, hint="limits.input_bytes sets it there.")
            if size == 0 and not may_be_empty:
                raise InputRejected(f"{path} is empty.")
            progress, name = self.progress, source.file_name

            def report(done: int, total: int | None) -> None:
                if progress is not None:
                    progress(name, done, total)

            self._sent[key] = f"{UPLOAD}{upload(self.client, path, name.rpartition('/')[2], report)}"
        return self._sent[key]

    # --- pipelines

    def run_pipeline(
        self, pipeline: Pipeline, runs: Sequence[Run], inputs: Sequence[Source], words: Mapping[str, Any], batch: str,
        *, now: datetime,
    ) -> str:  # fmt: skip
        """Send the files and the steps; the name of the batch."""
        sent = {each.location: self._upload(each) for each in inputs if not each.is_url}
        for planned in (planned for run in runs for planned in run):
            for draft in planned.drafts:
                named = [source for _, source in draft.sources if not source.is_url]
                if draft.content is not None:  # a program that a step names as its input
                    named.append(Source(str(draft.content), draft.content.stem))
                for source in named:
                    if not source.location.startswith("@") and source.location not in sent:
                        may_be_empty = bool(source.called and draft.checked.content_field)
                        sent[source.location] = self._upload(source, may_be_empty=may_be_empty)
        said = {
            "name": pipeline.name,
            "steps": {step.name: _step(step, sent) for step in pipeline.steps},
            "inputs": [sent.get(each.location, each.location) for each in inputs],
            **({"batch": batch} if batch else {}),
            **_words(words, now),
        }
        return str(self.client.post("/v1/pipelines", said)["batch"])


def _step(step: Any, sent: Mapping[str, str]) -> dict[str, Any]:
    source = str(step.source) if isinstance(step.source, Reference) else step.source
    said: dict[str, Any] = {"service": step.service, **_renamed(dict(step.fields), sent)}
    if source is not None:
        said["for_each" if step.is_each else "input"] = sent.get(source, source)
    others = {name: rule for name, rule in step.after.items() if not _is_source(step, name)}
    if others:
        said["after"] = list(others)
    if step.after:
        said["if_failed"] = {name: str(rule) for name, rule in step.after.items()}
    return said


def _is_source(step: Any, name: str) -> bool:
    return isinstance(step.source, Reference) and step.source.step == name


def _renamed(value: Any, sent: Mapping[str, str]) -> Any:
    """Fields of a spec, with what was sent in place of what names a file here."""
    if isinstance(value, str):
        return sent.get(value, value)
    if isinstance(value, dict):
        return {name: _renamed(each, sent) for name, each in value.items()}
    return [_renamed(each, sent) for each in value] if isinstance(value, list) else value


def _put(spec: dict[str, Any], path: str, called: str, value: str) -> None:
    """Set the field of a spec that names a file, as `watermark.image_url`.

    Args:
        called: the name in a table of files that lie beside the input; else empty.
    """
    *parents, last = [to_camel(each) for each in path.split(".")]
    place = spec
    for parent in parents:
        place = place[parent]
    if called and isinstance(place.get(last), dict):
        place[last][called] = value
    else:
        place[last] = value


def _words(words: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    said = {word: value for word, value in words.items() if value is not None and word not in _NOT_SENT}
    for word in _MOMENTS:
        if said.get(word):
            moment = later(said[word], now=now.astimezone(), what=f"--{word.replace('_', '-')}")
            said[word] = moment.isoformat()
    return said


def _all_have_keys(chunk: Sequence[Mapping[str, Any]]) -> bool:
    return all(each.get("idempotency_key") for each in chunk)


def _chunks(orders: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    size = 0
    for order in orders:
        length = len(json.dumps(order))
        if chunk and (len(chunk) == _MOST_JOBS or size + length > _MOST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(order)
        size += length
    if chunk:
        yield chunk
