"""Measures the monitor beside a deployment in simulation: how soon and how often its page is shown what, and its cost.

./vital shell -c "python bench/monitor.py"

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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src" / "vital_monitor" / "test"))

from page_client import PageClient

# More than are waited for.
LONG = 1000
ADDRESS = re.compile(r"monitor: http://127\.0\.0\.1:(\d+)")
JITTER = re.compile(r"jitter ([\d.]+) ms")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


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


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="usb_insertion")
    parser.add_argument("--trials", type=int, default=6, help="whose jitter is compared; 0: none")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        alone_ms = jitters_alone_ms(Path(folder), options.task, options.trials)
        beside = Launched(Path(folder), options.task, LONG, monitor=True)
        try:
            told = measured(beside, options.seconds)
            begun = len(beside.jitters_ms())
            beside.until_trials(begun + options.trials + 1)
            beside_ms = beside.jitters_ms()[begun + 1 :]
        finally:
            beside.end()
    print("\n".join(told))
    if options.trials:
        without, with_page = statistics.median(alone_ms), statistics.median(beside_ms)
        what = f"policy's jitter, p99 of a trial, median of {options.trials}"
        print(f"{what}: {without:.2f} ms without the monitor, {with_page:.2f} ms with a page")


def jitters_alone_ms(folder: Path, task: str, trials: int) -> list[float]:
    """Of a deployment without the monitor."""
    if trials == 0:
        return []
    alone = Launched(folder, task, trials, monitor=False)
    alone.until_trials(trials)
    alone.end()
    return alone.jitters_ms()


def measured(beside: Launched, seconds: float) -> list[str]:
    """Lines about the monitor of a deployment that has just been launched; the last page stays open."""
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
    return [
        f"page {page_s:.1f} s after launch, moving image {first_image_s:.1f} s",
        ", ".join(f"{name} {rate:.1f} Hz" for name, rate in rates.items()),
        f"share of a core: {100 * without:.1f} % without a page, {100 * with_one:.1f} % with one",
    ]


if __name__ == "__main__":
    main()
