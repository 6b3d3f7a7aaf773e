"""The only place that builds adapters from settings: for a command (`here`), and for what runs the jobs (`node`).

Heavy ones are imported when they are asked for: the commands that only read the store start in a tenth of a second
because of that.
"""

from pitchey_cli.wiring.clock import SystemClock
from pitchey_cli.wiring.here import Wiring

__all__ = ["SystemClock", "Wiring"]
