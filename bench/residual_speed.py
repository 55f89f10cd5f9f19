"""Residual learning's pace: updates a second, the replay's services, memory and disk, and how fast the dead come back.

./vital shell -c "python bench/residual_speed.py"
"""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np
import rclpy
import torch
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from vital_core.errors import VitalError
from vital_core.statistics import percentile
from vital_interfaces.msg import ReplayState
from vital_interfaces.srv import AppendStep, CloseEpisode, LabelEpisode, OpenEpisode, ReadReplay
from vital_rl.replay.step import ReplayStep, to_record
from vital_rl.residual.batches import Batch, FeatureReplay, ReplayConfig
from vital_rl.residual.ddpg import DDPGConfig, Learner, fastest_precision
from vital_ros.calls import call
from vital_ros.qos import LATCHED

SECONDS = 5.0
STEPS = 300
EPISODE = 40


def row(what: str, measured: str) -> None:
    """A line of the table."""
    print(f"| {what} | {measured} |")


def updates_per_second(config: DDPGConfig, threads: int) -> float:
    """Critics, targets and, past `critic_only`, the actor; on one minibatch (to draw a fresh one takes 6 % more)."""
    torch.set_num_threads(threads)
    learner, batch = Learner(config), Batch.made_up(config.batch, config.actor.features)
    for _ in range(10):
        learner.update(batch)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        learner.update(batch)
        count += 1
    return count / (time.perf_counter() - start)


def learning() -> None:
    """The part without ROS."""
    fastest = fastest_precision()
    config = DDPGConfig()
    for precision, threads in itertools.product(sorted({"float32", fastest}), (1, 2)):
        config = replace(config, precision=precision)
        alone = updates_per_second(config, threads)
        row(f"updates of 2 critics alone, batch 256, {precision}, {threads} thread(s)", f"{alone:.0f} /s")
        rate = updates_per_second(replace(config, critic_only=0), threads)
        row(
            f"critic updates, batch 256, 2 critics, actor every other, {precision}, {threads} thread(s)",
            f"{rate:.0f} /s",
        )
    ten = replace(config, precision=fastest, critic_only=0, critic=replace(config.critic, critics=10), target_critics=2)
    row("the same with 10 critics, 2 threads", f"{updates_per_second(ten, 2):.0f} /s")
    replay = ReplayConfig(rows=16_000, variants=4)
    memory = FeatureReplay(replay)
    memory._used = replay.rows
    row("memory, 16 k steps in 4 variants", f"{memory.size_bytes / 1e6:.0f} MB")


def some_step(seed: int) -> ReplayStep:
    """A step with an image that compresses about as well as a wrist image."""
    rng = np.random.default_rng(seed)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(128, 128, 3)), 0), 1)
    image = (127 + 60 * np.tanh(smooth / 60)).astype(np.uint8)
    numbers = [rng.normal(size=n).astype(np.float32) for n in (15, 7, 7, 7)]
    return ReplayStep(image, *numbers)


class Replay(Node):
    """A client of the replay, as the policy, the labeller and the learner are."""

    def __init__(self) -> None:
        super().__init__("residual_speed")
        kinds = {
            "open": OpenEpisode, "append": AppendStep, "close": CloseEpisode, "read": ReadReplay,
        }  # fmt: skip
        self.asked = {name: self.create_client(kind, f"/vital/replay/{name}") for name, kind in kinds.items()}
        self.asked["label"] = self.create_client(LabelEpisode, "/vital/label_episode")
        self.cursor, self.more = 0, threading.Event()
        self.create_subscription(ReplayState, "/vital/replay_state", self._on_state, LATCHED)

    def _on_state(self, message: ReplayState) -> None:
        if message.cursor > self.cursor:
            self.cursor = message.cursor
            self.more.set()

    def ask(self, name: str, request):
        """One call."""
        return call(self.asked[name], request, 30.0)


def start(folder: Path) -> subprocess.Popen:
    """The replay node in a process of its own."""
    command = [sys.executable, "-m", "vital_rl.replay.replay_node", "--ros-args", "-p", f"folder:={folder}"]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, env=dict(os.environ))


def fill(node: Replay) -> tuple[list[float], list[float]]:
    """Appended steps and labelled episodes: seconds of each append, and from a label to having read the episode."""
    steps = [some_step(i) for i in range(EPISODE)]
    appended, read = [], []
    for seed in range(STEPS // EPISODE):
        episode = node.ask("open", OpenEpisode.Request(task="usb_insertion", seed=seed)).episode
        for index, step in enumerate(steps):
            begin = time.perf_counter()
            record = array("B", to_record(episode, index, step))
            assert node.ask("append", AppendStep.Request(record=record)).success
            appended.append(time.perf_counter() - begin)
        node.ask("close", CloseEpisode.Request(episode=episode, reason="done"))
        before = node.cursor
        node.more.clear()
        begin = time.perf_counter()
        node.ask("label", LabelEpisode.Request(episode=episode, succeeded=True, source="bench"))
        node.more.wait(5.0)
        assert len(node.ask("read", ReadReplay.Request(cursor=before)).found) == 1
        read.append(time.perf_counter() - begin)
    return appended, read


def services() -> None:
    """The part over ROS."""
    rclpy.init()
    node, executor = Replay(), SingleThreadedExecutor()
    executor.add_node(node)
    threading.Thread(target=executor.spin, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        process = start(Path(folder))
        appended, read = fill(node)
        size = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
        ms, each = [1000 * s for s in appended], size / len(appended)
        row(
            "a step through the service, on disk: median, p99", f"{percentile(ms, 50):.1f}, {percentile(ms, 99):.1f} ms"
        )
        row("steps a second, one after the other", f"{len(appended) / sum(appended):.0f}")
        row(f"label to {EPISODE} steps in the learner's hands, median", f"{1000 * percentile(read, 50):.0f} ms")
        row("disk, a step", f"{each / 1000:.1f} kB: 16 k steps {16 * each / 1000:.0f} MB")
        process.send_signal(signal.SIGKILL)
        process.wait()
        begin = time.perf_counter()
        process = start(Path(folder))
        answered = False
        while not answered:
            with contextlib.suppress(VitalError):  # the dead one may still be announced
                answered = bool(call(node.asked["read"], ReadReplay.Request(cursor=0), 1.0).found)
        row(f"kill -9 and start to first answer, {len(appended)} steps", f"{time.perf_counter() - begin:.1f} s")
        process.send_signal(signal.SIGINT)
        process.wait(10.0)
    executor.shutdown(1.0)
    rclpy.try_shutdown()


def main() -> None:
    """Entry point."""
    print("| what | measured |\n|---|---|")
    learning()
    services()


if __name__ == "__main__":
    main()
