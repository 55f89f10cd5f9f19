"""Runs a residual training over the system: scene, start pose, the policy's turn, the label; until the steps are done.

Exit code 0 when it came to its end (all steps, or the person's FINISH), 1 on a fault, 2 when something that was asked
for does not exist.
"""

import math
import queue
import threading
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta
from rclpy.node import Node
from std_msgs.msg import Header

from vital_bringup.sessions.demo_session import Press
from vital_bringup.sessions.record_node import PRESSES
from vital_bringup.sessions.training_session import Phase, Played, Progress, TrainingSession
from vital_bringup.tasks.ros_skills import RosSkills
from vital_bringup.tasks.task_run import Located
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError
from vital_core.labeller import AUTO, Labeller, choose_labeller
from vital_core.task import load_task
from vital_interfaces.msg import LearnerState, ReplayState, ResidualWeights, TeleopEvent, TrainingState
from vital_interfaces.srv import ClearStop, LabelEpisode, ResetScene
from vital_ros.boundary import subscribe
from vital_ros.calls import call, checked
from vital_ros.diagnostics import OK, Diagnostics, Health
from vital_ros.parameters import declare
from vital_ros.process.client_main import run_client, wait_until_ready, whole_again
from vital_ros.qos import LATCHED

EXIT_OK = 0
WAITING_SAID_EVERY_S = 30.0
PHASES = {
    Phase.PREPARING: TrainingState.PREPARING,
    Phase.RUNNING: TrainingState.RUNNING,
    Phase.LABELLING: TrainingState.LABELLING,
    Phase.PAUSED: TrainingState.PAUSED,
    Phase.FINISHED: TrainingState.FINISHED,
    Phase.WAITING: TrainingState.WAITING,
}


@dataclass(frozen=True)
class TrainingParameters:
    """What is trained, for how long, and who labels."""

    task: Annotated[str, Meta(description="the skill that is learned")] = "usb_insertion"
    hardware: Annotated[str, Meta(description="sim, mock or robot; sim: a new scene for each episode")] = "sim"
    labeller: Annotated[str, Meta(description="auto, sim_truth or operator: who says how an episode went")] = AUTO
    start_timeout_s: Annotated[float, Meta(ge=0.1, le=3600.0, description="for every part to answer, s")] = 120.0
    seed: Annotated[int, Meta(ge=0, le=2**53, description="of the first scene; the next one's is 1 more")] = 100_000
    steps: Annotated[int, Meta(ge=1, le=10**9, description="environment steps after which the training ends")] = 16_000


