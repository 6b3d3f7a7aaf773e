"""Ids of events in SQLite that are given once, whatever a power cut takes away.

What need not last (`is_lasting`) is not synced at once, and others read it all the same: a client may know the id of an
event that is gone after a power cut, goes on after it, and would miss whatever was given that id again. So the first
who writes after a boot of the machine, or after a backup was restored, leaves out more ids than can have been lost, and
whatever is not synced is bounded (`UNSYNCED_ROWS`). PostgreSQL syncs every commit.
"""

from __future__ import annotations

from pitchey_cli.store.connection import UNSYNCED_ROWS, Connection

#: An event is a row, and a last transaction may go beyond the bound: ten times as many are more than are ever lost.
LEFT_OUT = 10 * UNSYNCED_ROWS
_BOOT = "boot"  # its name in the table meta: the boot of the machine on which ids were last given


def go_on(connection: Connection, boot: str) -> None:
    """Leave out what may have been lost, if ids were last given in another boot. It belongs in a transaction."""
    if connection.value("SELECT value FROM meta WHERE name = ?", (_BOOT,)) == boot:
        return
    connection.run("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'job_events'", (LEFT_OUT,))
    connection.run("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (_BOOT, boot))


#: For a copy, which is older than its original when it takes its place: whoever writes next leaves ids out.
FORGET_BOOT = f"DELETE FROM meta WHERE name = '{_BOOT}'"
