"""A stack at work under observation: brought up, given tasks, and ended."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from vital_bringup.chaos.driver import Driver
from vital_bringup.chaos.stack import NODES, Ending, Stack
from vital_bringup.chaos.watching.clocks import node_clock
from vital_bringup.chaos.watching.recording import Recording, Tail
from vital_core.clock import steady_s, wait_until
from vital_core.errors import ErrorCode, VitalError

UP_WITHIN_S = 120.0
OWNED_WITHIN_S = 15.0
TASK_ENDS_WITHIN_S = 5.0
MOST_WAIT_S = 1.5


class Live:
    """A stack, the observer and the driver in one domain and one folder. Raises VitalError(NODE_LOST) when the stack
    does not come up."""

    def __init__(self, folder: Path, domain: int, task: str, clock_of: str | None = None) -> None:
        folder.mkdir(parents=True)
        self.folder, self.clock_of = folder, clock_of
        start = steady_s()
        self.clock = node_clock(folder, clock_of) if clock_of else None
        self.stack = Stack(folder, domain, variables=self.clock.environment() if self.clock else None)
        self._observer = self._observe(domain)
        self.tail = Tail(folder / "observed.jsonl")
        self.driver = Driver(domain, task)
        try:
            self._wait_until_up(start)
        except VitalError:
            self.close()
            raise
        self.up_s = steady_s() - start
        self.judged_s = steady_s()  # what was sent until then has been judged
        self.faults = 0

    def _observe(self, domain: int) -> subprocess.Popen:
        with (self.folder / "observer.txt").open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "vital_bringup.chaos.watching.observer", str(self.folder / "observed.jsonl")],
                env={**os.environ, "ROS_DOMAIN_ID": str(domain)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _wait_until_up(self, start_s: float) -> None:
        def up() -> bool:
            return not self.stack.running or not self.driver.missing()

        wait_until(up, start_s + UP_WITHIN_S)
        if not self.stack.running or self.driver.missing() or not self.stack.whole():
            there = ", ".join(self.stack.nodes()) or "nothing"
            words = self.stack.log_since(0).strip().splitlines()[-1:]
            raise VitalError(
                ErrorCode.NODE_LOST,
                f"the stack is not up after {steady_s() - start_s:.0f} s: {there} runs of {', '.join(NODES)}, "
                f"no answer from {', '.join(self.driver.missing()) or 'nobody'}; it said: {words}",
            )
        wait_until(lambda: len(self.recording().times_s) > 0, steady_s() + 5.0)

    def recording(self) -> Recording:
        """What the observer has seen."""
        return self.tail.read() if (self.folder / "observed.jsonl").exists() else Recording.empty()

    def at_work(self, draw: random.Random) -> None:
        """A task under way with the arm owned, at a moment that is drawn."""
        goal = self.driver.goal
        if goal is None or not goal.running or not self.driver.owned:
            self._new_task(draw)
        time.sleep(draw.uniform(0.0, MOST_WAIT_S))

    def idle(self, draw: random.Random) -> None:
        """A fresh scene without a task: nobody owns the arm."""
        self.settle()
        self.driver.goal = None
        self.driver.fresh_scene(draw.randrange(1_000_000))
        if not wait_until(lambda: not self.driver.owned, steady_s() + TASK_ENDS_WITHIN_S):
            raise VitalError(ErrorCode.BUSY, f"the arm is still owned {TASK_ENDS_WITHIN_S:.0f} s after the task ended")
        time.sleep(draw.uniform(0.0, MOST_WAIT_S))

    def _new_task(self, draw: random.Random) -> None:
        self.settle()
        seed = draw.randrange(1_000_000)
        self.driver.fresh_scene(seed)
        goal = self.driver.begin(seed)
        if not wait_until(lambda: self.driver.owned or not goal.running, steady_s() + OWNED_WITHIN_S):
            raise VitalError(ErrorCode.TIMEOUT, f"nobody has taken the arm {OWNED_WITHIN_S:.0f} s after the task began")
        if not goal.running:
            raise VitalError(goal.code, f"the task ended before the arm moved: {goal.words()}")

    def settle(self) -> str | None:
        """End the task under way, if there is one; why it did not end."""
        goal = self.driver.goal
        if goal is None or not goal.running:
            return None
        with contextlib.suppress(VitalError):
            self.driver.stop()
        if wait_until(lambda: not goal.running, steady_s() + TASK_ENDS_WITHIN_S):
            return None
        return f"the task had not ended {TASK_ENDS_WITHIN_S:.0f} s after the arm was stopped ({goal.words()})"

    def close(self) -> Ending:
        """End the stack as Ctrl-C does, and everything around it."""
        return self.closed(self.stack.end())

    def closed(self, ending: Ending) -> Ending:
        """Close what is around a stack that has ended."""
        self.driver.close()
        if self._observer.poll() is None:
            self._observer.send_signal(signal.SIGINT)
        try:
            self._observer.wait(5.0)
        except subprocess.TimeoutExpired:
            self._observer.kill()
            self._observer.wait(5.0)
        return ending

    def forget(self) -> None:
        """Delete what it left in its folder: nothing there needs to be looked at."""
        shutil.rmtree(self.folder, ignore_errors=True)
