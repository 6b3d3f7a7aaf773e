"""`pitchey metrics` on the command line."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from pitchey_cli import __version__
from tests.conftest import Pitchey


def test_what_a_run_has_done_is_in_the_metrics_without_a_daemon(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("run", "video", clip, "--output-format", "thumbnail", "-o", "out")
    answer = pitchey.ok("metrics")
    samples = {
        (each.name, *sorted(each.labels.values())): each.value
        for family in text_string_to_metric_families(answer.out)
        for each in family.samples
    }
    assert samples["pitchey_build_info", __version__] == 1
    assert samples["pitchey_daemon_up",] == 0
    assert samples["pitchey_jobs", "succeeded", "video"] == 1
    assert samples["pitchey_attempts_total", "video", "work"] == 1
    assert 0 < samples["pitchey_cost_dollars_total", "video", "work"] < 1
    assert answer.err == ""


def test_with_a_daemon_it_is_up(pitchey: Pitchey) -> None:
    pitchey.start_daemon()
    assert "pitchey_daemon_up 1.0" in pitchey.ok("metrics").lines
