"""Settings: defaults, then the TOML file, then PITCHEY_... variables; read once, frozen.

A setting is a field of one of the dataclasses in `node`, `reach`, `queue` and `services`; `tree` has all of them. Its
key is its path (`services.video.slots`), its variable is the key in capitals with PITCHEY_ before it
(`PITCHEY_SERVICES_VIDEO_SLOTS`). Dataclasses and not a validation library, because `pitchey status` has to start in
less time than such a library takes to import; without slots for the same reason, here and in the other modules that it
loads: a class with slots is made twice.
"""

from pitchey_cli.settings.node import ENGINE_KINDS
from pitchey_cli.settings.reading import (
    Loaded,
    config_path,
    entries,
    load,
    merged,
    misspelt_variables,
    read_file,
    state_dir,
    told,
)
from pitchey_cli.settings.services import DocumentSettings, ServiceSettings, check_service
from pitchey_cli.settings.setting import Entry, parse_value, unknown_key
from pitchey_cli.settings.tree import TABLES, Settings

__all__ = [
    "ENGINE_KINDS",
    "TABLES",
    "DocumentSettings",
    "Entry",
    "Loaded",
    "ServiceSettings",
    "Settings",
    "check_service",
    "config_path",
    "entries",
    "load",
    "merged",
    "misspelt_variables",
    "parse_value",
    "read_file",
    "state_dir",
    "told",
    "unknown_key",
]
