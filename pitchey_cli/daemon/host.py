"""How the host does: what keeps a pool from growing although the limits would allow it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from pitchey_cli.domain.capacity import HostLoad

_PRESSURE = Path("/proc/pressure/memory")  # missing where the kernel does not measure it
_LOOK_SECONDS = 5.0


@dataclass(slots=True)
class HostProbe:
    """Looks now and then; a look costs a fraction of a millisecond."""

    state_dir: Path
    cpus: float
    pressure_file: Path = _PRESSURE
    _look_at: float = 0.0
    _last: HostLoad = field(default_factory=HostLoad)

    def look(self, now: float) -> HostLoad:
        """How the host did a few seconds ago at most. `now` is monotonic."""
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._last = HostLoad(
                load=psutil.getloadavg()[0],
                cpus=self.cpus,
                memory_stalled=self._stalled(),
                disk_free_bytes=self._disk_free(),
            )
        return self._last

    def _stalled(self) -> float | None:
        try:
            found = re.search(r"^some avg10=([\d.]+)", self.pressure_file.read_text())
        except OSError:
            return None
        return None if found is None else float(found[1]) / 100

    def _disk_free(self) -> int | None:
        try:
            return int(psutil.disk_usage(str(self.state_dir)).free)
        except OSError:
            return None
