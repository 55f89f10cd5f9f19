"""What /proc tells of a stack's processes: which there are, what they hold, what they take."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Every process of a stack inherits this variable, whoever becomes its parent.
MARK = "VITAL_CHAOS_STACK"
SHARED = Path("/dev/shm")
_SHARED_NAME = re.compile(r"/dev/shm/(\S+)")


@dataclass(frozen=True)
class Usage:
    """Resident memory in bytes and the number of open files of a process."""

    rss_bytes: int
    files: int


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def name_of(pid: int) -> str:
    """The executable's name, of a script the script's; empty when it has gone."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    program = arguments[0]
    if Path(program).name.startswith("python"):
        program = next((a for a in arguments[1:] if a and not a.startswith("-")), program)
    return Path(program).name


def marked(mark: str) -> dict[int, str]:
    """Living processes of the stack ``mark``: name by pid."""
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for pid in _pids():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in environment:
            found[pid] = name_of(pid)
    return found


def _links(pid: int) -> list[str]:
    found = []
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return []
    for name in names:
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            continue
    return found


def segments(pid: int) -> set[str]:
    """Names in /dev/shm that a process has mapped or open."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return set()
    return set(_SHARED_NAME.findall("\n".join([maps, *_links(pid)])))


def locked_segments(pid: int) -> set[str]:
    """Segments that are a process's own: Fast DDS keeps the lock file `<name>_el` of each open in its owner."""
    locks = _SHARED_NAME.findall("\n".join(_links(pid)))
    return {lock.removesuffix("_el") for lock in locks if lock.endswith("_el")}


def unheld(names: Iterable[str]) -> set[str]:
    """Those of ``names`` that lie in /dev/shm though no living process has them."""
    there = {name for name in names if (SHARED / name).exists()}
    for pid in _pids() if there else []:
        there -= segments(pid)
    return there


def usage(pid: int) -> Usage | None:
    """What a process takes; None when it has gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return Usage(pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir(f"/proc/{pid}/fd")))
    except (OSError, IndexError):
        return None
