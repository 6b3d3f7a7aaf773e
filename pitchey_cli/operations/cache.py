"""The result cache: the same spec, inputs and image give the earlier result at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pitchey_cli.artifacts.port import Artifacts
from pitchey_cli.domain.job import Job, NewJob
from pitchey_cli.domain.secrecy import has_secret
from pitchey_cli.store.port import Store
from pitchey_cli.values import dataclass
from processors.specs import SPECS
from processors.vocabulary import Service

_DETERMINISTIC = {Service.VIDEO, Service.DOCUMENT, Service.MEDIA}  # what a program or a model answers may differ


@dataclass(frozen=True)
class Lookup:
    """What became of one job's question to the cache."""

    job: NewJob
    why: str  #: for people


def look_up(
    store: Store, artifacts: Artifacts, jobs: Sequence[NewJob], image_of: Callable[[Service], str]
) -> list[Lookup]:
    """Give each job its cache key, and the result of an earlier one where there is one that is still whole.

    Args:
        image_of: the image that this version runs a service in; another one may give another result.
    """
    return [_look_up(store, artifacts, job, image_of) for job in jobs]


def _look_up(store: Store, artifacts: Artifacts, job: NewJob, image_of: Callable[[Service], str]) -> Lookup:
    if job.service not in _DETERMINISTIC:
        return Lookup(job, f"{job.service} jobs may give another result each time")
    if any(each.sha256 is None for each in job.inputs):
        return Lookup(job, "what is behind a URL is known only when it is fetched")
    if has_secret(job.service, job.spec):  # a key stays when the secret has gone, and tells whether a guess is right
        return Lookup(job, "it has a password, of which nothing is kept")
    if job.after:
        return Lookup(job, "it waits for another job")
    key = cache_key(job, image_of(job.service))
    keyed = replace(job, cache_key=key)
    earlier = store.cached_job(key, job.organisation)
    if earlier is None:
        return Lookup(keyed, f"no job with the same spec, inputs and image has succeeded (key {key[:12]})")
    if job.output:
        return Lookup(keyed, f"its outputs are to go to {job.output}, which takes an attempt (key {key[:12]})")
    if not _is_whole(store, artifacts, earlier):
        return Lookup(keyed, f"the result of job {earlier.id} has been removed (key {key[:12]})")
    return Lookup(replace(keyed, cached_from=earlier.id), f"as job {earlier.id} (key {key[:12]})")


def cache_key(job: NewJob, image: str) -> str:
    """Hash all that a result depends on: what is asked for, the content of the inputs, the code. Not their names."""
    model, spec = SPECS[job.service], job.spec
    for field in model.input_fields:
        spec = _without(spec, model.spelled(field).split("."))
    attached = model.spelled(model.attached_field) if model.attached_field else ""
    if attached in spec:
        spec = {**spec, attached: list(spec[attached])}  # their names are a part of what is asked for
    inputs = [[each.field, each.sha256] for each in job.inputs]
    text = json.dumps([job.service, image, spec, inputs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _without(spec: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """A spec without one field, or without a field of a part."""
    first, *rest = path
    if rest and first in spec:
        return {**spec, first: _without(spec[first], rest)}
    return {key: value for key, value in spec.items() if key != first}


def _is_whole(store: Store, artifacts: Artifacts, job: Job) -> bool:
    # Not by their paths: what is in a bucket would be fetched. They are about to be referred to once more.
    return not artifacts.refresh([output.sha256 for output in store.outputs(job.id)])