class TrainingNode(Node):
    """The parts of the system that a training needs, and where it stands."""

    def __init__(self) -> None:
        super().__init__("residual_training")
        given = declare(self, TrainingParameters)
        self.task, self._simulated = load_task(given.task), given.hardware == "sim"
        self._labeller = choose_labeller(given.labeller, simulated=self._simulated)
        self._start_timeout_s, self.first_seed = given.start_timeout_s, given.seed
        self.progress = Progress(given.steps)
        self._stopping = threading.Event()
        self._presses: queue.Queue[Press] = queue.Queue()
        self._replay: ReplayState | None = None
        self._learner: LearnerState | None = None
        self._weights_s: float | None = None
        self._skills = RosSkills(self, self._labeller)
        self._located: Located | None = None
        self._waiting_said_s = -math.inf
        self._connect()

    def _connect(self) -> None:
        self._state = self.create_publisher(TrainingState, "/vital/training_state", LATCHED)
        subscribe(self, TeleopEvent, "/vital/teleop_event", self._on_event, 10)
        subscribe(self, ReplayState, "/vital/replay_state", self._on_replay, LATCHED)
        subscribe(self, LearnerState, "/vital/learner_state", self._on_learner, 10)
        subscribe(self, ResidualWeights, "/vital/residual_weights", self._on_weights, LATCHED)
        self._label = self.create_client(LabelEpisode, "/vital/label_episode")
        self._reset = self.create_client(ResetScene, "/vital/reset_scene")
        self._clear = self.create_client(ClearStop, "/vital/clear_stop")
        self._diagnostics = Diagnostics(
            self, lambda: Health(OK, f"{self.progress.labelled} episodes", {"steps": self.steps()})
        )

    def _on_event(self, message: TeleopEvent) -> None:
        if message.kind in PRESSES:
            self._presses.put(PRESSES[message.kind])

    def _on_replay(self, message: ReplayState) -> None:
        self._replay = message

    def _on_learner(self, message: LearnerState) -> None:
        self._learner = message

    def _on_weights(self, _message: ResidualWeights) -> None:
        self._weights_s = steady_s()

    def wait_for_parts(self, stopping: threading.Event) -> None:
        """Wait until every part answers. Raises VitalError(NODE_LOST) naming those that do not."""
        self._stopping = self._skills.stopping = stopping
        wait_until_ready(self, self._missing, stopping, self._start_timeout_s)

    def whole_again(self, error: VitalError) -> bool:
        """As in `TrainingParts`."""
        self.get_logger().error(str(error))
        return whole_again(self, self._missing, self._stopping)

    def _missing(self) -> list[str]:
        clients = {"replay": self._label}
        if self._simulated:
            clients["simulator"] = self._reset
        missing = [name for name, client in clients.items() if not client.service_is_ready()]
        if not self._skills.watch.knows_the_arm:
            missing.append("command gate with joint states")
        if self._replay is None:
            missing.append("the replay's state")
        if self._weights_s is None:
            doing = self._learner.message if self._learner is not None else ""
            missing.append(f"the learner's weights ({doing})" if doing else "the learner's weights")
        return [*missing, *self._skills.missing(), *self._skills.missing_policy()]

    # What the training asks for: see training_session.TrainingParts.

    def prepare(self, seed: int) -> None:
        """As in `TrainingParts`."""
        if self._simulated:
            self._clear_stop("training in simulation")
            self._skills.watch.wait_until_free()
            checked(call(self._reset, ResetScene.Request(task=self.task.name, seed=seed), timeout_s=30.0))
        else:
            self._wait_for_scene()
        self._located = self._skills.localize(self.task.prompt)
        self._skills.reach(self.task.name, self._located, seed)

    def _clear_stop(self, who: str) -> None:
        if self._skills.watch.latched:
            checked(call(self._clear, ClearStop.Request(operator_name=who)))

    def _wait_for_scene(self) -> None:
        """A real arm moves to a start pose only when a person has said that it is free and that hands are off."""
        self.get_logger().info("free the held object, lay the scene, step back, then press START")
        while (press := self.pressed(None)) is not Press.START:
            if press is Press.FINISH:
                raise VitalError(ErrorCode.CANCELLED, "finished by the operator")
        self._clear_stop("whoever pressed START")

    def play(self, seed: int) -> Played:
        """As in `TrainingParts`."""
        said: list[bool] = []

        def over() -> bool:
            said.extend(self._said_now())
            return bool(said) or self._skills.label.given()

        assert self._located is not None, "`prepare` comes first"
        result = self._skills.learn(self.task.name, seed, self._located, over)
        success = said[0] if said else True if self._skills.label.given() else None
        if success is None and self._labeller is Labeller.SIM_TRUTH:
            success = False
        code = ErrorCode.told(result.error_code, ErrorCode.INTERNAL if result.error_code else ErrorCode.OK)
        return Played(result.replay_episode, success, code, result.message, result.interventions)

    def _said_now(self) -> list[bool]:
        """SUCCESS or FAILURE, where one was pressed; other buttons wait for the episode's end."""
        said, others = [], []
        while not self._presses.empty():
            press = self._presses.get_nowait()
            if press in (Press.SUCCESS, Press.FAILURE):
                said.append(press is Press.SUCCESS)
            else:
                others.append(press)
        for press in others:
            self._presses.put(press)
        return said

    def ask(self) -> bool | None:
        """As in `TrainingParts`."""
        while (press := self.pressed(None)) not in (Press.SUCCESS, Press.FAILURE, Press.REDO):
            if press is Press.FINISH:
                self._presses.put(press)
                return None
        return None if press is Press.REDO else press is Press.SUCCESS

    def label(self, episode: int, success: bool) -> None:
        """As in `TrainingParts`."""
        request = LabelEpisode.Request(episode=episode, succeeded=success, source=str(self._labeller))
        answer = call(self._label, request)
        if not answer.success:
            raise VitalError(ErrorCode.told(answer.error_code, ErrorCode.INTERNAL), f"label: {answer.verdict}")

    def say_progress(self, episode: int, success: bool) -> None:
        """As in `TrainingParts`."""
        updates = 0 if self._learner is None else self._learner.updates
        self.get_logger().info(
            f"episode {episode:4d}  {'success' if success else 'failure'}  last 20: "
            f"{100 * self.progress.success_20:3.0f} %  step {self.steps()} / {self.progress.wanted_steps}  "
            f"{updates} updates  weights {self._weights_age_s():.0f} s old"
        )

    def _weights_age_s(self) -> float:
        return float("nan") if self._weights_s is None else steady_s() - self._weights_s

    def updates_owed(self) -> int:
        """As in `TrainingParts`."""
        if self._learner is None:
            return 0
        return int(self._learner.owed) + max(0, self.steps() - int(self._learner.steps))

    def steps(self) -> int:
        """As in `TrainingParts`."""
        return 0 if self._replay is None else int(self._replay.steps_ever)

    def episodes_before(self) -> int:
        """Episodes in the replay when this began: a training that is gone on with meets new scenes."""
        return 0 if self._replay is None else int(self._replay.episodes)

    def pressed(self, timeout_s: float | None) -> Press:
        """As in `TrainingParts`."""
        deadline = None if timeout_s is None else steady_s() + timeout_s
        while not self._stopping.is_set():
            try:
                return self._presses.get(timeout=0.0 if timeout_s == 0.0 else 0.1, block=timeout_s != 0.0)
            except queue.Empty:
                if deadline is not None and steady_s() >= deadline:
                    return Press.TIME_UP
        raise VitalError(ErrorCode.CANCELLED, "stopped")

    def tell(self, phase: Phase, seed: int, episode: int, message: str) -> None:
        """Publish where the training stands; what the person is asked for is said in the terminal too."""
        state = TrainingState(header=Header(stamp=self.get_clock().now().to_msg()))
        state.phase, state.task, state.attempt, state.seed = PHASES[phase], self.task.name, self.progress.attempts, seed
        state.episode, state.steps, state.steps_wanted = episode, self.steps(), self.progress.wanted_steps
        state.success_20, state.weights_age_s = self.progress.success_20, self._weights_age_s()
        state.updates = 0 if self._learner is None else self._learner.updates
        state.message = message
        self._state.publish(state)
        if phase is Phase.WAITING and steady_s() - self._waiting_said_s > WAITING_SAID_EVERY_S:
            self._waiting_said_s = steady_s()
            self.get_logger().info(message)
        if phase in (Phase.LABELLING, Phase.PAUSED, Phase.FINISHED):
            self.get_logger().info(message)


def run_training(node: TrainingNode, stopping: threading.Event) -> int:
    """The whole training; the exit code."""
    node.wait_for_parts(stopping)
    seed = node.first_seed + node.episodes_before()
    TrainingSession(node, node.progress, node.tell, first_seed=seed).run()
    return EXIT_OK


def main() -> None:
    """Entry point."""
    run_client(TrainingNode, run_training, "residual_training")


if __name__ == "__main__":
    main()
