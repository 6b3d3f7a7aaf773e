"""A handler whose companion counts, for all attempts, and has a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

from processors.protocol import Result
from processors.specs import CodeSpec
from processors.worker import companion
from processors.worker.beside import Host
from processors.worker.context import Context, HandlerError


def beside(listening: socket.socket, worker: Host) -> None:
    """Give each that asks the next number, and two processes; die when told to."""
    counted = 0
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    while True:
        connection, _ = listening.accept()
        with connection:
            if connection.recv(16) == b"die":
                os._exit(3)
            counted += 1
            threading.Thread(target=worker.say, args=({f"number-{counted}": counted},)).start()  # threads are allowed
            connection.sendall(f"{counted} {os.getpid()} {helper.pid}".encode())


def handle(context: Context[CodeSpec]) -> Result:
    """Ask the companion for the next number, and leave a process behind."""
    subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(600)"])
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(companion.address())
    with connection:
        connection.sendall(context.spec.code.encode())
        answer = connection.recv(64).decode()
    if not answer:
        raise HandlerError("companion_lost", "The companion is gone.")
    number, pid, helper = map(int, answer.split())
    return Result(details={"number": number, "pid": pid, "helper": helper})
