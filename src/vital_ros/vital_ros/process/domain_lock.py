"""One of a kind in a ROS domain on this machine: the second is refused by the name of the first.

The lock is a name in Linux's abstract socket namespace: it reaches exactly as far as the loopback does that the nodes
find each other on (every user, every container in this network namespace), needs no folder, and goes with the process
that holds it, however that dies.
"""

import errno
import os
import socket
import time
from enum import StrEnum
from pathlib import Path

from vital_core.errors import ErrorCode, VitalError

SOCKETS = Path("/proc/net/unix")
LONGEST_NAME = 100  # bytes; Linux takes 107


def own_domain() -> int:
    """The ROS domain of this process. Raises VitalError(BAD_PARAMETER)."""
    given = os.environ.get("ROS_DOMAIN_ID", "").strip() or "0"
    if not given.isdigit():
        raise VitalError(ErrorCode.BAD_PARAMETER, f"ROS_DOMAIN_ID is '{given}', expected a whole number of 0 to 232")
    return int(given)


class Sole(StrEnum):
    """What a domain has one of."""

    STACK = "stack"
    """Everything that a launch starts."""
    GATE = "gate"
    """The mover of the arm."""


class DomainLock:
    """Holds a domain for ``what`` until `release`, the end of the process, or when it is collected.

    Raises VitalError(BUSY) that names who holds it.
    """

    def __init__(self, domain: int, what: str, sole: Sole = Sole.STACK) -> None:
        lock = f"vital/{sole}/{domain}"
        self._sockets: list[socket.socket] = []
        try:
            self._bind(lock)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise VitalError(
                ErrorCode.BUSY,
                f"the arm of ROS domain {domain} is taken by {_holder(lock)}: end it, or use another ROS_DOMAIN_ID",
            ) from error
        # Who it is stands in a name of its own: anybody may read the list of names.
        self._bind(f"{lock}: {what}, pid {os.getpid()}, since {time.strftime('%H:%M')}")

    def _bind(self, name: str) -> None:
        held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sockets.append(held)
        held.bind(b"\0" + name.encode()[:LONGEST_NAME])

    def release(self) -> None:
        """Let another have the domain."""
        for held in self._sockets:
            held.close()


def _holder(lock: str) -> str:
    for line in SOCKETS.read_text(errors="replace").splitlines():
        _, found, who = line.partition(f"@{lock}: ")
        if found:
            return who
    return "another process"
