"""Settings of the queue: whose turn it is, how large things may be, how long they are kept, what they cost."""

from __future__ import annotations

from pitchey_cli.domain.limits import GIB
from pitchey_cli.settings.setting import setting
from pitchey_cli.values import dataclass


@dataclass(frozen=True)
class StoreSettings:
    """Where the queue is."""

    url: str = setting(
        "",
        "postgresql://USER@HOST/DATABASE, for one machine or several; empty: SQLite in the state directory.",
        has_password=True,
    )


@dataclass(frozen=True)
class QueueSettings:
    """Whose turn it is."""

    ageing_seconds: float = setting(600.0, "A job that waits this long goes up by one priority.", least=1)
    weights: str = setting("", "Shares of organisations: acme=3,others=1; 1 where nothing is said.")
    keys: str = setting("", "Limits of --key: NAME=AT_ONCE, or NAME=AT_ONCE@STARTS/min; else one at once.")
    off_peak: str = setting(
        "", "Hours for --off-peak jobs: 22:00-06:00; several with commas between; empty: the cheapest of `cost.hours`."
    )


@dataclass(frozen=True)
class LimitSettings:
    """How large things may be."""

    input_bytes: int = setting(5 * GIB, "Largest input file.", least=1)
    output_bytes: int = setting(20 * GIB, "Largest sum of a job's outputs.", least=1)


@dataclass(frozen=True)
class RetentionSettings:
    """How long the daemon keeps what has ended; 0 means for ever, or without a limit."""

    jobs_days: float = setting(30.0, "Ended jobs older than that are removed, with their results; 0: never.", least=0)
    dead_letters_days: float = setting(90.0, "The same for dead letters, which go by nothing else.", least=0)
    jobs_count: int = setting(
        0, "Ended jobs at most, dead letters and the last two hours aside; 0: any number.", least=0
    )
    artifacts_bytes: int = setting(
        0, "When the files of all jobs take more, the oldest ended jobs go; looked at every hour. 0: no limit.", least=0
    )
    logs_days: float = setting(30.0, "Logs older than that are removed; a job's own go with it. 0: never.", least=0)


@dataclass(frozen=True)
class CostSettings:
    """What instances cost. An instance keeps the prices that were set when it was started."""

    rates: str = setting(
        "", "Dollars: vcpu-second=0.00002,gib-second=0.000002,gb-second=0; empty: each service's price_per_hour."
    )
    disk: str = setting("", "GB of disk that gb-second is paid for, by instance type: lite=2,standard-1=8.")
    hours: str = setting("", "Factors by the time of day: 22:00-06:00=0.5; several with commas between.")
    timezone: str = setting("UTC", "The time zone of `cost.hours`, as Europe/Berlin.")
    regions: str = setting("", "Factors by region: eu=1.1,us=0.9; 1 where nothing is said.")
    spot: str = setting("", "Spot price: FACTOR, or FACTOR@INTERRUPTIONS/h, as 0.35@0.05/h.")


@dataclass(frozen=True)
class AlertSettings:
    """What people are told of."""

    rules: str = setting("", "Thresholds of alert rules: queue_wait=60,idle_cost=off; `pitchey alerts list` has all.")
