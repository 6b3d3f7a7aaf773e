"""The server inside every instance: takes attempts over a Unix socket and runs each in a process of its own.

    python3 -m processors.worker --service video --slots 3 --run DIR --inputs DIR --spool DIR --idle-exit SECONDS

One asyncio process, which imports the service's handler once and then forks a child for every attempt:

    __main__    options, and what is done once for all attempts
    serving     life and death of the worker
    http        HTTP/1.1 on a Unix socket
    routes      the requests of processors/protocol.py
    following   the events of many attempts as one stream
    attempts    the table of attempts: slots, known tokens, draining
    attempt     one attempt from its start to its ending; the only writer of its events
    spool       what an attempt leaves on disk, and how it is read back
    child       the forked process: how it is made, and what it does around the handler
    context     what a handler is given, and what it may raise: START HERE to write a service
    processes   signals, orphans, zombies
    cgroup      what the instance as a whole uses
    lines       bytes into lines of bounded length
"""

import os

# pydantic would else look through all installed packages for plug-ins, which takes as long as importing pydantic.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
