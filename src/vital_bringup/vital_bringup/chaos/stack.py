"""A stack under test: started by its launch file in a room of its own, ended, and looked over for what it left."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vital_bringup.chaos.watching import processes
from vital_bringup.chaos.watching.clocks import NodeClock
from vital_core.clock import steady_s

NODES = ("sim_node", "gate_node", "vlm_reach_node", "frames", "policy_node", "task_server")
DEPLOY = ("ros2", "launch", "vital_bringup", "deploy.launch.py")
LINGER_S = 2.0  # after the launch has ended its processes may take this long
ESCALATE_S = 30.0
POLL_S = 0.05


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
    """One launch. Its temporary files, its logs and whatever it prints lie in ``folder``."""

    def __init__(
        self,
        folder: Path,
        domain: int,
        command: Sequence[str] = (*DEPLOY, "trials:=0"),
        clock: NodeClock | None = None,
    ) -> None:
        self.folder, self.domain, self.clock = folder, domain, clock
        self.mark = uuid.uuid4().hex
        self.log = folder / "log.txt"
        self._temporary = folder / "tmp"
        self._temporary.mkdir(parents=True)
        self._killed: set[int] = set()
        self._segments: set[str] = set()
        self._own: dict[int, set[str]] = {}
        self.environment = {
            **os.environ,
            **(clock.environment() if clock else {}),
            processes.MARK: self.mark,
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
        return {name: pid for pid, name in processes.marked(self.mark).items() if name in NODES}

    def whole(self) -> bool:
        """Whether the launch and all its nodes live."""
        return self.running and set(self.nodes()) == set(NODES)

    def note_segments(self) -> None:
        """Note what shared memory the processes have, while they can be asked."""
        for pid in processes.marked(self.mark):
            self._segments |= processes.segments(pid)
            self._own[pid] = processes.locked_segments(pid)

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
        wait_until(lambda: not processes.marked(self.mark), steady_s() + LINGER_S)
        seconds, left = steady_s() - since_s, processes.marked(self.mark)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        code = self.launch.wait(10.0)
        wait_until(lambda: not processes.marked(self.mark), steady_s() + 5.0)
        shared = processes.unheld(self._segments)
        # libfaketime's own are the instrument's.
        shared, instrument = {n for n in shared if "faketime" not in n}, {n for n in shared if "faketime" in n}
        excused = {name for pid in self._killed | set(left) for name in self._own.get(pid, ())}
        files = tuple(sorted(path.name for path in self._temporary.iterdir()))
        for name in shared | instrument:
            (processes.SHARED / name).unlink(missing_ok=True)
        shutil.rmtree(self._temporary)
        unexcused = tuple(sorted(name for name in shared if _segment_of(name) not in excused))
        return Ending(code, seconds, tuple(left.values()), unexcused, files, len(shared) - len(unexcused))


def _segment_of(name: str) -> str:
    return name.removeprefix("sem.").removesuffix("_mutex").removesuffix("_el")


def traceback_in(log: str) -> str | None:
    """The error that a traceback in a log ends with; None without one."""
    if "Traceback" not in log:
        return None
    after = log[log.index("Traceback") :].splitlines()
    errors = [line for line in after if re.search(r"\b[A-Z]\w*(Error|Exception|Exit|Interrupt)\b", line)]
    return (errors or after)[0].strip()[:200]


def wait_until(condition: Callable[[], bool], deadline_s: float) -> bool:
    """Wait for ``condition`` until ``deadline_s`` of the steady clock; whether it came true."""
    while not condition():
        if steady_s() > deadline_s:
            return False
        time.sleep(POLL_S)
    return True
