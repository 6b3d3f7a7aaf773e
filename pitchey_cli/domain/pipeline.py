"""Pipelines: steps over the services, where a step works on what earlier ones gave. Pure: a document in, steps out.

name = "talk"

[steps.small]
service = "video"
input = "@input"                 # what the pipeline is started with; also a path or a URL
resolution = "640x360"           # fields of the spec, and words of the queue

[steps.posters]
service = "video"
input = "@small/video.mp4"       # an output of an earlier step; "@small" is its main one
outputFormat = "thumbnail"

[steps.each]
service = "video"
for_each = "@small/*.mp4"        # a job for every output that matches
after = ["posters"]              # waits for it, and takes nothing from it
if_failed = { posters = "run" }  # when that one fails: cancel (usual), run or hold
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.feeding import MAIN
from pitchey_cli.domain.job import OnFailure
from pitchey_cli.values import dataclass
from processors.vocabulary import Service

INPUT = "input"  #: the step that is none: what the pipeline is started with
_OWN_KEYS = {"service", "input", "for_each", "after", "if_failed"}


@dataclass(frozen=True)
class Reference:
    """Outputs of an earlier step."""

    step: str
    pattern: str = MAIN  #: a glob over their paths

    def __str__(self) -> str:
        return f"@{self.step}" + (f"/{self.pattern}" if self.pattern else "")


@dataclass(frozen=True)
class Step:
    """One step; a job, or one for each of the outputs that it works on."""

    name: str
    service: Service
    source: Reference | str | None  #: what it works on; None when the spec says it, or needs nothing
    is_each: bool
    after: Mapping[str, OnFailure]  #: the steps that it waits for, that of its source among them
    fields: Mapping[str, Any]  #: the rest: fields of the spec, and words of the queue


@dataclass(frozen=True)
class Pipeline:
    """Steps, each after those that it waits for."""

    name: str
    steps: tuple[Step, ...]

    @property
    def takes_input(self) -> bool:
        """Whether it has to be started with something."""
        return any(_is_input(step.source) for step in self.steps)

    @property
    def takes_inputs_together(self) -> bool:
        """Whether one run of it works on all that it is started with; else each gets a run of its own."""
        return any(_is_input(step.source) and step.is_each for step in self.steps)

    def gives(self) -> list[Step]:
        """The steps whose outputs no other step takes: what the pipeline is for."""
        taken = {step.source.step for step in self.steps if isinstance(step.source, Reference)}
        return [step for step in self.steps if step.name not in taken]


def _is_input(source: Reference | str | None) -> bool:
    return isinstance(source, Reference) and source.step == INPUT


def parse(document: Mapping[str, Any], *, name: str) -> Pipeline:
    """Read a document.

    Args:
        name: where the document gives none.

    Raises:
        UsageError: names the step, and what is wrong with it.
    """
    unknown = sorted(document.keys() - {"name", "steps"})
    if unknown:
        raise UsageError(f"A pipeline has no {unknown[0]!r}.", hint="It has a name, and steps.")
    tables = document.get("steps")
    if not isinstance(tables, Mapping) or not tables:
        raise UsageError("A pipeline has steps.", hint='[steps.small], then service = "video" and what it is to do.')
    steps = {str(key): _step(str(key), table) for key, table in tables.items()}
    for step in steps.values():
        for other in step.after:
            if other not in steps:
                near = difflib.get_close_matches(other, steps, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(steps)}."
                raise UsageError(f"Step {step.name}: there is no step {other!r}.", hint=hint)
    try:
        order = list(TopologicalSorter({step.name: step.after.keys() for step in steps.values()}).static_order())
    except CycleError as error:
        hint = "Take one of them out of the other's `after` or `input`."
        raise UsageError(f"The steps wait for each other: {' -> '.join(error.args[1])}.", hint=hint) from error
    found = Pipeline(str(document.get("name") or name), tuple(steps[each] for each in order))
    _check_fan_out(found)
    return found


def _step(name: str, table: Any) -> Step:
    if not isinstance(table, Mapping):
        raise UsageError(f"Step {name} is no table.", hint=f'[steps.{name}], then service = "video".')
    table = {_spelt(str(key)): value for key, value in table.items()}
    if name == INPUT or not name.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"A step cannot be called {name!r}.", hint="Letters, digits, - and _; not 'input'.")
    try:
        service = Service(table.get("service", ""))
    except ValueError:
        hint = f"There are {', '.join(Service)}."
        raise UsageError(f"Step {name}: there is no service {table.get('service', '')!r}.", hint=hint) from None
    if "input" in table and "for_each" in table:
        raise UsageError(f"Step {name} has both input and for_each.", hint="for_each gives every output a job.")
    is_each = "for_each" in table
    source = _source(name, table.get("for_each", table.get("input")))
    if is_each and not isinstance(source, Reference):
        raise UsageError(f"Step {name}: for_each = {source!r} is no step's output.", hint='Write it as "@small/*.mp4".')
    return Step(name, service, source, is_each, _after(name, source, table), _rest(table))


def _spelt(key: str) -> str:
    """Our own keys may be written with dashes, like the options of a command."""
    plain = key.replace("-", "_")
    return plain if plain in _OWN_KEYS else key


def _rest(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in _OWN_KEYS}


def _source(name: str, value: Any) -> Reference | str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        hint = "Write a path or a URL, or @input, or @small/*.mp4 of the step `small`."
        raise UsageError(f"Step {name}: the input {value!r} is neither a path nor a step's output.", hint=hint)
    if not value.startswith("@"):
        return value
    step, _, pattern = value[1:].partition("/")
    return Reference(step, pattern)


def _after(name: str, source: Reference | str | None, table: Mapping[str, Any]) -> dict[str, OnFailure]:
    listed = table.get("after", [])
    names = [listed] if isinstance(listed, str) else listed
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise UsageError(f"Step {name}: after is a list of steps, not {listed!r}.", hint='As ["small", "sound"].')
    if isinstance(source, Reference) and source.step != INPUT:
        names = [source.step, *names]
    rule = table.get("if_failed", {})
    rules = dict.fromkeys(names, rule) if isinstance(rule, str) else rule
    if not isinstance(rules, Mapping) or not all(value in tuple(OnFailure) for value in rules.values()):
        hint = 'As "hold", or { small = "hold" }.'
        text = f"Step {name}: if_failed is {', '.join(OnFailure)}, or says so of steps; not {rule!r}."
        raise UsageError(text, hint=hint)
    if strangers := rules.keys() - set(names):
        hint = f"Name it in `after`, or leave it out; it waits for {', '.join(names) or 'none'}."
        raise UsageError(f"Step {name}: if_failed names {min(strangers)!r}, for which it does not wait.", hint=hint)
    found = {each: OnFailure(rules.get(each, OnFailure.CANCEL)) for each in names}
    if isinstance(source, Reference) and found.get(source.step) is OnFailure.RUN:
        hint = f'It can be cancelled or held then: if_failed = {{ {source.step} = "hold" }}.'
        raise UsageError(f"Step {name} cannot run without the outputs of {source.step}.", hint=hint)
    return found


def _check_fan_out(pipeline: Pipeline) -> None:
    """A step that became many jobs has many main outputs: nobody can take the one of them."""
    many: set[str] = {INPUT} if pipeline.takes_inputs_together else set()
    for step in pipeline.steps:
        if not isinstance(step.source, Reference):
            continue
        if step.source.step in many and not step.is_each:
            hint = f'for_each = "{step.source}" gives each of them a job.'
            raise UsageError(f"Step {step.name}: {step.source.step} is many jobs, and input takes one.", hint=hint)
        if step.is_each:
            many.add(step.name)
