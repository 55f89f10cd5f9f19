"""The learner as a ROS node: reads what was labelled, updates, and publishes the actor's weights.

Learning has a thread of its own at a low priority, so that on the same machine the control loop keeps its pace. The
state is written every few seconds; killed at any moment, the node goes on from it and from the replay.
"""

import hashlib
import os
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from msgspec import Meta
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from std_msgs.msg import Header

from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task
from vital_data.dataset.dataset import load_demonstrations
from vital_interfaces.msg import LearnerState, ReplayState, ResidualWeights
from vital_interfaces.srv import ReadReplay
from vital_policy.checkpoint import load_checkpoint
from vital_policy.shipped import checkpoint_folder
from vital_rl.acting.weights_inbox import TOPIC
from vital_rl.learner.learning import ResidualLearner, configure
from vital_rl.replay import episode_message
from vital_rl.residual.residual import to_bytes
from vital_ros.boundary import subscribe
from vital_ros.calls import call
from vital_ros.diagnostics import ERROR, OK, WARN, Diagnostics, Health
from vital_ros.parameters import declare
from vital_ros.process.node_main import exit_with, run_node
from vital_ros.process.priority import be_nice
from vital_ros.qos import LATCHED

UPDATES_AT_A_TIME = 16
READ_AT_A_TIME = 4
RATE_WINDOW_S = 5.0
ANSWER_S = 30.0
NICENESS = 10
JOIN_S = 3.0


@dataclass(frozen=True)
class LearnerParameters:
    """What is learned from, how hard, and where the state is kept."""

    task: Annotated[str, Meta(description="the skill")] = "usb_insertion"
    checkpoint: Annotated[str, Meta(description="the frozen base policy; empty: the shipped one")] = ""
    folder: Annotated[str, Meta(description="of the learner's state and result")] = ""
    demos: Annotated[tuple[str, ...], Meta(description="sessions of demonstrations as prior data")] = ("",)
    steps: Annotated[int, Meta(ge=1, le=10**9, description="environment steps to have room for")] = 16_000
    updates_per_step: Annotated[int, Meta(ge=1, le=1000, description="updates for every environment step")] = 16
    batch: Annotated[int, Meta(ge=1, le=65_536, description="transitions in a minibatch")] = 256
    variants: Annotated[int, Meta(ge=1, le=64, description="augmented variants of each image")] = 4
    background_share: Annotated[
        float, Meta(ge=0.0, le=1.0, description="of the variants before another background")
    ] = 0.75
    seed: Annotated[int, Meta(ge=0, le=2**53, description="of networks, minibatches and exploration")] = 0
    dense: Annotated[bool, Meta(description="reward the distance to where the TCP is to end, too")] = False
    threads: Annotated[
        int, Meta(ge=0, le=1024, description="of the updates; 0: a quarter of the cores, the rest is the robot's")
    ] = 0
    publish_every: Annotated[int, Meta(ge=1, le=10**6, description="updates between two sets of weights")] = 100
    save_every_s: Annotated[float, Meta(ge=0.1, le=3600.0, description="between two states on disk, s")] = 20.0


