"""What a host can grant of what an instance type asks for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.limits import GIB, INSTANCE_TYPES, MIB, Limits, grant


def test_the_instance_types_are_those_of_the_design():
    sizes = {name: (limits.cpus, limits.memory_bytes) for name, limits in INSTANCE_TYPES.items()}
    assert sizes == {
        "lite": (0.5, 512 * MIB),
        "standard-1": (1, GIB),
        "standard-2": (2, 2 * GIB),
        "standard-4": (4, 8 * GIB),
    }


def test_a_large_host_grants_everything():
    given_ = grant(INSTANCE_TYPES["standard-4"], host_cpus=8, host_memory_bytes=64 * GIB)
    assert given_.granted == INSTANCE_TYPES["standard-4"]
    assert not given_.is_reduced


def test_a_small_host_grants_what_it_has_and_says_so():
    given_ = grant(INSTANCE_TYPES["standard-4"], host_cpus=2, host_memory_bytes=4 * GIB)
    assert (given_.granted.cpus, given_.granted.memory_bytes) == (2, 4 * GIB)
    assert given_.requested == INSTANCE_TYPES["standard-4"]
    assert given_.is_reduced


@given(
    st.builds(Limits, cpus=st.floats(0.1, 64), memory_bytes=st.integers(1, 2**40)),
    st.floats(0.1, 256),
    st.integers(1, 2**42),
)
def test_a_grant_is_never_more_than_asked_for_and_never_more_than_there_is(requested, cpus, memory):
    granted = grant(requested, host_cpus=cpus, host_memory_bytes=memory).granted
    assert granted.cpus == min(requested.cpus, cpus)
    assert granted.memory_bytes == min(requested.memory_bytes, memory)
    assert (granted.pids, granted.tmp_bytes, granted.open_files) == (
        requested.pids,
        requested.tmp_bytes,
        requested.open_files,
    )
