"""Where scenes begin, from small pictures; and the files that say it."""

from __future__ import annotations

import csv
import io
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.video.scene_detection import HEIGHT, WIDTH, Boundary, Watch, prominence
from processors.video.scene_files import Scene, document, edit_list, table, timecode
from processors.video.scenes import scenes

BLACK = bytes([16] * (WIDTH * HEIGHT) + [128] * (WIDTH * HEIGHT // 2))
WHITE = bytes([235] * (WIDTH * HEIGHT) + [128] * (WIDTH * HEIGHT // 2))


def shot(seed: int, frames: int, *, motion: int = 2, held: int = 1) -> list[bytes]:
    """A shot: one picture, with some change from frame to frame.

    Args:
        held: how many frames each picture stands for.
    """
    dice = random.Random(seed)
    base = [dice.randrange(40, 210) for _ in range(WIDTH * HEIGHT * 3 // 2)]
    made = []
    for number in range(frames):
        if number % held == 0:
            picture = bytes(value + dice.randrange(-motion, motion + 1) for value in base)
        made.append(picture)
    return made


def found(*shots: list[bytes], min_seconds: float = 0.1, threshold: float = 3.0) -> list[tuple[int, str]]:
    watch = Watch()
    for number, small in enumerate(itertools.chain(*shots)):
        watch.add(small, number / 25)
    return [(each.frame, each.kind) for each in watch.boundaries(threshold, min_seconds)]


def test_cuts_are_found_on_their_frame() -> None:
    assert found(shot(1, 30), shot(2, 4), shot(3, 3), shot(4, 40)) == [(30, "cut"), (34, "cut"), (37, "cut")]


@given(st.lists(st.integers(3, 12), min_size=1, max_size=5), st.integers(0, 12))
def test_every_cut_is_found_and_nothing_else_whatever_the_lengths(lengths: list[int], motion: int) -> None:
    shots = [shot(seed, length, motion=motion) for seed, length in enumerate(lengths)]
    assert [frame for frame, _ in found(*shots)] == list(itertools.accumulate(lengths))[:-1]


def test_motion_is_no_cut() -> None:
    assert found(shot(1, 30, motion=2), shot(1, 30, motion=35), shot(1, 30, motion=2)) == []


@pytest.mark.parametrize("held", [2, 3, 4])
def test_animation_that_holds_its_pictures_is_not_cut_at_each(held: int) -> None:
    assert found(shot(1, 24, motion=20, held=held), shot(2, 24, motion=20, held=held)) == [(24, "cut")]


def test_a_flash_is_no_scene_and_a_short_one_goes_with_its_weaker_boundary() -> None:
    assert found(shot(1, 20), [WHITE], shot(1, 20)) == []
    assert found(shot(1, 20), shot(2, 2), shot(3, 20), min_seconds=0.2) in ([(20, "cut")], [(22, "cut")])
    assert found(shot(1, 20), shot(2, 20), shot(1, 3), min_seconds=0.2) == [(20, "cut")]


def faded(frames: list[bytes], *, to: bytes) -> list[bytes]:
    count = len(frames)
    return [
        bytes((a * (count - number) + b * number) // count for a, b in zip(frame, to, strict=True))
        for number, frame in enumerate(frames)
    ]


@pytest.mark.parametrize("blank", [BLACK, WHITE], ids=["black", "white"])
def test_between_fades_the_boundary_is_the_middle_of_what_is_blank(blank: bytes) -> None:
    out, into = faded(shot(1, 40), to=blank), faded(shot(2, 40), to=blank)[::-1]
    ((frame, kind),) = found(out, [blank] * 10, into)
    assert kind == "fade"
    assert 43 <= frame <= 47


def test_black_at_both_ends_is_part_of_the_scene_it_fades_from() -> None:
    assert found([BLACK] * 10, faded(shot(1, 40), to=BLACK)[::-1], faded(shot(1, 40), to=BLACK), [BLACK] * 10) == []
    assert found([BLACK] * 50) == []


def test_a_cut_next_to_black_is_no_fade_as_well() -> None:
    assert found(shot(1, 20), [BLACK] * 10, shot(2, 20)) == [(20, "cut"), (30, "cut")]


@given(st.lists(st.floats(0, 255), min_size=2, max_size=40), st.data())
def test_prominence_is_defined_for_any_differences(differences: list[float], data: st.DataObject) -> None:
    assert prominence(differences, data.draw(st.integers(0, len(differences) - 1))) >= 0


# --- what is written

FOUND = scenes([Boundary(30, "cut", 18.2), Boundary(76, "fade", 0.0)], [n / 25 for n in range(100)], 4.0, 0)


def test_scenes_lie_between_boundaries_without_gap() -> None:
    assert [
        Scene(1, 0, 30, 0.0, 1.2, "start", 0.0),
        Scene(2, 30, 76, 1.2, 3.04, "cut", 18.2),
        Scene(3, 76, 100, 3.04, 4.0, "fade", 0.0),
    ] == FOUND


@pytest.mark.parametrize(
    ("frame", "rate", "code"),
    [
        (0, 25, "00:00:00:00"), (29, 29.97, "00:00:00:29"), (30, 29.97, "00:00:01:00"), (90_000, 25, "01:00:00:00"),
        (59, 59.94, "00:00:00:59"), (24, 23.976, "00:00:01:00"), (3, 0.4, "00:00:03:00"),
    ],
)  # fmt: skip
def test_a_timecode_counts_frames(frame: int, rate: float, code: str) -> None:
    assert timecode(frame, rate) == code


def test_an_edit_list_is_what_editing_programs_read() -> None:
    assert edit_list(FOUND[1:], "my\nclip.mp4", 25) == (
        "TITLE: my clip.mp4\n"
        "FCM: NON-DROP FRAME\n"
        "\n"
        "002  AX       V     C        00:00:01:05 00:00:03:01 00:00:00:00 00:00:01:21\n"
        "* FROM CLIP NAME: my clip.mp4\n"
        "\n"
        "003  AX       V     C        00:00:03:01 00:00:04:00 00:00:01:21 00:00:02:20\n"
        "* FROM CLIP NAME: my clip.mp4\n"
    )


def test_csv_and_json_say_the_same() -> None:
    rows = list(csv.DictReader(io.StringIO(table(FOUND, 25))))
    told = document(FOUND, "a.mp4", 25, [{"thumbnail": f"{scene.name}.jpg"} for scene in FOUND])["scenes"]
    assert told[1] == {
        "number": 2, "startFrame": 30, "endFrame": 76, "startSeconds": 1.2, "endSeconds": 3.04,
        "startTimecode": "00:00:01:05", "endTimecode": "00:00:03:01", "beginsWith": "cut", "score": 18.2,
        "thumbnail": "scene-002.jpg",
    }  # fmt: skip
    assert rows == [{key: str(value) for key, value in row.items() if key != "thumbnail"} for row in told]
