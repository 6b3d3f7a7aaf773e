"""What becomes of a job whose node was not set up for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from pitchey_cli.domain.job import Job, JobError, Outcome
from pitchey_cli.domain.nodes import NodeFacts, NodeRecord, NodeState, asked, fits, misfit
from pitchey_cli.domain.unfit import CODE, is_unfit, pass_on
from processors.vocabulary import Reason, Service
from tests.unit.test_states import running

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAID = JobError(CODE, "Its node cannot do it: no profile.", "Make one.")
UNFIT = Outcome(Reason.FAILED, SAID, is_retryable=True)


def node(name: str, start: str = "1", *, state: NodeState = NodeState.UP, **said: object) -> NodeRecord:
    facts = NodeFacts(name, "1.0", 1, "docker", (Service.VIDEO,), start=f"{name}{start}", **said)  # type: ignore[arg-type]
    return NodeRecord(name, facts, 1, 0, state, NOON, NOON)


def job(on_node: str = "") -> Job:
    return replace(running(), on_node=on_node)


def test_it_is_handed_back_for_the_others_and_asks_for_another_start_than_this_one() -> None:
    outcome, wanted = pass_on(job("region=local"), UNFIT, "a", [node("a"), node("b")])
    assert is_unfit(UNFIT) and outcome.reason is Reason.INTERRUPTED and outcome.error == UNFIT.error
    assert wanted is not None and asked(wanted) == "region=local"
    assert not fits(wanted, node("a").facts.all_labels) and fits(wanted, node("b").facts.all_labels)
    assert fits(wanted, node("a", "2").facts.all_labels)  # its daemon has been started anew


def test_when_nobody_else_is_left_the_attempt_has_failed_and_the_organisation_hears_no_name_of_a_node() -> None:
    nodes = [node("a"), node("b"), node("c", state=NodeState.DOWN), node("run", is_foreground=True)]
    _, wanted = pass_on(job(), UNFIT, "a", nodes)
    assert wanted is not None
    outcome, after = pass_on(job(wanted), UNFIT, "b", nodes)
    assert (outcome.reason, after) == (Reason.FAILED, "") and outcome.is_retryable
    assert outcome.error is not None
    assert outcome.error.message == f"{SAID.message} No other node that is up may take it or can do it."
    assert pass_on(job(), UNFIT, "a", [node("a")]).outcome == UNFIT


def test_a_node_that_may_not_take_it_is_no_other_one() -> None:
    others = [node("b", state=NodeState.DRAINING), node("c", region="us")]
    outcome, _ = pass_on(job("region=local"), UNFIT, "a", [node("a"), *others])
    assert outcome.reason is Reason.FAILED


def test_why_names_the_node_that_was_not_set_up() -> None:
    _, wanted = pass_on(job(), UNFIT, "a", [node("a"), node("b")])
    assert wanted is not None
    assert misfit(wanted, False, Service.VIDEO, [node("a")]) == {
        "a": "it was not set up for this job, and has not been started anew since"
    }
