"""How many threads an attempt has use for, alone and beside others."""

from __future__ import annotations

import pytest

from processors.worker import threads


@pytest.mark.parametrize(("beside", "shared"), [(0, 4), (1, 2), (2, 2), (3, 1), (9, 1)])
def test_attempts_share_what_was_granted_and_each_has_one(
    monkeypatch: pytest.MonkeyPatch, beside: int, shared: int
) -> None:
    monkeypatch.setattr(threads, "granted_threads", lambda: 4)
    assert threads.shared_threads(beside) == shared
