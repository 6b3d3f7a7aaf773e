"""Landlock: which files a program may open, whoever owns them. A second wall; the first is who owns them.

By its system calls, because no library of Debian's has them. The ruleset is made once, before there is a job; what goes
through it is one call in the child. See landlock(7).
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Collection, Iterable

from processors.code.slot_protocol import CA_BUNDLE, PACKAGES_DIR

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_QUERY_VERSION = 1
_PATH_BENEATH = 1
_NET_PORT = 2
_CONNECT_TCP = 1 << 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE  # the rest is of directories
_ALL = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_SCOPES = 0b11  # abstract Unix sockets and signals: nothing outside of the same ruleset

READABLE = (
    "/usr",
    "/bin",
    "/lib",
    "/lib64",
    "/etc/alternatives",
    "/etc/debian_version",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/resolv.conf",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/proc",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
    "/dev/random",
    "/dev/urandom",
    CA_BUNDLE,
    PACKAGES_DIR,
)
WRITABLE = ("/job", "/tmp", "/dev/shm", "/dev/null", "/dev/zero", "/dev/full")

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """The kernel's version of the interface; 0 where it has none, or none that may be used."""
    try:
        return _call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_QUERY_VERSION))
    except OSError:
        return 0


def make_ruleset(
    readable: Iterable[str] = READABLE,
    writable: Iterable[str] = WRITABLE,
    connectable: Collection[int] | None = None,
) -> int:
    """Make a ruleset out of the paths that there are.

    Args:
        connectable: the TCP ports that may be connected to, from version 4 of the interface on; None for all.

    Returns:
        Its descriptor.
    """
    abi = version()
    handled = _ALL[min(abi, max(_ALL))]
    ports = connectable if abi >= 4 else None
    network = 0 if ports is None else _CONNECT_TCP
    attributes = struct.pack("=QQQ", handled, network, _SCOPES if abi >= 6 else 0)  # files, network, scopes
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _call(_CREATE_RULESET, ctypes.c_char_p(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))
    for paths, access in ((readable, _READ), (writable, handled)):
        for path in paths:
            _allow(ruleset, path, access & handled)
    for port in ports or ():
        _add(ruleset, _NET_PORT, struct.pack("=QQ", _CONNECT_TCP, port))
    return ruleset


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # this image or this kernel has none
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            access &= _OF_FILES
        _add(ruleset, _PATH_BENEATH, struct.pack("=Qi", access, fd))
    finally:
        os.close(fd)


def _add(ruleset: int, kind: int, rule: bytes) -> None:
    _call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(kind), ctypes.c_char_p(rule), ctypes.c_uint32(0))


def restrict(ruleset: int) -> None:
    """Bind this process and all that it starts; it needs no privilege but no_new_privs."""
    _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
