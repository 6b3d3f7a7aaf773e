"""What is said of a stream's rate counts the time that is shown, and no more."""

from __future__ import annotations

from processors.streaming.measure import Segment, shown_seconds
from processors.streaming.playlists import peak_bandwidth


def test_the_delay_of_a_codec_is_not_shown() -> None:
    segments = [Segment(53_351, -0.064, 6.08, 95, [-0.064]), Segment(563, 6.016, 0.034, 1, [6.016])]
    shown = shown_seconds(segments)
    assert [round(each, 3) for each in shown] == [6.016, 0.034]
    # The run of both is dearer than the first by itself, which would be 70,945.
    assert round(peak_bandwidth([each.size for each in segments], shown, 6)) == 71_291
