"""What porters are given of this host."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.settings import load
from pitchey_cli.wiring import SystemClock, Wiring
from pitchey_cli.wiring.porters import ca_file


@pytest.fixture
def companys(tmp_path: Path) -> Path:
    """What images are built with."""
    path = tmp_path / "company.pem"
    path.write_text("company")
    return path


def wiring(tmp_path: Path, companys: Path, s3: str) -> Wiring:
    file = tmp_path / "config.toml"
    file.write_text(f"[engine]\nshares_files = false\nca_bundle = '{companys}'\n{s3}")
    return Wiring(load({"PITCHEY_CONFIG": str(file)}), tmp_path / "state", SystemClock())


@pytest.mark.parametrize(
    "s3",
    [
        "[artifacts]\nurl = 's3://kept/'\n[s3]\nca_bundle = 'BUCKETS'\n",
        "[artifacts]\nurl = 's3://house@kept/'\n[s3.profiles.house]\nca_bundle = 'BUCKETS'\n",
        "[artifacts]\nurl = 's3://kept/'\n[s3]\nprofile = 'house'\n[s3.profiles.house]\nca_bundle = 'BUCKETS'\n",
    ],
)
def test_porters_trust_whom_the_profile_of_the_artifacts_trusts(tmp_path: Path, companys: Path, s3: str) -> None:
    buckets = tmp_path / "buckets.pem"
    with pytest.raises(UsageError, match=f"there is no file at {buckets}"):
        ca_file(wiring(tmp_path, companys, s3.replace("BUCKETS", str(buckets))))
    buckets.write_text("buckets")
    assert ca_file(wiring(tmp_path, companys, s3.replace("BUCKETS", str(buckets)))) == buckets


def test_porters_trust_whom_this_host_trusts_where_the_profile_says_nothing(tmp_path: Path, companys: Path) -> None:
    found = ca_file(wiring(tmp_path, companys, "[artifacts]\nurl = 's3://kept/'\n"))
    assert found == companys
