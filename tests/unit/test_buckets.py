"""Whose jobs may go where in a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitchey_cli.domain.buckets import Grants, Kept, bucket_url, destination_of, kept_at
from pitchey_cli.domain.errors import Denied
from pitchey_cli.policies import Policies
from pitchey_cli.settings import load

KEPT = Kept(frozenset({"default", "same"}), "bucket", "kept/")
GRANTS = Grants("default", {"acme": frozenset({"default", "same", "other"})}, KEPT)


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/kept/content/ab/abcd/0",
        "s3://bucket/kept/use/ab/abcd",
        "s3://same@bucket/kept/put/job.1/0",
        "s3://bucket//kept/content/x",
        "s3://bucket/mine/../kept/./content//x",
        "s3://bucket/kept/content",
    ],
)
@pytest.mark.parametrize("organisation", ["acme", "default"])
def test_what_is_kept_for_everybody_is_named_by_nobody(url: str, organisation: str) -> None:
    with pytest.raises(Denied, match="keeps the artifacts of everybody"):
        GRANTS.check(url, organisation)


@pytest.mark.parametrize("slashes", ["/", "//", "///"])
def test_a_folder_is_the_same_however_many_slashes_it_begins_with(slashes: str) -> None:
    assert bucket_url(f"s3://bucket{slashes}") == bucket_url("s3://bucket")
    assert bucket_url(f"s3://bucket{slashes}films/").key == "films/"
    assert kept_at(f"s3://bucket{slashes}kept").key == "kept/"
    output = destination_of(f"s3://media@bucket{slashes}out/{{job}}/", "j1", "clip").below("video.mp4")
    assert str(output) == "s3://media@bucket/out/j1/video.mp4"
    assert bucket_url(str(output)) == output, "what is told is what can be fetched"


def test_the_key_of_an_object_is_what_it_is() -> None:
    assert bucket_url("s3://bucket//a.mp4").key == "/a.mp4"


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/kept/films/a.mp4",
        "s3://bucket/content/a.mp4",
        "s3://bucket/kept/content.mp4",
        "s3://other@bucket/kept/content/x",
        "s3://elsewhere/kept/content/x",
        "s3://bucket/out/{job}/",
    ],
)
def test_the_rest_of_the_bucket_is_as_it_was(url: str) -> None:
    GRANTS.check(url, "acme")


def test_keys_that_last_for_a_while_may_be_those_of_the_default_profile(tmp_path: Path) -> None:
    (empty := tmp_path / "config.toml").touch()
    keys = {"PITCHEY_S3_ACCESS_KEY": "a", "PITCHEY_S3_SECRET_KEY": "b", "PITCHEY_S3_SESSION_TOKEN": "c"}
    own = Policies(load({"PITCHEY_CONFIG": str(empty), **keys}).settings).profiles()["default"]
    assert (own.access_key, own.secret_key, own.session_token) == ("a", "b", "c")
    assert "'c'" not in repr(own)
