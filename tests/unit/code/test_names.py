"""Which names files may have."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors.names import matches, may_hold, problem_among, problem_with

SEGMENTS = st.text("ab.*", min_size=1, max_size=3).filter(lambda text: text.strip("."))


@pytest.mark.parametrize(
    "name", ["a", "a.txt", "out/a b.txt", "-rf", "$(touch pwned)", "a;b", "日本.txt", ".config/x", "con"]
)
def test_a_name_within_the_directory_is_taken(name: str) -> None:
    assert problem_with(name) is None


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "...", " ", "a/..", "../a", "a/../../b", "/etc/passwd", "a//b", "a/", "./a"),
        *("a\x00b", "a\nb", "\x1b[2J", "‮gpj.exe", "a\\b", "\udcff", "x" * 256, "/".join("a" * 17), "é" * 128),
    ],
)
def test_a_name_that_leads_out_hides_or_confuses_is_refused(name: str) -> None:
    assert problem_with(name)


@given(st.text(max_size=40))
@example("a/./b")
def test_an_accepted_name_stays_below_and_is_its_own_normal_form(name: str) -> None:
    if problem_with(name) is None:
        assert posixpath.normpath(posixpath.join("/job", name)) == f"/job/{name}"


def test_names_must_not_stand_in_each_others_way() -> None:
    assert problem_among(["a", "b/c", "b/d"]) is None
    assert "twice" in (problem_among(["a", "a"]) or "")
    assert "directory" in (problem_among(["a", "a/b"]) or "")
    assert "itself" in (problem_among(["main.py"], reserved=["main.py"]) or "")
    assert "directory" in (problem_among(["main.py/x"], reserved=["main.py"]) or "")


@pytest.mark.parametrize(
    ("pattern", "name", "is_meant"),
    [
        ("out/**", "out/a", True),
        ("out/**", "out/a/b/c", True),
        ("out/**", "out", False),
        ("out/**", "outer/a", False),
        ("*.png", "a.png", True),
        ("*.png", "b/a.png", False),
        ("**/*.png", "b/c/a.png", True),
        ("**/*.png", "a.png", True),
        ("**", "a/b", True),
        ("a?c", "abc", True),
        ("a", "b", False),
    ],
)
def test_a_pattern_means_what_it_does_elsewhere(pattern: str, name: str, is_meant: bool) -> None:
    assert matches(name, pattern) is is_meant


@given(st.lists(SEGMENTS, min_size=1, max_size=4), st.lists(SEGMENTS | st.just("**"), min_size=1, max_size=4))
def test_what_a_pattern_means_is_found_in_the_directories_that_are_looked_into(
    parts: list[str], patterns: list[str]
) -> None:
    pattern = "/".join(patterns)
    if matches("/".join(parts), pattern):
        assert all(may_hold("/".join(parts[:count]), pattern) for count in range(1, len(parts)))
