"""What becomes of a job whose node turns out not to be set up for it: it has no such profile, its keys are wrong. Pure.

The job is not to blame, so it is handed back without using up an attempt, and asks from then on for a node that is not
this start of that daemon: settings are read at the start, so the next one may be fit. That wish stands among the labels
that the job asks for, and so in the line in which it waits: nobody waits behind it, and `why` knows of it. When no
other node is left the attempt counts as failed, and the wishes are as they were: so it has an end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from pitchey_cli.domain.job import Job, Outcome
from pitchey_cli.domain.nodes import NodeRecord, asked, may_take
from processors.vocabulary import Reason

CODE = "unfit_node"  #: of the error of such an attempt


class PassedOn(NamedTuple):
    """What the end of an attempt amounts to, and which labels its job asks for from then on."""

    outcome: Outcome
    on_node: str | None = None  #: None: the same as before


def is_unfit(outcome: Outcome) -> bool:
    """Whether the node was not set up for the job."""
    return outcome.error is not None and outcome.error.code == CODE


def pass_on(job: Job, outcome: Outcome, node_id: str, nodes: Iterable[NodeRecord]) -> PassedOn:
    """Hand a job back for other nodes, or let the attempt fail where there is none.

    Args:
        outcome: of an attempt on a node that was not set up for it.
        node_id: of that one.
        nodes: all.
    """
    daemons = [each for each in nodes if each.is_up and not each.facts.is_foreground]
    here = next((each for each in daemons if each.id == node_id), None)
    if here is None or not here.facts.start:
        return PassedOn(outcome)
    wanted = ",".join(sorted({*job.on_node.split(","), f"start!={here.facts.start}"} - {""}))
    if any(may_take(wanted, job.is_spot_ok, job.service, each) for each in daemons):
        return PassedOn(replace(outcome, reason=Reason.INTERRUPTED), wanted)
    if len(daemons) == 1 or outcome.error is None:
        return PassedOn(outcome, asked(job.on_node))
    said = f"{outcome.error.message} No other node that is up may take it or can do it."
    return PassedOn(replace(outcome, error=replace(outcome.error, message=said)), asked(job.on_node))
