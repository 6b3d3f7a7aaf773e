"""What a job works on when that comes out of others. Pure: wishes and outputs go in, inputs come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from pitchey_cli.domain.errors import InputRejected
from pitchey_cli.domain.job import JOB_ID_ALPHABET, JOB_ID_LENGTH, JobId, JobInput, Output
from pitchey_cli.values import dataclass

MAIN = ""  #: as a pattern: the first output of each job, which is what the job is for


@dataclass(frozen=True)
class Fed:
    """What one job is to work on, and whose outputs that is."""

    inputs: tuple[JobInput, ...] = ()
    sources: frozenset[int] = frozenset()  #: the seqs of those jobs


def feed(inputs: Sequence[JobInput], given: Mapping[int, Sequence[Output]]) -> list[Fed]:
    """The inputs of each job that is to run: one, or as many as outputs match where every one gets its own.

    Args:
        given: the outputs of each job that was waited for, by its seq.

    Raises:
        InputRejected: no output matches, or several where one is wanted.
    """
    fed = [Fed()]
    for item in inputs:
        if item.output is None:
            fed = [Fed((*before.inputs, item), before.sources) for before in fed]
            continue
        found = _matching(item.output, given)
        what = f"output that matches {item.output!r}" if item.output else "output"
        if not found and not item.is_each:
            raise InputRejected(f"The jobs before it gave no {what}.")
        if len(found) > 1 and not item.is_each:
            names = ", ".join(output.path for _, output in found[:5])
            raise InputRejected(f"The jobs before it gave {len(found)} of the {what}: {names}.")
        fed = [
            Fed((*before.inputs, _taken(item, output)), before.sources | {seq})
            for before in fed
            for seq, output in found
        ]
    return fed


def _matching(pattern: str, given: Mapping[int, Sequence[Output]]) -> list[tuple[int, Output]]:
    """The outputs that a pattern means, in their order, each with its job."""
    if pattern == MAIN:
        return [(seq, outputs[0]) for seq, outputs in given.items() if outputs]
    return [(seq, each) for seq, outputs in given.items() for each in outputs if fnmatchcase(each.path, pattern)]


def _taken(item: JobInput, output: Output) -> JobInput:
    name = PurePosixPath(output.path).name
    return replace(item, name=name, sha256=output.sha256, size=output.size, output=None, is_each=False)


def fanned_id(job_id: JobId, number: int) -> JobId:
    """The id of the n-th of the jobs that one became: always the same, so nothing has to be drawn by lot."""
    from hashlib import sha256  # late: every verb loads this module, and none of those that only read needs it

    digest = sha256(f"{job_id}/{number}".encode()).digest()
    return JobId("".join(JOB_ID_ALPHABET[byte & 31] for byte in digest[:JOB_ID_LENGTH]))
