"""Runs a study's cells as processes, as many at a time as asked for, each after what it reads.

Every command goes on where it was killed, so a study does. What a child says goes to the cell's log. The study's folder
is locked by whoever runs it and by its children, so nobody writes beside them; children end with the study.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from ament_index_python.packages import PackageNotFoundError, get_package_prefix

from vital_bringup.study.cells import Cell, Stage
from vital_bringup.study.record import FORMAT, Record, Records, State
from vital_core.errors import ErrorCode, VitalError
from vital_ros.process.process_end import end_with_parent

POLL_S, TELL_EVERY_S, PATIENCE_S = 0.1, 60.0, 20.0
TAIL_BYTES = 4000
Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How a study is run."""

    processes: int = 1
    """Cells at a time, each on one core."""
    report: bool = False
    """Whether the reporting seeds are looked at."""
    look_again: bool = False


@dataclass
class Running:
    """A cell's process."""

    cell: Cell
    record: Record
    process: subprocess.Popen
    log: BinaryIO
    began: float = field(default_factory=time.monotonic)


def executable(program: tuple[str, str]) -> str:
    """Path of a program that `ros2 run` knows; called itself, so that signals reach it. Raises VitalError(INTERNAL)."""
    package, name = program
    try:
        path = Path(get_package_prefix(package)) / "lib" / package / name
    except PackageNotFoundError as error:
        raise VitalError(ErrorCode.INTERNAL, f"package {package} is not installed: build the workspace") from error
    if not path.is_file():
        raise VitalError(ErrorCode.INTERNAL, f"{package} has no {name}, expected {path}: build the workspace")
    return str(path)


def source_commit() -> str:
    """Of the source tree that is run, with `-dirty` where it was changed since; `unknown` outside of one."""
    call = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(call, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def now_utc() -> str:
    """For a record."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[int]:
    """The study's folder for oneself, and a descriptor that holds it so. Raises VitalError(BUSY)."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise VitalError(
                ErrorCode.BUSY, f"{folder} is being worked on by another study: wait for it, or give another --out"
            ) from error
        yield descriptor
    finally:
        os.close(descriptor)


