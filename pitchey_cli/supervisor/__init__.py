"""The supervisor of an instance of the code service: it keeps slots ready, and gives each of them one job.

    python -m pitchey_cli.supervisor --slots 10 --run DIR --inputs DIR --spool DIR --engine docker --endpoint URL ...

A process on the host, in a session of its own, which outlives the daemon as a container does. To the daemon it is a
worker like any other (processors/worker): the same socket, requests, events and spools.

    __main__   options; puts the parts together
    attempt    one attempt: a slot is taken, given the job, and thrown away: START HERE
    network    the way out of a slot that may have one
    packages   what a job asks for, found in the store or fetched in a slot of its own
    memory     of the instance, shared out among the slots that have a job
    shelf      the slots that wait, one line for each class of them; made and removed in the background
    stock      how many of a class are to wait; pure
    slot       one slot: ready, job, report
    pieces     what the engine puts between us and a slot's streams; pure
    outcome    a slot's report -> the result of the job; pure
"""

import os

# pydantic would else look through all installed packages for plug-ins, which takes as long as importing pydantic.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
