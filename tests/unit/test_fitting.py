"""Jobs that say how much memory they need get an instance that has it, and as many slots as stand for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.fitting import Fit, fit, larger_of, largest_type
from pitchey_cli.domain.limits import INSTANCE_TYPES, MIB
from processors.code.languages import prepare
from processors.specs import SPECS, CodeSpec, Spec
from processors.vocabulary import Service

MOST = INSTANCE_TYPES[largest_type()].memory_bytes


def code(**fields: object) -> CodeSpec:
    return CodeSpec.model_validate({"language": "python", "code": "", **fields})


@pytest.mark.parametrize(
    ("need_mib", "own", "found"),
    [
        (1, "lite", Fit("", 1)),
        (160, "lite", Fit("", 4)),  # 51.2 MiB for each of ten
        (512, "lite", Fit("", 10)),
        (513, "lite", Fit("standard-1", 6)),
        (1025, "lite", Fit("standard-2", 6)),
        (2049, "lite", Fit("standard-4", 3)),
        (8192, "lite", Fit("standard-4", 10)),
        (8193, "lite", None),
        (160, "standard-4", Fit("", 1)),
        (2049, "standard-2", Fit("standard-4", 3)),
    ],
)
def test_a_job_gets_the_smallest_type_that_holds_it_unless_the_services_own_does(need_mib, own, found):
    assert fit(need_mib * MIB, own_type=own, slots=10) == found


@given(
    st.lists(st.integers(1, MOST), min_size=1, max_size=40), st.sampled_from(list(INSTANCE_TYPES)), st.integers(1, 64)
)
def test_jobs_that_share_an_instance_never_need_more_than_it_has(needs, own, slots):
    on_type: dict[str, list[tuple[int, int]]] = {}
    for need in needs:
        found = fit(need, own_type=own, slots=slots)
        assert found is not None and 1 <= found.slots <= slots
        on_type.setdefault(found.size or own, []).append((need, found.slots))
    for name, jobs in on_type.items():
        free, used = slots, 0
        for need, taken in jobs:
            if taken <= free:
                free, used = free - taken, used + need
        assert used <= INSTANCE_TYPES[name].memory_bytes


def test_the_larger_size_wins_and_any_is_larger_than_none():
    assert larger_of("", "standard-1") == larger_of("standard-1", "") == "standard-1"
    assert larger_of("standard-4", "standard-1") == "standard-4"
    assert larger_of("", "") == ""


# --- what a spec says of itself


@given(
    st.sampled_from(["python", "javascript", "go", "rust"]),
    st.integers(16, 65536),
    st.one_of(st.none(), st.floats(0.5, 600)),
    st.floats(0.5, 3600),
)
def test_what_is_counted_for_a_job_is_what_its_slot_will_take(language, memory, compile_timeout, timeout):
    spec = code(language=language, memoryLimit=memory, compileTimeout=compile_timeout, timeout=timeout)
    prepared = prepare(spec)
    assert spec.memory_bytes() == prepared.memory_bytes
    phases = [prepared.job.run, *([prepared.job.compile] if prepared.job.compile else [])]
    assert spec.longest_seconds() >= sum(phase.limits.wall_seconds for phase in phases) + 60


@pytest.mark.parametrize("service", [each for each in Service if each is not Service.CODE])
def test_the_other_services_say_nothing_of_time(service):
    assert SPECS[service].longest_seconds == Spec.longest_seconds


@pytest.mark.parametrize("service", [Service.VIDEO, Service.DOCUMENT, Service.MEDIA])
def test_services_that_work_at_one_file_in_a_slot_say_nothing_of_memory(service):
    assert SPECS[service].memory_bytes == Spec.memory_bytes


def test_the_largest_limit_that_is_named_is_one_that_fits():
    words = code(memoryLimit=9000).larger_than(MOST)
    assert "memoryLimit 9000" in words and "8160" in words
    assert code(memoryLimit=8160).memory_bytes() == MOST
