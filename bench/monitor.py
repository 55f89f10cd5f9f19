"""Measures the monitor beside a deployment in simulation: how soon and how often its page is shown what, and its cost.

./vital shell -c "python bench/monitor.py"

Prints each figure beside its goal; exit code 1 where one is missed. Some five minutes, meant for a machine with nothing
else to do. The policy's jitter, |time between ticks - period|, is compared within one deployment, whose monitor comes
and goes: blocks without and blocks with monitor and page take turns, and the second of a pair is first in the next.

A WebSocket client stands for the browser: one that draws in software takes the processor that is measured.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src" / "vital_monitor" / "test"))

import numpy as np
import rclpy
from page_client import PageClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from vital_interfaces.msg import GateState, PolicyState
from vital_interfaces.srv import ClearStop
from vital_ros.qos import LATCHED

# More than are waited for.
LONG = 1000
IMAGE_S, CAMERA_HZ, TOUCH_HZ, WITHOUT_PERCENT, WITH_PERCENT = 10.0, 10.0, 30.0, 10.0, 20.0
JITTER_MS, STOP_MS, STOPS, PATIENCE_S = 0.5, 150.0, 10, 60.0
ADDRESS = re.compile(r"monitor: http://127\.0\.0\.1:(\d+)")
TRIAL = re.compile(r"trial \d+/\d+, seed")
# Of a monitor that has just gone or come.
SETTLING_S = 2.0
RESAMPLED = 2000
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Figure:
    """What was measured, and its goal."""

    what: str
    value: float
    unit: str
    goal: float
    at_least: bool = False

    @property
    def reached(self) -> bool:
        """Whether it keeps its goal; a figure that is missing does not."""
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    @property
    def line(self) -> str:
        """For a person."""
        goal = f"{'at least' if self.at_least else 'at most'} {self.goal:g} {self.unit}"
        return f"{'pass' if self.reached else 'MISS'}  {self.what}: {self.value:.2f} {self.unit} ({goal})"


class Started:
    """A command, and what it says on the terminal."""

    def __init__(self, folder: Path, name: str, command: list[str]) -> None:
        self._log = folder / f"{name}.log"
        self.started_s = time.monotonic()
        with self._log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    @property
    def said(self) -> str:
        """On the terminal."""
        return self._log.read_text()

    def port(self) -> int:
        """Of the monitor, as soon as it says so."""
        while (found := ADDRESS.search(self.said)) is None:
            if self.process.poll() is not None:
                raise SystemExit(f"it ended:\n{self.said}")
            time.sleep(0.05)
        return int(found[1])

    def until_trials(self, number: int) -> None:
        """Wait until so many trials are over."""
        while len(TRIAL.findall(self.said)) < number:
            if self.process.poll() is not None:
                raise SystemExit(f"the deployment ended:\n{self.said}")
            time.sleep(0.2)

    def end(self) -> None:
        """Before it is through."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(60.0)


def deployment(folder: Path, task: str) -> Started:
    """One that stays up, with the monitor."""
    arguments = [f"task:={task}", f"trials:={LONG}", "monitor:=true", "report:=none"]
    return Started(folder, "deploy", ["ros2", "launch", "vital_bringup", "deploy.launch.py", *arguments])


