"""What only time shows: an hour of trials with memory watched, and bring-ups in a loop."""

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vital_bringup.chaos.driver import IN_ORDER
from vital_bringup.chaos.stack import SHARED, usage
from vital_bringup.chaos.watching import motion
from vital_bringup.chaos.watching.live import Live
from vital_core.clock import steady_s
from vital_core.errors import VitalError
from vital_core.files import safe_file
from vital_core.task import load_task

Say = Callable[[str], None]
EVERY_S = 5.0
TASK_WITHIN_S = 60.0
# A process may grow while caches fill: the first part of a soak does not count.
WARM_SHARE = 0.25
FLAT_MB_PER_H = 10.0
MB = 1e6


def slope_mb_per_h(times_s: list[float], rss_mb: list[float]) -> float:
    """Least-squares slope of a process's memory after it has warmed up, MB/h."""
    if len(times_s) < 4:
        return 0.0
    first = int(len(times_s) * WARM_SHARE)
    return float(np.polyfit(np.array(times_s[first:]) / 3600.0, rss_mb[first:], 1)[0])


class Memory:
    """Resident memory and open files of a stack's nodes over time."""

    def __init__(self) -> None:
        self.times_s: list[float] = []
        self.rss_mb: dict[str, list[float]] = {}
        self.files: dict[str, list[int]] = {}

    def sample(self, live: Live, at_s: float) -> None:
        """Look at every node once."""
        self.times_s.append(at_s)
        for name, pid in live.stack.nodes().items():
            taken = usage(pid)
            if taken is not None:
                self.rss_mb.setdefault(name, []).append(taken.rss_bytes / MB)
                self.files.setdefault(name, []).append(taken.files)

    def summary(self) -> dict[str, dict[str, float]]:
        """By node: memory at the beginning, after warming up and at the end (MB), slope (MB/h), files."""
        return {
            name: {
                "first_mb": rss[0],
                "warm_mb": rss[int(len(rss) * WARM_SHARE)],
                "last_mb": rss[-1],
                "slope_mb_per_h": slope_mb_per_h(self.times_s[: len(rss)], rss),
                "files_first": self.files[name][0],
                "files_last": self.files[name][-1],
            }
            for name, rss in self.rss_mb.items()
        }


class Trials:
    """Trials one after the other on a living stack, with memory watched."""

    def __init__(self, live: Live, task: str) -> None:
        self._live, self._task, self._draw = live, task, random.Random(0)
        self._start_s, self._next_sample_s = steady_s(), 0.0
        self.memory = Memory()
        self.ends: Counter[str] = Counter()
        self.unsafe: list[str] = []

    @property
    def elapsed_s(self) -> float:
        """Since the first began."""
        return steady_s() - self._start_s

    def run_one(self) -> str:
        """One trial from a fresh scene; how it ended, in words."""
        live, begun_s, seed = self._live, steady_s(), self._draw.randrange(1_000_000)
        try:
            live.driver.fresh_scene(seed)
            goal = live.driver.begin(seed)
            while goal.running and steady_s() < begun_s + TASK_WITHIN_S and live.stack.whole():
                self._watch()
                time.sleep(0.1)
            end, words = ("HUNG" if goal.running else goal.code.name), goal.words()
        except VitalError as error:
            end, words = error.code.name, str(error)
        self.ends[end] += 1
        self.unsafe += motion.unsafe(live.recording(), load_task(self._task), begun_s, begun_s, steady_s())
        live.tail.forget_before(steady_s() - 5.0)
        return words

    def _watch(self) -> None:
        if self.elapsed_s >= self._next_sample_s:
            self._next_sample_s = self.elapsed_s + EVERY_S
            self.memory.sample(self._live, self.elapsed_s)

    def summary(self) -> dict[str, object]:
        """For the report."""
        in_order = sum(self.ends[code.name] for code in IN_ORDER)
        ran = {"seconds": self.elapsed_s, "trials": self.ends.total(), "in_order": in_order, "ends": dict(self.ends)}
        return {"soak": ran, "nodes": self.memory.summary(), "unsafe": self.unsafe}


def soak(out: Path, domain: int, task: str, seconds: float, about: dict[str, str], say: Say) -> int:
    """Trials one after the other for ``seconds``; the exit code. Writes soak.json into ``out``."""
    live = Live(out / f"soak_{time.strftime('%d_%H%M%S')}", domain, task)
    trials = Trials(live, task)
    try:
        while trials.elapsed_s < seconds and live.stack.whole():
            words = trials.run_one()
            say(f"[{trials.elapsed_s / 60:.1f} of {seconds / 60:.0f} min] trial {trials.ends.total()}: {words}")
        whole, summary = live.stack.whole(), trials.summary()
    finally:
        ending = live.close()
    last = {"about": about, "whole": whole, "left": ending.left(), "exit_code": ending.code}
    safe_file.write_json(out / "soak.json", {**summary, **last})
    nodes = trials.memory.summary()
    for name, row in nodes.items():
        say(f"{name:16} {row['warm_mb']:.0f} to {row['last_mb']:.0f} MB, {row['slope_mb_per_h']:+.1f} MB/h")
    flat = all(row["slope_mb_per_h"] <= FLAT_MB_PER_H for row in nodes.values())
    return 0 if flat and whole and not trials.unsafe and not ending.left() and ending.code == 0 else 1


def bring_ups(out: Path, domain: int, task: str, count: int, about: dict[str, str], say: Say) -> int:
    """Bring the stack up and end it ``count`` times in one domain; the exit code. Writes bringups.json."""
    rows = []
    shared = len(list(SHARED.iterdir()))
    for number in range(count):
        row = _bring_up(out / f"bringup_{time.strftime('%d_%H%M%S')}_{number}", domain, task)
        rows.append(row)
        say(
            f"[{number + 1}/{count}] up after {row['up_s']:.1f} s, ended after {row['end_s']:.1f} s with code "
            f"{row['code']}, left {row['left'] or 'nothing'}"
        )
    grown = len(list(SHARED.iterdir())) - shared
    summary = {"bringups": count, "about": about, "rows": rows, "shared_memory_names_more": grown}
    safe_file.write_json(out / "bringups.json", summary)
    return 0 if all(row["code"] == 0 and row["left"] is None for row in rows) else 1


def _bring_up(folder: Path, domain: int, task: str) -> dict[str, Any]:
    """Once: times in s, exit code, what was left, and how many files the launch had open."""
    start = steady_s()
    try:
        live = Live(folder, domain, task)
    except VitalError as error:
        return {"up_s": steady_s() - start, "end_s": 0.0, "code": None, "left": str(error), "launch_files": 0}
    taken = usage(live.stack.launch.pid)
    ending = live.close()
    if ending.code == 0 and ending.left() is None:
        live.forget()
    files = 0 if taken is None else taken.files
    return {
        "up_s": live.up_s,
        "end_s": ending.seconds,
        "code": ending.code,
        "left": ending.left(),
        "launch_files": files,
    }
