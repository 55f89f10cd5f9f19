"""Frees what killed processes have left in /dev/shm.

Fast DDS gives each process a segment, `fastrtps_<16 hex digits>`, and holds a lock on the file of that name with `_el`
while it lives. Killed, it leaves both, and nobody but a process that had read from it takes them away: 16 MB of memory
each time. (Ports, `fastrtps_port<number>`, are taken over by the next process with that number, and do not add up.)
"""

import contextlib
import fcntl
import os
import re
import time
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
LOCK_OF_SEGMENT = re.compile(r"fastrtps_[0-9a-f]{16}_el")
# Fast DDS makes the file first and locks it then: a younger one may belong to a process that is just starting.
LEAST_AGE_S = 10.0


def free_dead_segments(folder: Path = SHARED_MEMORY) -> int:
    """Remove segments of this user's processes that are gone, never those of others; returns how many."""
    try:
        names = [name for name in os.listdir(folder) if LOCK_OF_SEGMENT.fullmatch(name)]
    except FileNotFoundError:
        return 0
    return sum(_free(folder / name) for name in names)


def _free(lock: Path) -> bool:
    with contextlib.suppress(OSError):
        found = lock.stat()
        if found.st_uid != os.getuid() or time.time() - found.st_mtime < LEAST_AGE_S:
            return False
        with lock.open("rb") as file:
            # Refused with BlockingIOError while the owner lives.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.with_name(lock.name.removesuffix("_el")).unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
            return True
    return False
