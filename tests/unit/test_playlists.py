"""What the playlists of a stream say, and what is put right in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.streaming.playlists import (
    Segment,
    as_variants,
    master_entries,
    media_segments,
    peak_bandwidth,
    raised_manifest,
    raised_master,
    represented,
    with_default_sound,
)
from processors.streaming.tracks import distinct, language_of, title_of

MASTER = """#EXTM3U
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,URI="audio-eng/playlist.m3u8",GROUP-ID="audio",NAME="One, two",DEFAULT=YES
#EXT-X-STREAM-INF:BANDWIDTH=900,AVERAGE-BANDWIDTH=700,CODECS="avc1.64001e,mp4a.40.2",AUDIO="audio"
video-360p/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=500,AVERAGE-BANDWIDTH=400,CODECS="avc1.64000d,mp4a.40.2",AUDIO="audio"
video-234p/playlist.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=60,CODECS="avc1.64001e",URI="video-360p/iframes.m3u8"
"""

MANIFEST = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>
<Representation id="0" bandwidth="900" codecs="avc1.64001e">
  <SegmentTemplate media="video-360p/segment-$Number%05d$.m4s"/>
</Representation>
<Representation id="1" bandwidth="500" codecs="avc1.64000d">
  <SegmentTemplate media="video-234p/segment-$Number%05d$.m4s"/>
</Representation>
</AdaptationSet></Period></MPD>
"""


def test_a_master_playlist_is_read_with_commas_in_its_names() -> None:
    sound, best, worst, still = master_entries(MASTER)
    assert (sound.attributes["NAME"], sound.uri) == ("One, two", "audio-eng/playlist.m3u8")
    assert (best.uri, best.attributes["CODECS"]) == ("video-360p/playlist.m3u8", "avc1.64001e,mp4a.40.2")
    assert (worst.attributes["BANDWIDTH"], still.uri) == ("500", "video-360p/iframes.m3u8")


def test_segments_have_their_lengths() -> None:
    text = '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:6.006,\na.m4s\n#EXTINF:2.5,x\nb.m4s\n#EXT-X-ENDLIST\n'
    assert media_segments(text) == [Segment("a.m4s", 6.006), Segment("b.m4s", 2.5)]


def test_a_bandwidth_is_raised_where_it_is_too_low_and_nothing_else_changes() -> None:
    needed = {"video-360p": 800, "video-234p": 650}
    assert raised_master(MASTER, needed) == MASTER.replace(":BANDWIDTH=500", ":BANDWIDTH=650")
    raised = raised_manifest(MANIFEST, needed)
    assert raised == MANIFEST.replace('bandwidth="500"', 'bandwidth="650"')
    assert represented(raised) == {"video-360p": 900, "video-234p": 650}


def test_one_sound_is_the_default_one_though_no_language_is_known() -> None:
    two = MASTER.replace("DEFAULT=YES", "DEFAULT=NO") + '#EXT-X-MEDIA:TYPE=AUDIO,NAME="b",DEFAULT=NO\n'
    media = [each for each in master_entries(with_default_sound(two)) if each.tag == "#EXT-X-MEDIA"]
    assert [each.attributes["DEFAULT"] for each in media] == ["YES", "NO"]
    assert with_default_sound(MASTER) == MASTER


def test_the_peak_is_that_of_segments_together_where_the_last_ones_are_short() -> None:
    assert peak_bandwidth([600, 600], [6, 6], 6) == 800
    assert peak_bandwidth([600, 600, 500], [6, 6, 1], 6) == pytest.approx(8 * 1100 / 7)  # the last alone is too short
    assert peak_bandwidth([100], [1], 6) == 800


@given(st.lists(st.tuples(st.integers(1, 10**7), st.floats(0.1, 10)), min_size=1, max_size=40), st.floats(2, 10))
def test_the_peak_is_never_more_than_that_of_the_densest_segment(cuts: list[tuple[int, float]], target: float) -> None:
    sizes, lengths = [size for size, _ in cuts], [seconds for _, seconds in cuts]
    densest = max(8 * size / seconds for size, seconds in cuts)
    assert 0 <= peak_bandwidth(sizes, lengths, target) <= densest * 1.000001


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("eng", "eng"),
        ("pt-BR", "pt-br"),
        ("und", None),
        ("e,n=1", None),
        ("../etc", None),
        ("en" + "-abcdefgh" * 40, None),
    ],
)
def test_only_a_language_is_taken_for_one(said: str, language: str | None) -> None:
    assert language_of(said) == language


def test_no_title_can_end_a_field_or_a_quoted_string() -> None:
    assert title_of('Le son, "1"=x\n#EXT', "fra", 1) == "Le son 1 x #EXT"
    assert (title_of(None, "fra", 1), title_of("", None, 2), len(title_of("x" * 500, None, 1))) == (
        "French",
        "Track 2",
        80,
    )


def test_tracks_of_one_name_are_numbered() -> None:
    assert distinct(["eng", "fra", "eng", "eng"]) == ("eng", "fra", "eng-2", "eng-3")


def test_the_rates_of_one_sound_are_variants_and_no_group() -> None:
    entries = master_entries(as_variants(MASTER))
    assert [entry.tag for entry in entries if entry.tag == "#EXT-X-MEDIA"] == []
    variants = [entry for entry in entries if entry.tag == "#EXT-X-STREAM-INF"]
    assert [entry.uri for entry in variants] == ["video-360p/playlist.m3u8", "video-234p/playlist.m3u8"]
    assert not any("AUDIO" in entry.attributes for entry in variants)
