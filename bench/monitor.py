"""Measures the monitor beside a deployment in simulation: how soon and how often its page is shown what, and its cost.

./vital shell -c "python bench/monitor.py"

Prints each figure beside its goal; exit code 1 where one is missed. Meant for a machine with nothing else to do.

A WebSocket client stands for the browser: one that draws in software takes the processor that is measured.
"""

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src" / "vital_monitor" / "test"))

import rclpy
from page_client import PageClient
from rclpy.node import Node

from vital_interfaces.msg import GateState
from vital_interfaces.srv import ClearStop
from vital_ros.qos import LATCHED

# More than are waited for.
LONG = 1000
IMAGE_S, CAMERA_HZ, TOUCH_HZ, WITHOUT_PERCENT, WITH_PERCENT = 10.0, 10.0, 30.0, 10.0, 20.0
JITTER_MS, STOP_MS, STOPS, PATIENCE_S = 0.5, 150.0, 10, 30.0
ADDRESS = re.compile(r"monitor: http://127\.0\.0\.1:(\d+)")
JITTER = re.compile(r"jitter ([\d.]+) ms")
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


class Launched:
    """A deployment that stays up for a number of trials, with the monitor or without."""

    def __init__(self, folder: Path, task: str, trials: int, monitor: bool) -> None:
        self._log = folder / f"deploy_{monitor}.log"
        command = ["ros2", "launch", "vital_bringup", "deploy.launch.py", f"task:={task}", f"trials:={trials}"]
        command += [f"monitor:={str(monitor).lower()}", "report:=none"]
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
                raise SystemExit(f"the deployment ended:\n{self.said}")
            time.sleep(0.05)
        return int(found[1])

    def jitters_ms(self) -> list[float]:
        """Of the trials so far: each trial's latest percent of ticks."""
        return [float(value) for value in JITTER.findall(self.said)]

    def until_trials(self, number: int) -> None:
        """Wait until so many trials are over."""
        while len(self.jitters_ms()) < number and self.process.poll() is None:
            time.sleep(0.2)

    def end(self) -> None:
        """Before it is through."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(60.0)


def monitor_pid() -> int:
    """Of the monitor's process."""
    found = subprocess.run(["pgrep", "-f", "vital_monitor/monitor_node --ros-args"], capture_output=True, text=True)
    return int(found.stdout.split()[-1])


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


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
        self.second_image_s = 0.0
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

    def rates(self, seconds: float) -> dict[str, float]:
        """Images, touch and joints a second."""
        before = {"images": self.images, **self.counts}
        time.sleep(seconds)
        after = {"images": self.images, **self.counts}
        return {name: (after[name] - before.get(name, 0)) / seconds for name in after}


def main() -> int:
    """Entry point; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="usb_insertion")
    parser.add_argument("--trials", type=int, default=6, help="whose jitter is compared; 0: none")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        alone_ms = jitters_alone_ms(Path(folder), options.task, options.trials)
        beside = Launched(Path(folder), options.task, LONG, monitor=True)
        try:
            figures = measured(beside, options.seconds)
            begun = len(beside.jitters_ms())
            beside.until_trials(begun + options.trials + 1)
            beside_ms = beside.jitters_ms()[begun + 1 :]
            figures.append(stop_figure(beside.port()))
        finally:
            beside.end()
    if options.trials:
        without, with_page = statistics.median(alone_ms), statistics.median(beside_ms)
        print(f"policy's jitter, p99 of a trial: {without:.2f} ms without the monitor, {with_page:.2f} ms with a page")
        what = f"more jitter of the policy with a page, median of {options.trials} trials"
        figures.append(Figure(what, with_page - without, "ms", JITTER_MS))
    print("\n".join(figure.line for figure in figures))
    return 0 if all(figure.reached for figure in figures) else 1


def jitters_alone_ms(folder: Path, task: str, trials: int) -> list[float]:
    """Of a deployment without the monitor."""
    if trials == 0:
        return []
    alone = Launched(folder, task, trials, monitor=False)
    alone.until_trials(trials)
    alone.end()
    return alone.jitters_ms()


def measured(beside: Launched, seconds: float) -> list[Figure]:
    """Of the monitor of a deployment that has just been launched; the last page stays open."""
    port = beside.port()
    page_s = time.monotonic() - beside.started_s
    watching = Watching(port)
    while not watching.second_image_s:
        time.sleep(0.01)
    first_image_s = watching.second_image_s - beside.started_s
    watching.page.close()
    beside.until_trials(1)
    pid = monitor_pid()
    without = share(pid, seconds)
    watching = Watching(port)
    time.sleep(2.0)
    before_s, rates = cpu_s(pid), watching.rates(seconds)
    with_one = (cpu_s(pid) - before_s) / seconds
    print(f"page {page_s:.1f} s after launch; " + ", ".join(f"{name} {rate:.1f} Hz" for name, rate in rates.items()))
    return [
        Figure("moving image after launch", first_image_s, "s", IMAGE_S),
        Figure("cameras at the page", rates.get("images", 0.0), "Hz", 0.95 * CAMERA_HZ, at_least=True),
        Figure("touch at the page", rates.get("touch", 0.0), "Hz", 0.95 * TOUCH_HZ, at_least=True),
        Figure("share of a core without a page", 100.0 * without, "%", WITHOUT_PERCENT),
        Figure("share of a core with a page", 100.0 * with_one, "%", WITH_PERCENT),
    ]


class Gate(Node):
    """Listens for the command gate's state: it commands nothing more from the moment that it says stopped."""

    def __init__(self) -> None:
        super().__init__("bench_monitor")
        self.stopped_s = 0.0
        self.create_subscription(GateState, "/vital/gate_state", self._hear, LATCHED)
        self._clear = self.create_client(ClearStop, "/vital/clear_stop")

    def _hear(self, state: GateState) -> None:
        if state.mode != GateState.LATCHED:
            self.stopped_s = 0.0
        elif not self.stopped_s:
            self.stopped_s = time.monotonic()

    def until(self, stopped: bool) -> None:
        """Wait until the gate says so."""
        deadline_s = time.monotonic() + PATIENCE_S
        while bool(self.stopped_s) is not stopped:
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
    rclpy.init()
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
    rclpy.shutdown()
    return Figure(f"STOP at a page to the gate's word that it stopped, latest of {STOPS}", max(took_ms), "ms", STOP_MS)


if __name__ == "__main__":
    sys.exit(main())
