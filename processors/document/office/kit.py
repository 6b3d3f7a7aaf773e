"""LibreOffice as a library: LibreOfficeKit, of which only as much is bound as converting takes.

Its functions stand in a table to which versions only ever add (include/LibreOfficeKit/LibreOfficeKit.h). With its
option `unipoll` it has no thread of its own: it calls back when it has nothing to do, and there the process may fork.
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

_PROGRAM = Path("/usr/lib/libreoffice/program")
_LIBRARY = _PROGRAM / "libmergedlo.so"
_GET_ERROR, _RUN_MACRO, _RUN_LOOP = 3, 11, 13  # places in the table of functions
_PLACES = 14
_NAP_SECONDS = 0.05
# Off again once it is loaded: else LibreOffice draws for a viewer that asks for tiles.
_SET_ACTIVE = "_ZN10comphelper14LibreOfficeKit9setActiveEb"
# Of a string and with one for an answer, both by reference; in a class until version 7.4.
_SET_TEMPORARY = "_ZN3utl24SetTempNameBaseDirectoryERKN3rtl8OUStringE"
_SET_TEMPORARY_BEFORE = "_ZN3utl8TempFile24SetTempNameBaseDirectoryERKN3rtl8OUStringE"

_POLL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
_WAKE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Kit(ctypes.Structure):
    _fields_ = (("functions", ctypes.POINTER(ctypes.c_void_p * _PLACES)),)


def is_here() -> bool:
    """Whether LibreOffice is installed."""
    return _LIBRARY.exists()


class Kit:
    """LibreOffice, loaded into this process. There can be one, and it stays."""

    def __init__(self, profile: Path) -> None:
        """Load it.

        Raises:
            OSError: it cannot be loaded.
        """
        os.environ |= {"SAL_USE_VCLPLUGIN": "svp", "SAL_LOK_OPTIONS": "unipoll", "LC_ALL": "C.UTF-8"}
        os.environ["CONFIGURATION_LAYERS"] = _unwritten_layers()
        self._library = ctypes.CDLL(str(_LIBRARY), mode=os.RTLD_NOW | os.RTLD_GLOBAL)
        hook = self._library.libreofficekit_hook_2
        hook.restype, hook.argtypes = ctypes.POINTER(_Kit), (ctypes.c_char_p, ctypes.c_char_p)
        self._kit = hook(str(_PROGRAM).encode(), profile.as_uri().encode())
        if not self._kit:
            raise OSError("LibreOffice does not start")

    def loop(self, idle: Callable[[], NoReturn]) -> None:
        """Start it to the end, and then call what never returns."""

        woken = threading.Event()
        is_up = False

        def poll(_: Any, microseconds: int) -> int:
            nonlocal is_up
            if not is_up:
                is_up = True
                getattr(self._library, _SET_ACTIVE)(ctypes.c_bool(False))
                idle()
            # In a fork, which waits for threads of its own, as the reading of sheets has.
            woken.wait(min(_NAP_SECONDS, microseconds / 1e6) if microseconds >= 0 else _NAP_SECONDS)
            woken.clear()
            return 0

        # It calls back only with a pointer that is not null.
        self._call(_RUN_LOOP, None, _POLL(poll), _WAKE(lambda _: woken.set()), ctypes.c_void_p(1))

    def move(self, directory: Path) -> None:
        """Put temporary files there from now on.

        All forks know one place, and count up the names in it from the same number. They take, and see, each other's.
        """
        os.environ["TMPDIR"] = str(directory)
        url, made = ctypes.c_void_p(), ctypes.c_void_p()
        self._library.rtl_uString_newFromAscii(ctypes.byref(url), directory.as_uri().encode())
        is_new = hasattr(self._library, _SET_TEMPORARY)
        set_temporary = getattr(self._library, _SET_TEMPORARY if is_new else _SET_TEMPORARY_BEFORE)
        set_temporary(ctypes.byref(made), ctypes.byref(url))

    def run(self, macro: str) -> str:
        """Run a macro; what went wrong, or nothing."""
        done = self._call(_RUN_MACRO, ctypes.c_int, ctypes.c_char_p(macro.encode()))
        return "" if done else (self._call(_GET_ERROR, ctypes.c_char_p) or b"").decode(errors="replace")

    def _call(self, place: int, result: Any, *arguments: Any) -> Any:
        function = ctypes.CFUNCTYPE(result, ctypes.c_void_p, *map(type, arguments))
        address: Any = self._kit.contents.functions.contents[place]
        return function(address)(ctypes.cast(self._kit, ctypes.c_void_p), *arguments)


def _unwritten_layers() -> str:
    """Where settings come from, with those of the profile only to be read, which `*` says: unmarked they are written.

    That is done by a thread of LibreOffice's, a second after the last change, under the lock of all settings: a fork of
    that moment has the lock, and nobody who opens it.
    """
    found = re.search(r"^CONFIGURATION_LAYERS=(.*)$", (_PROGRAM / "fundamentalrc").read_text(), re.MULTILINE)
    layers = found[1].split() if found else []
    return " ".join(layer.replace("user:!", "user:*") for layer in layers if "ext:" not in layer)
