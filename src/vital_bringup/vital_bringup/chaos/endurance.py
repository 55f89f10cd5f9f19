"""What only time shows: an hour of trials with memory watched, and bring-ups in a loop."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vital_bringup.chaos import motion, processes
from vital_bringup.chaos.driver import IN_ORDER
from vital_bringup.chaos.live import Live
from vital_bringup.chaos.stack import wait_until
from vital_core import safe_file
from vital_core.clock import steady_s
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
            usage = processes.usage(pid)
            if usage is not None:
                self.rss_mb.setdefault(name, []).append(usage.rss_bytes / MB)
                self.files.setdefault(name, []).append(usage.files)

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


def soak(out: Path, domain: int, task: str, seconds: float, about: dict[str, str], say: Say) -> int:
    """Trials one after the other for ``seconds``; the exit code. Writes soak.json into ``out``."""
    live = Live(out / f"soak_{time.strftime('%d_%H%M%S')}", domain, task)
    memory, start, draw = Memory(), steady_s(), random.Random(0)
    ends: dict[str, int] = {}
    unsafe: list[str] = []
    next_sample_s = 0.0
    try:
        while (elapsed := steady_s() - start) < seconds and live.stack.whole():
            trial_s = steady_s()
            seed = draw.randrange(1_000_000)
            live.driver.fresh_scene(seed)
            goal = live.driver.begin(seed)
            while goal.running and steady_s() < trial_s + TASK_WITHIN_S and live.stack.whole():
                if (at_s := steady_s() - start) >= next_sample_s:
                    memory.sample(live, at_s)
                    next_sample_s = at_s + EVERY_S
                time.sleep(0.1)
            end = "HUNG" if goal.running else goal.code.name
            ends[end] = ends.get(end, 0) + 1
            unsafe += motion.unsafe(live.recording(), load_task(task), trial_s, steady_s())
            live.tail.forget_before(steady_s() - 5.0)
            say(f"[{elapsed / 60:.1f} of {seconds / 60:.0f} min] trial {sum(ends.values())}: {goal.words()}")
        whole = live.stack.whole()
    finally:
        ending = live.close()
    nodes = memory.summary()
    growing = {name: row["slope_mb_per_h"] for name, row in nodes.items() if row["slope_mb_per_h"] > FLAT_MB_PER_H}
    in_order = sum(n for name, n in ends.items() if name in {code.name for code in IN_ORDER})
    summary = {
        "soak": {"seconds": steady_s() - start, "trials": sum(ends.values()), "in_order": in_order, "ends": ends},
        "about": about,
        "nodes": nodes,
        "unsafe": unsafe,
        "whole": whole,
        "left": ending.left(),
        "exit_code": ending.code,
    }
    safe_file.write_json(out / "soak.json", summary)
    for name, row in nodes.items():
        say(f"{name:16} {row['warm_mb']:.0f} to {row['last_mb']:.0f} MB, {row['slope_mb_per_h']:+.1f} MB/h")
    return 1 if growing or unsafe or not whole or ending.left() or ending.code != 0 else 0


def bring_ups(out: Path, domain: int, task: str, count: int, about: dict[str, str], say: Say) -> int:
    """Bring the stack up and end it ``count`` times in one domain; the exit code. Writes bringups.json."""
    rows: list[dict[str, object]] = []
    shared = len(list(processes.SHARED.iterdir()))
    for number in range(count):
        live = Live(out / f"bringup_{time.strftime('%d_%H%M%S')}_{number}", domain, task)
        usage = processes.usage(live.stack.launch.pid)
        log_bytes = live.stack.log_size()
        wait_until(live.stack.whole, steady_s() + 1.0)
        ending = live.close()
        held = ending.code == 0 and ending.left() is None
        rows.append(
            {
                "up_s": live.up_s,
                "end_s": ending.seconds,
                "code": ending.code,
                "left": ending.left(),
                "launch_files": 0 if usage is None else usage.files,
                "log_bytes": log_bytes,
            }
        )
        say(
            f"[{number + 1}/{count}] up after {live.up_s:.1f} s, ended after {ending.seconds:.1f} s with code "
            f"{ending.code}, {'nothing left' if ending.left() is None else 'LEFT ' + str(ending.left())}"
        )
        if held:
            live.forget()
    grown = len(list(processes.SHARED.iterdir())) - shared
    held_all = all(row["code"] == 0 and row["left"] is None for row in rows)
    summary = {"bringups": count, "about": about, "rows": rows, "shared_memory_names_more": grown}
    safe_file.write_json(out / "bringups.json", summary)
    return 0 if held_all else 1
