"""What is said of errors."""

from __future__ import annotations

from pitchey_cli.domain.errors import NetworkError, StoreError, logged


def test_a_log_has_the_way_out_of_our_errors_and_the_kind_of_others() -> None:
    assert logged(StoreError("db does not take the password.", hint="Set PGPASSWORD.")) == (
        "db does not take the password. Set PGPASSWORD."
    )
    assert logged(StoreError("The disk is full.")) == "The disk is full."
    assert logged(NetworkError("It is away.")).startswith("It is away. It may be the network")
    assert logged(KeyError("host")) == "KeyError('host')"
