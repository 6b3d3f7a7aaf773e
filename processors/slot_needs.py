"""What a program of the code service needs beside what its job asks for: its compiler, and the slot that it runs in.

Apart from processors.code, because the protocol says of every job how much that is, and knows no processor.
"""

from __future__ import annotations

MIB = 1 << 20
HEADROOM_BYTES = 32 * MIB  #: of a container above the limit of its job: the first process, and what the kernel keeps
COMPILER_MEMORY_BYTES = {"go": 256 * MIB, "rust": 384 * MIB}  #: a small program takes 55 MB in Go, 150 in Rust
COMPILER_SECONDS = 30.0  #: unless the job says more or less
AROUND_SECONDS = 120.0  #: a slot is found and fed, and what the program leaves is taken
FETCHING_SECONDS = 300.0  #: of packages that nobody has asked for before