class LearnerNode(Node):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__("learner_node")
        self._more, self._stopping = threading.Event(), threading.Event()
        self._declare()
        self._learner = self._make_learner()
        self._cursor = self._wanted = 0
        self._doing = ""
        self._done: deque[tuple[float, int]] = deque()
        self._problem = VitalError(ErrorCode.OK, "")
        self.fatal: VitalError | None = None
        self._published = -1
        self._saved_s = steady_s()
        self._read = self.create_client(ReadReplay, "/vital/replay/read")
        self._weights = self.create_publisher(ResidualWeights, TOPIC, LATCHED)
        self._state = self.create_publisher(LearnerState, "/vital/learner_state", 10)
        subscribe(self, ReplayState, "/vital/replay_state", self._on_replay, LATCHED)
        self.create_timer(1.0, self._tell)
        self._diagnostics = Diagnostics(self, self._health)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _declare(self) -> None:
        given = declare(self, LearnerParameters)
        self._task = load_task(given.task)
        shipped = checkpoint_folder() / f"{self._task.name}.safetensors"
        self._base = Path(given.checkpoint) if given.checkpoint else shipped
        self._folder, self._demos, self._steps = Path(given.folder), list(given.demos), given.steps
        self._config: dict[str, Any] = {
            name: getattr(given, name)
            for name in ("updates_per_step", "batch", "variants", "background_share", "seed", "dense")
        }
        self._threads = given.threads or max(1, (os.cpu_count() or 1) // 4)
        self._publish_every, self._save_every_s = given.publish_every, given.save_every_s
        if str(self._folder) in ("", "."):
            raise VitalError(ErrorCode.BAD_PARAMETER, "the parameter folder is empty: say where the state is kept")

    def _make_learner(self) -> ResidualLearner:
        checkpoint = load_checkpoint(self._base, task=self._task.name, rate_hz=self._task.control_rate_hz)
        config = configure(checkpoint.feature_size, steps=self._steps, **self._config)
        self._folder.mkdir(parents=True, exist_ok=True)
        return ResidualLearner(config, checkpoint, self._folder, self._check_on)

    def _check_on(self) -> None:
        if self._stopping.is_set():
            raise VitalError(ErrorCode.CANCELLED, "stopped")

    def _on_replay(self, message: ReplayState) -> None:
        self._wanted = message.cursor
        self._more.set()

    def _work(self) -> None:
        """The learning thread: begin from what there is, then read, update, publish and save."""
        be_nice(NICENESS)
        try:
            self._begin()
            while not self._stopping.is_set():
                self._catch_up()
                self._update()
        except VitalError as error:
            self._fail(error)
        except Exception as error:  # a thread that died in silence would look like a learner that waits
            self._fail(VitalError(ErrorCode.INTERNAL, f"learning ended: {error!r}"))

    def _fail(self, error: VitalError) -> None:
        if not self._stopping.is_set():
            self.fatal = self._problem = error

    def _begin(self) -> None:
        # Nothing moves before the first weights: until then the cores are free.
        torch.set_num_threads(os.cpu_count() or 1)
        if sessions := [Path(demo) for demo in self._demos if demo]:
            self._add_demonstrations(sessions)
        torch.set_num_threads(self._threads)
        if self._learner.resume(self._read_one):
            known = self._learner
            self.get_logger().info(f"going on after {len(known.taken)} episodes, {known.updates} updates")
        self._doing = ""
        self._publish()

    def _add_demonstrations(self, sessions: list[Path]) -> None:
        def tell(done: int, of: int) -> None:
            self._doing = f"preparing the demonstrations: {done} of {of}"

        self._doing = "loading the demonstrations"
        chunk = self._learner.checkpoint.policy.config.chunk
        demos = load_demonstrations(sessions, self._task.name, chunk, foreground=None)
        found = self._learner.add_demonstrations(demos, tell)
        self.get_logger().info(f"{found[0]} demonstrated steps, {found[1]} beyond what a residual can add")

    def _ask(self, request: ReadReplay.Request) -> ReadReplay.Response:
        answer = call(self._read, request, ANSWER_S, self._stopping.is_set)
        if not answer.success:
            raise VitalError(ErrorCode.told(answer.error_code, ErrorCode.INTERNAL), answer.message)
        return answer

    def _read_one(self, number: int) -> Any:
        self._doing = f"reading again what was learned from: episode {number}"
        found = self._ask(ReadReplay.Request(episodes=[number])).found
        if not found:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"the state in {self._folder} was learned from episode {number}, which the replay has not: give the "
                "replay's folder that belongs to it, or another folder",
            )
        return episode_message.from_message(found[0])

    def _catch_up(self) -> None:
        """Take in what became readable; a replay that is away for a while is waited for."""
        known = set(self._learner.taken)
        while self._cursor < self._wanted and not self._stopping.is_set():
            try:
                answer = self._ask(ReadReplay.Request(cursor=self._cursor, limit=READ_AT_A_TIME))
            except VitalError as error:
                if error.code not in (ErrorCode.TIMEOUT, ErrorCode.NODE_LOST):
                    raise
                self._problem = error
                self._stopping.wait(1.0)
                return
            self._problem = VitalError(ErrorCode.OK, "")
            for message in answer.found:
                episode, rows = episode_message.from_message(message)
                if episode.number not in known:
                    self._learner.take(episode, rows)
            if answer.cursor <= self._cursor:
                self._wanted = self._cursor  # somebody promised more than the replay has
            self._cursor = answer.cursor

    def _update(self) -> None:
        done = self._learner.update(UPDATES_AT_A_TIME)
        if done:
            self._done.append((steady_s(), done))
        idle = self._learner.owed == 0
        if self._learner.updates - self._published >= self._publish_every or (idle and done):
            self._publish()
        if self._learner.updates and (steady_s() - self._saved_s > self._save_every_s or (idle and done)):
            self._save()
        if idle and self._cursor >= self._wanted:
            self._more.wait(0.5)
            self._more.clear()

    def _publish(self) -> None:
        residual = self._learner.residual()
        data = to_bytes(residual)
        message = ResidualWeights(header=Header(stamp=self.get_clock().now().to_msg()), task=self._task.name)
        message.version, message.steps = residual.version, residual.steps
        message.sha256, message.weights = hashlib.sha256(data).hexdigest(), data
        self._weights.publish(message)
        self._published = residual.version

    def _save(self) -> None:
        self._learner.save({"seed": self._config["seed"], "episodes": len(self._learner.taken), "learned": "over ROS"})
        self._saved_s = steady_s()

    def _rate(self) -> float:
        now = steady_s()
        while self._done and now - self._done[0][0] > RATE_WINDOW_S:
            self._done.popleft()
        return sum(count for _, count in list(self._done)) / RATE_WINDOW_S

    def _tell(self) -> None:
        known = self._learner
        state = LearnerState(header=Header(stamp=self.get_clock().now().to_msg()))
        state.episodes, state.steps, state.updates = len(known.taken), known.steps, known.updates
        state.owed, state.updates_per_s, state.success_20 = known.owed, self._rate(), known.success_20
        state.critic_loss, state.value = known.critic_loss, known.value
        state.weights_version = max(0, self._published)
        state.error_code, state.message = int(self._problem.code), self._problem.message or self._doing
        self._state.publish(state)

    def _health(self) -> Health:
        known = self._learner
        values = {"steps": known.steps, "updates": known.updates, "owed": known.owed}
        if self._problem.code is ErrorCode.OK:
            return Health(OK, f"{known.updates} updates", values)
        waiting = self._problem.code in (ErrorCode.TIMEOUT, ErrorCode.NODE_LOST)
        return Health(WARN if waiting else ERROR, str(self._problem), values)

    def on_exit(self) -> None:
        """Write the state."""
        self._stopping.set()
        self._more.set()
        self._thread.join(JOIN_S)
        if self._learner.updates and not self._thread.is_alive():
            self._save()


def main(args: list[str] | None = None) -> None:
    """Learn until SIGINT or SIGTERM."""
    exit_with(run_node(LearnerNode, make_executor=EventsExecutor, args=args))


if __name__ == "__main__":
    main()
