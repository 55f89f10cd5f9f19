"""A stack under test: started by its launch file in a room of its own, ended, and looked over for what it left.

What its processes are, hold and take is read from /proc.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vital_core.clock import steady_s, wait_until

NODES = ("sim_node", "gate_node", "vlm_reach_node", "frames", "policy_node", "task_server")
DEPLOY = ("ros2", "launch", "vital_bringup", "deploy.launch.py")
LINGER_S = 2.0  # after the launch has ended its processes may take this long
ESCALATE_S = 30.0
# Every process of a stack inherits this variable, whoever becomes its parent.
MARK = "VITAL_CHAOS_STACK"
SHARED = Path("/dev/shm")
_SHARED_NAME = re.compile(r"/dev/shm/(\S+)")


@dataclass(frozen=True)
class Ending:
    """How a stack ended. code: the launch's exit code; seconds: from the signal, or from when it was asked for, to the
    end of its last process; processes, shared, files: what was left (shared: without those of killed processes, which
    nobody can take back; they are counted in of_killed)."""

    code: int | None
    seconds: float
    processes: tuple[str, ...]
    shared: tuple[str, ...]
    files: tuple[str, ...]
    of_killed: int

    def left(self) -> str | None:
        """What was left, in words."""
        parts = []
        for words, names in (("processes", self.processes), ("in /dev/shm", self.shared), ("files", self.files)):
            if names:
                parts.append(f"{words}: {', '.join(names[:6])}{' ...' if len(names) > 6 else ''} ({len(names)})")
        return "; ".join(parts) or None


class Stack:
    """One launch. Its temporary files, its logs and whatever it prints lie in ``folder``.

    variables: of its environment, beside those of this process.
    """

    def __init__(
        self,
        folder: Path,
        domain: int,
        command: Sequence[str] = (*DEPLOY, "trials:=0"),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.domain = folder, domain
        self.mark = uuid.uuid4().hex
        self.log = folder / "log.txt"
        self._temporary = folder / "tmp"
        self._temporary.mkdir(parents=True)
        self._killed: set[int] = set()
        self._segments: set[str] = set()
        self._own: dict[int, set[str]] = {}
        self.environment = {
            **os.environ,
            **(variables or {}),
            MARK: self.mark,
            "ROS_DOMAIN_ID": str(domain),
            "ROS_LOG_DIR": str(folder / "ros"),
            "TMPDIR": str(self._temporary),
            # Torch's own cache, made at import and meant to stay; by default it lies among the temporary files.
            "TORCHINDUCTOR_CACHE_DIR": str(folder / "torch_cache"),
            "PYTHONUNBUFFERED": "1",
        }
        self.launch = self.start(command)

    def start(self, command: Sequence[str]) -> subprocess.Popen:
        """A process of this stack."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether the launch has not ended."""
        return self.launch.poll() is None

    def nodes(self) -> dict[str, int]:
        """The launch's nodes: pid by name."""
        return {name: pid for pid, name in marked(self.mark).items() if name in NODES}

    def whole(self) -> bool:
        """Whether the launch and all its nodes live."""
        return self.running and set(self.nodes()) == set(NODES)

    def note_segments(self) -> None:
        """Note what shared memory the processes have, while they can be asked."""
        for pid in marked(self.mark):
            self._segments |= segments(pid)
            self._own[pid] = locked_segments(pid)

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to a process of this stack."""
        if number is signal.SIGKILL:
            self._killed.add(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def log_since(self, offset: int) -> str:
        """What has been printed since ``offset`` bytes."""
        with self.log.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")

    def log_size(self) -> int:
        """Bytes printed so far."""
        return self.log.stat().st_size

    def end(self) -> Ending:
        """End the launch as Ctrl-C does, unless it has ended, and look over what is left."""
        start = steady_s()
        self.note_segments()
        if self.running:
            self.launch.send_signal(signal.SIGINT)
        return self.ended(start)

    def ended(self, since_s: float, within_s: float = ESCALATE_S) -> Ending:
        """Wait for the end that was asked for at ``since_s`` (steady time), then kill and take away what is left."""
        wait_until(lambda: not self.running, since_s + within_s)
        wait_until(lambda: not marked(self.mark), steady_s() + LINGER_S)
        seconds, left = steady_s() - since_s, marked(self.mark)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        code = self.launch.wait(10.0)
        wait_until(lambda: not marked(self.mark), steady_s() + 5.0)
        shared = unheld(self._segments)
        # libfaketime's own are the instrument's.
        shared, instrument = {n for n in shared if "faketime" not in n}, {n for n in shared if "faketime" in n}
        excused = {name for pid in self._killed | set(left) for name in self._own.get(pid, ())}
        files = tuple(sorted(path.name for path in self._temporary.iterdir()))
        for name in shared | instrument:
            (SHARED / name).unlink(missing_ok=True)
        shutil.rmtree(self._temporary)
        unexcused = tuple(sorted(name for name in shared if _segment_of(name) not in excused))
        return Ending(code, seconds, tuple(left.values()), unexcused, files, len(shared) - len(unexcused))


def _segment_of(name: str) -> str:
    return name.removeprefix("sem.").removesuffix("_mutex").removesuffix("_el")


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
