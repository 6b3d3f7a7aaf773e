"""`pitchey cost --advice`: the simulations that it takes, with the settings as they are and with others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from pitchey_cli.domain.spending import Span
from pitchey_cli.wiring import Wiring
from processors.vocabulary import Service

if TYPE_CHECKING:
    from pitchey_cli.domain.advice import Advised
    from pitchey_cli.operations.simulate import Setup


def advised(wiring: Wiring, span: Span, *, now: datetime, service: Service | None) -> Advised:
    """Say what would have been better in a period, on this machine."""
    from pitchey_cli.cli import simulated_settings  # late: it loads numpy, and most reports need none
    from pitchey_cli.cli.progress import share_progress
    from pitchey_cli.cli.simulate import node_size
    from pitchey_cli.operations import advice as operation
    from pitchey_cli.operations.simulate import median_start_seconds

    store, host = wiring.store(), node_size()
    start_seconds = median_start_seconds(store)

    def present(name: str) -> operation.Present:
        chosen = wiring.policies.service(Service(name))
        return operation.Present(chosen.sleep_after_seconds, chosen.min_instances, chosen.max_instances)

    def setup(changes: Mapping[str, float]) -> Setup:
        return simulated_settings.setup(wiring.settings, changes, host=host, start_seconds=start_seconds)

    with share_progress("trying other settings") as progress:
        return operation.advise(
            store, operation.history_of(span, now), present, setup, service=service, on_progress=progress
        )