def monitor_pid(deployed: Started) -> int:
    """Of the monitor's process of a launch."""
    command = ["pgrep", "-s", str(deployed.process.pid), "-f", "vital_monitor/monitor_node --ros-args"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def spent_s(deployed: Started) -> dict[str, float]:
    """Processor time so far of each process of a launch, by its program."""
    found = subprocess.run(["pgrep", "-s", str(deployed.process.pid)], capture_output=True, text=True, check=True)
    spent: dict[str, float] = defaultdict(float)
    for pid in map(int, found.stdout.split()):
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        program = next((word for word in words[1:] if not word.startswith("-")), words[0])
        spent[Path(program).name] += cpu_s(pid)
    return spent


def told(spent: dict[str, float]) -> str:
    """The largest first."""
    return ", ".join(f"{name} {value:.1f}" for name, value in sorted(spent.items(), key=lambda each: -each[1]))


def share(pid: int, seconds: float) -> float:
    """Of one core, over some seconds."""
    before_s, start_s = cpu_s(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_s(pid) - before_s) / (time.monotonic() - start_s)


class Watching:
    """A page that counts what it is shown."""

    def __init__(self, port: int) -> None:
        self.counts: dict[str, int] = defaultdict(int)
        self.images = 0
        self.second_image_s, self.port = 0.0, port
        self.page = PageClient(port, hear=self._hear)

    def _hear(self, message: dict) -> None:
        updates = message.get("updates", {})
        if "_data" in updates:
            self.images += 1
            if self.images == 3:  # the first is grey, the second one still
                self.second_image_s = time.monotonic()
        if "fingertip" in str(updates.get("content", "")):
            self.counts["touch"] += 1
        if message["type"] == "SetOrientationMessage" and message["name"].endswith("link1"):
            self.counts["joints"] += 1

    def until_images(self) -> None:
        """Wait until the images move."""
        while not self.second_image_s:
            if self.page.closed.is_set():
                raise SystemExit("the monitor ended before it showed an image")
            time.sleep(0.01)

    def rates(self, seconds: float) -> dict[str, float]:
        """Images, touch and joints a second."""
        before = {"images": self.images, **self.counts}
        time.sleep(seconds)
        after = {"images": self.images, **self.counts}
        return {name: (after[name] - before.get(name, 0)) / seconds for name in after}


class Ticks(Node):
    """Listens for the policy's ticks, in a thread of its own."""

    def __init__(self) -> None:
        super().__init__("bench_monitor_ticks")
        self.heard: list[tuple[float, int, float]] = []
        self.create_subscription(PolicyState, "/vital/policy_state", self._hear, 100)
        self._executor, self._ended = SingleThreadedExecutor(), threading.Event()
        self._executor.add_node(self)
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def _spin(self) -> None:
        while not self._ended.is_set():
            self._executor.spin_once(timeout_sec=0.2)

    def _hear(self, state: PolicyState) -> None:
        self.heard.append((time.monotonic(), state.seq, state.lateness_s))

    def jitters_ms(self, from_s: float, to_s: float) -> list[float]:
        """|time between ticks - period| of the ticks of a span that follow one another in the same episode."""
        heard = [(seq, late) for at, seq, late in self.heard if from_s <= at < to_s and np.isfinite(late)]
        return [1000.0 * abs(late - before) for (last, before), (seq, late) in pairwise(heard) if seq == last + 1]

    def close(self) -> None:
        """Listen no longer."""
        self._ended.set()
        self._thread.join()
        self.destroy_node()


class Beside:
    """The monitor with a page, that comes and goes beside a deployment. first: a page of the launch's own monitor."""

    def __init__(self, folder: Path, task: str, deployed: Started, first: "Watching") -> None:
        self._folder, self._task, self._deployed, self._number = folder, task, deployed, 0
        self._own: Started | None = None
        self.page: Watching | None = first

    def be(self, there: bool) -> None:
        """With monitor and a page that is shown images, or without both."""
        if there and self.page is None:
            self._number += 1
            command = ["ros2", "run", "vital_monitor", "monitor_node", "--ros-args", "-p", f"task:={self._task}"]
            self._own = Started(self._folder, f"monitor_{self._number}", command)
            self.page = Watching(self._own.port())
            self.page.until_images()
        elif not there and self.page is not None:
            self.page.page.close()
            self.page = None
            if self._own is None:
                os.kill(monitor_pid(self._deployed), signal.SIGTERM)
            else:
                self._own.end()
        time.sleep(SETTLING_S)

    @property
    def port(self) -> int:
        """Of the page."""
        assert self.page is not None
        return self.page.port


def main() -> int:
    """Entry point; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="usb_insertion")
    parser.add_argument("--pairs", type=int, default=4, help="of blocks whose jitter is compared")
    parser.add_argument("--block", type=float, default=20.0, help="seconds of a block")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each other measurement")
    options = parser.parse_args()
    rclpy.init()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        deployed, beside = deployment(folder, options.task), None
        try:
            figures, watching = measured(deployed, options.seconds)
            beside = Beside(folder, options.task, deployed, watching)
            figures.append(jitter_figure(beside, options.pairs, options.block))
            beside.be(True)
            figures.append(stop_figure(beside.port))
        finally:
            if beside is not None:
                beside.be(False)
            deployed.end()
    rclpy.shutdown()
    print("\n".join(figure.line for figure in figures))
    return 0 if all(figure.reached for figure in figures) else 1


def jitter_figure(beside: Beside, pairs: int, block_s: float) -> Figure:
    """How much larger the latest percent of the policy's jitters is with monitor and page than without."""
    ticks, jitters_ms = Ticks(), {False: list[float](), True: list[float]()}
    for number in range(pairs):
        for there in (number % 2 == 1, number % 2 == 0):
            beside.be(there)
            start_s = time.monotonic()
            time.sleep(block_s)
            jitters_ms[there] += ticks.jitters_ms(start_s, time.monotonic())
    ticks.close()
    without, with_page = np.array(jitters_ms[False]), np.array(jitters_ms[True])
    if not len(without) or not len(with_page):
        return Figure("more jitter of the policy with monitor and page", float("nan"), "ms", JITTER_MS)
    for name, sample in (("without the monitor", without), ("with monitor and page", with_page)):
        median, p99 = np.percentile(sample, [50.0, 99.0])
        print(f"policy's jitter {name}: median {median:.2f} ms, p99 {p99:.2f} ms, {len(sample)} ticks")
    rng = np.random.default_rng(0)
    drawn = [
        np.percentile(rng.choice(sample, (RESAMPLED, len(sample))), 99.0, axis=1) for sample in (without, with_page)
    ]
    low, high = np.percentile(drawn[1] - drawn[0], [2.5, 97.5])
    print(f"difference of the p99 by resampling ticks, 95 %: {low:+.2f} to {high:+.2f} ms")
    more = float(np.percentile(with_page, 99.0) - np.percentile(without, 99.0))
    return Figure("more jitter of the policy (p99) with monitor and page", more, "ms", JITTER_MS)


def measured(deployed: Started, seconds: float) -> tuple[list[Figure], "Watching"]:
    """Of the monitor of a deployment that has just been launched; the last page, which stays open."""
    port = deployed.port()
    page_s = time.monotonic() - deployed.started_s
    watching = Watching(port)
    watching.until_images()
    first_image_s, spent = watching.second_image_s - deployed.started_s, spent_s(deployed)
    print(f"processor until then, of {os.cpu_count()} cores: {sum(spent.values()):.1f} s; " + told(spent))
    watching.page.close()
    deployed.until_trials(1)
    pid = monitor_pid(deployed)
    without = share(pid, seconds)
    watching = Watching(port)
    time.sleep(2.0)
    before_s, rates = cpu_s(pid), watching.rates(seconds)
    with_one = (cpu_s(pid) - before_s) / seconds
    print(f"page {page_s:.1f} s after launch; " + ", ".join(f"{name} {rate:.1f} Hz" for name, rate in rates.items()))
    figures = [
        Figure("moving image after launch", first_image_s, "s", IMAGE_S),
        Figure("cameras at the page", rates.get("images", 0.0), "Hz", 0.95 * CAMERA_HZ, at_least=True),
        Figure("touch at the page", rates.get("touch", 0.0), "Hz", 0.95 * TOUCH_HZ, at_least=True),
        Figure("share of a core without a page", 100.0 * without, "%", WITHOUT_PERCENT),
        Figure("share of a core with a page", 100.0 * with_one, "%", WITH_PERCENT),
    ]
    return figures, watching


class Gate(Node):
    """Listens for the command gate's state: it commands nothing more from the moment that it says stopped."""

    def __init__(self) -> None:
        super().__init__("bench_monitor")
        self.stopped_s, self.heard = 0.0, False
        self.create_subscription(GateState, "/vital/gate_state", self._hear, LATCHED)
        self._clear = self.create_client(ClearStop, "/vital/clear_stop")

    def _hear(self, state: GateState) -> None:
        self.heard = True
        if state.mode != GateState.LATCHED:
            self.stopped_s = 0.0
        elif not self.stopped_s:
            self.stopped_s = time.monotonic()

    def until(self, stopped: bool) -> None:
        """Wait until the gate says so."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not self.heard or bool(self.stopped_s) is not stopped:
            if time.monotonic() > deadline_s:
                raise SystemExit(f"the gate did not {'stop' if stopped else 'clear its stop'} in {PATIENCE_S:.0f} s")
            rclpy.spin_once(self, timeout_sec=0.01)

    def clear(self) -> None:
        """Clear the stop."""
        self._clear.wait_for_service(PATIENCE_S)
        self._clear.call_async(ClearStop.Request(operator_name="bench"))
        self.until(False)


def stop_figure(port: int) -> Figure:
    """From the press of STOP at a page until the gate says that it is stopped, the latest of some."""
    gate, page, took_ms = Gate(), PageClient(port), []
    page.until(lambda: page.offers("STOP"), PATIENCE_S)
    for _ in range(STOPS):
        gate.until(False)
        pressed_s = time.monotonic()
        page.press("STOP")
        gate.until(True)
        took_ms.append(1000.0 * (gate.stopped_s - pressed_s))
        gate.clear()
    page.close()
    gate.destroy_node()
    return Figure(f"STOP at a page to the gate's word that it stopped, latest of {STOPS}", max(took_ms), "ms", STOP_MS)


if __name__ == "__main__":
    sys.exit(main())
