"""What the host takes of what an attempt has left on a disk that both share."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.daemon.files import AttemptFiles, output_of
from pitchey_cli.domain.errors import InputRejected, StoreError
from pitchey_cli.domain.job import Token
from processors.protocol import OutputFile, Result


@pytest.fixture
def files(tmp_path: Path) -> AttemptFiles:
    (tmp_path / "instances" / "video-1" / "spool" / "job.1" / "out").mkdir(parents=True)
    return AttemptFiles(tmp_path, "video-1", Token("job.1"), LocalArtifacts(tmp_path / "artifacts"))


def output(path: str, size: int, text: str | None = None) -> Result:
    return Result(outputs=[OutputFile(path=path, media_type="a/b", role="stream", size=size, text=text)])


def leave(files: AttemptFiles, name: str, content: bytes) -> None:
    (files.state_dir / "instances" / "video-1" / "spool" / "job.1" / "out" / name).write_bytes(content)


@pytest.mark.parametrize("kept", [b"", b"half"])
def test_an_output_of_which_a_power_cut_has_left_less_is_none(files: AttemptFiles, kept: bytes) -> None:
    leave(files, "a.bin", kept)
    with pytest.raises(StoreError, match=r"a\.bin has \d of the 8 bytes"):
        files.collect(output("a.bin", 8), limit_bytes=100)
    leave(files, "a.bin", b"all of i")
    (taken,) = files.collect(output("a.bin", 8), limit_bytes=100)
    assert files.artifacts.path(taken.sha256).read_bytes() == b"all of i"


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../up", "", "."])
def test_a_text_whose_name_leads_out_of_its_folder_is_no_output(files: AttemptFiles, path: str) -> None:
    with pytest.raises(InputRejected, match="outside of its folder"):
        files.collect(output(path, 4, text="text"), limit_bytes=100)
    (artifact,) = files.artifacts.put([b"text"])
    with pytest.raises(InputRejected, match="outside of its folder"):  # as one that leaves no file is taken
        output_of(output(path, 4, text="text").outputs[0], artifact)
