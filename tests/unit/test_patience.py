"""How long a transfer in trouble is tried again."""

from __future__ import annotations

import asyncio

import pytest

from processors.porter.patience import SECONDS, Patience, TransferFailed


class Clock:
    """Stands still until it is told."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def patience(clock: Clock) -> Patience:
    return Patience("output_not_stored", "The output a.mov could not be stored", now=clock)


def meet_trouble(patience: Patience) -> None:
    asyncio.run(patience.pause("the object store answers 503"))


def test_a_transfer_of_any_length_is_tried_again_when_it_first_meets_trouble(patience: Patience, clock: Clock) -> None:
    clock.seconds = 10 * SECONDS
    meet_trouble(patience)


def test_one_that_meets_nothing_else_is_given_up(patience: Patience, clock: Clock) -> None:
    meet_trouble(patience)
    clock.seconds = SECONDS + 1
    with pytest.raises(TransferFailed, match=r"The output a\.mov could not be stored: the object store answers 503\."):
        meet_trouble(patience)


def test_what_comes_through_in_between_gives_back_all_of_it(patience: Patience, clock: Clock) -> None:
    meet_trouble(patience)
    clock.seconds = SECONDS + 1
    patience.moved()
    meet_trouble(patience)