def last_line(path: Path) -> str:
    """What a log says last, empty where it says nothing."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = file.read().decode(errors="replace").replace("\r", "\n").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


class Runner:
    """One run over the cells of a study; ``changed`` is called whenever a cell has ended.

    failed: cells that could not be done, and why.
    """

    def __init__(
        self, cells: Sequence[Cell], records: Records, options: Options, say: Say, changed: Callable[[], None]
    ) -> None:
        self._cells, self._records, self._options = cells, records, options
        self._say, self._changed = say, changed
        self._commit = source_commit()
        self._running: list[Running] = []
        self.failed: dict[str, str] = {}

    def check(self) -> None:
        """To be called before `run`. Raises VitalError naming the first cell whose inputs or product are others than it
        was made with."""
        for cell in self._cells:
            if self._is_ready(cell):
                self._records.state(cell)

    def run(self, lock: int) -> None:
        """Everything that can be done; `failed` tells what could not. lock: of `locked`, for the children."""
        told = time.monotonic()
        try:
            while self._start(lock) or self._running:
                time.sleep(POLL_S)
                self._collect()
                if time.monotonic() - told > TELL_EVERY_S:
                    told = time.monotonic()
                    self._tell()
        finally:
            self._stop()

    def _is_ready(self, cell: Cell) -> bool:
        by_name = {one.name: one for one in self._cells}
        return all(self._records.knows(by_name[name]) for name in cell.after)

    def _is_wanted(self, cell: Cell) -> bool:
        if cell.stage is not Stage.REPORTING:
            return True
        chosen = all(self._records.knows(one) for one in self._cells if one.stage is Stage.CHOOSING)
        return self._options.report and chosen

    def _start(self, lock: int) -> bool:
        """Start what there is room for; whether anything was started."""
        busy = {running.cell.name for running in self._running}
        started = False
        for cell in self._cells:
            if len(self._running) >= self._options.processes:
                break
            if cell.name in busy or cell.name in self.failed or self._records.knows(cell):
                continue
            if self._is_ready(cell) and self._is_wanted(cell):
                started |= self._begin(cell, lock)
        return started

    def _begin(self, cell: Cell, lock: int) -> bool:
        """Start a cell unless it is done or cannot be started."""
        try:
            if self._records.state(cell) is State.DONE:
                return False
            inputs = self._records.inputs(cell)
            if cell.stage is Stage.REPORTING:
                again = self._options.look_again
                self._records.look(cell, inputs, self._commit, now_utc(), again=again)
            self._running.append(self._launched(cell, inputs, lock))
        except VitalError as error:
            self._fail(cell, str(error))
            return False
        self._say(f"{cell.name} begins")
        return True

    def _launched(self, cell: Cell, inputs: dict[str, str], lock: int) -> Running:
        records, path = self._records, self._records.log(cell)
        command = cell.command(records.folder)
        record = records.read(cell)
        if record is None:
            log = str(path.relative_to(records.folder))
            told = " ".join(command)
            record = Record(FORMAT, cell.name, State.BEGUN, inputs, (self._commit,), told, now_utc(), log)
        else:
            commits = tuple(dict.fromkeys((*record.commits, self._commit)))
            record = replace(record, state=State.BEGUN, commits=commits, attempts=record.attempts + 1, reason="")
        records.write(cell, record)
        path.parent.mkdir(parents=True, exist_ok=True)
        (records.folder / cell.product).parent.mkdir(parents=True, exist_ok=True)
        log_file = open(path, "ab")  # noqa: SIM115 closed when the cell ends
        process = subprocess.Popen(
            [executable(cell.program), *command[4:]], stdin=subprocess.DEVNULL, stdout=log_file, stderr=log_file,
            start_new_session=True, pass_fds=(lock,), preexec_fn=end_with_parent,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        return Running(cell, record, process, log_file)

    def _collect(self) -> None:
        """Record those that have ended."""
        for running in [one for one in self._running if one.process.poll() is not None]:
            self._running.remove(running)
            running.log.close()
            self._ended(running)
            self._changed()

    def _ended(self, running: Running) -> None:
        cell, spent = running.cell, time.monotonic() - running.began
        record = replace(running.record, seconds=running.record.seconds + spent)
        if running.process.returncode:
            said = last_line(self._records.log(cell))
            reason = f"exit code {running.process.returncode}: {said}"
            self._records.write(cell, replace(record, state=State.FAILED, reason=reason))
            self._fail(cell, reason)
            return
        try:
            self._records.finish(cell, record)
        except VitalError as error:
            self._records.write(cell, replace(record, state=State.FAILED, reason=str(error)))
            self._fail(cell, str(error))
            return
        done = sum(self._records.knows(one) for one in self._cells)
        self._say(f"{cell.name} done in {record.seconds / 60:.1f} min; {done} of {len(self._cells)} cells done")

    def _fail(self, cell: Cell, reason: str) -> None:
        self.failed[cell.name] = reason
        self._say(f"{cell.name} failed: {reason}")

    def _tell(self) -> None:
        for running in self._running:
            minutes = (time.monotonic() - running.began) / 60
            self._say(f"{running.cell.name}, {minutes:.0f} min: {last_line(self._records.log(running.cell))}")

    def _stop(self) -> None:
        """End what runs; it goes on with the next run."""
        for running in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.process.pid, signal.SIGINT)
        deadline = time.monotonic() + PATIENCE_S
        for running in self._running:
            try:
                running.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(running.process.pid, signal.SIGKILL)
                running.process.wait()
            spent = time.monotonic() - running.began
            self._records.write(running.cell, replace(running.record, seconds=running.record.seconds + spent))
            running.log.close()
        self._running.clear()
