"""Where things lie, and what tells one state directory's instances from another's."""

from __future__ import annotations

from pathlib import Path

from pitchey_cli.domain import layout


def test_a_label_is_of_one_database_in_one_place() -> None:
    places = [("one", "/var/a"), ("one", "/var/b"), ("two", "/var/a"), ("one", "/var/\udcff")]
    labels = [layout.label(state_id, Path(place)) for state_id, place in places]
    assert len(set(labels)) == len(places)
    assert labels[0] == layout.label("one", Path("/var/a"))
    assert all(len(each) == 16 and each.isalnum() for each in labels)
