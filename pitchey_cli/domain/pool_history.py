"""How queue and instances stood over time, out of the samples of single pools: what a chart shows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pitchey_cli.domain.observation import PoolSample
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.values import dataclass

_HOLDS = timedelta(minutes=2)  # a sample comes every ten seconds: after that nobody has looked any more


@dataclass(frozen=True)
class Stretch:
    """A stretch of time: the most there was in it, of all pools together."""

    begin: datetime
    waiting: int
    instances: int  #: started or starting, paused ones among them


def stretches(samples: Sequence[PoolSample], *, since: datetime, until: datetime, count: int) -> list[Stretch]:
    """Cut a span into stretches of equal length.

    Args:
        samples: the oldest first. A node's part of a pool stands as its last sample says until its next one, or for two
            minutes; the parts add up.
    """
    length = (until - since) / count
    waiting, instances = [0] * count, [0] * count
    standing: dict[tuple[PoolKey, str], PoolSample] = {}
    for place, sample in enumerate(samples):
        standing[sample.pool, sample.node] = sample
        following = samples[place + 1].at if place + 1 < len(samples) else until
        fresh = [each for each in standing.values() if sample.at - each.at <= _HOLDS]
        jobs = sum(each.waiting for each in fresh)
        there = sum(each.starting + each.ready + each.paused for each in fresh)
        first = max(0, (sample.at - since) // length)
        if first < count:  # what came and went since the sample before is in none but this
            waiting[first] = max(waiting[first], jobs + max(0, sample.most_waiting - sample.waiting))
            more = sample.most_instances - sample.starting - sample.ready - sample.paused
            instances[first] = max(instances[first], there + max(0, more))
        last = min(count - 1, (min(following, sample.at + _HOLDS) - since) // length)
        for stretch in range(first, last + 1):
            waiting[stretch] = max(waiting[stretch], jobs)
            instances[stretch] = max(instances[stretch], there)
    return [Stretch(since + place * length, waiting[place], instances[place]) for place in range(count)]
