"""Whose instances take whose jobs."""

from __future__ import annotations

import pytest

from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.domain.pools import PoolKey, is_shared
from processors.vocabulary import Service


def test_only_the_instances_that_run_programs_nobody_trusts_are_not_shared():
    assert [each for each in Service if not is_shared(each)] == [Service.CODE]


@pytest.mark.parametrize("service", Service)
def test_jobs_of_two_organisations_meet_in_one_pool_where_instances_are_shared(service):
    one, two = PoolKey.of(service, "", "acme"), PoolKey.of(service, "", "globex")
    assert (one == two) is is_shared(service)
    assert one.is_possible and two.is_possible
    assert PoolKey.of(service).is_first
    assert not PoolKey.of(service, "standard-4").is_first


def test_a_pool_is_called_by_what_tells_it_apart():
    names = {
        PoolKey.of(Service.VIDEO, "", "acme"): "video",
        PoolKey.of(Service.VIDEO, "standard-4"): "video (standard-4)",
        PoolKey.of(Service.CODE): "code",
        PoolKey.of(Service.CODE, "", "acme"): "code of acme",
        PoolKey.of(Service.CODE, "standard-1", "acme"): "code (standard-1) of acme",
    }
    assert {key: str(key) for key in names} == names


def test_what_nobody_could_have_made_is_no_pool():
    assert not PoolKey(Service.CODE).is_possible
    assert not PoolKey(Service.VIDEO, "", "acme").is_possible


def test_a_new_job_is_of_the_default_organisation():
    assert PoolKey.of(Service.CODE, "", NewJob(JobId("a"), Service.CODE, {}).organisation).is_first
